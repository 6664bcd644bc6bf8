// Command torture does to the real programs what happens to a box that is left alone, for ./deploy/torture: it kills
// the daemon, the broker and the network between them, fills the disk, and counts what arrives.
//
// It takes the built programs, models and videos, and gives a table with a line for each scenario. Its exit status
// says whether all limits were held.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.BoolVar(&o.long, "long", false, "the long form, which takes up to an hour (default: the short one, of a few minutes)")
	only := flag.String("only", "", "run only the scenarios with these `NAMES`, separated by commas")
	flag.StringVar(&o.bin, "bin", "bin", "`folder` of tarsier and tarsier-capture")
	flag.StringVar(&o.data, "data", "", "`folder` of models and videos (default: $TARSIER_TESTDATA, or ../shared)")
	list := flag.Bool("list", false, "say which scenarios there are")
	flag.Parse()
	chosen, err := choose(*only)
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("%q is no flag", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(2)
	}
	if *list {
		for _, s := range chosen {
			fmt.Printf("%-15s %s\n", s.name, s.what)
		}
		return
	}
	if err := o.find(); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	measured := make(chan time.Duration)
	measuring, end := context.WithCancel(ctx)
	go func() { measured <- ownPause(measuring) }()
	done := runAll(ctx, o, chosen)
	end()
	fmt.Print(table(done))
	fmt.Printf("\nThe machine kept this program itself waiting for up to %.1f s.\n", (<-measured).Seconds())
	failed := ctx.Err() != nil
	for _, w := range done {
		for _, why := range w.failures {
			fmt.Printf("FAILED: %s: %s\n", w.name, why)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// options are what all scenarios share.
type options struct {
	long      bool
	bin, data string // absolute
}

// find makes the folders absolute, and sees that there is something in them.
func (o *options) find() (err error) {
	if o.data == "" {
		if o.data = os.Getenv("TARSIER_TESTDATA"); o.data == "" {
			o.data = filepath.Join("..", "shared")
		}
	}
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return err
	}
	if o.data, err = filepath.Abs(o.data); err != nil {
		return err
	}
	for _, program := range []string{"tarsier", "tarsier-capture"} {
		if _, err := os.Stat(filepath.Join(o.bin, program)); err != nil {
			return fmt.Errorf("%w: ./deploy/build builds it", err)
		}
	}
	for _, file := range []string{video("bottle"), video("car"), network("random_0.35"), network("imagenet_1.0")} {
		if _, err := os.Stat(filepath.Join(o.data, file)); err != nil {
			return fmt.Errorf("%w: --data or TARSIER_TESTDATA says where the models and videos are", err)
		}
	}
	for _, program := range []string{mosquittoPath(), "strace", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: ./deploy/setup test installs it", err)
		}
	}
	return nil
}

// choose gives the scenarios with some names, separated by commas; without any, all.
func choose(names string) ([]scenario, error) {
	if names == "" {
		return scenarios(), nil
	}
	var chosen []scenario
	for _, name := range strings.Split(names, ",") {
		i := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no scenario %q: --list says which there are", name)
		}
		chosen = append(chosen, scenarios()[i])
	}
	return chosen, nil
}
