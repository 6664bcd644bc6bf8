package main

import (
	"fmt"
	"strings"
)

func init() {
	register(scenario{name: "queue-full", what: "the broker is away for longer than the queue has room", run: queueFull})
}

// queueFull is an outage for which max_mib is too small. The oldest events go, which a counter says, and the gap in
// seq.
func queueFull(w *world) {
	b := w.startBroker()
	c := w.config(b.url())
	c.maxMiB = 1
	c.thresholds = strings.Replace(c.thresholds, "{", "{top_k: 100, ", 1) // events of some 5 KiB
	s := w.subscribe(b.url())
	d := w.startDaemon(w.write(c))
	w.settle(d, s, "bottle", "car")
	var dropped int
	for ; w.rounds < w.form(1, 10); w.rounds++ {
		b.stop()
		s.forget()
		known := s.highest()
		w.wait("there are too many events for the queue", func() bool { return int(d.made()-known)*s.size() > 3<<19 })
		b.start()
		made := d.made()
		w.wait("the rest arrives", func() bool { return s.highest() > made })
		w.wait("stats count what was dropped", func() bool { return s.stats().Drops.Events > uint64(dropped) })
		missing := s.missing(s.highest())[dropped:]
		if n := int(s.stats().Drops.Events) - dropped; n != len(missing) {
			w.fail("stats count %d dropped events, %d are missing", n, len(missing))
		}
		dropped += len(missing)
		if n := len(missing); n > 0 && int(missing[n-1]-missing[0]) != n-1 {
			w.fail("the gap in seq is not one: %d events are missing from %d to %d", n, missing[0], missing[n-1])
		}
	}
	w.note = fmt.Sprintf("%d more were dropped to make room, as stats and the gap in seq say", dropped)
	w.finish(d, c, &s.ledger, dropped)
}
