// Package queue keeps events on disk, in order, until the broker has acknowledged them.
//
// It numbers events, and gives them back one after the other as soon as they are on disk: fsynced, so that they survive the
// end of the process and of the power. Appending never waits for the disk: a goroutine writes what has come meanwhile in
// one transaction. An event leaves the queue when it is acknowledged, or, the oldest first, when the queue is full.
//
// Two files share the work. In events.db, a SQLite database in WAL mode, are the events that wait, and those enters that have had
// no leave yet, delivered or not: after a crash somebody has to send it. In seq are the numbers: how far they have
// been given, and up to which event all are done with. It is overwritten in place, which a full disk allows too, and what it
// says of acknowledgements is left to the kernel to write: the end of the process takes nothing of it, a power cut the last half
// minute, and then some events are sent twice.
//
// A database that is damaged is set aside, and every event that can still be found in its bytes goes into a new one. While the
// disk cannot be written, the queue goes on in memory.
package queue

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"tarsier/pipeline"
)

// Options say where the queue is.
type Options struct {
	Dir     string         // made if it is not there; "": in memory only
	Limit   int64          // bytes of the events that may wait
	Clock   pipeline.Clock // the zero value: the system's
	Log     *slog.Logger
	Changed func() // called when Next may give more; must return at once
}

// Stats is how the queue does.
type Stats struct {
	Events  int   // that wait
	Bytes   int64 // of them
	Dropped uint64
	Err     error // why the disk is not written; nil: it is
}

// A Queue is safe for concurrent use; Next and Ack are for one reader.
type Queue struct {
	options Options
	wake    chan struct{}
	closing chan struct{}
	closed  chan struct{}
	disk    *disk // belongs to the goroutine run, as the next; nil: there is none

	miscounts bool // the counter cannot be written

	mu      sync.Mutex
	limit   int64
	last    uint64  // number of the newest event there ever was
	counted uint64  // the counter knows that numbers up to here are given
	stored  uint64  // all up to here are on disk. That they are done with does not wait for it while the disk fails
	done    uint64  // all up to here are acknowledged, or dropped
	waiting []item  // the others, the oldest first
	bytes   int64   // of them
	sent    uint64  // Next has given all up to here
	tail    []Entry // the newest events, all that are not on disk among them
	page    []Entry // older ones, read from disk for Next
	wanted  uint64  // what Next found in neither
	dropped uint64
	latest  map[label]uint64 // the last event of each
	err     error            // of the disk: Next gives what is only in memory, too
	// The disk could not be read: there may be older events on it. So the counter does not hear of done until it can.
	blind bool

	orphans []pipeline.Event // entered when the queue was opened
}

// An item is an event that waits.
type item struct {
	seq  uint64
	size int64
}

func compareItem(i item, seq uint64) int { return cmp.Compare(i.seq, seq) }

const (
	maxTail   = 256 // events on disk that are kept in memory too, for a reader who keeps up
	pageSize  = 64  // events read at once
	batchSize = 512 // events written at once
	manyRows  = 1024
	reserve   = 1000 // numbers that may be given before the counter has to be told
	retry     = 2 * time.Second
	maxRetry  = time.Minute
)

// ErrInUse says that another process has the queue open.
var ErrInUse = errors.New("another tarsier uses it")

