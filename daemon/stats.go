package main

import (
	"math"
	"slices"
	"sync"
	"time"

	"tarsier/daemon/web"
	"tarsier/pipeline"
)

// stats counts what one camera does.
type stats struct {
	mu      sync.Mutex
	frames  uint64 // classified
	dropped uint64 // due, but not classified: the board was busy
	stages  [len(stageNames)]window
	latency [len(stageNames)]web.Histogram // of all frames
	taken   time.Time                      // when the last frame was
	events  [len(eventTypes)]uint64        // made

	since   time.Time // of the last rate
	counted uint64    // frames by then
}

func newStats(now time.Time) *stats { return &stats{since: now} }

// rate is that of frames a second since the last call.
func (s *stats) rate(now time.Time) float64 {
	d := now.Sub(s.since).Seconds()
	if d <= 0 {
		return 0
	}
	rate := float64(s.frames-s.counted) / d
	s.since, s.counted = now, s.frames
	return math.Round(rate*100) / 100
}

// stageNames are the parts of a picture's way that are timed.
var stageNames = [...]string{"capture", "infer", "wait", "total"}

// eventTypes are those that are counted.
var eventTypes = [...]string{pipeline.Enter, pipeline.Leave}

// event counts one.
func (s *stats) event(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(eventTypes[:], kind); i >= 0 {
		s.events[i]++
	}
}

// frame counts a classified frame and the time of each stage: from when it
// was taken until it was here, in the network, waiting for it, and all.
func (s *stats) frame(d ...time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames++
	for i := range s.stages {
		s.stages[i].add(d[i])
		s.latency[i].Add(d[i])
	}
	s.taken = time.Now().Add(-d[len(stageNames)-1])
}

func (s *stats) drop(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped += uint64(n)
}

// view is what the web page shows of it.
func (s *stats) view(w *web.Camera) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Frames, w.Dropped = s.frames, s.dropped
	w.Latency, w.Stages, w.Events = map[string]float64{}, map[string]web.Histogram{}, map[string]uint64{}
	for i, name := range stageNames {
		w.Latency[name], _, _ = percentiles(slices.Clone(s.stages[i].last()))
		w.Stages[name] = s.latency[i]
	}
	for i, kind := range eventTypes {
		w.Events[kind] = s.events[i]
	}
	if !s.taken.IsZero() {
		age := math.Round(time.Since(s.taken).Seconds()*1e3) / 1e3
		w.AgeS = &age
	}
}

// A window keeps the last durations.
type window struct {
	ring [512]time.Duration
	n    int
}

func (w *window) add(d time.Duration) {
	w.ring[w.n%len(w.ring)] = d
	w.n++
}

func (w *window) last() []time.Duration {
	return w.ring[:min(w.n, len(w.ring))]
}

// percentiles gives the 50th, 95th and 99th of some durations in milliseconds.
func percentiles(d []time.Duration) (p50, p95, p99 float64) {
	if len(d) == 0 {
		return 0, 0, 0
	}
	slices.Sort(d)
	at := func(p int) float64 { return milliseconds(d[min(len(d)-1, len(d)*p/100)]) }
	return at(50), at(95), at(99)
}
