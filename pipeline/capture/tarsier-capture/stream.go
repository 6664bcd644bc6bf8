package main

// #include "resized.h"
import "C"

import (
	"image"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"gocv.io/x/gocv"

	"tarsier/pipeline/capture/wire"
)

// stream is an opened source. One goroutine calls OpenCV for it and keeps it current; whoever asks takes the newest picture from it.
//
// Reading a picture costs its decoding, which no later picture can do without, and its conversion to BGR, which is only for
// those that are looked at: about a quarter of the whole for H.264 on x86, more where the conversion has no vector code. So
// between questions pictures are only grabbed, and read again shortly before the next question is due.
type stream struct {
	src    source
	stderr *stderrFilter
	every  bool
	loop   bool
	need   image.Point // how large its pictures must be for the regions
	rate   int         // pictures a second that are wanted, at least
	quit   chan struct{}
	done   chan struct{}

	answered *picture // of whoever takes

	mu       sync.Mutex
	change   sync.Cond
	newest   *picture // not taken yet
	free     []*picture
	width    int
	height   int
	total    uint32 // pictures that the file says it holds; 0: unknown
	err      *wire.Fault
	told     bool // the daemon knows err
	stopped  bool
	pictures uint64
	last     time.Time     // when the last picture came, or the source was asked for
	period   time.Duration // between pictures
	waiting  bool          // a question waits
	asked    time.Time     // when the last question came
	interval time.Duration // between questions
	dozing   bool          // a picture waits until it is due, or asked for
	polled   bool          // pictures come when they are asked for
}

type picture struct {
	mat    gocv.Mat
	taken  time.Time
	stream time.Duration
}

// openStream begins to open a source; news is told when it has ended.
func openStream(o *wire.Open, stderr *stderrFilter, news chan<- struct{}) (*stream, error) {
	src, err := parseSource(o.Source)
	if err != nil {
		return nil, err
	}
	s := &stream{
		src: src, stderr: stderr, every: o.Every && src.file, loop: o.Loop && src.file,
		quit: make(chan struct{}), done: make(chan struct{}), last: time.Now(),
	}
	s.change.L = &s.mu
	s.need.X, s.need.Y = need(o.Regions, int(o.Size))
	s.rate = int(o.Rate)
	for range 3 { // one is written, one is the newest, one was answered
		s.free = append(s.free, &picture{mat: gocv.NewMat()})
	}
	go func() {
		defer close(s.done)
		play := s.video
		switch {
		case src.still:
			play = s.still
		case src.http:
			play = s.http
		}
		err := play()
		s.mu.Lock()
		s.err = err
		s.expire()
		s.mu.Unlock()
		s.change.Broadcast()
		select {
		case news <- struct{}{}:
		default:
		}
	}()
	return s, nil
}

// close waits for OpenCV; the daemon, who knows how long that may take, kills the process when it must.
func (s *stream) close() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	close(s.quit)
	s.change.Broadcast()
	<-s.done
	for _, p := range append(s.free, s.newest, s.answered) {
		if p != nil {
			p.mat.Close()
		}
	}
}

// first waits for the first picture and leaves it to be taken.
func (s *stream) first() (*wire.Opened, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.pictures == 0 && s.err == nil {
		s.change.Wait()
	}
	if s.pictures == 0 {
		s.told = true
		return nil, s.err
	}
	return &wire.Opened{Width: uint32(s.width), Height: uint32(s.height), Total: s.total}, nil
}

// take waits for a picture that was not taken before; it is the caller's until the next call.
func (s *stream) take() (*picture, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.asked, s.interval = now, now.Sub(s.asked)
	s.waiting = true
	s.expire()
	if s.polled && s.newest != nil && now.Sub(s.newest.taken) > snapshotFresh {
		s.drop()
	}
	s.change.Broadcast()
	for s.newest == nil && s.err == nil {
		s.change.Wait()
	}
	s.waiting = false
	if s.newest == nil {
		s.told = true
		return nil, s.err
	}
	if s.answered != nil {
		s.free = append(s.free, s.answered)
	}
	s.answered, s.newest = s.newest, nil
	s.change.Broadcast()
	return s.answered, nil
}

