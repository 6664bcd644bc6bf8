package main

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestPackets(t *testing.T) {
	long := strings.Repeat("x", 200)
	stream := "\x32\x0a\x00\x05a/b/c\x01\x02x" + // PUBLISH at QoS 1
		"\x31\x06\x00\x03a/bx" + // at QoS 0, retained
		"\x40\x02\x01\x02" + // PUBACK
		"\xc0\x00" + // PINGREQ
		"\x3a\xcd\x01\x00\x01t\x00\x07" + long // PUBLISH at QoS 1, once more, with two bytes of length
	r := bufio.NewReader(strings.NewReader(stream))
	next := func() packet {
		t.Helper()
		p, err := readPacket(r)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	published := func(p packet, wantTopic string, wantID uint16, wantPayload string) {
		t.Helper()
		topic, id, payload, ok := p.publish()
		if !ok || topic != wantTopic || id != wantID || string(payload) != wantPayload {
			t.Errorf("PUBLISH of %q, id %d, payload %q, %v", topic, id, payload, ok)
		}
		if _, ok := p.puback(); ok {
			t.Error("a PUBLISH is a PUBACK")
		}
	}
	var all []byte
	p := next()
	all = append(all, p.raw...)
	published(p, "a/b/c", 0x102, "x")
	p = next()
	all = append(all, p.raw...)
	published(p, "a/b", 0, "x")
	p = next()
	all = append(all, p.raw...)
	if id, ok := p.puback(); !ok || id != 0x102 {
		t.Errorf("PUBACK of %d, %v", id, ok)
	}
	p = next()
	all = append(all, p.raw...)
	if _, _, _, ok := p.publish(); ok || p.kind() != 12 {
		t.Error("a PINGREQ is something else")
	}
	p = next()
	all = append(all, p.raw...)
	published(p, "t", 7, long)
	if string(all) != stream {
		t.Error("the packets are not the stream")
	}
	if _, err := readPacket(r); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func FuzzReadPacket(f *testing.F) {
	f.Add([]byte("\x32\x0a\x00\x05a/b/c\x01\x02x\x40\x02\x01\x02"))
	f.Add([]byte("\x32\x03\x00\x09a"))
	f.Add([]byte("\x30\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for {
			p, err := readPacket(r)
			if err != nil {
				return
			}
			p.publish()
			p.puback()
			if !bytes.HasPrefix(b, p.raw) {
				t.Fatalf("packet %x is not what begins %x", p.raw, b)
			}
			b = b[len(p.raw):]
		}
	})
}
