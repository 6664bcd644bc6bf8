package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"tarsier/pipeline"
	"tarsier/pipeline/publish"
)

func init() {
	register(scenario{name: "clock", what: "a day, in process, that begins with a clock that is not set, and in which it jumps by years", run: clock})
}

// A jumpingClock is a machine's, whose time goes as fast as frames come.
type jumpingClock struct {
	mu     sync.Mutex
	up     time.Duration
	wrong  time.Duration // by which the system clock is off
	synced bool
}

var dayBegins = time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)

func (c *jumpingClock) clock() pipeline.Clock {
	locked := func(f func()) {
		c.mu.Lock()
		defer c.mu.Unlock()
		f()
	}
	return pipeline.Clock{
		Boot:   "0123456789abcdef0123456789abcdef",
		Now:    func() (t time.Time) { locked(func() { t = dayBegins.Add(c.up + c.wrong) }); return t },
		Uptime: func() (d time.Duration) { locked(func() { d = c.up }); return d },
		Synced: func() (yes bool) { locked(func() { yes = c.synced }); return yes },
	}
}

func (c *jumpingClock) set(f func(*jumpingClock)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c)
}

// clock plays a day to the real rules, queue, publisher and broker. Its events must be those of a day without jumps. The first ones
// are sent before the clock is set, and say so; the next wait until it is, and are corrected.
func clock(w *world) {
	const frame = 500 * time.Millisecond
	b := w.startBroker()
	s := w.subscribe(b.url())
	machine := &jumpingClock{wrong: -20 * 365 * 24 * time.Hour}
	clock := machine.clock()
	labels := []string{"a", "b", "c"}
	thresholds := pipeline.Thresholds{Enter: 0.6, Leave: 0.4, Hold: 2 * time.Second, Smoothing: 3 * time.Second, TopK: 1}
	region, steady := pipeline.NewRegion(labels, thresholds), pipeline.NewRegion(labels, thresholds)
	scores, quiet := make([]float32, len(labels)), false

	open := func() *publish.Publisher {
		p, err := publish.New(publish.Options{Node: node, Brokers: []string{b.url()}, QueueDir: w.path("queue"), Clock: clock})
		w.must(err)
		return p
	}
	run := func(p *publish.Publisher) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		return func() {
			cancel()
			w.must(<-done)
		}
	}
	type expected struct {
		time  time.Time
		clock string
	}
	want := map[uint64]expected{}
	// day goes on until an hour of it.
	day := func(p *publish.Publisher, until time.Duration, correct bool) {
		for clock.Uptime() < until {
			machine.set(func(c *jumpingClock) {
				c.up += frame
				if c.synced && rand.IntN(3000) == 0 {
					c.wrong = time.Duration(rand.Int64N(int64(10*365*24*time.Hour))) - 5*365*24*time.Hour
					w.rounds++
				}
			})
			for i := range scores {
				if quiet {
					scores[i] = 0
				} else if rand.IntN(20) == 0 {
					scores[i] = rand.Float32()
				}
			}
			now := clock.At(clock.Now())
			truth := pipeline.Moment{Time: dayBegins.Add(now.Uptime), Uptime: now.Uptime}
			changes, same := region.Update(now, scores), steady.Update(truth, scores)
			if len(changes) != len(same) {
				w.fatal("after %v: %d changes, without jumps %d", now.Uptime, len(changes), len(same))
			}
			var events []pipeline.Event
			for i, c := range changes {
				if c.Type != same[i].Type || c.Index != same[i].Index || c.Score != same[i].Score {
					w.fatal("after %v: %+v, without jumps %+v", now.Uptime, c, same[i])
				}
				events = append(events, pipeline.Event{
					Time: pipeline.Time{Time: c.At.Time}, Uptime: c.At.Uptime, Clock: clock.State(), Camera: "cam", Region: "frame",
					Type: c.Type, Reason: c.Reason, Label: c.Label, Index: c.Index, Score: c.Score, Top: c.Top,
				})
			}
			for _, e := range p.Events(events...) {
				x := expected{e.Time.Time, e.Clock}
				if correct {
					x = expected{truth.Time, pipeline.Synced}
				}
				want[e.Seq] = x
			}
			for p.Stats().Queued > 2000 && p.Stats().Connected { // a day is over sooner than its events are sent
				w.sleep(time.Millisecond)
			}
		}
	}
	p := open()
	stop := run(p)
	w.wait("the publisher is connected", func() bool { return p.Stats().Connected })
	day(p, time.Hour, false)
	w.wait("what was made without a clock is sent", func() bool { return p.Stats().Queued == 0 })
	stop()

	p = open()
	region, steady = pipeline.NewRegion(labels, thresholds), pipeline.NewRegion(labels, thresholds)
	for range p.Stats().Queued { // what was entered was left by the restart
		want[uint64(len(want))+1] = expected{dayBegins.Add(time.Hour), pipeline.Synced}
	}
	day(p, 3*time.Hour, true)
	machine.set(func(c *jumpingClock) { c.wrong, c.synced = 0, true })
	stop = run(p)
	w.wait("what waited for the clock is sent", func() bool { return p.Stats().Queued == 0 && p.Stats().Sent > 0 })
	day(p, 24*time.Hour, false)
	quiet = true // and in the end nothing is entered
	day(p, 24*time.Hour+time.Minute, false)
	w.wait("all is sent", func() bool { return p.Stats().Queued == 0 })
	stop()
	made := uint64(len(want))
	w.wait("all has arrived", func() bool { return s.highest() >= made })

	corrected, wrong := 0, 0
	s.ledger.mu.Lock()
	for seq, x := range want {
		e := s.events[seq].Event
		if e.Clock != x.clock || e.Time.Sub(x.time).Abs() > time.Millisecond {
			if wrong++; wrong < 4 {
				w.fail("event %d has the time %v, %s, not %v, %s", seq, e.Time, e.Clock, x.time, x.clock)
			}
		}
		if e.Time.Before(dayBegins.Add(3*time.Hour)) && e.Clock == pipeline.Synced {
			corrected++
		}
	}
	s.ledger.mu.Unlock()
	w.note = fmt.Sprintf("%d events corrected when the clock was set", corrected)
	w.count(&s.ledger, made, 0)
}