// Open opens the queue, or makes one. Damage is mended, and reported in the log; an error is about the directory.
func Open(o Options) (*Queue, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Clock.Now == nil {
		o.Clock = pipeline.SystemClock(nil)
	}
	q := &Queue{
		options: o, limit: o.Limit, latest: map[label]uint64{},
		wake: make(chan struct{}, 1), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	if o.Dir == "" {
		close(q.closed)
		return q, nil
	}
	if err := q.load(); err != nil {
		return nil, err
	}
	go q.run()
	return q, nil
}

// load takes in what is on disk.
func (q *Queue) load() error {
	dir, log := q.options.Dir, q.options.Log
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of the event queue: %w; name one that can be written in mqtt.queue.dir", err)
	}
	c, err := openCounter(filepath.Join(dir, "seq"), q.options.Clock.Boot)
	forgotten := errors.Is(err, errDamaged)
	switch {
	case errors.Is(err, ErrInUse):
		return fmt.Errorf("open the event queue in %s: %w; stop that one, or name another mqtt.queue.dir", dir, err)
	case forgotten:
		log.Error("the counter of events is damaged: events that were delivered may be sent again", "error", err)
	case err != nil:
		return fmt.Errorf("open the event queue: %w; name a directory that can be written in mqtt.queue.dir", err)
	}
	sameBoot := c.sameBoot()
	q.disk = &disk{path: filepath.Join(dir, database), log: log, counter: c}
	entries, err := q.disk.load(nil)
	q.last = max(c.at.last, c.at.stored, c.at.done)
	if n := len(entries); n > 0 {
		q.last = max(q.last, entries[n-1].Seq)
	}
	switch {
	case !q.disk.lost && err == nil || sameBoot && !forgotten:
	case forgotten:
		q.last += reserve
	default: // the power cut may have taken numbers that were given
		q.last = max(q.last, c.at.limit)
	}
	q.counted, q.done = c.at.last, c.at.done
	q.take(entries, q.last)
	entered := map[label]uint64{}
	follow(entered, entries)
	for _, e := range entries {
		var event pipeline.Event
		q.latest[e.label.key()] = e.Seq
		if entered[e.label.key()] == e.Seq && json.Unmarshal(e.Event, &event) == nil {
			q.orphans = append(q.orphans, event)
		}
	}
	if err != nil {
		// Nothing of it counts as stored, so that it all goes to disk as soon as there is one.
		q.blind = len(entries) == 0
		q.err, q.stored, q.tail = err, 0, entries
		log.Error("the event queue cannot be written: events are kept in memory until it can", "dir", dir, "error", err)
	}
	q.trim()
	return nil
}

// take goes on with what is on disk, and with what was appended after a number. q.mu is held.
func (q *Queue) take(entries []Entry, after uint64) {
	i, _ := slices.BinarySearchFunc(q.waiting, after+1, compareItem)
	newer := q.waiting[i:]
	q.waiting, q.bytes = nil, 0
	for _, e := range entries {
		if e.Seq > q.done && e.Seq <= after {
			q.waiting = append(q.waiting, item{e.Seq, e.size()})
		}
	}
	if n := i - len(q.waiting); n > 0 {
		q.dropped += uint64(n)
	}
	q.waiting = append(q.waiting, newer...)
	for _, w := range q.waiting {
		q.bytes += w.size
	}
	i, _ = slices.BinarySearchFunc(q.tail, after+1, compareSeq)
	recent := entries[max(0, len(entries)-maxTail):]
	q.tail = append(slices.Clone(recent), q.tail[i:]...)
	q.stored, q.page = after, nil
}

// Orphans are the enters that had had no leave when the queue was opened.
func (q *Queue) Orphans() []pipeline.Event { return q.orphans }

// Append numbers events of one moment and takes them in; topic gives each one's. It returns them as they will be sent. They are safe, and given to
// the reader, a moment later.
func (q *Queue) Append(topic func(pipeline.Event) string, events ...pipeline.Event) []pipeline.Event {
	q.mu.Lock()
	for i := range events {
		e := &events[i]
		q.last++
		e.Seq = q.last
		e.ID = fmt.Sprintf("%s/%d", e.Node, e.Seq)
		b, err := json.Marshal(e)
		if err != nil {
			panic(fmt.Sprintf("queue: event %+v has no JSON: %v", *e, err)) // a NaN: whoever computes scores is broken
		}
		entry := Entry{
			Seq: e.Seq, Topic: topic(*e), Event: b, Boot: q.options.Clock.Boot, Uptime: e.Uptime,
			label: label{e.Camera, e.Region, e.Index, e.Type},
		}
		q.latest[entry.label.key()] = entry.Seq
		q.tail = append(q.tail, entry)
		q.waiting = append(q.waiting, item{entry.Seq, entry.size()})
		q.bytes += entry.size()
	}
	if q.disk == nil {
		q.stored, q.counted = q.last, q.last
	}
	q.trim()
	q.mu.Unlock()
	q.poke()
	if q.disk == nil {
		q.options.Changed()
	}
	return events
}

// Rewind has Next start over: what was sent on a connection that is gone, and not acknowledged, is sent again.
func (q *Queue) Rewind() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent = 0
}

// Next gives the oldest event that it has not given, if it is safe. Changed is called when there may be more.
func (q *Queue) Next() (Entry, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i, _ := slices.BinarySearchFunc(q.waiting, q.sent+1, compareItem)
	if i == len(q.waiting) {
		return Entry{}, false
	}
	seq := q.waiting[i].seq
	if seq > q.stored && !(q.err != nil && seq <= q.counted) {
		return Entry{}, false
	}
	for _, list := range [][]Entry{q.tail, q.page} {
		if i, ok := slices.BinarySearchFunc(list, seq, compareSeq); ok {
			q.sent = seq
			return list[i], true
		}
	}
	q.wanted = seq
	q.poke()
	return Entry{}, false
}

