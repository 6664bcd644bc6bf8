package main

import (
	"fmt"
	"time"
)

func init() {
	register(scenario{name: "network", what: "the network between daemon and broker is cut, refuses, is slow, or half-open", run: networkFault})
}

// maxHalfOpen is how long a connection on which nothing arrives any more may go unnoticed: up to 20 s until a ping, and as long until its
// answer is missed.
const maxHalfOpen = 45 * time.Second

// networkFault is a network that fails in one way, and works again.
func networkFault(w *world) {
	b := w.startBroker()
	p := w.startProxy(b)
	c := w.config(p.url())
	s := w.subscribe(b.url())
	d := w.startDaemon(w.write(c))
	w.settle(d, s, "bottle", "car")

	faults := []func(){
		p.cut,
		func() { p.change(linkTorn) },
		func() {
			p.refuse(true)
			p.cut()
			w.sleep(someTime(0, 2*time.Second))
			p.refuse(false)
		},
		func() {
			p.slow(someTime(100*time.Millisecond, 500*time.Millisecond))
			w.sleep(time.Second)
			p.cut() // with much on its way
			w.sleep(time.Second)
			p.slow(0)
		},
	}
	var longest time.Duration
	halfOpen := func(state linkState) {
		heard := s.highest()
		w.wait("a connection is in use", func() bool { return len(p.all()) == 1 && s.highest() > heard })
		began := time.Now()
		for _, ended := range p.change(state) {
			w.within(patience, func() bool {
				select {
				case <-ended:
					return true
				default:
					return false
				}
			})
		}
		took := time.Since(began)
		longest = max(longest, took)
		w.say("a half-open connection was given up after %.1f s", took.Seconds())
		if took > maxHalfOpen {
			w.fail("a half-open connection went unnoticed for %.1f s", took.Seconds())
		}
	}
	rounds, halves := w.form(9, 50), w.form(1, 8)
	for ; w.rounds < rounds; w.rounds++ {
		w.sleep(someTime(0, time.Second))
		made := d.made()
		if every := rounds / halves; w.rounds%every == every-1 {
			halfOpen([]linkState{linkDeaf, linkStuck}[w.rounds/every%2])
		} else {
			faults[w.rounds%len(faults)]()
		}
		w.wait("events arrive again", func() bool { return s.highest() > made })
	}
	w.note = fmt.Sprintf("half-open %d times, noticed within %.1f s", halves, longest.Seconds())
	w.finish(d, c, &s.ledger, 0)
}
