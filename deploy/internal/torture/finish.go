package main

import (
	"fmt"
	"strings"
	"time"
)

// settle waits until a daemon's cameras are online and make events, and notes its memory.
func (w *world) settle(d *daemon, s *subscriber, cameras ...string) {
	n := s.highest()
	w.wait(fmt.Sprintf("cameras %v are online and make events", cameras), func() bool { return s.online(cameras...) && s.highest() > n })
	w.sleep(2 * time.Second)
	w.rssBefore = d.rss()
}

// kill9 kills a daemon, which takes its capture programs along. What it has logged some time before is promised to
// arrive as it was logged.
func (w *world) kill9(d *daemon) {
	children := d.children()
	promised := d.eventsUntil(time.Now().Add(-time.Second))
	d.kill()
	w.promised = append(w.promised, promised...)
	gone := func() bool {
		for _, c := range children {
			if c.alive() {
				return false
			}
		}
		return true
	}
	if !w.within(2*time.Second, gone) {
		w.fail("a capture program survives the daemon by more than 2 s")
	}
}

// maxGrowth is how much more memory a daemon may have at the end than when it had settled.
const maxGrowth = 48 << 20

// finish stops a daemon, waits until all that it made is in a ledger, and counts. Of its events some were lost for a
// good reason, which the scenario knows; then enters and leaves cannot be in pairs.
func (w *world) finish(d *daemon, c config, l *ledger, excused int) {
	made := d.made()
	w.within(patience, func() bool { return l.highest() >= made })
	for _, c := range d.children() {
		if c.zombie {
			w.fail("process %d is a zombie", c.pid)
		}
	}
	w.rssAfter = d.rss()
	d.stop()
	made = max(d.made(), l.highest())
	if !w.within(time.Second, func() bool { return l.highest() >= made }) {
		// A daemon has only a second to deliver the rest when it stops: one that makes no events does it now.
		c.thresholds = quiet
		d := w.startDaemon(w.write(c))
		w.within(patience, func() bool { return l.highest() >= made })
		d.stop()
		made = max(made, d.made())
	}
	w.count(l, made, excused)
	if w.rssBefore > 0 && w.rssAfter > w.rssBefore+maxGrowth {
		w.fail("the daemon's memory grew from %.0f to %.0f MiB", mebibytes(w.rssBefore), mebibytes(w.rssAfter))
	}
}

// count fills in the counters, and holds what was heard against what the contract says of events.
func (w *world) count(l *ledger, made uint64, excused int) {
	missing := l.missing(made)
	w.made, w.received, w.repeated, w.lost = int(made), l.count(), l.repeated, len(missing)-excused
	if w.stall == 0 {
		w.stall = w.blind()
	}
	if w.lost != 0 {
		w.fail("of %d events %d did not arrive, and %d of these had to: %s", made, len(missing), w.lost, some(missing))
	}
	if wrong := l.unpaired(); len(wrong) > 0 && excused == 0 {
		w.fail("%d enters and leaves are not in pairs: %s", len(wrong), some(wrong))
	}
	if len(l.wrong) > 0 {
		w.fail("%d events are not as they must be: %s", len(l.wrong), some(l.wrong))
	}
	var broken []string
	for _, e := range w.promised {
		if !l.has(e) {
			broken = append(broken, fmt.Sprintf("%d: %s of %s/%s/%s", e.Seq, e.Msg, e.Camera, e.Region, e.Label))
		}
	}
	if len(broken) > 0 {
		w.fail("%d events were logged a second before the daemon was killed, and did not arrive so: %s", len(broken), some(broken))
	}
}

// blind is the longest time between two events that were made, by the log: the longest stall of the pipeline, whatever
// the broker did meanwhile. The cameras are restless enough.
func (w *world) blind() (longest time.Duration) {
	var before time.Time
	for _, d := range w.daemons {
		for _, e := range d.eventsUntil(time.Now()) {
			if !before.IsZero() {
				longest = max(longest, e.Time.Sub(before))
			}
			before = e.Time
		}
	}
	return longest
}

// some gives the first few.
func some[T any](all []T) string {
	var texts []string
	for _, x := range all[:min(len(all), 4)] {
		texts = append(texts, fmt.Sprint(x))
	}
	if len(all) > 4 {
		texts = append(texts, "...")
	}
	return strings.Join(texts, "; ")
}
