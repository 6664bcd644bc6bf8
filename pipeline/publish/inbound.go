package publish

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Packet types that are looked at (MQTT 3.1.1, section 2.2.1).
const (
	typeConnack = 2
	typePublish = 3
	typeSuback  = 9
)

// maxInbound is how much of a packet is let through: more than a topic, and than anything that is meant for us.
const maxInbound = 1 << 20

// An inbound is what a broker sends. The client library takes memory for any length that a packet claims, up to
// 256 MiB, which everybody can send who may publish to a topic of ours; it keeps what comes at QoS 2; and it panics when
// a SUBACK has more codes than filters were asked for. So packets pass through here first, and those that are too long
// are cut: a payload that lacks its end is still acknowledged, and means nothing to us.
type inbound struct {
	r     *bufio.Reader
	heard bool   // a first packet has come
	head  []byte // of the packet, and not yet given
	left  int    // bytes of its body, not yet given
	skip  int    // and bytes that are cut off
}

func newInbound(r io.Reader) *inbound { return &inbound{r: bufio.NewReader(r)} }

func (in *inbound) Read(b []byte) (int, error) {
	if len(in.head)+in.left == 0 {
		if err := in.next(); err != nil {
			return 0, err
		}
	}
	if len(in.head) > 0 {
		n := copy(b, in.head)
		in.head = in.head[n:]
		return n, nil
	}
	n, err := in.r.Read(b[:min(len(b), in.left)])
	in.left -= n
	return n, err
}

// next begins a packet.
func (in *inbound) next() error {
	if _, err := in.r.Discard(in.skip); err != nil {
		return err
	}
	in.skip = 0
	first, err := in.r.ReadByte()
	if err != nil {
		return err
	}
	kind := first >> 4
	if !in.heard && kind != typeConnack {
		return noBroker(first)
	}
	in.heard = true
	length, err := binary.ReadUvarint(in.r)
	switch {
	case err != nil:
		return err
	case length >= 1<<28:
		return fmt.Errorf("the broker sends a packet of %d bytes, which MQTT does not know", length)
	case kind == typePublish && first&0b100 != 0:
		return errors.New("the broker sends at QoS 2, for which nobody has asked")
	}
	most := uint64(maxInbound)
	if kind == typeSuback {
		most = 3 // the packet's id and the first code, and nobody looks at others
	}
	given := min(length, most)
	in.head = binary.AppendUvarint(append(in.head[:0], first), given)
	in.left, in.skip = int(given), int(length-given)
	return nil
}

// noBroker is the error of what answers with something else than MQTT.
func noBroker(first byte) error {
	text := "what answers at this port is no MQTT broker"
	switch first {
	case 0x15: // a TLS alert
		text = "the broker speaks TLS on this port: use ssl:// or wss://, or another port"
	case 'H': // HTTP/1.1 400 Bad Request
		text += ", but a web server: use ws:// if it takes MQTT through WebSockets, or another port"
	}
	return &plainError{text, fmt.Errorf("it begins with the byte %#02x", first)}
}