// expire drops the last picture of what has ended, where nobody took it in time: of a stream that broke off it is the news that counts, and
// a picture is given only while it is new.
func (s *stream) expire() {
	if s.err == nil || s.newest == nil || s.every || s.err.Reason == wire.ReasonEnd && time.Since(s.newest.taken) < maxLag {
		return
	}
	s.drop()
}

// drop takes back the newest picture.
func (s *stream) drop() {
	s.free = append(s.free, s.newest)
	s.newest = nil
}

// over tells that no more pictures come, though one may wait.
func (s *stream) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// state is for the pulse; err is what ended the stream, once its last picture is taken, where it is to be told and was not.
func (s *stream) state(tell bool) (pictures uint64, idle time.Duration, err *wire.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	switch {
	case s.told: // of an end there is nothing to add: not that a picture came just now, nor that none does
		return 0, 0, nil
	case s.err != nil && s.newest == nil && tell:
		s.told = true
		return 0, 0, s.err
	case s.err != nil && s.err.Reason == wire.ReasonEnd, s.dozing, s.every && s.newest != nil:
		// It does not wait for pictures: the last one, or the next one, waits for its time or a question.
	default:
		idle = time.Since(s.last)
	}
	return s.pictures, idle, nil
}

// wanted says whether the next picture is worth converting: where every one is asked for, where a question waits or is about to come.
func (s *stream) wanted(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.every || s.waiting || s.pictures == 0 {
		return true
	}
	due := s.asked.Add(s.interval)
	return now.Add(2*s.period).After(due) && now.Before(due.Add(s.interval+2*s.period))
}

// room waits until there is somewhere to put a picture; nil when the stream is to end.
func (s *stream) room() *picture {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.every && s.newest != nil && !s.stopped {
		s.change.Wait()
	}
	if s.stopped {
		return nil
	}
	return s.free[len(s.free)-1]
}

// publish makes p, which room gave, the newest; of one that was only grabbed there is nothing to take, and what was the newest is not any more.
func (s *stream) publish(p *picture, read bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.pictures > 0 {
		d := now.Sub(s.last)
		if s.period > 0 {
			d = (7*s.period + d) / 8
		}
		s.period = d
	}
	s.last = now
	s.pictures++
	if s.newest != nil {
		s.drop()
	}
	if read {
		for i, f := range s.free {
			if f == p {
				s.free = append(s.free[:i], s.free[i+1:]...)
				break
			}
		}
		s.newest = p
		s.width, s.height = p.mat.Cols(), p.mat.Rows()
		s.change.Broadcast()
	}
}

// pause sleeps until t; false when the stream is to end.
func (s *stream) pause(t time.Time) bool {
	d := time.Until(t)
	if d <= 0 {
		return true
	}
	s.doze(true)
	defer s.doze(false)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.quit:
		return false
	}
}

func (s *stream) doze(on bool) {
	s.mu.Lock()
	s.dozing = on
	s.mu.Unlock()
}

var errStopped = fault(wire.ReasonEnd, "the source was closed")

// stillPeriod is how often a picture that stands in for a camera is shown.
const stillPeriod = time.Second

// still shows a picture once, or with loop each second.
func (s *stream) still() *wire.Fault {
	for n := time.Duration(0); ; n++ {
		p := s.room()
		if p == nil {
			return errStopped
		}
		m := gocv.IMRead(s.src.uri, gocv.IMReadColor)
		if m.Empty() {
			m.Close()
			return fault(wire.ReasonUnusable, "%s: this picture cannot be decoded; it is damaged or not complete%s", s.src.shown, because(s.stderr.since()))
		}
		p.mat.Close()
		p.mat, p.taken, p.stream = m, time.Now(), n*stillPeriod
		s.publish(p, true)
		if !s.loop {
			return fault(wire.ReasonEnd, "%s: that was its only picture", s.src.shown)
		}
		if !s.every && !s.pause(p.taken.Add(stillPeriod)) {
			return errStopped
		}
	}
}

