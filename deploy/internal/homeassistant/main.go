// Command homeassistant sees that the real Home Assistant shows what tarsier publishes, for ./deploy/test-integrations:
// that entities appear, follow, become unavailable and vanish, and that a switch pauses a camera.
//
// It takes a root directory with Home Assistant in it, the built programs, models and videos, runs all with a mosquitto of
// their own, and prints a line for each thing that it saw. It is run by root, from the project's folder.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"tarsier/deploy/internal/programs"
)

// patience is how long anything may take that must happen: the machine may be slow and busy.
const patience = 2 * time.Minute

func main() {
	var o options
	flag.StringVar(&o.root, "root", "", "`directory` of a Debian that has Home Assistant in /opt/homeassistant")
	flag.StringVar(&o.bin, "bin", "bin", "`folder` of tarsier and tarsier-capture")
	flag.StringVar(&o.data, "data", os.Getenv("TARSIER_TESTDATA"), "`folder` of models and videos")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "homeassistant:", err)
		os.Exit(1)
	}
}

type options struct{ root, bin, data string }

// run runs the programs and checks them. Their logs are shown when something is not as it should be.
func run(ctx context.Context, o options) (err error) {
	for _, path := range []*string{&o.root, &o.bin, &o.data} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	// Home Assistant sees the root only, so that is where its files are.
	dir, err := os.MkdirTemp(filepath.Join(o.root, "tmp"), "test-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w := &world{options: o, ctx: ctx, dir: dir}
	defer func() {
		for _, p := range []*programs.Program{w.tarsier, w.homeAssistant, w.broker} {
			p.Kill()
		}
		if err != nil {
			fmt.Printf("tarsier said last:\n%s\nHome Assistant said last:\n%s\n", programs.Tail(w.path("tarsier.log")), programs.Tail(w.path(homeAssistantLog)))
		}
	}()
	begin := time.Now()
	if err := w.check(); err != nil {
		return err
	}
	fmt.Printf("%d checks passed in %.0f s\n", w.passed, time.Since(begin).Seconds())
	return nil
}
