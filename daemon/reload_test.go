package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarsier/pipeline"
)

// TestReload edits the config of a running daemon: cameras, regions and the
// broker change, and the camera that stays is never stopped.
func TestReload(t *testing.T) {
	bin := buildPrograms(t)
	videos := testdata(t, "videos")
	models := modelDir(t, 1001, "random_0.35")
	port, otherPort := freePort(t), freePort(t)
	startMosquitto(t, t.TempDir(), port)
	startMosquitto(t, t.TempDir(), otherPort)
	sub := subscribe(t, port)

	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	write := func(broker int, cameras ...string) {
		t.Helper()
		text := fmt.Sprintf("node: e2e\nmodel: {dir: %s}\nthresholds: {enter: 0, leave: 0, hold: 0s, only: [thing (7)]}\ncameras:\n  - %s\nmqtt: {brokers: [\"tcp://127.0.0.1:%d\"]}\nhttp: {listen: \"\"}\nlog: {format: json}\n",
			models, strings.Join(cameras, "\n  - "), broker)
		must(t, os.WriteFile(path+".new", []byte(text), 0o644))
		must(t, os.Rename(path+".new", path))
	}
	stays := fmt.Sprintf("{name: stays, source: %s/bottle.mp4, loop: true, fps: 4}", videos)
	goes := fmt.Sprintf("{name: goes, source: %s/car.mp4, loop: true, fps: 4}", videos)
	halves := fmt.Sprintf("{name: goes, source: %s/car.mp4, loop: true, fps: 4, regions: [{name: left, box: [0, 0, 0.5, 1]}, {name: right, box: [0.5, 0, 0.5, 1]}]}", videos)

	write(port, stays, goes)
	d := startDaemon(t, bin, path)
	sub.wait("both cameras enter", func() bool { return sub.entered("stays", "thing (7)") && sub.entered("goes", "thing (7)") })
	d.noteChildren(t)

	write(port, stays, halves)
	left := func(camera, region, reason string) func() bool {
		return func() bool {
			return slices.ContainsFunc(sub.events(), func(e pipeline.Event) bool {
				return e.Camera == camera && e.Region == region && e.Type == pipeline.Leave && e.Reason == reason
			})
		}
	}
	sub.wait("the region that is gone is left", left("goes", "frame", pipeline.Reconfigured))
	sub.wait("its state is cleared", func() bool { return sub.last("goes/frame/state") == "" })
	sub.wait("the new regions are entered", func() bool {
		return strings.Contains(sub.last("goes/left/state"), "thing (7)") && strings.Contains(sub.last("goes/right/state"), "thing (7)")
	})

	write(port, stays)
	sub.wait("the camera that is gone is left", left("goes", "right", pipeline.Reconfigured))
	sub.wait("its topics are cleared", func() bool { return sub.last("goes/status") == "" && sub.last("goes/right/state") == "" })

	write(otherPort, stays)
	sub.wait("the old broker is told", func() bool { return sub.last("status") == "offline" })
	other := subscribe(t, otherPort)
	other.wait("the other broker has what is retained", func() bool {
		return other.last("status") == "online" && strings.Contains(other.last("stays/frame/state"), "thing (7)")
	})
	if n := childrenAlive(d.children); n != 1 {
		t.Errorf("of the two capture programs at the start %d still run, not the one of the camera that stayed", n)
	}
	for _, e := range slices.Concat(sub.events(), other.events()) {
		if e.Camera == "stays" && e.Type == pipeline.Leave {
			t.Errorf("the camera that stayed was left: %+v", e)
		}
	}
	for i, e := range sub.events() {
		if e.Seq != uint64(i+1) {
			t.Errorf("event %d has seq %d", i+1, e.Seq)
		}
	}
}
