package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tarsier/pipeline"
	"tarsier/pipeline/publish/schema"
)

func TestPublish(t *testing.T) {
	for _, qos := range []byte{1, 2} {
		t.Run(fmt.Sprintf("QoS %d", qos), func(t *testing.T) {
			leaks(t)
			b := mosquitto(t, "")
			s := subscribe(t, b.url(), "tarsier/#")
			p := run(t, Options{Brokers: []string{b.url()}, QoS: qos})
			p.SetTopology(porch)
			p.expectConnected(true)
			if m := s.next("tarsier/node/status"); string(m.Payload()) != Online {
				t.Errorf("status is %s", m.Payload())
			}

			p.Retain(StateTopic("porch", "door"), []byte(`{"label":null,"entered":[]}`))
			sent := p.Events(anEvent)[0]
			m := s.next("tarsier/node/porch/door/event")
			if m.Qos() != qos || m.Retained() {
				t.Errorf("event has QoS %d, retained %v", m.Qos(), m.Retained())
			}
			if err := schema.Validate("event.json", m.Payload()); err != nil {
				t.Error(err)
			}
			var e pipeline.Event
			if err := json.Unmarshal(m.Payload(), &e); err != nil {
				t.Fatal(err)
			}
			if e.ID != "node/1" || e.Seq != 1 || e.Node != "node" || !reflect.DeepEqual(e, sent) {
				t.Errorf("sent %+v, returned %+v", e, sent)
			}

			p.Send(ScoresTopic("porch", "door"), []byte("scores"))
			if m := s.next("tarsier/node/porch/door/scores"); m.Qos() != 0 || m.Retained() || string(m.Payload()) != "scores" {
				t.Errorf("scores: %v", m)
			}

			p.queueEvents(1000)
			s.events(2, 1001)
			if err := p.stop(); err != nil {
				t.Error(err)
			}
			p.expectConnected(false)
			s.expect("tarsier/node/status", Offline)
			held := retained(t, b.url())
			if held["tarsier/node/status"] != Offline || held["tarsier/node/porch/door/state"] == "" {
				t.Errorf("retained: %v", held)
			}
			stats := p.Stats()
			if stats.Sent != 1001 || stats.Queued != 0 || stats.QueuedBytes != 0 || stats.Dropped != 0 || stats.Connected {
				t.Errorf("%+v", stats)
			}
		})
	}
}

