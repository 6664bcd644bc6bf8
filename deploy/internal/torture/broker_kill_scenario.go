package main

import (
	"fmt"
	"time"
)

func init() {
	register(scenario{name: "broker-kill", what: "the broker is killed with -9 at random; a proxy counts what it had acknowledged", run: brokerKill})
}

// brokerKill is a broker that forgets what it has acknowledged. That is its own loss; the daemon's part is that it
// has a PUBACK of every event.
func brokerKill(w *world) {
	b := w.startBroker("autosave_on_changes true", "autosave_interval 1")
	p := w.startProxy(b)
	c := w.config(p.url())
	s := w.subscribe(b.url())
	d := w.startDaemon(w.write(c))
	w.settle(d, s, "bottle", "car")
	for ; w.rounds < w.form(8, 50); w.rounds++ {
		w.sleep(someTime(0, 1500*time.Millisecond))
		b.kill()
		s.forget()
		made := d.made()
		w.sleep(someTime(0, 1500*time.Millisecond))
		b.start()
		w.wait("events are acknowledged again", func() bool { return p.acked.highest() > made })
	}
	w.wait("the daemon and its cameras are online", func() bool { return s.online("bottle", "car") })
	w.finish(d, c, &p.acked, 0)
	w.within(2*time.Second, func() bool { return s.highest() >= p.acked.highest() })
	w.repeated = s.repeated
	w.note = fmt.Sprintf("events received: those with a PUBACK; of these mosquitto lost %d", len(s.missing(uint64(w.made))))
}
