package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// received is a message as the client library passes it on.
type received struct {
	mqtt.Message
	topic    string
	payload  []byte
	retained bool
}

func (m received) Topic() string   { return m.topic }
func (m received) Payload() []byte { return m.payload }
func (m received) Retained() bool  { return m.retained }

// somebody is a publisher that has cameras and has published something of each.
func somebody(o Options) *Publisher {
	p := &Publisher{
		wake: make(chan struct{}, 1), opts: o.withDefaults(), current: context.Background(),
		retained: make(map[string][]byte),
	}
	p.SetTopology([]Camera{
		{Name: "porch", Regions: regions("door", "mat")}, {Name: "yard", Regions: regions("frame")}, {Name: "gone", Regions: regions("frame")},
	})
	p.Retain(InfoTopic, []byte("{}"))
	for _, camera := range p.cameras {
		p.Retain(PauseTopic(camera.Name), []byte(Off))
		for _, region := range camera.Regions {
			p.Retain(StateTopic(camera.Name, region.Name), []byte("{}"))
		}
	}
	p.SetTopology(p.cameras[:2])
	return p
}

// hearing is a session without a broker, of a publisher like p that has nothing more to say.
func (p *Publisher) hearing(pause func(string, bool)) *session {
	like := &Publisher{
		wake: make(chan struct{}, 1), opts: p.opts, current: p.current, retained: maps.Clone(p.retained),
		placed: p.placed, cameras: p.cameras, components: p.components,
	}
	like.opts.Pause = pause
	return &session{p: like, opts: like.opts, current: like.current}
}

// FuzzReceive has somebody send us two messages. Whatever they are: only a camera that there is is paused, and only by ON or
// OFF at its own topic; only what is retained and not of a camera or region that there is is cleared, below our own topics or
// in our name; nothing that we say is changed; and Home Assistant is told to remove nothing that there is.
func FuzzReceive(f *testing.F) {
	const root = "base/node/"
	for _, topic := range []string{
		root + "porch/pause/set", root + "cellar/pause/set", root + "porch/status", root + "cellar/status", root + "cellar/pause",
		root + "porch/door/state", root + "porch/hall/state", root + "cellar/door/state", root + "gone/frame/state", root + "status",
		root + "info", root + "/status", root + "a/b/c/d", "base/other/cellar/status", "base/node", "home/device/tarsier-node/config",
		"homeassistant/device/tarsier-node/config", "a/homeassistant/device/tarsier-node/config", "home/device/tarsier-other/config",
	} {
		f.Add(byte(0), topic, []byte(On), true, root+"porch/pause/set", []byte(Off), false)
	}
	earlier := Options{Node: "node", BaseTopic: "base", DiscoveryPrefix: "home"}
	f.Add(byte(0), "home/device/tarsier-node/config", earlier.device(earlier.components([]Camera{{Name: "cellar", Regions: regions("door")}, porch[0]})), true,
		"home/device/tarsier-node/config", []byte(`{"components":{"a":{"platform":"sensor"},"porch/status":{"platform":"x"},"":{"platform":""}}}`), true)
	f.Add(byte(1), "home/device/tarsier-node/config", []byte(`{"components":{"a":{"platform":1}}}`), true, "", []byte("[]"), true)
	f.Add(byte(2), "home/device/tarsier-node/config", []byte(`{"components":null}`), true, root+"yard/frame/state", []byte(nil), true)

	type pause struct {
		camera string
		paused bool
	}
	var publishers []*Publisher
	for _, prefix := range []string{"home", "a/homeassistant", ""} {
		publishers = append(publishers, somebody(Options{Node: "node", BaseTopic: "base", DiscoveryPrefix: prefix}))
	}
	f.Fuzz(func(t *testing.T, which byte, topic1 string, payload1 []byte, retained1 bool, topic2 string, payload2 []byte, retained2 bool) {
		like := publishers[int(which)%len(publishers)]
		var pauses, wanted []pause
		s := like.hearing(func(camera string, paused bool) { pauses = append(pauses, pause{camera, paused}) })
		p := s.p
		kept := false
		for _, m := range []received{{nil, topic1, payload1, retained1}, {nil, topic2, payload2, retained2}} {
			s.receive(m)
			kept = kept || m.retained
			camera, ours := strings.CutPrefix(m.topic, root)
			camera, set := strings.CutSuffix(camera, "/pause/set")
			if say := string(m.payload); ours && set && (camera == "porch" || camera == "yard") && (say == On || say == Off) {
				wanted = append(wanted, pause{camera, say == On})
			}
		}
		if !slices.Equal(pauses, wanted) {
			t.Errorf("%v, not %v", pauses, wanted)
		}
		for topic, payload := range like.retained {
			if got, ok := p.retained[topic]; !ok || !bytes.Equal(got, payload) {
				t.Errorf("%q, was %q, became %q", topic, payload, got)
			}
		}
		discovery := p.opts.discoveryTopic()
		for topic, payload := range p.retained {
			if _, ok := like.retained[topic]; ok {
				continue
			}
			if len(payload) > 0 || !kept || !clearable(topic, root, discovery) {
				t.Errorf("%q became %q", topic, payload)
			}
			if !slices.Contains(p.dirty, topic) {
				t.Errorf("%q is cleared, and the broker is not told", topic)
			}
		}
		if len(p.retired) == 0 {
			return
		}
		if discovery == "" || !slices.Contains(p.dirty, discovery) {
			t.Errorf("something is to be removed from Home Assistant at %q, of %q", discovery, p.dirty)
		}
		var told struct{ Components map[string]map[string]any }
		if err := json.Unmarshal(p.opts.retirement(p.retired), &told); err != nil || len(told.Components) == 0 {
			t.Errorf("Home Assistant is told nothing: %v", err)
		}
		for id, c := range told.Components {
			if _, is := p.components[id]; is || len(c) != 1 || c["platform"] == "" {
				t.Errorf("Home Assistant is told to remove %q: %v", id, c)
			}
		}
	})
}