// The broker comes later than the events, and of retained topics the last value counts.
func TestBrokerDownAtStart(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	s := subscribe(t, b.url(), "tarsier/#")
	b.stop()
	j := newJournal(t)
	p := run(t, Options{Brokers: []string{b.url()}, Log: j.log()})
	p.Retain("info", []byte("1"))
	p.Retain("info", []byte("2"))
	p.queueEvents(100)
	p.Send("stats", []byte("lost"))
	if line := j.expect("no connection to the broker"); !strings.Contains(line, "refused") {
		t.Error(line)
	}
	if s := p.Stats(); s.Queued != 100 || s.MessagesDropped != 1 || s.Connected || s.LastError == "" {
		t.Errorf("%+v", s)
	}
	b.start()
	if m := s.next("tarsier/node/info"); string(m.Payload()) != "2" {
		t.Errorf("info is %s", m.Payload())
	}
	s.events(1, 100)
	if n := strings.Count(j.text(), "no connection"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
}

func TestBrokerRestart(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	s := subscribe(t, b.url(), "tarsier/#")
	p := run(t, Options{Brokers: []string{b.url()}})
	p.Retain("info", []byte("info"))
	p.queueEvents(100)
	s.events(1, 100)
	for i := range uint64(3) {
		p.queueEvents(100) // on their way, or not, while it stops
		b.stop()
		p.expectConnected(false)
		p.queueEvents(100)
		b.start()
		p.expectConnected(true)
		p.queueEvents(100)
		s.events(i*300+101, i*300+400)
	}
	if n := p.Stats().Reconnects; n < 3 {
		t.Errorf("%d reconnects", n)
	}
}

func TestSecondBroker(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	j := newJournal(t)
	s := subscribe(t, b.url(), "tarsier/#")
	p := run(t, Options{Brokers: []string{"tcp://127.0.0.1:" + freePort(t), "nonsense://x", b.url()}, Log: j.log()})
	p.queueEvents(10)
	s.events(1, 10)
	j.expect("refused")
	j.expect("no broker URL")
	j.expect("connected to the broker")
	if got := p.Stats().Broker; got != b.url() {
		t.Errorf("connected to %s", got)
	}
}

// A connection on which nothing comes through any more is noticed.
func TestHalfOpen(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	x := newProxy(t, b)
	s := subscribe(t, b.url(), "tarsier/#")
	p := run(t, Options{Brokers: []string{x.url()}})
	p.queueEvents(10)
	s.events(1, 10)
	x.freeze()
	p.queueEvents(1000)
	p.expectConnected(false)
	s.events(11, 1010)
}

// A broker that answers but acknowledges nothing is left, too.
func TestNoAcknowledgement(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	x := newProxy(t, b)
	x.filter = func(toClient bool, b []byte) []byte {
		if !toClient {
			return b
		}
		var kept []byte
		for len(b) > 1 { // what a broker sends here is shorter than 128 bytes, and comes whole
			n := 2 + int(b[1])
			if kind := b[0] >> 4; kind != 4 {
				kept = append(kept, b[:n]...)
			}
			b = b[n:]
		}
		return kept
	}
	j := newJournal(t)
	p := prepare(t, Options{Brokers: []string{x.url(), b.url()}, Log: j.log()})
	p.timing.ack = 100 * time.Millisecond
	p.run()
	p.queueEvents(10)
	j.expect("acknowledged nothing")
	x.ln.Close() // and so the second broker is taken
	j.expect("msg=\"connected to the broker\" broker=" + b.url())
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.Sent != 10 {
		t.Errorf("%+v", s)
	}
}

// A token that fails just when it is looked at.
type lateToken struct {
	mqtt.Token
	looks int
}

func (l *lateToken) Done() <-chan struct{} {
	done := make(chan struct{})
	if l.looks++; l.looks > 1 {
		close(done)
	}
	return done
}

func (l *lateToken) Error() error { return errors.New("too late") }

// An event is only taken for delivered if its token is done, and is without an error then.
func TestLateFailure(t *testing.T) {
	p := prepare(t, Options{}).Publisher
	p.Events(anEvent)
	s := &session{p: p, lost: make(chan error), inflight: []message{{seq: 1, token: new(lateToken)}}}
	err := s.settle()
	if err == nil {
		err = s.settle()
	}
	if err == nil || p.Stats().Queued != 1 {
		t.Errorf("%v, %d queued", err, p.Stats().Queued)
	}
}

// Events arrive in order and without a gap, however often the connection breaks, and whoever publishes is not
// disturbed.
func TestBreaks(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	x := newProxy(t, b)
	s := subscribe(t, b.url(), "tarsier/#")
	p := run(t, Options{Brokers: []string{x.url()}, QoS: 2})
	p.SetTopology(porch)
	const publishers, each = 4, 1000
	var wg sync.WaitGroup
	for range publishers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				p.Events(anEvent)
				p.Retain(StateTopic("porch", "door"), fmt.Appendf(nil, "%d", i))
				p.Send(ScoresTopic("porch", "door"), []byte("scores"))
				p.Stats()
			}
		}()
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cuts := make(chan int, 1)
	go func() {
		n := 0
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(20+rand.IntN(60)) * time.Millisecond):
				x.cut()
				n++
			}
		}
		cuts <- n
	}()
	s.events(1, publishers*each/2)
	wg.Wait()
	cancel()
	t.Logf("cut %d times", <-cuts)
	s.events(publishers*each/2+1, publishers*each)
	p.Retain(StateTopic("porch", "door"), []byte("last"))
	s.expect("tarsier/node/porch/door/state", "last")
}

func TestLastWill(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	x := newProxy(t, b)
	s := subscribe(t, b.url(), "tarsier/#")
	p := run(t, Options{Brokers: []string{x.url()}})
	s.expect("tarsier/node/status", Online)
	// A broker that sees the same client again before it sees the old connection end says nothing.
	x.away(true)
	x.cut()
	s.expect("tarsier/node/status", Offline)
	x.away(false)
	s.expect("tarsier/node/status", Online)
	p.stop()
	s.expect("tarsier/node/status", Offline)
}

