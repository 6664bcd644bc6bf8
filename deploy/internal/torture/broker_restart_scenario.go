package main

import (
	"slices"
	"strings"
	"time"

	"tarsier/pipeline/publish"
)

func init() {
	register(scenario{name: "broker-restart", what: "the broker is stopped and started again at random, now and then with nothing in its memory", run: brokerRestart})
}

// brokerRestart is a broker that comes and goes, and hands on all that it was given. What it has to remember for
// others, the retained topics, it is told again when it comes back.
func brokerRestart(w *world) {
	b := w.startBroker()
	p := w.startProxy(b)
	c := w.config(p.url())
	s := w.subscribe(b.url())
	d := w.startDaemon(w.write(c))
	w.settle(d, s, "bottle", "car")
	for ; w.rounds < w.form(8, 50); w.rounds++ {
		w.sleep(someTime(0, 1500*time.Millisecond))
		n := s.connections()
		if w.rounds%4 == 3 {
			// Its memory of what the subscriber has still to be told is gone, too: so it has none.
			p.refuse(true)
			p.cut()
			w.wait("the subscriber has what the broker acknowledged", func() bool { return s.highest() >= p.acked.highest() })
			b.stop()
			b.forget()
		} else {
			b.stop()
		}
		s.forget()
		made := d.made()
		w.sleep(someTime(0, 1500*time.Millisecond))
		b.start()
		w.wait("the subscriber is there again", func() bool { return s.connections() > n })
		p.refuse(false)
		w.wait("events arrive again", func() bool { return s.highest() > made })
		w.wait("the daemon and its cameras are online", func() bool { return s.online("bottle", "car") })
		if wrong := retainedWrong(w.retained(b.url())); len(wrong) > 0 {
			w.fail("round %d: retained topics after the broker is back: %s", w.rounds, some(wrong))
		}
	}
	w.finish(d, c, &s.ledger, 0)
}

// retainedWrong says which topics are not as a subscriber has to find them, whenever he comes.
func retainedWrong(held map[string]string) (wrong []string) {
	const root = "tarsier/" + node + "/"
	want := map[string]string{
		root + "status":                               publish.Online,
		root + publish.InfoTopic:                      `"version"`,
		"homeassistant/device/tarsier-torture/config": `"components"`,
	}
	for _, camera := range []string{"bottle", "car"} {
		want[root+publish.CameraStatusTopic(camera)] = publish.Online
		want[root+publish.PauseTopic(camera)] = publish.Off
		want[root+publish.StateTopic(camera, "frame")] = `"` + always + `"`
	}
	for topic, part := range want {
		if !strings.Contains(held[topic], part) {
			wrong = append(wrong, topic+" is "+held[topic])
		}
	}
	slices.Sort(wrong)
	return wrong
}
