package main

// #include <unistd.h>
import "C"

import (
	"math"
	"strings"
	"time"

	"gocv.io/x/gocv"
)

// maxLag is how old the pictures of a stream may be before it is opened again.
const maxLag = 3 * time.Second

// drift is how much faster than ours a camera's clock may run slow, before its stream is taken for one that falls behind.
const drift = 1e-3

// timing turns a source's time stamps into the time a picture was taken. The offset between the stream's clock and ours is the smallest
// seen of (arrival - stamp): that picture was on the way for the shortest time. What a later one has more is its lag. The
// offset grows slowly, since no two clocks run alike.
type timing struct {
	property gocv.VideoCaptureProperties // moves with each picture
	mustRead bool                        // there is no telling whether a grab succeeded
	stamped  bool                        // time stamps are the camera's
	strict   bool                        // and tell whether the stream is behind
	frame    time.Duration               // what a picture lasts, by the container
	held     int                         // pictures that are decoded later than they come

	started time.Time
	base    time.Duration // of this pass through a file
	stream  time.Duration // of the last picture
	first   time.Duration // stamp of the first one
	seen    bool
	offset  time.Duration // arrival - stamp, relative to started and first
	arrived time.Duration
	lag     time.Duration
}

func newTiming(src source, vc *gocv.VideoCapture) *timing {
	t := &timing{property: gocv.VideoCapturePosFrames, stamped: true, frame: 40 * time.Millisecond}
	if fps := vc.Get(gocv.VideoCaptureFPS); fps >= 1 && fps <= 1000 {
		t.frame = time.Duration(float64(time.Second) / fps)
	}
	switch src.backend {
	case gocv.VideoCaptureV4L2:
		t.property = gocv.VideoCapturePosMsec
	case gocv.VideoCaptureGstreamer:
		t.mustRead = true
	}
	codec := strings.ToLower(vc.CodecString())
	switch {
	case strings.HasPrefix(src.uri, "rtsp"):
		t.strict = true
	case strings.HasPrefix(src.uri, "http"):
		// JPEGs one after the other have no stamps: FFmpeg counts 25 a second, whatever comes.
		t.stamped = !strings.HasPrefix(codec, "mjp")
	}
	if !src.file && (codec == "h264" || codec == "hevc") {
		// FFmpeg's parser waits for the next picture to begin, and of its frame threads, which OpenCV asks for one a processor,
		// each but one holds a picture. Seen in the tests: as many pictures late as there are processors.
		t.held = int(C.sysconf(C._SC_NPROCESSORS_ONLN))
	}
	return t
}

// again starts another pass through a file.
func (t *timing) again() {
	t.base, t.seen = t.stream+t.frame, false
}

// stamp gives the time a picture was taken and the stream's own time, from zero at its first picture; ms is its time stamp in milliseconds.
func (t *timing) stamp(now time.Time, ms float64) (taken time.Time, stream time.Duration) {
	if t.started.IsZero() {
		t.started = now
	}
	arrived := now.Sub(t.started)
	passed := arrived - t.arrived
	t.arrived = arrived
	if !t.stamped {
		t.stream = arrived
		return now, t.stream
	}
	// Of a picture without a stamp OpenCV says 0, or something far below: the first ones of an RTSP stream are such.
	ok := math.Abs(ms) < 1e14
	stamp := time.Duration(ms * float64(time.Millisecond))
	if !t.seen {
		if !ok {
			stamp = 0
		}
		t.seen, t.first, t.stream = true, stamp, t.base
		t.offset = arrived - t.stream
		return now, t.stream
	}
	stream = t.base + stamp - t.first
	if !ok || stream <= t.stream || stream > t.stream+time.Hour {
		stream = t.stream + t.frame
	}
	if ok {
		t.first = t.base + stamp - stream // other than before where the stream's clock was set
	}
	t.stream = stream
	t.offset = min(t.offset+time.Duration(drift*float64(passed)), arrived-stream)
	t.lag = 0
	if t.strict {
		t.lag = arrived - stream - t.offset
	}
	return t.started.Add(stream + t.offset - time.Duration(t.held)*t.frame), stream
}

// play is when a file's picture is due, played at its own speed. Where the machine is too slow for that it plays slower.
func (t *timing) play(now time.Time, stream time.Duration) time.Time {
	due := t.started.Add(stream)
	if late := now.Sub(due); late > 250*time.Millisecond {
		t.started = t.started.Add(late)
		due = now
	}
	return due
}