// clearable says of a retained topic that it is ours, and of nothing that there is.
func clearable(topic, root, discovery string) bool {
	rel, ours := strings.CutPrefix(topic, root)
	if !ours {
		return strings.HasSuffix(topic, "/device/tarsier-node/config") && topic != discovery
	}
	parts := strings.Split(rel, "/")
	if len(parts) == 2 {
		return parts[0] != "porch" && parts[0] != "yard" && parts[0] != "" && (parts[1] == "status" || parts[1] == "pause")
	}
	return len(parts) == 3 && rel != "porch/door/"+parts[2] && rel != "porch/mat/"+parts[2] && rel != "yard/frame/"+parts[2] &&
		(parts[2] == "state" || parts[2] == "snapshot")
}

// FuzzInbound has a broker send anything. What comes through is what was sent, but for what is cut; and there is nothing in it that
// the client library is not fit for.
func FuzzInbound(f *testing.F) {
	var all bytes.Buffer
	all.Write([]byte{0x20, 2, 0, 0}) // CONNACK
	for _, p := range []packets.ControlPacket{
		&packets.SubackPacket{FixedHeader: packets.FixedHeader{MessageType: packets.Suback}, MessageID: 1, ReturnCodes: []byte{1}},
		&packets.SubackPacket{FixedHeader: packets.FixedHeader{MessageType: packets.Suback}, MessageID: 2, ReturnCodes: []byte{0, 0, 0, 0x80}},
		&packets.PublishPacket{FixedHeader: packets.FixedHeader{MessageType: packets.Publish, Retain: true}, TopicName: "a/b", Payload: []byte("ON")},
		&packets.PublishPacket{FixedHeader: packets.FixedHeader{MessageType: packets.Publish, Qos: 1}, TopicName: "a/b", MessageID: 3, Payload: bytes.Repeat([]byte("x"), 200)},
		packets.NewControlPacket(packets.Puback), packets.NewControlPacket(packets.Pubrec), packets.NewControlPacket(packets.Pubcomp),
		packets.NewControlPacket(packets.Unsuback), packets.NewControlPacket(packets.Pingresp),
		&packets.PublishPacket{FixedHeader: packets.FixedHeader{MessageType: packets.Publish, Qos: 2}, TopicName: "a", MessageID: 4},
	} {
		if err := p.Write(&all); err != nil {
			f.Fatal(err)
		}
		f.Add(all.Bytes())
	}
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x46"))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n"))
	f.Add([]byte{0x20, 2, 0, 0, 0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 'a'})
	f.Add([]byte{0x20, 2, 0, 0, 0x30, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{0x20, 0x82, 0x80, 0x80, 0, 0, 0, 0xd0, 0})

	f.Fuzz(func(t *testing.T, sent []byte) {
		in := newInbound(iotest.HalfReader(bytes.NewReader(sent)))
		var through bytes.Buffer
		for first := true; ; first = false {
			cp, err := packets.ReadPacket(io.TeeReader(in, &through))
			if err != nil {
				break
			}
			switch cp := cp.(type) {
			case *packets.ConnackPacket:
			case *packets.SubackPacket:
				if len(cp.ReturnCodes) > 1 {
					t.Fatalf("a SUBACK with %d codes", len(cp.ReturnCodes))
				}
			case *packets.PublishPacket:
				if cp.Qos > 1 || len(cp.TopicName)+len(cp.Payload) > maxInbound {
					t.Fatalf("QoS %d, %d and %d bytes", cp.Qos, len(cp.TopicName), len(cp.Payload))
				}
			}
			if _, ok := cp.(*packets.ConnackPacket); first && !ok {
				t.Fatalf("%v is the first", cp)
			}
		}
		want, got := cut(sent), through.Bytes()
		if !bytes.HasPrefix(want, got) {
			t.Fatalf("% x\ncame through as % x\nnot % x", sent, got, want)
		}
	})
}

// cut gives what may come through of packets.
func cut(sent []byte) (through []byte) {
	for len(sent) > 1 {
		length, n, shift := 0, 1, 0
		for ; n < len(sent); n, shift = n+1, shift+7 {
			if shift > 56 {
				return through
			}
			length |= int(sent[n]&127) << shift
			if sent[n] < 128 {
				n++
				break
			}
		}
		whole, most := length, maxInbound
		if sent[0]>>4 == packets.Suback {
			most = 3
		}
		length = min(length, most)
		through = append(through, sent[0])
		for rest := length; ; {
			b := byte(rest % 128)
			if rest /= 128; rest > 0 {
				b |= 128
			}
			if through = append(through, b); rest == 0 {
				break
			}
		}
		body := sent[n:]
		through = append(through, body[:min(length, len(body))]...)
		sent = body[min(whole, len(body)):]
	}
	return through
}
