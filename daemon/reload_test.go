package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

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

// TestReloadSettings changes what needs no camera to be opened again, and
// what a paused camera shows.
func TestReloadSettings(t *testing.T) {
	bin := buildPrograms(t)
	models := modelDir(t, 1001, "random_0.35")
	port := freePort(t)
	startMosquitto(t, t.TempDir(), port)
	sub := subscribe(t, port)
	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	write := func(fps float64, snapshots bool, regions string) {
		t.Helper()
		text := fmt.Sprintf(`node: e2e
model: {dir: %s}
thresholds: {enter: 0, leave: 0, hold: 0s, only: [thing (7)]}
cameras:
  - {name: cam, source: %s/bottle.mp4, loop: true, fps: %v, regions: [%s]}
mqtt: {brokers: ["tcp://127.0.0.1:%d"], scores: true, snapshots: %t}
http: {listen: ""}
log: {format: json}
`, models, testdata(t, "videos"), fps, regions, port, snapshots)
		must(t, os.WriteFile(path+".new", []byte(text), 0o644))
		must(t, os.Rename(path+".new", path))
	}
	write(0.001, true, "{name: all}")
	startDaemon(t, bin, path)
	sub.wait("a picture comes with the event", func() bool { return strings.HasPrefix(sub.last("cam/all/snapshot"), "\xff\xd8") })
	scores := func() (n int) {
		sub.mu.Lock()
		defer sub.mu.Unlock()
		for _, m := range sub.messages {
			if m.topic == "cam/all/scores" {
				n++
			}
		}
		return n
	}
	// A picture in a thousand seconds becomes five a second at once.
	write(5, false, "{name: all}")
	sub.wait("the picture is taken back", func() bool { return sub.last("cam/all/snapshot") == "" })
	sub.wait("more pictures are classified", func() bool { return scores() > 2 })

	sub.publish("cam/pause/set", "ON")
	sub.wait("the camera is paused", func() bool { return sub.last("cam/pause") == "ON" && sub.last("cam/status") == "offline" })
	write(5, false, "{name: all}, {name: door, box: [0, 0, 0.5, 1]}")
	sub.wait("the new region of a paused camera has a state", func() bool { return sub.last("cam/door/state") == `{"label":null,"entered":[]}` })
	sub.publish("cam/pause/set", "OFF")
	sub.wait("it goes on", func() bool { return strings.Contains(sub.last("cam/door/state"), "thing (7)") })
}

// TestManyRegions stops a daemon that has 24 tiled regions to classify.
func TestManyRegions(t *testing.T) {
	bin := buildPrograms(t)
	models := modelDir(t, 1001, "imagenet_1.0")
	port := freePort(t)
	startMosquitto(t, t.TempDir(), port)
	sub := subscribe(t, port)
	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	var regions []string
	for i := range 24 {
		regions = append(regions, fmt.Sprintf("{name: r%d}", i))
	}
	must(t, os.WriteFile(path, []byte(fmt.Sprintf(`node: e2e
model: {dir: %s}
cameras:
  - {name: cam, source: %s/bottle.mp4, loop: true, fps: 0, fit: tiles, regions: [%s]}
mqtt: {brokers: ["tcp://127.0.0.1:%d"]}
http: {listen: ""}
log: {format: json}
`, models, testdata(t, "videos"), strings.Join(regions, ", "), port)), 0o644))
	d := startDaemon(t, bin, path)
	sub.wait("the camera is online", func() bool { return sub.last("cam/status") == "online" })
	start := time.Now()
	must(t, d.cmd.Process.Signal(syscall.SIGTERM))
	if err := d.wait(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

// TestNotify is systemd: it hears that the daemon is ready, lives, reloads and
// stops.
func TestNotify(t *testing.T) {
	bin := buildPrograms(t)
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	must(t, err)
	defer conn.Close()
	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	must(t, os.WriteFile(path, []byte(fmt.Sprintf(`node: e2e
model: {dir: %s}
cameras:
  - {name: cam, source: /dev/video99}
mqtt: {brokers: ["tcp://127.0.0.1:%d"]}
http: {listen: ""}
log: {format: json}
`, modelDir(t, 1001, "random_0.35"), freePort(t))), 0o644))
	d := startDaemon(t, bin, path, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=2000000")
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	hear := func(want string) {
		t.Helper()
		b := make([]byte, 4096)
		for {
			n, err := conn.Read(b)
			if err != nil {
				t.Fatalf("never heard %s: %v", want, err)
			}
			if strings.HasPrefix(string(b[:n]), want) {
				return
			}
		}
	}
	hear("READY=1")
	hear("WATCHDOG=1")
	hear("STATUS=0 of 1 cameras online, broker away")
	must(t, d.cmd.Process.Signal(syscall.SIGHUP))
	hear("RELOADING=1")
	hear("READY=1")
	hear("WATCHDOG=1")
	must(t, d.cmd.Process.Signal(syscall.SIGTERM))
	hear("STOPPING=1")
	if err := d.wait(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if strings.Contains(d.log(), "not feeding the watchdog") {
		t.Error("the watchdog was not fed")
	}
}
