package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarsier/config"
	"tarsier/pipeline"
	"tarsier/pipeline/capture"
)

// TestAutoWidth gives a daemon with three widths more to do than the widest can, and less again. The width follows; no label is
// left, no event is lost, and no frame by a change of the width.
func TestAutoWidth(t *testing.T) {
	bin := buildPrograms(t)
	models := modelDir(t, 1001, "imagenet_1.0", "random_0.75", "random_0.35")
	port := freePort(t)
	startMosquitto(t, t.TempDir(), port)
	sub := subscribe(t, port)

	dir := t.TempDir()
	path := filepath.Join(dir, "tarsier.yaml")
	write := func(regions int, fps float64) {
		t.Helper()
		var all []string
		for i := range regions {
			all = append(all, fmt.Sprintf("{name: r%d}", i))
		}
		text := fmt.Sprintf(`node: e2e
model: {dir: %s, width_mult: auto, threads: 1}
thresholds: {enter: 0, leave: 0, hold: 0s, only: [thing (7)]}
cameras:
  - {name: cam, source: %s/bottle.mp4, loop: true, fit: tiles, fps: %.4f, regions: [%s]}
mqtt: {brokers: ["tcp://127.0.0.1:%d"], queue: {dir: %s/queue}}
http: {listen: ""}
`, models, testdata(t, "videos"), fps, strings.Join(all, ", "), port, dir)
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	// What takes the widest twice the time that there is, and the narrowest hopefully less than it. More than 15 pictures a second would be
	// asked of the camera in another way, which opens it again.
	load := func(cost time.Duration) (regions int, fps float64) {
		inferences := 2 / cost.Seconds()
		regions = min(64, max(2, int(math.Ceil(inferences/2/10))))
		return regions, min(15, inferences/2/float64(regions))
	}
	const idle = 0.5 // pictures a second
	write(1, idle)
	newAuto := func() *daemon {
		t.Helper()
		cfg, err := config.Load(path)
		must(t, err)
		log := newTranscript(t)
		d, err := newDaemon(path, cfg, capture.Options{Child: filepath.Join(bin, "tarsier-capture")}, slog.New(slog.NewTextHandler(log, nil)))
		must(t, err)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the daemon's log:\n%s", log)
			}
		})
		return d
	}
	d := newAuto()
	regions, busy := load(d.widths.costs[0])
	t.Logf("the widths take %v: %d regions at %.1f a second are too much", d.widths, regions, busy)
	write(regions, idle)
	cfg, err := config.Load(path)
	must(t, err)
	p, err := d.prepare(cfg)
	must(t, err)
	d.cfg, d.plans = cfg, p.plans
	quick := ladderPatience{look: 200 * time.Millisecond, strain: time.Second, calm: 5 * time.Second, most: 10 * time.Second, proof: time.Second}
	d.patience, d.widths.patience, d.widths.wait = quick, quick, quick.calm

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- d.run(ctx) }()
	reload := func(fps float64) {
		t.Helper()
		write(regions, fps)
		wake(d.reload)
		sub.wait("the new rate is in effect", func() bool { i := sub.info(); return len(i.Cameras) == 1 && math.Abs(i.Cameras[0].FPS-fps) < 1e-3 })
	}
	dropped := func() uint64 { return d.view().Cameras[0].Dropped }

	sub.wait("every region is entered", func() bool { return len(sub.open()) == regions })
	if i := sub.info(); i.WidthMult != 1 || !i.Auto {
		t.Errorf("it starts with %+v", i)
	}
	reload(busy)
	sub.wait("a narrower width runs", func() bool { return sub.info().WidthMult < 1 })
	reload(idle)
	counted := func() func() bool { // the frame that was on its way, and another one
		n := d.view().Cameras[0].Frames
		return func() bool { return d.view().Cameras[0].Frames > n+1 }
	}
	sub.wait("there is less to do", counted())
	before := dropped()
	sub.wait("the widest runs again", func() bool { return sub.info().WidthMult == 1 })
	sub.wait("frames go on", counted())
	if n := dropped() - before; n > 0 {
		t.Errorf("%d frames were dropped with little to do", n)
	}

	stop()
	must(t, <-done)
	sub.wait("offline is published", func() bool { return sub.last("status") == "offline" })
	next := uint64(1)
	entered, left := 0, 0
	for _, e := range sub.events() {
		if e.Seq != next {
			t.Errorf("seq %d follows %d", e.Seq, next-1)
		}
		next = e.Seq + 1
		switch {
		case e.Type == pipeline.Enter:
			entered++
		case e.Reason != pipeline.Stopped:
			t.Errorf("a change of the width ends what is entered: %+v", e)
		default:
			left++
			if e.Model.WidthMult != 1 {
				t.Errorf("the last frame was classified with width 1, and the event says %v", e.Model.WidthMult)
			}
		}
	}
	if entered != regions || left != regions {
		t.Errorf("%d regions were entered %d times and left %d times", regions, entered, left)
	}
	if m := d.plans[0].model; m != d.model && m.engine != nil {
		t.Error("weights that do not run are kept")
	}
}
