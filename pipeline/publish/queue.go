package publish

// An entry is an event as it will be published.
type entry struct {
	seq     uint64
	topic   string
	payload []byte
}

func (e entry) size() int64 { return int64(len(e.topic) + len(e.payload)) }

// A queue holds events in order until the broker has acknowledged them. It has room for a number of bytes; when
// they are used up, the oldest events go. This one is in memory and ends with the process; one on disk needs the
// same methods, and then goes on counting where it stopped.
//
// It is not safe for concurrent use.
type queue struct {
	limit   int64
	last    uint64  // seq of the newest event there ever was
	entries []entry // the oldest first; their seqs follow each other
	bytes   int64
	dropped uint64
}

// seq is the number that the next event gets. It is used by append, and not before.
func (q *queue) seq() uint64 { return q.last + 1 }

// append takes the event numbered seq(), which is kept even if it is larger than the limit by itself.
func (q *queue) append(topic string, payload []byte) {
	e := entry{q.seq(), topic, payload}
	q.last = e.seq
	q.entries = append(q.entries, e)
	q.bytes += e.size()
	q.resize(q.limit)
}

// resize sets the limit, and lets the oldest events go until they are within it.
func (q *queue) resize(limit int64) {
	q.limit = limit
	for q.bytes > q.limit && len(q.entries) > 1 {
		q.pop()
		q.dropped++
	}
}

// from gives the oldest event whose number is seq or greater.
func (q *queue) from(seq uint64) (entry, bool) {
	if len(q.entries) == 0 || seq > q.last {
		return entry{}, false
	}
	first := q.entries[0].seq
	return q.entries[max(seq, first)-first], true
}

// ack says that the event was delivered. Events are acknowledged one by one and in order.
func (q *queue) ack(seq uint64) {
	if len(q.entries) > 0 && q.entries[0].seq == seq {
		q.pop()
	} else {
		q.dropped-- // while it was on its way, its place was given to a newer one: it is not lost after all
	}
}

func (q *queue) pop() {
	q.bytes -= q.entries[0].size()
	q.entries[0] = entry{} // so that its payload can be collected
	q.entries = q.entries[1:]
}
