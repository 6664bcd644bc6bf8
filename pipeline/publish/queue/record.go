package queue

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"tarsier/pipeline"
)

// An Entry is an event on its way.
type Entry struct {
	Seq   uint64          `json:"seq"`
	Topic string          `json:"topic"`
	Event json.RawMessage `json:"event"` // a pipeline.Event

	// When its frame was taken, by a clock that nobody sets.
	Boot   string        `json:"boot"`
	Uptime time.Duration `json:"uptime_ns"`

	label label
}

// label is what an enter and its leave have in common.
type label struct {
	Camera string `json:"camera"`
	Region string `json:"region"`
	Index  int    `json:"index"`
	Type   string `json:"type"`
}

func (l label) key() label { l.Type = ""; return l }

func (e *Entry) size() int64 { return int64(len(e.Topic) + len(e.Event)) }

func compareSeq(e Entry, seq uint64) int { return cmp.Compare(e.Seq, seq) }

// On disk a record begins with a mark by which it is found among whatever else is in a file, then come the length and the
// CRC-32C of the JSON that follows, both little endian.
var mark = []byte{0xf5, 't', 'a', 'r', 's', 'i', 'e', 'r'}

const (
	header    = 16
	maxRecord = 16 << 20 // of what is believed of a length
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (e *Entry) encode() ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	b := make([]byte, header, header+len(body))
	copy(b, mark)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(body, castagnoli))
	return append(b, body...), nil
}

var errRecord = errors.New("a record in it is damaged")

// decode reads the record at the start of b, and gives its length.
func decode(b []byte) (e Entry, n int, err error) {
	if len(b) < header || !bytes.HasPrefix(b, mark) {
		return e, 0, errRecord
	}
	length := binary.LittleEndian.Uint32(b[8:])
	if length > maxRecord || int(length) > len(b)-header {
		return e, 0, errRecord
	}
	n = header + int(length)
	body := b[header:n]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[12:]) {
		return e, 0, errRecord
	}
	if err = json.Unmarshal(body, &e); err == nil {
		err = json.Unmarshal(e.Event, &e.label)
	}
	if err != nil || e.Seq == 0 || e.Topic == "" {
		return e, 0, fmt.Errorf("%w: %w", errRecord, err)
	}
	return e, n, nil
}

// scan gives every record that is whole, wherever in b it stands.
func scan(b []byte, found func(Entry)) {
	for {
		at := bytes.Index(b, mark)
		if at < 0 {
			return
		}
		b = b[at:]
		if e, n, err := decode(b); err == nil {
			found(e)
			b = b[n:]
		} else {
			b = b[len(mark):]
		}
	}
}

// Corrected gives the event as it is to be sent. One that was made before the system clock was set, and waited until it was, gets the
// time that the clock would have shown.
func (e *Entry) Corrected(c pipeline.Clock) json.RawMessage {
	if !bytes.Contains(e.Event, []byte(`"clock":"`+pipeline.Unsynced+`"`)) || e.Boot == "" || e.Boot != c.Boot || c.State() != pipeline.Synced {
		return e.Event
	}
	var event pipeline.Event
	if json.Unmarshal(e.Event, &event) != nil || event.Clock != pipeline.Unsynced {
		return e.Event
	}
	event.Time, event.Clock = pipeline.Time{Time: c.Now().Add(e.Uptime - c.Uptime())}, pipeline.Synced
	b, err := json.Marshal(event)
	if err != nil {
		return e.Event
	}
	return b
}
