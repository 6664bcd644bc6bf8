package main

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tarsier/pipeline"
	"tarsier/pipeline/publish/queue"
)

func init() {
	register(scenario{name: "power-cut", what: "every prefix of what the daemon writes to the queue, the last write torn anywhere, is opened again", run: powerCut})
}

// powerCut writes down what the daemon does to the queue's files, and opens what a power cut would have left at any
// moment. Two kinds of disks are tried: one that has all that was written until then, the last write up to some byte;
// and one that has nothing but what it was told to keep.
func powerCut(w *world) {
	trace := w.path("trace")
	under := straceCommand(trace)
	if out, err := exec.Command("strace", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		w.skip("strace may not trace here: %v: %.200s", err, out)
	}
	b := w.startBroker()
	p := w.startProxy(b)
	c := w.config(p.url())
	s := w.subscribe(b.url())
	d := w.startDaemon(w.write(c), under...)
	w.settle(d, s, "bottle", "car")
	p.refuse(true) // and from now on, events wait
	p.cut()
	made := d.made()
	w.wait("events wait", func() bool { return d.made() > made+uint64(w.form(60, 300)) })
	w.rssAfter = d.rss()
	acked := p.acked.highest()
	d.stop()
	text, ok := "", false
	w.wait("strace ends", func() bool { text, ok = traceEnd(trace); return ok })
	ops, err := parseTrace(text, c.queue)
	w.must(err)

	tried := make(chan cut)
	var running sync.WaitGroup
	for range 2 {
		running.Add(1)
		go func() {
			defer running.Done()
			for c := range tried {
				if why := w.afterCut(c); why != "" {
					w.fail("%s: %s", c.what, why)
				}
			}
		}()
	}
	waiting := 0 // cuts after which there must have been events
	for c := range w.cuts(d, ops, acked) {
		if w.ctx.Err() != nil || w.failed() {
			break
		}
		if c.newest > acked {
			waiting++
		}
		tried <- c
		if w.rounds++; w.rounds%10000 == 0 {
			w.say("%d power cuts", w.rounds)
		}
	}
	close(tried)
	running.Wait()
	w.note = fmt.Sprintf("%d file operations; %d cuts with events in the queue", len(ops), waiting)

	// And as a whole: the queue that is left arrives.
	p.refuse(false)
	c.thresholds = quiet
	last := w.startDaemon(w.write(c))
	w.within(patience, func() bool { return s.highest() >= d.made() })
	last.stop()
	w.count(&s.ledger, d.made(), 0)
}

// traceEnd gives a trace when all processes in it have ended.
func traceEnd(path string) (string, bool) {
	b, _ := os.ReadFile(path)
	text := string(b)
	first, _, _ := strings.Cut(text, " ")
	return text, regexp.MustCompile(`(?m)^` + first + ` +\+\+\+ `).MatchString(text)
}

// diskState are the files of a folder.
type diskState map[string]file

// A file's bytes are never changed, but replaced.
type file struct {
	data []byte
	kept []byte // what it was when it was last synced
}

// apply does an operation; of a write so many bytes.
func (s diskState) apply(op fileOp, torn int) {
	f, exists := s[op.path]
	switch op.call {
	case "create":
		if !exists {
			s[op.path] = file{}
		}
	case "resize":
		data := make([]byte, op.at)
		copy(data, f.data)
		s[op.path] = file{data, f.kept}
	case "write":
		data := make([]byte, max(len(f.data), int(op.at)+torn))
		copy(data, f.data)
		copy(data[op.at:], op.data[:torn])
		s[op.path] = file{data, f.kept}
	case "sync":
		if exists { // else it is the folder
			s[op.path] = file{f.data, f.data}
		}
	case "rename":
		delete(s, op.path)
		s[op.to] = f
	case "remove":
		delete(s, op.path)
	}
}

// kept is what a disk holds that has done nothing without being told to.
func (s diskState) kept() diskState {
	kept := diskState{}
	for path, f := range s {
		kept[path] = file{data: f.kept}
	}
	return kept
}

// A cut is a power cut: what it leaves, and what must be found in it.
type cut struct {
	what   string
	files  diskState
	made   map[uint64]logged // every event there ever was
	safe   map[uint64]bool   // events whose sync had returned
	acked  uint64            // these need not be there any more
	newest uint64            // safe event
}

var eventID = regexp.MustCompile(`"id":"` + node + `/(\d+)"`)

// cuts gives all power cuts that are to be tried: after each operation, and within writes.
func (w *world) cuts(d *daemon, ops []fileOp, acked uint64) iter.Seq[cut] {
	return func(yield func(cut) bool) { w.eachCut(d, ops, acked, yield) }
}