// What was queued just before the end is delivered, also when the connection is not there yet.
func TestStop(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	s := subscribe(t, b.url(), "tarsier/#")
	p := run(t, Options{Brokers: []string{b.url()}})
	p.queueEvents(100)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	s.events(1, 100)
	s.expect("tarsier/node/status", Offline)

	p = run(t, Options{Brokers: []string{"tcp://127.0.0.1:" + freePort(t)}})
	p.queueEvents(3)
	if err := p.stop(); err == nil || !strings.Contains(err.Error(), "3 events could not be delivered") {
		t.Error(err)
	}
}

// A broker that has gone silent does not hold up the end.
func TestStopHalfOpen(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	x := newProxy(t, b)
	s := subscribe(t, b.url(), "tarsier/#")
	p := prepare(t, Options{Brokers: []string{x.url()}})
	p.timing.keepAlive = time.Minute
	p.timing.drain = 100 * time.Millisecond
	p.run()
	s.expect("tarsier/node/status", Online)
	x.freeze()
	p.queueEvents(20_000) // more than the window, and the system's buffers, take
	if err := p.stop(); err == nil {
		t.Error("no error")
	}
	x.cut()
	s.expect("tarsier/node/status", Offline) // the last will
}

// Neither does one that takes the connection and never answers, nor can it hold up other options.
func TestSilentBroker(t *testing.T) {
	for _, scheme := range []string{"tcp", "ssl", "ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			leaks(t)
			b := mosquitto(t, "")
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			silent := scheme + "://" + ln.Addr().String()
			accept := func() {
				t.Helper()
				c, err := ln.Accept()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				if _, err := c.Read(make([]byte, 1)); err != nil { // it has begun
					t.Fatal(err)
				}
			}
			o := Options{Brokers: []string{silent}}
			p := prepare(t, o)
			p.timing.connect = time.Hour
			p.timing.drain = 100 * time.Millisecond
			p.queueEvents(1)
			p.run()
			accept()
			o.Brokers = []string{b.url()}
			p.Reconfigure(p.options(o))
			p.expectConnected(true)
			o.Brokers = []string{silent}
			p.Reconfigure(p.options(o))
			accept()
			p.queueEvents(1)
			if err := p.stop(); err == nil {
				t.Error("no error")
			}

			p = prepare(t, Options{Brokers: []string{silent, b.url()}})
			p.timing.connect = 100 * time.Millisecond
			p.run()
			accept()
			p.expectConnected(true)
			if got := p.Stats().LastError; !strings.HasSuffix(got, "the broker does not answer") {
				t.Error(got)
			}
		})
	}
}

func TestPause(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	s := subscribe(t, b.url(), "tarsier/#")
	j := newJournal(t)
	got := make(chan string, 10)
	p := prepare(t, Options{Brokers: []string{b.url()}, Log: j.log(), Pause: func(camera string, paused bool) {
		got <- fmt.Sprint(camera, " ", paused)
	}})
	p.SetTopology(porch)
	p.run()
	s.send("tarsier/node/porch/pause/set", On, true) // kept by the broker, so it does not matter who comes first
	expect := func(want string) {
		t.Helper()
		select {
		case g := <-got:
			if g != want {
				t.Errorf("got %s, want %s", g, want)
			}
		case <-time.After(patience):
			t.Errorf("no %s", want)
		}
	}
	expect("porch true")
	p.Retain(PauseTopic("porch"), []byte(On))
	s.expect("tarsier/node/porch/pause", On)
	s.send("tarsier/node/porch/pause/set", Off, false)
	expect("porch false")
	s.send("tarsier/node/porch/pause/set", "perhaps", false)
	j.expect("takes ON or OFF")
	s.send("tarsier/node/garden/pause/set", On, false)
	j.expect("camera that there is not")
}

func TestQueueBound(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	s := subscribe(t, b.url(), "tarsier/#")
	b.stop()
	j := newJournal(t)
	p := run(t, Options{Brokers: []string{b.url()}, QueueBytes: 10_000, Log: j.log()})
	p.queueEvents(1000)
	stats := p.Stats()
	if stats.QueuedBytes > 10_000 || stats.Queued == 0 || stats.Dropped != 1000-uint64(stats.Queued) {
		t.Fatalf("%+v", stats)
	}
	j.expect("queue is full")
	b.start()
	s.events(1+stats.Dropped, 1000)
	line := j.expect("empty again")
	if want := fmt.Sprintf("lost=%d", stats.Dropped); !strings.Contains(line, want) {
		t.Errorf("%s, want %s", line, want)
	}
}

