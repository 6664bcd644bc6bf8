package main

import (
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
	switch {
	case strings.HasPrefix(src.uri, "rtsp"):
		t.strict = true
	case strings.HasPrefix(src.uri, "http"):
		// JPEGs one after the other have no stamps: FFmpeg counts 25 a second, whatever comes.
		t.stamped = vc.CodecString() != "MJPG"
	}
	return t
}

// again starts another pass through a file.
func (t *timing) again() {
	t.base, t.seen = t.stream+t.frame, false
}

// stamp gives the time a picture was taken and the stream's own time, from zero at its first picture.
func (t *timing) stamp(now time.Time, stamp time.Duration) (taken time.Time, stream time.Duration) {
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
	if !t.seen {
		t.seen, t.first, t.stream = true, stamp, t.base
		t.offset = arrived - t.stream
		return now, t.stream
	}
	stream = t.base + stamp - t.first
	if stream <= t.stream || stream > t.stream+time.Hour {
		// No stamp, or a clock that was set: go on from where we are.
		stream = t.stream + t.frame
		t.first = stamp - (stream - t.base)
	}
	t.stream = stream
	t.offset = min(t.offset+time.Duration(drift*float64(passed)), arrived-stream)
	t.lag = 0
	if t.strict {
		t.lag = arrived - stream - t.offset
	}
	return t.started.Add(stream + t.offset), stream
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
