package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A packet is an MQTT 3.1.1 control packet as it is on the wire (section 2).
type packet struct {
	raw  []byte
	body int // where the variable header begins
}

// Kinds of packets (section 2.2.1).
const (
	kindPublish = 3
	kindPuback  = 4
)

// maxPacket is more than the daemon sends at once.
const maxPacket = 64 << 20

// readPacket reads the next packet of a stream.
func readPacket(r *bufio.Reader) (packet, error) {
	first, err := r.ReadByte()
	if err != nil {
		return packet{}, err
	}
	raw := []byte{first}
	n := 0 // the remaining length (section 2.2.3): seven bits a byte, the lowest first
	for shift := 0; ; shift += 7 {
		if shift > 21 {
			return packet{}, errors.New("an MQTT packet's length has more than four bytes")
		}
		b, err := r.ReadByte()
		if err != nil {
			return packet{}, unexpected(err)
		}
		raw = append(raw, b)
		n |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			break
		}
	}
	if n > maxPacket {
		return packet{}, fmt.Errorf("an MQTT packet of %d bytes", n)
	}
	p := packet{body: len(raw)}
	p.raw = append(raw, make([]byte, n)...)
	_, err = io.ReadFull(r, p.raw[p.body:])
	return p, unexpected(err)
}

// unexpected is the error of a stream that ends within a packet.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (p packet) kind() byte { return p.raw[0] >> 4 }

// publish takes a PUBLISH apart (section 3.3); at QoS 0 there is no id.
func (p packet) publish() (topic string, id uint16, payload []byte, ok bool) {
	b := p.raw[p.body:]
	if p.kind() != kindPublish || len(b) < 2 {
		return "", 0, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return "", 0, nil, false
	}
	topic, b = string(b[:n]), b[n:]
	if qos := p.raw[0] >> 1 & 3; qos > 0 {
		if len(b) < 2 {
			return "", 0, nil, false
		}
		id, b = binary.BigEndian.Uint16(b), b[2:]
	}
	return topic, id, b, true
}

// puback is the id that a PUBACK acknowledges (section 3.4).
func (p packet) puback() (id uint16, ok bool) {
	b := p.raw[p.body:]
	if p.kind() != kindPuback || len(b) != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(b), true
}
