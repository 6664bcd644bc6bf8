// Command nodered sees that the sample flow works in the real Node-RED, for ./deploy/test-integrations: it imports the flow as
// a person would, and looks at what it makes of events: some of its own, with repeats, and those of the real daemon.
//
// It takes a Node-RED, the flow, the built programs, models and videos, runs all with a mosquitto of their own, and prints a
// line for each thing that it saw.
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
const patience = 90 * time.Second

func main() {
	var o options
	flag.StringVar(&o.nodeRED, "node-red", "", "`path` of node-red, as npm installs it")
	flag.StringVar(&o.flow, "flow", "deploy/node-red/flow.json", "`file` to import")
	flag.StringVar(&o.bin, "bin", "bin", "`folder` of tarsier and tarsier-capture")
	flag.StringVar(&o.data, "data", os.Getenv("TARSIER_TESTDATA"), "`folder` of models and videos")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "nodered:", err)
		os.Exit(1)
	}
}

type options struct{ nodeRED, flow, bin, data string }

// run runs the programs and checks them. Their logs are shown when something is not as it should be.
func run(ctx context.Context, o options) (err error) {
	for _, path := range []*string{&o.nodeRED, &o.bin, &o.data} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "tarsier-nodered-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w := &world{options: o, ctx: ctx, dir: dir}
	defer func() {
		for _, p := range w.programs {
			p.Kill()
		}
		if err != nil {
			fmt.Printf("tarsier said last:\n%s\nNode-RED said last:\n%s\n", programs.Tail(w.path(tarsierLog)), programs.Tail(w.path(nodeREDLog)))
		}
	}()
	begin := time.Now()
	if err := w.check(); err != nil {
		return err
	}
	fmt.Printf("%d checks passed in %.0f s\n", w.passed, time.Since(begin).Seconds())
	return nil
}
