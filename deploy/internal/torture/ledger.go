package main

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"tarsier/pipeline"
)

// A ledger counts the events that somebody has heard, and notes what must not be.
type ledger struct {
	mu       sync.Mutex
	events   map[uint64]heard // by seq
	newest   uint64           // seq
	repeated int
	bytes    int
	wrong    []string
}

type heard struct {
	pipeline.Event
	hash uint64 // of the payload that came first
}

var seed = maphash.MakeSeed()

// hear takes an event's payload.
func (l *ledger) hear(payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var e pipeline.Event
	if err := json.Unmarshal(payload, &e); err != nil || e.Seq == 0 || e.ID != fmt.Sprintf("%s/%d", node, e.Seq) {
		l.wrong = append(l.wrong, fmt.Sprintf("no event: %.200q", payload))
		return
	}
	hash := maphash.Bytes(seed, payload)
	switch before, repeat := l.events[e.Seq]; {
	case repeat && before.hash != hash:
		l.wrong = append(l.wrong, fmt.Sprintf("id %s is of two events, %s and %s", e.ID, inShort(before.Event), inShort(e)))
	case repeat:
		l.repeated++
	default:
		if e.Seq < l.newest {
			l.wrong = append(l.wrong, fmt.Sprintf("event %d came after %d", e.Seq, l.newest))
		}
		if l.events == nil {
			l.events = map[uint64]heard{}
		}
		e.Top = nil
		l.events[e.Seq] = heard{e, hash}
		l.newest = max(l.newest, e.Seq)
		l.bytes += len(payload)
	}
}

func inShort(e pipeline.Event) string {
	return fmt.Sprintf("%s of %s at %s", e.Type, place(e), e.Time.Format("15:04:05.000"))
}

// place is whose enters and leaves take turns.
func place(e pipeline.Event) string { return e.Camera + "/" + e.Region + "/" + e.Label }

// count is how many events were heard.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}

// highest is the greatest seq heard.
func (l *ledger) highest() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest
}

// size is the mean of an event's payload.
func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes / max(1, len(l.events))
}

// has says whether an event was heard, and is that.
func (l *ledger) has(e logged) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.events[e.Seq]
	return ok && h.Type == e.Msg && h.Camera == e.Camera && h.Region == e.Region && h.Label == e.Label
}

// missing gives the numbers up to the last that were not heard.
func (l *ledger) missing(last uint64) []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var none []uint64
	for seq := uint64(1); seq <= last; seq++ {
		if _, ok := l.events[seq]; !ok {
			none = append(none, seq)
		}
	}
	return none
}

// unpaired says where an enter and a leave do not take turns.
func (l *ledger) unpaired() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	seqs := make([]uint64, 0, len(l.events))
	for seq := range l.events {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	var wrong []string
	open := map[string]uint64{}
	for _, seq := range seqs {
		e := l.events[seq].Event
		since, entered := open[place(e)]
		switch {
		case e.Type == pipeline.Enter && entered:
			wrong = append(wrong, fmt.Sprintf("%s was entered by event %d and again by %d", place(e), since, seq))
		case e.Type == pipeline.Leave && !entered:
			wrong = append(wrong, fmt.Sprintf("%s was left by event %d and had not been entered", place(e), seq))
		}
		if e.Type == pipeline.Enter {
			open[place(e)] = seq
		} else {
			delete(open, place(e))
		}
	}
	for p, seq := range open {
		wrong = append(wrong, fmt.Sprintf("%s was entered by event %d and never left", p, seq))
	}
	return wrong
}
