package publish

import (
	"math/rand/v2"
	"testing"
)

// A queue against a plain list of what should be in it.
func TestQueue(t *testing.T) {
	q := queue{limit: 100}
	var want []entry
	var dropped, sent uint64
	bytes := func() (n int64) {
		for _, e := range want {
			n += e.size()
		}
		return n
	}
	trim := func() {
		for bytes() > q.limit && len(want) > 1 {
			want = want[1:]
			dropped++
		}
	}
	for range 10_000 {
		switch rand.IntN(4) {
		case 0, 1:
			e := entry{q.seq(), "t", make([]byte, rand.IntN(40))}
			if rand.IntN(50) == 0 {
				e.payload = make([]byte, 150) // more than there is room for
			}
			q.append(e.topic, e.payload)
			want = append(want, e)
			trim()
		case 2:
			if len(want) > 0 {
				q.ack(want[0].seq)
				want = want[1:]
				sent++
			}
		case 3:
			q.resize(50 + rand.Int64N(100))
			trim()
		}
		if len(q.entries) != len(want) || q.bytes != bytes() || q.dropped != dropped {
			t.Fatalf("%d entries, %d bytes, %d dropped; want %d, %d, %d", len(q.entries), q.bytes, q.dropped, len(want), bytes(), dropped)
		}
		if uint64(len(want))+sent+dropped != q.last {
			t.Fatalf("%d numbers given to %d waiting, %d sent, %d dropped", q.last, len(want), sent, dropped)
		}
		for _, w := range want {
			e, ok := q.from(w.seq)
			if !ok || e.seq != w.seq || len(e.payload) != len(w.payload) {
				t.Fatalf("from(%d) is %d, %v", w.seq, e.seq, ok)
			}
			if e, ok = q.from(0); !ok || e.seq != want[0].seq {
				t.Fatalf("the oldest is %d, %v", e.seq, ok)
			}
		}
		if e, ok := q.from(q.seq()); ok {
			t.Fatalf("the next event is there already: %d", e.seq)
		}
	}
}

// An event that lost its place while it was on its way, and was delivered, is not lost.
func TestQueueLateAck(t *testing.T) {
	q := queue{limit: 10}
	for range 3 {
		q.append("t", make([]byte, 5))
	}
	if q.dropped != 2 {
		t.Fatalf("%d dropped", q.dropped)
	}
	q.ack(1)
	if q.dropped != 1 || len(q.entries) != 1 {
		t.Errorf("%d dropped, %d entries", q.dropped, len(q.entries))
	}
}
