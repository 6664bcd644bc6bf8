package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

func init() {
	register(scenario{name: "cameras", what: "each kind of camera that misbehaves, side by side with one that does not", alone: true, run: cameras})
}

const (
	// cameraLimit is how long a camera may be said to be online after its last picture, and offline after it could give one; and
	// how old a picture may be that is classified.
	cameraLimit = 5 * time.Second
	// replaceLimit is how long it may take until a capture program that fails has been found out and another one gives pictures.
	replaceLimit = 2 * cameraLimit
	// maxFiles is how many more files a daemon may have open at the end than when it had settled.
	maxFiles = 2
)

// cameras has all faults at once, each in a camera of its own, over and over, and beside them a camera that has none and must not
// be disturbed.
func cameras(w *world) {
	b := w.startBroker()
	c := w.config(b.url())
	c.thresholds = fmt.Sprintf(`{enter: 1, leave: 1, hold: 0s, smoothing: 0s, labels: [{label: %q, enter: 0, leave: 0}]}`, always)
	steady := w.newRTSP()
	var d *daemon
	faults := slices.Concat(w.cameraFaults(), w.childFaults(func() *daemon { return d }), []*fault{w.truncated()})
	names := []string{"steady"}
	c.cameras = []string{fmt.Sprintf("{name: steady, source: %q, fps: 4}", steady.URL(cameraPassword))}
	for _, f := range faults {
		names = append(names, f.name)
		c.cameras = append(c.cameras, fmt.Sprintf("{name: %s, source: %q, loop: true, fps: 2}", f.name, f.source))
	}
	s := w.subscribe(b.url())
	d = w.startDaemon(w.write(c))
	w.settle(d, s, names...)
	settled := func() bool { return s.online(names...) && len(d.children()) == len(names) }

	ctx, stop := context.WithCancel(w.ctx)
	defer stop()
	m := new(machine)
	go m.watch(ctx)
	w.torment(s, m, faults, w.form(1, 3))
	w.wait("all cameras are online, and each has one capture program", settled)
	w.rssBefore = d.rss()
	files := d.openFiles()
	w.torment(s, m, faults, w.form(2, 200))
	w.wait("all cameras are online, and each has one capture program", settled)

	var offline, online time.Duration
	for _, f := range faults {
		w.rounds = max(w.rounds, f.rounds)
		offline, online = max(offline, f.offline), max(online, f.online)
		w.say("%-14s %3d rounds (%d void), in %3d never offline, at the latest offline after %.1f s and online after %.1f s, oldest picture %.1f s",
			f.name, f.rounds, f.void, f.unnoticed, f.offline.Seconds(), f.online.Seconds(), f.oldest.Seconds())
	}
	w.note = fmt.Sprintf("%d faults; offline after %.1f s, online after %.1f s at the latest; open files %d → %d", len(faults),
		offline.Seconds(), online.Seconds(), files, d.openFiles())
	if n := d.openFiles(); n > files+maxFiles {
		w.fail("the daemon had %d files open, and has %d", files, n)
	}
	if w.stall = s.pause("steady"); w.stall > cameraLimit+m.longest() {
		w.fail("the camera without a fault was not classified for %v", w.stall)
	}
	w.finish(d, c, &s.ledger, 0)
}

// torment has each fault come and go so many times. A round in which the machine stood still says nothing of the daemon.
func (w *world) torment(s *subscriber, m *machine, faults []*fault, rounds int) {
	var running sync.WaitGroup
	for _, f := range faults {
		running.Add(1)
		go func() {
			defer running.Done()
			for until := f.rounds + rounds; f.rounds < until && w.ctx.Err() == nil; {
				began := time.Now()
				next := *f
				err := next.round(w.ctx, s)
				if err != nil {
					_ = f.end()
				}
				switch {
				case w.ctx.Err() != nil:
				case m.stoodStill(began) && f.void < 2*until:
					f.void++
				case err != nil:
					w.fail("camera %s, round %d: %v", f.name, f.rounds+1, err)
					return
				default:
					*f = next
					f.rounds++
				}
			}
		}()
	}
	running.Wait()
	if w.ctx.Err() != nil {
		w.fatal("interrupted")
	}
}

// A machine knows when it stood still, or was so busy that this program, with all cameras in it, did not run.
type machine struct {
	mu    sync.Mutex
	stood []still
}

type still struct {
	until time.Time
	long  time.Duration
}

// tooLong is for how long a machine may stand still while limits of seconds are measured.
const tooLong = 500 * time.Millisecond

func (m *machine) watch(ctx context.Context) {
	const tick = 20 * time.Millisecond
	for ctx.Err() == nil {
		began := time.Now()
		time.Sleep(tick)
		if late := time.Since(began) - tick; late > tooLong {
			m.mu.Lock()
			m.stood = append(m.stood, still{time.Now(), late})
			m.mu.Unlock()
		}
	}
}

func (m *machine) stoodStill(since time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.stood) > 0 && m.stood[len(m.stood)-1].until.After(since)
}

func (m *machine) longest() (d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.stood {
		d = max(d, s.long)
	}
	return d
}