// video reads until the source ends, breaks, or is closed.
func (s *stream) video() *wire.Fault {
	vc, err := s.open()
	if err != nil {
		return err
	}
	defer func() { vc.Close() }()
	if n := vc.Get(gocv.VideoCaptureFrameCount); s.src.file && n > 0 && n < math.MaxInt32 {
		s.mu.Lock()
		s.total = uint32(n)
		s.mu.Unlock()
	}
	t := newTiming(s.src, vc)
	position, pass := -1.0, 0
	for {
		p := s.room()
		if p == nil {
			return errStopped
		}
		asked := time.Now()
		read := t.mustRead || s.wanted(asked)
		ok := false
		if read {
			ok = vc.Read(&p.mat) && p.mat.Cols() > 0
		} else {
			vc.Grab(1)
			ok = vc.Get(t.property) != position
		}
		if !s.src.file && pass > 0 && time.Since(asked) >= patience {
			// FFmpeg has given up. What the decoder still held comes out, as old as that.
			return fault(wire.ReasonBroken, "%s: no picture for %v", s.src.shown, patience)
		}
		if !ok {
			if err := s.ended(vc, pass); err != nil {
				return err
			}
			vc.Close()
			again, err := s.open()
			if err != nil {
				return err
			}
			vc = again
			t.again()
			position, pass = -1, 0
			continue
		}
		pass++
		position = vc.Get(t.property)
		now := time.Now()
		p.taken, p.stream = t.stamp(now, vc.Get(gocv.VideoCapturePosMsec))
		if s.src.file {
			if s.every {
				p.taken = now
			} else if p.taken = t.play(now, p.stream); !s.pause(p.taken) {
				return errStopped
			}
		} else if t.lag > maxLag {
			return fault(wire.ReasonAgain, "%s: its pictures are %.1f s old by the stream's own clock; opening it again", s.src.shown, t.lag.Seconds())
		}
		s.publish(p, read)
	}
}

// ended is what a failed read means; nil where the file starts over.
func (s *stream) ended(vc *gocv.VideoCapture, pass int) *wire.Fault {
	switch {
	case C.resized() != 0 && s.src.file:
		return fault(wire.ReasonBroken, "%s: after %d pictures they have another size or format; the rest cannot be read", s.src.shown, pass)
	case C.resized() != 0:
		return fault(wire.ReasonAgain, "%s: its pictures have another size or format now; opening it again", s.src.shown)
	case !s.src.file:
		return fault(wire.ReasonBroken, "%s: the stream broke off%s", s.src.shown, because(s.stderr.since()))
	case pass == 0:
		return fault(wire.ReasonUnusable, "%s: no picture in it can be decoded; the video is damaged or not complete%s", s.src.shown, because(s.stderr.since()))
	}
	// Where a container says how many pictures it holds, one that breaks off is told from one that ends. It may count a few too many.
	if total := vc.Get(gocv.VideoCaptureFrameCount); float64(pass) < 0.9*total-25 && total < math.MaxInt32 {
		return fault(wire.ReasonBroken, "%s: it breaks off after %d of %.0f pictures; the video is damaged or not complete%s", s.src.shown, pass, total, because(s.stderr.since()))
	}
	if s.loop {
		return nil
	}
	return fault(wire.ReasonEnd, "%s: the video is at its end (`loop: true` starts it over)", s.src.shown)
}

// open is OpenCV's open.
func (s source) open() (*gocv.VideoCapture, error) {
	// OpenCV reads it at each open, and there is no other way to say it.
	os.Setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", s.options)
	if s.backend == gocv.VideoCaptureFFmpeg {
		C.expect_one_size()
	} else {
		C.expect_any_size()
	}
	return gocv.OpenVideoCaptureWithAPI(s.uri, s.backend)
}

