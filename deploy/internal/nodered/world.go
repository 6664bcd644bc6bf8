package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tarsier/deploy/internal/programs"
)

const (
	tarsierLog = "tarsier.log"
	nodeREDLog = "node-red.log"
)

// A world is the programs that are looked at, and the folder of their files.
type world struct {
	options
	ctx    context.Context // ends when somebody presses Ctrl-C
	dir    string
	passed int

	programs   []*programs.Program
	brokerPort int
	api        string // Node-RED's URL
	heard      *subscriber
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// start starts a program, and keeps it.
func (w *world) start(log string, args ...string) error {
	p, err := programs.Start(w.path(log), args...)
	if err == nil {
		w.programs = append(w.programs, p)
	}
	return err
}

// wait waits until something is so, and says that it is.
func (w *world) wait(what string, is func() error) error {
	begin := time.Now()
	for {
		err := is()
		if err == nil {
			w.passed++
			fmt.Printf("ok %5.1f s  %s\n", time.Since(begin).Seconds(), what)
			return nil
		}
		for _, p := range w.programs {
			if p.Ended() {
				return fmt.Errorf("%s: %s has ended", what, p.Name())
			}
		}
		if time.Since(begin) > patience {
			return fmt.Errorf("not seen in %v: %s: %w", patience, what, err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-w.ctx.Done():
			return fmt.Errorf("%s: interrupted", what)
		}
	}
}

func (w *world) startBroker() error {
	w.brokerPort = programs.FreePort()
	p, err := programs.Broker(w.dir, w.brokerPort)
	if err == nil {
		w.programs = append(w.programs, p)
	}
	return err
}

// startTarsier has the daemon watch a bottle.
func (w *world) startTarsier() error {
	models := w.path("models")
	if err := os.Mkdir(models, 0o700); err != nil {
		return err
	}
	const model = "mobilenet_v2_1.0_224_quant.tflite"
	for name, from := range map[string]string{model: model, "labels.txt": "imagenet_labels.txt"} {
		if err := os.Symlink(filepath.Join(w.data, "models", from), filepath.Join(models, name)); err != nil {
			return err
		}
	}
	text := fmt.Sprintf(`node: porch-pi
model: {dir: %q}
thresholds: {enter: 0.3, leave: 0.15, hold: 200ms, smoothing: 500ms, only: [%s]}
cameras: [{name: porch, source: %q, loop: true, fps: 4}]
mqtt: {brokers: ["tcp://127.0.0.1:%d"], snapshots: true, queue: {dir: %q}}
http: {listen: ""}
`, models, bottle, filepath.Join(w.data, "videos", "bottle.mp4"), w.brokerPort, w.path("queue"))
	config := w.path("tarsier.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	return w.start(tarsierLog, filepath.Join(w.bin, "tarsier"), "run", "--config", config)
}
