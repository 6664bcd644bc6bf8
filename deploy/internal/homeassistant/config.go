package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A config is tarsier's: a porch on which a bottle stands, and what else a check adds.
type config struct {
	enter     float64 // leave is half of it
	snapshots bool
	discovery string // the prefix
	cameras   []camera
}

type camera struct {
	name, source string
	regions      []region
}

type region struct {
	name string
	only []string
}

// write writes the config file, in one step, so that it takes effect.
func (w *world) write(c *config) error {
	var cameras strings.Builder
	for _, cam := range c.cameras {
		fmt.Fprintf(&cameras, "  - name: %s\n    source: %q\n    loop: true\n    fps: 4\n    regions:\n", cam.name, cam.source)
		for _, r := range cam.regions {
			fmt.Fprintf(&cameras, "      - {name: %s, box: [0, 0, 1, 1], thresholds: {only: [%s]}}\n", r.name, quoted(r.only))
		}
	}
	text := fmt.Sprintf(`node: porch-pi
model: {dir: %q}
thresholds: {enter: %v, leave: %v, hold: 200ms, smoothing: 500ms}
cameras:
%smqtt:
  brokers: ["tcp://127.0.0.1:%d"]
  snapshots: %t
  discovery_prefix: %q
  queue: {dir: %q}
http: {listen: ""}
log: {format: json}
`, w.path("models"), c.enter, c.enter/2, cameras.String(), w.brokerPort, c.snapshots, c.discovery, w.path("queue"))
	path := w.path("tarsier.yaml")
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func quoted(labels []string) string {
	var all []string
	for _, l := range labels {
		all = append(all, fmt.Sprintf("%q", l))
	}
	return strings.Join(all, ", ")
}

// entities are the ids that Home Assistant shall give to what there is.
func (c *config) entities() (ids []string) {
	if c.discovery == "" {
		return nil
	}
	add := func(platform string, parts ...string) {
		name := strings.Join(append([]string{"porch_pi"}, parts...), "_")
		ids = append(ids, platform+"."+strings.Trim(strings.NewReplacer("-", "_", " ", "_", "'", "", "(", "", ")", "").Replace(name), "_"))
	}
	for _, name := range []string{"frame rate", "latency", "latency p95", "queue", "skipped frames", "lost events"} {
		add("sensor", name)
	}
	for _, cam := range c.cameras {
		add("binary_sensor", cam.name, "connection")
		add("switch", cam.name, "pause")
		add("sensor", cam.name, "frame rate")
		for _, r := range cam.regions {
			add("sensor", cam.name, r.name)
			if c.snapshots {
				add("image", cam.name, r.name, "snapshot")
			}
			for _, l := range r.only {
				add("binary_sensor", cam.name, r.name, l)
			}
		}
	}
	return ids
}

// model makes the model folder, of the test data's network and labels.
func (w *world) model() error {
	dir := w.path("models")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(w.data, "golden", "imagenet_1.0_int8.tflite"), filepath.Join(dir, "imagenet.tflite")); err != nil {
		return err
	}
	return os.Symlink(filepath.Join(w.data, "models", "imagenet_labels.txt"), filepath.Join(dir, "labels.txt"))
}