// Ack says that the broker has an event that Next gave.
func (q *Queue) Ack(seq uint64) {
	q.mu.Lock()
	if i, ok := slices.BinarySearchFunc(q.waiting, seq, compareItem); ok {
		q.drop(i)
	} else if q.dropped > 0 {
		q.dropped-- // while it was on its way, its place was given to a newer one: it is not lost after all
	}
	q.mu.Unlock()
	q.poke()
}

// Resize sets how many bytes may wait.
func (q *Queue) Resize(limit int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limit = limit
	q.trim()
}

// Stats tells how the queue does.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stats{Events: len(q.waiting), Bytes: q.bytes, Dropped: q.dropped, Err: q.err}
}

// Close writes what is not on disk yet, for which it waits. It is an error if that fails.
func (q *Queue) Close() error {
	if q.disk == nil {
		return nil
	}
	close(q.closing)
	<-q.closed
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.unstored(len(q.tail))); n > 0 {
		return fmt.Errorf("%d events could not be written to disk: %w", n, q.err)
	}
	return nil
}

func (q *Queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// trim lets the oldest events go until the others are within the limit; the newest stays. q.mu is held.
func (q *Queue) trim() {
	for q.bytes > q.limit && len(q.waiting) > 1 {
		q.drop(0)
		q.dropped++
	}
}

// drop is done with an event. q.mu is held.
func (q *Queue) drop(i int) {
	q.bytes -= q.waiting[i].size
	if i == 0 {
		q.waiting = q.waiting[1:] // and not moved, each time
	} else {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	q.done = q.last
	if len(q.waiting) > 0 {
		q.done = q.waiting[0].seq - 1
	}
	q.forget()
}

// forget lets go of what need not be in memory. q.mu is held.
func (q *Queue) forget() {
	// Of events that are done with those are still to be written which say whether a label is entered.
	n, _ := slices.BinarySearchFunc(q.tail, q.done+1, compareSeq)
	kept := slices.DeleteFunc(q.tail[:n:n], func(e Entry) bool {
		return q.disk == nil || e.Seq <= q.stored || q.latest[e.label.key()] != e.Seq
	})
	from := n - len(kept)
	copy(q.tail[from:n], kept)
	q.tail = q.tail[from:]
	for q.disk != nil && len(q.tail) > maxTail && q.tail[0].Seq <= q.stored {
		q.tail[0] = Entry{}
		q.tail = q.tail[1:]
	}
}

// unstored gives the oldest events that are not on disk. q.mu is held.
func (q *Queue) unstored(n int) []Entry {
	i, _ := slices.BinarySearchFunc(q.tail, q.stored+1, compareSeq)
	return slices.Clone(q.tail[i:min(len(q.tail), i+n)])
}

// run does all that may wait for the disk.
func (q *Queue) run() {
	defer close(q.closed)
	defer q.disk.counter.file.Close()
	defer q.disk.close()
	var failed time.Time
	pause := retry
	again := time.NewTimer(0)
	defer again.Stop()
	for last := false; !last; {
		select {
		case <-q.wake:
		case <-again.C:
		case <-q.closing:
			last = true
		}
		if last || time.Since(failed) >= pause || q.disk.db != nil && q.wants() {
			err := q.write()
			if !q.report(err) {
				pause = retry
			} else {
				if q.disk.db == nil { // to try again is to read, or even to write, all of it
					pause = min(2*pause, maxRetry)
				}
				failed = time.Now()
				again.Reset(pause)
			}
		}
		if q.count(last) {
			q.options.Changed()
		}
	}
}

// write brings everything to disk that is not there, and reads what Next wants.
func (q *Queue) write() error {
	d := q.disk
	mended := false
	if d.db == nil {
		if err := q.reload(nil); err != nil {
			return err
		}
	}
	for {
		q.mu.Lock()
		batch, done, wanted, drained := q.unstored(batchSize), q.done, q.wanted, len(q.waiting) == 0
		q.mu.Unlock()
		var err error
		switch n := len(batch); {
		case wanted > 0: // first: a full disk can be read
			var page []Entry
			page, err = d.read(wanted, pageSize)
			if err == nil && wanted > done && (len(page) == 0 || page[0].Seq != wanted) { // else Next would ask for ever
				err = fmt.Errorf("%w: event %d is not in it", errDamaged, wanted)
			}
			if err == nil {
				q.mu.Lock()
				q.page = page
				if q.wanted == wanted {
					q.wanted = 0
				}
				q.mu.Unlock()
				q.options.Changed()
			}
		case n > 0:
			if batch[n-1].Seq > d.counter.at.limit {
				at := d.counter.at
				at.limit = batch[n-1].Seq + reserve
				err = d.counter.write(at, true)
			}
			if err == nil {
				err = d.there()
			}
			if err == nil {
				err = d.commit(batch, done)
			}
			if err == nil { // before anybody hears of the numbers
				at := d.counter.at
				at.last, at.stored = max(at.last, d.newest), d.newest
				err = d.counter.write(at, false)
			}
			if err == nil {
				q.mu.Lock()
				q.stored = batch[n-1].Seq
				q.forget()
				q.mu.Unlock()
				q.options.Changed()
			}
		case drained && d.rows > manyRows:
			err = d.shrink(done)
		default:
			return nil
		}
		if damage(err) && !mended { // a second time, the disk is to be given a rest
			err, mended = q.reload(err), true
		}
		switch {
		case full(err):
			_ = d.do("PRAGMA wal_checkpoint(TRUNCATE)") // which may give some room back; if not, that is known
		case err != nil:
			d.close() // to open it anew is all that can be tried
		}
		if err != nil {
			return err
		}
	}
}

// reload opens the database again, or makes a new one of the one that is damaged.
func (q *Queue) reload(damaged error) error {
	q.mu.Lock()
	memory, last := slices.Clone(q.tail), q.last
	q.mu.Unlock()
	if damaged != nil && q.disk.db != nil {
		if rows, err := q.disk.read(0, -1); err == nil { // as of a file that was deleted
			memory = union(rows, memory)
		}
	}
	var entries []Entry
	var err error
	if q.disk.close(); damaged != nil {
		entries, err = q.disk.rebuild(memory, damaged)
	} else {
		entries, err = q.disk.load(memory)
	}
	if err != nil {
		q.mu.Lock()
		q.detach(entries, last)
		q.mu.Unlock()
		q.options.Changed()
		return err
	}
	q.mu.Lock()
	if q.blind { // what comes to light is older than what was sent
		q.blind, q.done, q.sent = false, q.disk.counter.at.done, 0
	}
	q.take(entries, last)
	q.mu.Unlock()
	q.options.Changed()
	return nil
}

// detach goes on without the disk, with the events that could be read up to a number, and those after it. q.mu is held.
func (q *Queue) detach(entries []Entry, last uint64) {
	i, _ := slices.BinarySearchFunc(q.tail, last+1, compareSeq)
	q.tail = slices.Concat(entries, q.tail[i:])
	q.waiting, q.bytes = nil, 0
	for _, e := range q.tail {
		if e.Seq > q.done {
			q.waiting = append(q.waiting, item{e.Seq, e.size()})
			q.bytes += e.size()
		}
	}
	q.blind, q.stored, q.page, q.wanted = true, 0, nil, 0
}

func (q *Queue) wants() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.wanted > 0
}

// report notes whether the disk works, and says in the log when that changes.
func (q *Queue) report(err error) (failed bool) {
	q.mu.Lock()
	before := q.err
	q.err = err
	n := len(q.waiting)
	q.mu.Unlock()
	log := q.options.Log.With("dir", q.options.Dir)
	switch {
	case err != nil && (before == nil || err.Error() != before.Error()):
		log.Error("the event queue cannot be written: events are kept in memory until it can", "error", err)
	case err == nil && before != nil:
		log.Info("the event queue is written to disk again", "waiting", n)
	}
	return err != nil
}

// count brings the counter up to date; it says whether Next may give more for it.
func (q *Queue) count(last bool) (more bool) {
	c := q.disk.counter
	q.mu.Lock()
	at := numbers{last: max(q.stored, q.counted), stored: q.disk.newest, done: q.done, limit: c.at.limit}
	failing := q.err != nil
	if failing {
		at.last = q.last
	}
	if q.blind || q.disk.db == nil {
		at.done, at.stored = c.at.done, c.at.stored
	}
	more = failing && at.last > q.counted
	q.mu.Unlock()
	err := c.write(at, last || more || q.disk.lost)
	if err == nil {
		q.disk.lost = false
	} else if !q.miscounts {
		q.options.Log.Error("after the next start, events may have numbers that were used", "error", err)
	}
	q.miscounts = err != nil
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counted = at.last
	return more
}