func TestReconfigure(t *testing.T) {
	leaks(t)
	b1, b2 := mosquitto(t, ""), mosquitto(t, "")
	s1, s2 := subscribe(t, b1.url(), "#"), subscribe(t, b2.url(), "#")
	o := Options{Brokers: []string{b1.url()}, DiscoveryPrefix: "homeassistant"}
	p := prepare(t, o)
	p.SetTopology(porch)
	p.Retain(CameraStatusTopic("porch"), []byte(Online))
	p.run()
	p.queueEvents(10)
	s1.events(1, 10)

	// Another broker.
	p.queueEvents(1000)
	o.Brokers = []string{b2.url()}
	p.Reconfigure(p.options(o))
	p.queueEvents(1000)
	// Each event goes to one of the two, or, if it was on its way at that moment, to both.
	seen := make(map[uint64]bool)
	collect := func(s *subscriber, until func(topic string, e pipeline.Event) bool) {
		t.Helper()
		for {
			select {
			case m := <-s.got:
				var e pipeline.Event
				if strings.HasSuffix(m.Topic(), "/event") && json.Unmarshal(m.Payload(), &e) == nil {
					seen[e.Seq] = true
				}
				if until(m.Topic()+" "+string(m.Payload()), e) {
					return
				}
			case <-time.After(patience):
				t.Fatalf("%d events arrived", len(seen))
			}
		}
	}
	collect(s1, func(m string, _ pipeline.Event) bool { return m == "tarsier/node/status offline" })
	collect(s2, func(m string, _ pipeline.Event) bool { return m == "tarsier/node/porch/status online" })
	collect(s2, func(_ string, e pipeline.Event) bool { return e.Seq == 2010 })
	if len(seen) != 2000 {
		t.Errorf("%d events arrived", len(seen))
	}

	// Another node on the same broker: nothing stays under the old name.
	o.Node = "other"
	p.Reconfigure(p.options(o))
	s2.expect("tarsier/node/status", Offline)
	s2.expect("tarsier/node/status", "")
	s2.expect("tarsier/other/porch/status", Online)
	if e := p.Events(anEvent)[0]; e.ID != "other/2011" {
		t.Errorf("id is %s", e.ID)
	}
	s2.next("tarsier/other/porch/door/event")
	for topic, payload := range retained(t, b2.url()) {
		if strings.Contains(topic, "node") {
			t.Errorf("%s is still %s", topic, payload)
		}
	}

	// Another base topic, while there is no broker.
	b2.stop()
	o.BaseTopic, o.DiscoveryPrefix = "site/a", ""
	p.Reconfigure(p.options(o))
	p.queueEvents(1)
	b2.start()
	s2.expect("tarsier/other/status", "")
	s2.next("site/a/other/porch/door/event")
	want := map[string]string{"site/a/other/status": Online, "site/a/other/porch/status": Online}
	if held := retained(t, b2.url()); !reflect.DeepEqual(held, want) {
		t.Errorf("retained: %v", held)
	}

	// QoS needs no other connection.
	before := p.Stats().Reconnects
	o.QoS = 2
	p.Reconfigure(p.options(o))
	p.queueEvents(1)
	if m := s2.next("site/a/other/porch/door/event"); m.Qos() != 2 || p.Stats().Reconnects != before {
		t.Errorf("QoS %d, reconnects %d to %d", m.Qos(), before, p.Stats().Reconnects)
	}
}

// Two clients with one id throw each other out, for ever.
func TestTakenOver(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	j := newJournal(t)
	p := run(t, Options{Brokers: []string{b.url()}, Log: j.log()})
	q := prepare(t, Options{Brokers: []string{b.url()}})
	q.run()
	line := j.expect("another client has the same client id")
	if !strings.Contains(line, "client_id=tarsier-node") {
		t.Error(line)
	}
	q.stop()
	s := subscribe(t, b.url(), "tarsier/#")
	p.queueEvents(1)
	s.events(1, 1)
	if n := strings.Count(j.text(), "same client id"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
}
