package main

import (
	"slices"
	"testing"
	"time"

	"tarsier/config"
	"tarsier/mnv2"
)

func TestPercentiles(t *testing.T) {
	var w window
	if p50, p95, p99 := percentiles(slices.Clone(w.last())); p50 != 0 || p95 != 0 || p99 != 0 {
		t.Error("of nothing there are none")
	}
	for i := range 1000 { // 488..999 ms stay
		w.add(time.Duration(i) * time.Millisecond)
	}
	p50, p95, p99 := percentiles(slices.Clone(w.last()))
	if p50 != 744 || p95 != 974 || p99 != 994 {
		t.Errorf("percentiles are %v, %v, %v", p50, p95, p99)
	}
}

func TestRate(t *testing.T) {
	now := time.Now()
	s := newStats(now)
	s.frames += 50
	if r := s.rate(now.Add(10 * time.Second)); r != 5 {
		t.Errorf("50 frames in 10 s are %v a second", r)
	}
	if r := s.rate(now.Add(20 * time.Second)); r != 0 {
		t.Errorf("no frames are %v a second", r)
	}
}

func TestPlanCameras(t *testing.T) {
	f := readModelFile(testdata(t, "golden") + "/imagenet_1.0_int8.tflite")
	must(t, f.err)
	m, err := loadModel(f, testdata(t, "models")+"/imagenet_labels.txt", mnv2.Options{Threads: 1})
	must(t, err)
	cfg := &config.Config{Node: "n", Cameras: []config.Camera{{Name: "porch", Regions: []config.Region{{Name: "door"}}}}}
	cfg.Thresholds.Only = []string{"water bottle", "tench"}
	plans, err := planCameras(cfg, m)
	must(t, err)
	if got := plans[0].thresholds[0].Only; !slices.Equal(got, []int{899, 1}) {
		t.Errorf("only: %v", got)
	}
	cfg.Thresholds.Only = []string{"Water Bottle", "zebra crossing"}
	_, err = planCameras(cfg, m)
	if err == nil || err.Error() != `thresholds name labels that the model imagenet_1.0_int8 does not have: "Water Bottle" (did you mean "water bottle"?), "zebra crossing"; its labels are in the model directory's labels.txt` {
		t.Errorf("labels that there are not: %v", err)
	}
}
