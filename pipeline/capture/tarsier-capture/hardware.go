package main

// #include "resized.h"
import "C"

import (
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"gocv.io/x/gocv"

	"tarsier/pipeline/capture/device"
)

// large is how many pixels the picture of a stream may have before anything is done about what it costs to decode. A test has another.
var large = 1280 * 720

// hardwarePatience is how long the board's decoder may take for its first picture, which may have to wait for a key frame; with what FFmpeg
// took before it stays within what the daemon gives to both.
var hardwarePatience = 8 * time.Second

// decoder finds the board's own for H.264, as a part of a pipeline; "" where there is none. A test has another.
var decoder = func() string {
	for _, nvdec := range []string{"/dev/v4l2-nvdec", "/dev/nvhost-nvdec"} {
		if found, _ := filepath.Glob(nvdec); len(found) > 0 {
			return "nvv4l2decoder ! nvvidconv ! video/x-raw,format=BGRx"
		}
	}
	devices, _ := filepath.Glob("/dev/video*")
	for _, d := range devices {
		if device.DecodesH264(d) {
			return "v4l2h264dec"
		}
	}
	return ""
}

// Each is said, and tried, once in a process.
var failed, advised atomic.Bool

// cheaper takes a stream that FFmpeg has opened, and where it is a large one gives another in its place, which the board's decoder decodes, or
// says that the camera has a smaller one.
func (s *stream) cheaper(vc *gocv.VideoCapture) (*gocv.VideoCapture, error) {
	w, h := int(vc.Get(gocv.VideoCaptureFrameWidth)), int(vc.Get(gocv.VideoCaptureFrameHeight))
	if w*h <= large {
		return vc, nil
	}
	if d := decoder(); d != "" && strings.HasPrefix(s.src.uri, "rtsp://") && vc.CodecString() == "h264" && !failed.Load() {
		vc.Close() // some cameras have one viewer at a time
		pipeline := hardwarePipeline(s.src.uri, d, max(s.rate, 15))
		C.expect_any_size()
		hard, why := openPipeline(pipeline, hardwarePatience)
		if hard != nil {
			s.src.uri, s.src.backend = pipeline, gocv.VideoCaptureGstreamer
			return hard, nil
		}
		failed.Store(true)
		s.mu.Lock()
		s.last = time.Now() // FFmpeg has all of its time again
		s.mu.Unlock()
		s.stderr.printf("%s: the board's decoder is not used: %s", s.src.shown, why)
		var err error
		if vc, err = s.src.open(); err != nil {
			return vc, err
		}
	}
	if s.need.X <= 1280 && s.need.Y <= 720 && !advised.Swap(true) {
		s.stderr.printf("%s: its pictures are %dx%d; a smaller stream of this camera (its sub-stream) is large enough and costs less to decode; "+
			"the README says where cameras have it", s.src.shown, w, h)
	}
	return vc, nil
}

// hardwarePipeline does what FFmpeg does for us, with another decoder. Pictures keep the camera's own time stamps (buffer-mode), by which a
// stream that falls behind is known. What OpenCV has of GStreamer is converted, so of what comes faster than it is wanted only a part is.
func hardwarePipeline(uri, decoder string, rate int) string {
	return "rtspsrc location=" + gstURL(uri) + " protocols=tcp latency=0 buffer-mode=none tcp-timeout=" + strconv.Itoa(int(patience/time.Microsecond)) +
		" ! rtph264depay ! h264parse ! " + decoder + " ! videorate drop-only=true ! video/x-raw,framerate=[0/1," + strconv.Itoa(rate) + "/1]" + sink
}

// openPipeline opens what gives a picture in time. OpenCV has no end to its waiting: a pipeline that gives none is left to it, until
// this process ends.
func openPipeline(pipeline string, within time.Duration) (*gocv.VideoCapture, string) {
	if why := pipelineFault(pipeline); why != "" {
		return nil, why
	}
	opened := make(chan *gocv.VideoCapture)
	gaveUp := make(chan struct{})
	go func() {
		vc, err := gocv.OpenVideoCaptureWithAPI(pipeline, gocv.VideoCaptureGstreamer)
		if err == nil {
			m := gocv.NewMat()
			defer m.Close()
			if !vc.IsOpened() || !vc.Read(&m) || m.Cols() == 0 {
				vc.Close()
				vc = nil
			}
		}
		select {
		case opened <- vc:
		case <-gaveUp:
			if vc != nil {
				vc.Close()
			}
		}
	}()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case vc := <-opened:
		if vc == nil {
			return nil, "it gives no picture"
		}
		return vc, ""
	case <-timer.C:
		close(gaveUp)
		return nil, "no picture for " + within.String()
	}
}
