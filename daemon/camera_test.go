package main

import (
	"os"
	"path/filepath"
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

	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	must(t, os.WriteFile(path, []byte(`thresholds: {only: [tench]}
cameras:
  - name: porch
    source: /dev/video0
    thresholds:
      only: [Water Bottle]
    regions:
      - {name: door, thresholds: {labels: [{label: zebra crossing, enter: 0.9}]}}
`), 0o644))
	cfg, err = config.Load(path)
	must(t, err)
	_, err = planCameras(cfg, m)
	want := path + `:6: cameras[0].thresholds.only[0]: found "Water Bottle", allowed: a label of ` + m.labelPath + ` (did you mean "water bottle"?)
` + path + `:8: cameras[0].regions[0].thresholds.labels[0].label: found "zebra crossing", allowed: a label of ` + m.labelPath
	if err == nil || err.Error() != want {
		t.Errorf("labels that there are not:\n%v\nwant:\n%s", err, want)
	}
}