func (w *world) eachCut(d *daemon, ops []fileOp, acked uint64, yield func(cut) bool) {
	made := map[uint64]logged{}
	for _, e := range d.eventsUntil(time.Now()) {
		made[e.Seq] = e
	}
	// Of each file's last writes, these are torn at every byte, and those at some.
	every, several := w.form(0, 4), w.form(60, 500)
	state := diskState{}
	pending := map[string][]uint64{} // events written and not synced, by file
	left := map[string]int{}         // writes still to come, by file
	for _, op := range ops {
		if op.call == "write" {
			left[op.path]++
		}
	}
	safe, newest := map[uint64]bool{}, uint64(0)
	for i, op := range ops {
		at := func(what string, files diskState) bool {
			return yield(cut{fmt.Sprintf("operation %d, %s of %s, %s", i, op.call, filepath.Base(op.path), what), files, made, safe, acked, newest})
		}
		if op.call == "open" {
			continue
		}
		if op.call == "write" {
			left[op.path]--
			var torn []int
			switch n := left[op.path]; {
			case n < every:
				for j := 1; j < len(op.data); j++ {
					torn = append(torn, j)
				}
			case n < several && len(op.data) > 1:
				for range 4 {
					torn = append(torn, 1+rand.IntN(len(op.data)-1))
				}
			}
			for _, j := range torn {
				files := maps.Clone(state)
				files.apply(op, j)
				if !at(fmt.Sprintf("%d of %d bytes", j, len(op.data)), files) {
					return
				}
			}
			for _, m := range eventID.FindAllSubmatch(op.data, -1) {
				seq, _ := strconv.ParseUint(string(m[1]), 10, 64)
				pending[op.path] = append(pending[op.path], seq)
			}
		}
		state.apply(op, len(op.data))
		if op.call == "sync" {
			safe = maps.Clone(safe)
			for _, seq := range pending[op.path] {
				safe[seq] = true
				newest = max(newest, seq)
			}
			delete(pending, op.path)
		}
		if !at("done", maps.Clone(state)) || !at("and nothing that was not synced", state.kept()) {
			return
		}
	}
	for seq := range made {
		if !safe[seq] {
			w.fail("event %d was never synced", seq)
		}
	}
}

// afterCut opens what a power cut has left, and says what is wrong with it.
func (w *world) afterCut(c cut) (wrong string) {
	memory := "/dev/shm"
	if _, err := os.Stat(memory); err != nil {
		memory = w.dir
	}
	dir, err := os.MkdirTemp(memory, "torture-power-cut-")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	for path, f := range c.files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), f.data, 0o600); err != nil {
			return err.Error()
		}
	}
	found, orphans, next, err := readQueue(dir)
	if err != nil {
		return err.Error()
	}
	there := map[uint64]bool{}
	for _, e := range found {
		if was, ok := c.made[e.Seq]; !ok || was != (logged{e.Type, e.Camera, e.Region, e.Label, e.Seq, was.Time}) {
			return fmt.Sprintf("event %d is invented: %+v", e.Seq, e)
		}
		if there[e.Seq] {
			return fmt.Sprintf("event %d is there twice", e.Seq)
		}
		there[e.Seq] = true
	}
	for seq := range c.safe {
		if seq > c.acked && !there[seq] {
			return fmt.Sprintf("event %d was synced and is not there", seq)
		}
	}
	if next <= c.newest {
		return fmt.Sprintf("number %d is given again", next)
	}
	return openWrong(c, there, orphans)
}

// openWrong says which enters that are on disk will not get the leave that they lack, or get one that they have.
func openWrong(c cut, there map[uint64]bool, orphans []pipeline.Event) string {
	newest := c.newest
	for seq := range there {
		newest = max(newest, seq)
	}
	open := map[string]uint64{}
	for seq := uint64(1); seq <= newest; seq++ {
		e := c.made[seq]
		key := e.Camera + "/" + e.Region + "/" + e.Label
		if delete(open, key); e.Msg == pipeline.Enter {
			open[key] = seq
		}
	}
	var got []uint64
	for _, e := range orphans {
		got = append(got, e.Seq)
	}
	slices.Sort(got)
	if want := slices.Sorted(maps.Values(open)); !slices.Equal(got, want) {
		return fmt.Sprintf("enters %v want a leave, and %v will get one", want, got)
	}
	return ""
}

// readQueue opens a queue as the daemon does after the machine was started again: what waits in it, the enters without
// a leave, and the number that the next event gets.
func readQueue(dir string) (found, orphans []pipeline.Event, next uint64, err error) {
	news := make(chan struct{}, 1)
	clock := pipeline.SystemClock(nil)
	clock.Boot = strings.Repeat("0", 31) + "1"
	q, err := queue.Open(queue.Options{Dir: dir, Limit: 64 << 20, Clock: clock, Changed: func() {
		select {
		case news <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		return nil, nil, 0, err
	}
	defer q.Close()
	limit := time.After(patience)
	for n := q.Stats().Events; len(found) < n; {
		if e, ok := q.Next(); ok {
			var event pipeline.Event
			if err := json.Unmarshal(e.Event, &event); err != nil {
				return nil, nil, 0, err
			}
			found = append(found, event)
			continue
		}
		select {
		case <-news:
		case <-limit:
			return nil, nil, 0, fmt.Errorf("of %d events that wait only %d can be read", n, len(found))
		}
	}
	made := q.Append(func(pipeline.Event) string { return "" }, pipeline.Event{Node: node, Type: pipeline.Enter})
	return found, q.Orphans(), made[0].Seq, nil
}
