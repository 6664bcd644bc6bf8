package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// A scenario does something to the real programs and holds what becomes of it against the limits. It runs in a world
// of its own; what it starts there ends with it.
type scenario struct {
	name  string
	what  string // it does, in a few words
	alone bool   // nothing else runs meanwhile: it measures what the whole machine can do
	run   func(*world)
}

var registered []scenario

// register makes a scenario known; each is in a file of its own, NAME_scenario.go, that calls it in an init function.
func register(s scenario) { registered = append(registered, s) }

// inTable is the order of the table.
var inTable = []string{
	"kill", "power-cut", "queue-damaged", "queue-full", "disk-full", "broker-restart", "broker-kill", "network",
	"takeover", "cameras", "overload", "reload", "clock",
}

func scenarios() []scenario {
	return slices.SortedFunc(slices.Values(registered), func(a, b scenario) int {
		return slices.Index(inTable, a.name) - slices.Index(inTable, b.name)
	})
}

// A result is a scenario's line in the table. world.finish fills in most of it.
type result struct {
	rounds              int
	made                int // events
	received            int // of these, at least once
	lost                int // of these, neither received nor dropped because it had to be
	repeated            int // receipts of an event that was received before
	stall               time.Duration
	rssBefore, rssAfter int64  // the daemon's memory in bytes, when it has settled and at the end
	note                string // what else was measured
	skipped             string // why it did not run
}

// runAll runs scenarios, some at a time, since most of them wait most of the time, and those that want to be alone
// before all others. It returns their worlds, with the results, in the same order.
func runAll(ctx context.Context, o options, chosen []scenario) []*world {
	began := time.Now()
	var worlds []*world
	for _, s := range chosen {
		worlds = append(worlds, newWorld(ctx, o, s, began))
	}
	for _, w := range worlds {
		if w.alone {
			w.play()
		}
	}
	atATime := make(chan struct{}, 2)
	if o.long { // what takes longest waits for brokers
		atATime = make(chan struct{}, 4)
	}
	var running sync.WaitGroup
	for _, w := range slices.Backward(worlds) { // what takes longest is not the last
		if w.alone {
			continue
		}
		atATime <- struct{}{}
		running.Add(1)
		go func() {
			defer running.Done()
			w.play()
			<-atATime
		}()
	}
	running.Wait()
	return worlds
}

// ownPause measures until ctx ends for how long this program itself was kept from running: what that says of a stall is
// that it was the machine's.
func ownPause(ctx context.Context) (longest time.Duration) {
	const tick = 20 * time.Millisecond
	for ctx.Err() == nil {
		began := time.Now()
		time.Sleep(tick)
		longest = max(longest, time.Since(began)-tick)
	}
	return longest
}

// play runs the scenario in its world, and ends what is left in it.
func (w *world) play() {
	if w.ctx.Err() != nil {
		w.skipped = "interrupted"
		return
	}
	var err error
	if w.dir, err = os.MkdirTemp("", "torture-"+w.name+"-"); err != nil {
		w.fail("%v", err)
		return
	}
	w.say("begins: %s", w.what)
	began := time.Now()
	done := make(chan struct{})
	go func() { // which fatal and skip end
		defer close(done)
		w.run(w)
	}()
	<-done
	for _, end := range slices.Backward(w.cleanups) {
		end()
	}
	took := time.Since(began).Round(100 * time.Millisecond)
	switch {
	case w.ctx.Err() != nil:
		w.skipped = "interrupted"
	case w.skipped != "":
		w.say("skipped: %s", w.skipped)
	case len(w.failures) > 0:
		w.say("FAILED after %v; logs are in %s", took, w.dir)
		return
	default:
		w.say("passed in %v", took)
	}
	_ = os.RemoveAll(w.dir)
}

// fail notes a limit that was not held. The scenario goes on.
func (w *world) fail(format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	w.mu.Lock()
	w.failures = append(w.failures, why)
	w.mu.Unlock()
	w.say("FAILED: %s", why)
}

// failed says whether a limit was not held.
func (w *world) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.failures) > 0
}

// fatal is fail where the scenario cannot go on. Like skip, it must be called from the scenario's own goroutine.
func (w *world) fatal(format string, args ...any) {
	if w.ctx.Err() == nil {
		w.fail(format, args...)
	}
	runtime.Goexit()
}

// must ends the scenario at an error.
func (w *world) must(err error) {
	if err != nil {
		w.fatal("%v", err)
	}
}

// skip ends a scenario that this machine does not let us play.
func (w *world) skip(format string, args ...any) {
	w.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// say tells how it goes.
func (w *world) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1f s  %-15s %s\n", time.Since(w.began).Seconds(), w.name, fmt.Sprintf(format, args...))
}

// table gives the results in GitHub's markdown.
func table(worlds []*world) string {
	var b strings.Builder
	b.WriteString("| scenario | rounds | events made | received | lost | repeated | longest stall | memory, start → end | |\n")
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n")
	for _, w := range worlds {
		if w.skipped != "" {
			fmt.Fprintf(&b, "| `%s` | | | | | | | | skipped: %s |\n", w.name, w.skipped)
			continue
		}
		note := w.note
		if len(w.failures) > 0 {
			note = strings.TrimPrefix(note+", **failed**", ", ")
		}
		memory := "in process"
		if w.rssAfter > 0 {
			memory = fmt.Sprintf("%.0f → %.0f MiB", mebibytes(w.rssBefore), mebibytes(w.rssAfter))
		}
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d | %d | %.1f s | %s | %s |\n", w.name, w.rounds, w.made, w.received, w.lost,
			w.repeated, w.stall.Seconds(), memory, note)
	}
	return b.String()
}

func mebibytes(n int64) float64 { return math.Round(float64(n) / (1 << 20)) }
