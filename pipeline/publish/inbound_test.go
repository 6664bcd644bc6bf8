package publish

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Of a packet that is too long the rest is left out, and the next one is whole.
func TestInboundCut(t *testing.T) {
	var sent bytes.Buffer
	sent.Write([]byte{0x20, 2, 0, 0})
	for _, size := range []int{maxInbound, 3 << 20, 1} {
		p := packets.PublishPacket{
			FixedHeader: packets.FixedHeader{MessageType: packets.Publish, Qos: 1}, TopicName: "a/b", MessageID: 7,
			Payload: bytes.Repeat([]byte("x"), size),
		}
		if err := p.Write(&sent); err != nil {
			t.Fatal(err)
		}
	}
	in := newInbound(&sent)
	if _, err := packets.ReadPacket(in); err != nil {
		t.Fatal(err)
	}
	const head = 2 + 3 + 2 // topic and id
	for _, want := range []int{maxInbound - head, maxInbound - head, 1} {
		cp, err := packets.ReadPacket(in)
		if err != nil {
			t.Fatal(err)
		}
		p := cp.(*packets.PublishPacket)
		if p.TopicName != "a/b" || p.MessageID != 7 || !bytes.Equal(p.Payload, bytes.Repeat([]byte("x"), want)) {
			t.Errorf("%q, %d: %d bytes, not %d", p.TopicName, p.MessageID, len(p.Payload), want)
		}
	}
}

// Somebody who sends us megabytes hinders nobody.
func TestHugeMessage(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	s := subscribe(t, b.url(), "tarsier/node/status")
	huge := strings.Repeat(On, 2<<20)
	s.send("tarsier/node/porch/pause/set", huge, true)
	s.send("homeassistant/device/tarsier-node/config", huge, true)
	j := newJournal(t)
	paused := make(chan string, 10)
	p := run(t, Options{
		Brokers: []string{b.url()}, Log: j.log(), DiscoveryPrefix: "homeassistant",
		Pause: func(camera string, _ bool) { paused <- camera },
	})
	p.SetTopology(porch)
	j.expect("a pause topic takes ON or OFF")
	s.send("tarsier/node/porch/pause/set", On, false)
	if camera := <-paused; camera != "porch" {
		t.Error(camera)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if n := p.Stats().Reconnects; n > 0 {
		t.Errorf("%d connections were lost", n)
	}
}

// A broker that answers a subscription with more than was asked brings nobody down.
func TestTooManyCodes(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	x := newProxy(t, b)
	x.filter = func(toClient bool, b []byte) []byte {
		if !toClient {
			return b
		}
		var more []byte
		for len(b) > 1 { // what a broker sends here is shorter than 100 bytes, and comes whole
			n := 2 + int(b[1])
			if more = append(more, b[:n]...); b[0]>>4 == typeSuback {
				more[len(more)-n+1] += 9
				more = append(more, make([]byte, 9)...)
			}
			b = b[n:]
		}
		return more
	}
	s := subscribe(t, b.url(), "tarsier/#")
	paused := make(chan string, 10)
	p := run(t, Options{Brokers: []string{x.url()}, Pause: func(camera string, _ bool) { paused <- camera }})
	p.SetTopology(porch)
	p.expectConnected(true)
	s.send("tarsier/node/porch/pause/set", On, true)
	if camera := <-paused; camera != "porch" {
		t.Error(camera)
	}
	p.queueEvents(10)
	s.events(1, 10)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

// What is no broker is told from one that is away.
func TestNoBroker(t *testing.T) {
	leaks(t)
	for answer, want := range map[string]string{
		"HTTP/1.1 400 Bad Request\r\n\r\n":  "no MQTT broker, but a web server",
		"SSH-2.0-OpenSSH_9.2\r\n":           "no MQTT broker",
		"\x15\x03\x03\x00\x02\x02\x46":      "use ssl:// or wss://",
		"":                                  "without a word",
		"\x20\x02\x00\x00\x34\x03\x00\x01a": "QoS 2, for which nobody has asked",
		"\x20\xff\xff\xff\xff\x7f":          "which MQTT does not know",
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var server sync.WaitGroup
		server.Add(1)
		go func() {
			defer server.Done()
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				c.Read(make([]byte, 1000))
				c.Write([]byte(answer))
				c.Close()
			}
		}()
		j := newJournal(t)
		p := run(t, Options{Brokers: []string{"tcp://" + ln.Addr().String()}, Log: j.log()})
		j.expect(want)
		p.stop()
		ln.Close()
		server.Wait()
	}
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	j := newJournal(t)
	p := run(t, Options{Brokers: []string{"ws://" + web.Listener.Addr().String()}, Log: j.log()})
	j.expect("no WebSocket")
	p.stop()
}