// open opens the source, with an account of why it failed, which OpenCV does not give: FFmpeg's complaints tell.
func (s *stream) open() (*gocv.VideoCapture, *wire.Fault) {
	s.stderr.clear()
	asked := time.Now()
	if s.src.backend == gocv.VideoCaptureGstreamer {
		if why := pipelineFault(s.src.uri); why != "" {
			return nil, fault(wire.ReasonUnusable, "%s: GStreamer cannot make this pipeline (%s)", s.src.shown, why)
		}
	}
	vc, err := s.src.open()
	late := s.src.options != "" && time.Since(asked) > patience*9/10
	if err == nil && vc.IsOpened() && !(late && vc.Get(gocv.VideoCaptureFrameWidth) == 0) {
		switch {
		case s.src.backend == gocv.VideoCaptureV4L2:
			s.setMode(vc)
		case s.src.backend == gocv.VideoCaptureFFmpeg && strings.HasPrefix(s.src.uri, "rtsp"):
			vc, err = s.cheaper(vc)
		}
		if err == nil {
			return vc, nil
		}
	}
	if vc != nil {
		if vc.IsOpened() {
			vc.Close()
			// OpenCV would wait for a picture as long again.
			return nil, fault(wire.ReasonMissing, "%s: it answers, and sends no picture; check the camera, and what follows the host in its source", s.src.shown)
		}
		vc.Close()
	}
	lines := s.stderr.since()
	reason, advice := diagnose(lines)
	if reason == wire.ReasonUnusable && late {
		reason, advice = wire.ReasonMissing, noAnswer
	}
	if s.src.file {
		return nil, fault(wire.ReasonUnusable, "%s: it cannot be opened as a video; it is damaged, not complete, or something else%s", s.src.shown, because(lines))
	}
	return nil, fault(reason, "%s: %s%s", s.src.shown, advice, because(lines))
}

// noAnswer is what FFmpeg does not always say.
const noAnswer = "it does not answer; check the address, and that the camera is on"

// diagnose finds the kind of failure in what FFmpeg and OpenCV print. Spaces do not count: FFmpeg 7 has none in "401Unauthorized".
func diagnose(lines []string) (wire.Reason, string) {
	for _, c := range []struct {
		reason wire.Reason
		advice string
		signs  []string
	}{
		{wire.ReasonRefused, "the camera refuses the login; check user and password in its source", []string{"401 unauthorized", "403 forbidden"}},
		{wire.ReasonMissing, "the camera does not know this path; check what follows the host in its source", []string{"404 not found"}},
		{wire.ReasonRefused, "another program uses it", []string{"resource busy", "errno=16"}},
		{wire.ReasonMissing, "nobody answers there; check the address, and that the camera is on", []string{
			"connection refused", "no route to host", "network is unreachable", "failed to resolve", "name or service not known", "temporary failure",
			"no such host", "server misbehaving",
		}},
		{wire.ReasonMissing, noAnswer, []string{"timed out"}},
	} {
		for _, l := range lines {
			for _, sign := range c.signs {
				if strings.Contains(unspaced(strings.ToLower(l)), unspaced(sign)) {
					return c.reason, c.advice
				}
			}
		}
	}
	return wire.ReasonUnusable, "it cannot be opened"
}

func unspaced(s string) string { return strings.ReplaceAll(s, " ", "") }

// because quotes the first complaint.
func because(lines []string) string {
	for _, l := range lines {
		if l = strings.TrimPrefix(l, "[OPENCV:FFMPEG:24] "); strings.HasPrefix(l, "deprecated pixel format") {
			continue // of every MJPEG stream, and no reason for anything
		}
		// [OPENCV:FFMPEG:16] and [rtsp @ 0x55d0c8a3a2c0] say who complains.
		if _, rest, ok := strings.Cut(l, "] "); ok && strings.HasPrefix(l, "[") {
			l = rest
		}
		return " (" + strings.TrimSpace(l) + ")"
	}
	return ""
}
