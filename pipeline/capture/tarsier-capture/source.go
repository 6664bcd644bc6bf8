package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocv.io/x/gocv"

	"tarsier/pipeline/capture/wire"
)

// source says how to open what the config calls one.
type source struct {
	uri     string
	backend gocv.VideoCaptureAPI
	options string // FFmpeg's, as OPENCV_FFMPEG_CAPTURE_OPTIONS has them
	file    bool   // has an end, and a speed of its own
	http    bool   // may be a picture for each request
	still   bool   // a picture
	shown   string // for people
}

// What FFmpeg is told: TCP, since a lost packet is a smeared picture; three seconds for an answer instead of thirty; and no long
// look at the stream before the first picture. Not `fflags;nobuffer`: it forgets what it saw in that look, the key frame too, and
// the first picture comes with the next one, seconds later.
const (
	patience    = 3 * time.Second
	rtspOptions = "rtsp_transport;tcp|timeout;3000000|analyzeduration;100000"
	httpOptions = "rw_timeout;3000000|analyzeduration;100000"
)

func fault(r wire.Reason, format string, args ...any) *wire.Fault {
	return &wire.Fault{Reason: r, Text: wire.Redact(fmt.Sprintf(format, args...))}
}

// parseSource finds what can be found out without OpenCV, which says little about why it cannot open something.
func parseSource(s string) (source, error) {
	shown := wire.Redact(s)
	switch {
	case strings.HasPrefix(s, "gst:"):
		p := strings.TrimSpace(strings.TrimPrefix(s, "gst:"))
		if !strings.Contains(p, "appsink") {
			p += sink
		}
		return source{uri: p, backend: gocv.VideoCaptureGstreamer, shown: shown}, nil
	case strings.HasPrefix(s, "csi:"):
		p, err := csi("/", strings.TrimPrefix(s, "csi:"))
		if err != nil {
			return source{}, err
		}
		return source{uri: p, backend: gocv.VideoCaptureGstreamer, shown: shown}, nil
	case strings.HasPrefix(s, "/dev/"):
		if err := readable(s); err != nil {
			return source{}, err
		}
		return source{uri: s, backend: gocv.VideoCaptureV4L2, shown: shown}, nil
	case strings.HasPrefix(s, "rtsp://"), strings.HasPrefix(s, "rtsps://"):
		return source{uri: s, backend: gocv.VideoCaptureFFmpeg, options: rtspOptions, shown: shown}, nil
	case strings.Contains(s, "://"):
		http := strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
		return source{uri: s, backend: gocv.VideoCaptureFFmpeg, options: httpOptions, http: http, shown: shown}, nil
	}
	// FFmpeg takes what is before a colon for a protocol; an absolute path has none.
	path, err := filepath.Abs(s)
	if err != nil {
		return source{}, fault(wire.ReasonMissing, "%s: %v", shown, err)
	}
	if err := readable(path); err != nil {
		return source{}, err
	}
	still, err := isStill(path)
	if err != nil {
		return source{}, err
	}
	return source{uri: path, backend: gocv.VideoCaptureFFmpeg, file: true, still: still, shown: path}, nil
}

// sink ends a pipeline: the newest picture only, as OpenCV wants it.
const sink = " ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"

func readable(path string) error {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		var st os.FileInfo
		if st, err = f.Stat(); err == nil {
			switch {
			case st.IsDir():
				return fault(wire.ReasonUnusable, "%s: it is a directory; name a video or picture in it", path)
			case st.Mode().IsRegular() && st.Size() == 0:
				return fault(wire.ReasonUnusable, "%s: the file is empty", path)
			}
			return nil
		}
	}
	device := strings.HasPrefix(path, "/dev/")
	hint := ""
	if os.Getenv("LISTEN_FDS") != "" {
		hint = "; as a service tarsier-capture is a user of its own, who sees neither /home nor /tmp: put it elsewhere, as in /srv"
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && device:
		return fault(wire.ReasonMissing, "%s: there is no such device; is the camera plugged in? `tarsier cameras` lists what is attached", path)
	case errors.Is(err, fs.ErrNotExist):
		return fault(wire.ReasonMissing, "%s: there is no such file%s", path, hint)
	case errors.Is(err, fs.ErrPermission) && device:
		return fault(wire.ReasonRefused, "%s: permission denied; the user that runs this must be in the group `video`", path)
	case errors.Is(err, fs.ErrPermission):
		return fault(wire.ReasonRefused, "%s: permission denied%s", path, hint)
	}
	return fault(wire.ReasonMissing, "%v", err)
}

// isStill looks at how a file starts. FFmpeg reads pictures too, but as videos whose pixels it converts its own way.
func isStill(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, fault(wire.ReasonMissing, "%v", err)
	}
	defer f.Close()
	var start [12]byte
	n, _ := f.Read(start[:])
	s := string(start[:n])
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case ext == ".mjpeg" || ext == ".mjpg": // JPEGs one after the other
		return false, nil
	case strings.HasPrefix(s, "\xff\xd8\xff"), // JPEG
		strings.HasPrefix(s, "\x89PNG\r\n\x1a\n"),
		strings.HasPrefix(s, "BM"),
		strings.HasPrefix(s, "II*\x00"), strings.HasPrefix(s, "MM\x00*"), // TIFF
		n == 12 && s[:4] == "RIFF" && s[8:] == "WEBP":
		return true, nil
	}
	return false, nil
}
