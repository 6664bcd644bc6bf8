package main

import (
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

func init() {
	register(scenario{name: "takeover", what: "another client with the daemon's client id comes back as often as it is thrown out", run: takeover})
}

// takeover is two clients with one name: each throws the other out. The daemon says so, and does not make it worse.
func takeover(w *world) {
	b := w.startBroker()
	p := w.startProxy(b)
	c := w.config(p.url())
	s := w.subscribe(b.url())
	d := w.startDaemon(w.write(c))
	w.settle(d, s, "bottle", "car")
	const lasts, most = 30 * time.Second, 20
	busiest := 0
	for ; w.rounds < w.form(1, 5); w.rounds++ {
		before := p.connections()
		rival := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(b.url()).SetClientID("tarsier-" + node).SetMaxReconnectInterval(100 * time.Millisecond))
		if t := rival.Connect(); !t.WaitTimeout(patience) || t.Error() != nil {
			w.fatal("the other client does not get to the broker: %v", t.Error())
		}
		w.sleep(lasts)
		busiest = max(busiest, p.connections()-before)
		rival.Disconnect(100)
		made := d.made()
		w.wait("events arrive again", func() bool { return s.highest() > made })
	}
	w.note = fmt.Sprintf("at most %d connections in %.0f s", busiest, lasts.Seconds())
	if busiest > most {
		w.fail("the daemon made %d connections in %v", busiest, lasts)
	}
	if n := d.logged("another client has the same client id"); n == 0 || n > w.rounds {
		w.fail("the log says %d times that another client has the same client id", n)
	}
	if n := d.logged("the broker"); n > 20*w.rounds {
		w.fail("the log has %d lines about the broker", n)
	}
	w.finish(d, c, &s.ledger, 0)
}
