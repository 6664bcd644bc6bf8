package main

import "time"

func init() {
	register(scenario{name: "kill", what: "the daemon is killed with -9 at random moments and started again", run: kill})
}

// kill is a daemon that dies without a word. What it had made it delivers when it is back, and what was entered it
// leaves.
func kill(w *world) {
	b := w.startBroker()
	c := w.config(b.url())
	path := w.write(c)
	s := w.subscribe(b.url())
	d := w.startDaemon(path)
	w.settle(d, s, "bottle", "car")
	for ; w.rounds < w.form(15, 100); w.rounds++ {
		w.sleep(someTime(0, 1500*time.Millisecond))
		w.kill9(d)
		n := s.highest()
		d = w.startDaemon(path)
		if w.rounds%3 > 0 { // else it is killed again, perhaps while it starts
			w.wait("events are made again", func() bool { return s.highest() > n+5 })
		}
	}
	w.wait("the cameras are online", func() bool { return s.online("bottle", "car") })
	w.finish(d, c, &s.ledger, 0)
}
