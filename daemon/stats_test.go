package main

import (
	"testing"
	"time"

	"tarsier/daemon/web"
	"tarsier/pipeline"
)

// What the web page and Prometheus are told of a camera.
func TestStatsView(t *testing.T) {
	s := newStats(time.Now())
	var before web.Camera
	s.view(&before)
	if before.AgeS != nil || len(before.Stages) != len(stageNames) {
		t.Errorf("before the first frame: age %v, stages %v", before.AgeS, before.Stages)
	}
	s.frame(5*time.Millisecond, 8*time.Millisecond, time.Millisecond, 2*time.Second)
	s.drop(3)
	s.event(pipeline.Enter)
	s.event(pipeline.Enter)
	s.event(pipeline.Leave)
	var w web.Camera
	s.view(&w)
	if w.Frames != 1 || w.Dropped != 3 || w.Events[pipeline.Enter] != 2 || w.Events[pipeline.Leave] != 1 {
		t.Errorf("counted %+v", w)
	}
	if w.AgeS == nil || *w.AgeS < 2 { // it was taken two seconds before it was done with
		t.Errorf("the frame's age is %v", w.AgeS)
	}
	var infer web.Histogram
	infer.Add(8 * time.Millisecond)
	if w.Stages["infer"] != infer || w.Latency["infer"] != 8 {
		t.Errorf("the stages are %v, the medians %v", w.Stages, w.Latency)
	}
}

// Each frame is counted without allocating.
func TestStatsAllocateNothing(t *testing.T) {
	s := newStats(time.Now())
	n := testing.AllocsPerRun(100, func() {
		s.frame(time.Millisecond, time.Millisecond, time.Millisecond, time.Millisecond)
		s.event(pipeline.Enter)
	})
	if n != 0 {
		t.Errorf("a frame allocates %v times", n)
	}
}
