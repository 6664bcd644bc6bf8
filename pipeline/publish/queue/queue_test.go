package queue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tarsier/pipeline"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

func topic(e pipeline.Event) string { return "tarsier/n/" + e.Camera + "/" + e.Region + "/event" }

// change is an event of a label, numbered by n to be told from others.
func change(kind string, index, n int) pipeline.Event {
	e := pipeline.Event{
		V: 1, Node: "n", Time: pipeline.Time{Time: time.Now()}, Clock: pipeline.Synced, Camera: "c", Region: "r", Type: kind,
		Label: fmt.Sprintf("label %d", index), Index: index, Score: float64(n), Top: []pipeline.Score{},
	}
	if kind == pipeline.Leave {
		e.Reason = pipeline.ByScore
	}
	return e
}

// A reader waits for events, as a session does.
type reader struct {
	*Queue
	t    *testing.T
	news chan struct{}
	log  *bytes.Buffer
}

func open(t *testing.T, dir string, limit int64) *reader {
	t.Helper()
	r, err := tryOpen(t, dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryOpen(t *testing.T, dir string, limit int64) (*reader, error) {
	r := &reader{t: t, news: make(chan struct{}, 1), log: &bytes.Buffer{}}
	var err error
	r.Queue, err = Open(Options{Dir: dir, Limit: limit, Log: slog.New(slog.NewTextHandler(r.log, nil)), Changed: func() {
		select {
		case r.news <- struct{}{}:
		default:
		}
	}})
	return r, err
}

// next waits for the next event.
func (r *reader) next() Entry {
	r.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		if e, ok := r.Next(); ok {
			return e
		}
		select {
		case <-r.news:
		case <-limit:
			r.t.Fatalf("no event; %+v", r.Stats())
		}
	}
}

// all waits for n events, and gives their numbers.
func (r *reader) all(n int) (seqs []uint64) {
	r.t.Helper()
	for range n {
		seqs = append(seqs, r.next().Seq)
	}
	if e, ok := r.Next(); ok {
		r.t.Errorf("event %d is one too many", e.Seq)
	}
	return seqs
}

func (r *reader) put(events ...pipeline.Event) []pipeline.Event { return r.Append(topic, events...) }

func (r *reader) close() {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Error(err)
	}
}

// crash gives a copy of what is on disk at this moment, and lets go of the queue.
func (r *reader) crash() string {
	r.t.Helper()
	to := r.t.TempDir()
	copyDir(r.t, r.options.Dir, to)
	r.Close()
	return to
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func upTo(first, last uint64) (s []uint64) {
	for ; first <= last; first++ {
		s = append(s, first)
	}
	return s
}

func same(t *testing.T, what string, got, want []uint64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestOrder(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 1<<20)
	made := r.put(change("enter", 1, 1), change("enter", 2, 2))
	if made[0].ID != "n/1" || made[1].Seq != 2 {
		t.Errorf("made %+v", made)
	}
	e := r.next()
	var got pipeline.Event
	if err := json.Unmarshal(e.Event, &got); err != nil || got.ID != "n/1" || got.Label != "label 1" || e.Topic != "tarsier/n/c/r/event" {
		t.Errorf("next is %+v, %v", e, err)
	}
	same(t, "then", r.all(1), []uint64{2})
	r.Rewind()
	same(t, "again", r.all(2), []uint64{1, 2})
	r.Ack(1)
	r.Rewind()
	same(t, "what is not acknowledged", r.all(1), []uint64{2})
	r.Ack(2)
	r.close()

	r = open(t, dir, 1<<20)
	if s := r.Stats(); s.Events != 0 || s.Bytes != 0 {
		t.Errorf("%+v", s)
	}
	if made := r.put(change("leave", 1, 3)); made[0].Seq != 3 {
		t.Errorf("numbers go on with %d", made[0].Seq)
	}
	r.close()
}

// Whatever happens, and however often the process ends without warning, the queue holds what a plain list would.
func TestCrashes(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 1<<20)
	var want []uint64 // appended, on disk and not acknowledged
	var sent int      // of them
	entered := map[int]uint64{}
	n := 0
	for range 400 {
		switch rand.IntN(8) {
		case 0, 1, 2:
			for range rand.IntN(5) {
				n++
				index := rand.IntN(6)
				kind := pipeline.Enter
				if _, ok := entered[index]; ok {
					kind = pipeline.Leave
				}
				e := r.put(change(kind, index, n))[0]
				if delete(entered, index); kind == pipeline.Enter {
					entered[index] = e.Seq
				}
				want = append(want, e.Seq)
			}
		case 3, 4:
			for range rand.IntN(6) {
				if sent < len(want) {
					if e := r.next(); e.Seq != want[sent] {
						t.Fatalf("got %d, want %d", e.Seq, want[sent])
					}
					sent++
				}
			}
		case 5:
			for range rand.IntN(6) {
				if sent > 0 {
					r.Ack(want[0])
					want, sent = want[1:], sent-1
				}
			}
		case 6:
			r.Rewind()
			sent = 0
		case 7:
			for sent < len(want) { // now all are on disk
				r.next()
				sent++
			}
			r.settled()
			r = open(t, r.crash(), 1<<20)
			sent = 0
			if r.Stats().Events != len(want) {
				t.Fatalf("%+v, want %d events", r.Stats(), len(want))
			}
			var orphans []uint64
			for _, e := range r.Orphans() {
				orphans = append(orphans, e.Seq)
			}
			var open []uint64
			for _, seq := range entered {
				open = append(open, seq)
			}
			slices.Sort(open)
			slices.Sort(orphans)
			same(t, "entered", orphans, open)
		}
	}
	r.close()
}

// settled waits until the counter knows of every acknowledgement.
func (r *reader) settled() {
	for {
		r.mu.Lock()
		done := r.done
		r.mu.Unlock()
		b, err := os.ReadFile(filepath.Join(r.options.Dir, "seq"))
		if err != nil {
			r.t.Fatal(err)
		}
		for slot := range 2 {
			if _, n, ok := decodeNumbers(b[slot*slotStride:][:slotSize]); ok && n.done == done {
				return
			}
		}
	}
}

func TestInUse(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 1<<20)
	defer r.close()
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("opened twice: %v", err)
	}
}

func TestNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: filepath.Join(file, "queue")}); err == nil || !strings.Contains(err.Error(), "mqtt.queue.dir") {
		t.Errorf("opened in a file: %v", err)
	}
}

// A long queue is read from disk in pages, and the disk gets back what it took.
func TestBacklog(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 64<<20)
	const n = 5000
	for i := range n / 5 {
		r.put(change("enter", 5*i, i), change("enter", 5*i+1, i), change("enter", 5*i+2, i), change("leave", 5*i, i), change("leave", 5*i+1, i))
	}
	for i := range n / 5 {
		r.put(change("leave", 5*i+2, i))
	}
	const all = n + n/5
	same(t, "first", r.all(all), upTo(1, all))
	r.close()
	big := size(t, filepath.Join(dir, "events.db"))
	r = open(t, dir, 64<<20)
	if len(r.tail) > maxTail {
		t.Errorf("%d events in memory", len(r.tail))
	}
	same(t, "after a restart", r.all(all), upTo(1, all))
	for seq := range upTo(1, all) {
		r.Ack(uint64(seq) + 1)
	}
	r.close()
	if small := size(t, filepath.Join(dir, "events.db")); small > big/10 {
		t.Errorf("it took %d bytes, and empty it takes %d", big, small)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

func TestLimit(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 1<<20)
	for i := range 10 {
		r.put(change("enter", i, i))
	}
	first := r.next()
	r.Resize(4 * first.size())
	if s := r.Stats(); s.Events != 4 && s.Events != 3 || s.Dropped != uint64(10-s.Events) || s.Bytes > 4*first.size() {
		t.Errorf("%+v", s)
	}
	dropped := r.Stats().Dropped
	r.Ack(1) // it was on its way
	if d := r.Stats().Dropped; d != dropped-1 {
		t.Errorf("%d dropped, one of %d was delivered", d, dropped)
	}
	left := r.Stats().Events
	same(t, "the newest", r.all(left), upTo(uint64(10-left+1), 10))
	r.settled()
	r = open(t, r.crash(), 1<<20)
	same(t, "after a restart", r.all(left), upTo(uint64(10-left+1), 10))
	if n := len(r.Orphans()); n != 10 {
		t.Errorf("%d enters want a leave, not 10: dropped or not", n)
	}
	r.Resize(1)
	if s := r.Stats(); s.Events != 1 {
		t.Errorf("the newest stays whatever its size: %+v", s)
	}
	r.close()
}

// While the disk is full, events go on from memory, in order and with numbers that are not used again.
func TestFull(t *testing.T) {
	r := open(t, t.TempDir(), 64<<20)
	r.put(change("enter", 1, 1))
	same(t, "before", r.all(1), []uint64{1})
	if _, err := r.disk.db.Exec("PRAGMA max_page_count = 8"); err != nil {
		t.Fatal(err)
	}
	n := 1
	for r.Stats().Err == nil {
		n++
		r.put(change("enter", n, n))
		r.next()
	}
	for range 20 {
		n++
		r.put(change("enter", n, n))
		r.next()
	}
	r.put(change("leave", 1, n))
	n++
	r.next()
	// A crash now takes what is in memory only, and nothing else.
	dir := t.TempDir()
	copyDir(t, r.options.Dir, dir)
	r.Ack(1)
	r.Rewind()
	same(t, "in memory", r.all(n-1), upTo(2, uint64(n)))

	crashed := open(t, dir, 64<<20)
	if made := crashed.put(change("enter", 0, 0)); made[0].Seq != uint64(n)+1 {
		t.Errorf("after a crash the next number is %d, %d are used", made[0].Seq, n)
	}
	if !slices.ContainsFunc(crashed.Orphans(), func(e pipeline.Event) bool { return e.Index == 1 }) {
		t.Error("the leave was not on disk, so its enter wants another")
	}
	crashed.close()

	if _, err := r.disk.db.Exec("PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	for r.Stats().Err != nil {
		time.Sleep(time.Millisecond)
	}
	r = open(t, r.crash(), 64<<20)
	same(t, "on disk again", r.all(n-1), upTo(2, uint64(n)))
	if slices.ContainsFunc(r.Orphans(), func(e pipeline.Event) bool { return e.Index == 1 }) {
		t.Error("a label that was left wants a leave")
	}
	r.close()
}

// Damage anywhere costs at most the events that stood there.
func TestDamage(t *testing.T) {
	r := open(t, t.TempDir(), 1<<20)
	content := map[uint64]string{}
	const n, acked = 60, 20
	for i := range n {
		r.put(change("enter", i, i))
		e := r.next()
		content[e.Seq] = string(e.Event)
		if e.Seq <= acked {
			r.Ack(e.Seq)
		}
	}
	r.settled()
	crashed := r.crash()
	r = open(t, crashed, 1<<20)
	same(t, "undamaged", r.all(n-acked), upTo(acked+1, n))
	clean := t.TempDir() // without a log
	r.close()
	copyDir(t, crashed, clean)

	rounds := 60
	if testing.Short() {
		rounds = 30
	}
	for round := range rounds {
		from := []string{crashed, clean}[round%2]
		dir := t.TempDir()
		copyDir(t, from, dir)
		files := []string{"events.db", "events.db-wal", "seq"}
		path := filepath.Join(dir, files[rand.IntN(len(files))])
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 {
			continue
		}
		at, most := rand.IntN(len(b)), 1
		switch kind := rand.IntN(4); kind {
		case 0, 1:
			b[at] ^= byte(1 + rand.IntN(255))
		case 2:
			for i := at; i < min(at+512, len(b)); i++ {
				b[i] = 0
			}
			most = 3
		case 3:
			b, most = b[:at], n
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("%s of %d bytes, at %d", filepath.Base(path), len(b), at)
		r, err := tryOpen(t, dir, 1<<20)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		seen := map[uint64]bool{}
		for range r.Stats().Events {
			e := r.next()
			if want := content[e.Seq]; string(e.Event) != want || seen[e.Seq] {
				t.Errorf("%s: event %d is %s, and was %s", what, e.Seq, e.Event, want)
			}
			seen[e.Seq] = true
		}
		missing := 0
		for seq := uint64(acked + 1); seq <= n; seq++ {
			if !seen[seq] {
				missing++
			}
		}
		if missing > most {
			t.Errorf("%s: %d events are gone", what, missing)
		}
		if missing > 0 && !strings.Contains(r.log.String(), "damaged") {
			t.Errorf("%s: %d events are gone without a word", what, missing)
		}
		if made := r.put(change("leave", 1, 0)); made[0].Seq <= n {
			t.Errorf("%s: number %d is given again", what, made[0].Seq)
		}
		r.next()
		r.close()
	}
}

// What is written again after damage while the queue is in use.
func TestDamageInUse(t *testing.T) {
	r := open(t, t.TempDir(), 1<<20)
	for i := range 40 {
		r.put(change("enter", i, i))
		r.next()
	}
	if _, err := r.disk.db.Exec("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema; PRAGMA writable_schema = RESET"); err != nil {
		t.Fatal(err)
	}
	r.put(change("leave", 1, 1))
	r.Rewind()
	same(t, "in memory and on disk", r.all(41), upTo(1, 41))
	r = open(t, r.crash(), 1<<20)
	same(t, "after a crash", r.all(41), upTo(1, 41))
	r.close()
}

// An event made before the clock was set gets its time when it is.
func TestCorrected(t *testing.T) {
	synced, shift := false, -20*365*24*time.Hour
	clock := pipeline.SystemClock(func() bool { return synced })
	clock.Now = func() time.Time { return time.Now().Add(shift) }
	r := open(t, t.TempDir(), 1<<20)
	r.options.Clock = clock
	e := change("enter", 1, 1)
	truth := time.Now().Add(-3 * time.Second)
	e.Uptime = clock.At(truth.Add(shift)).Uptime
	e.Time, e.Clock = pipeline.Time{Time: truth.Add(shift)}, pipeline.Unsynced
	r.put(e)
	r.next()
	r = open(t, r.crash(), 1<<20)
	defer r.close()
	entry := r.next()
	if string(entry.Corrected(clock)) != string(entry.Event) {
		t.Error("corrected by a clock that is not set")
	}
	synced, shift = true, 0
	var got pipeline.Event
	if err := json.Unmarshal(entry.Corrected(clock), &got); err != nil {
		t.Fatal(err)
	}
	if off := got.Time.Sub(truth); got.Clock != pipeline.Synced || off.Abs() > 50*time.Millisecond || got.Seq != 1 || got.Label != "label 1" {
		t.Errorf("corrected to %+v, %v off", got, off)
	}
	clock.Boot = "another"
	if string(entry.Corrected(clock)) != string(entry.Event) {
		t.Error("corrected by the clock of another boot")
	}
}

func FuzzScan(f *testing.F) {
	e := Entry{Seq: 1, Topic: "t", Event: []byte(`{"type":"enter"}`)}
	record, err := e.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(record, 0)
	f.Add(append(append([]byte("x"), mark...), record...), 3)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		scan(b, func(e Entry) {
			if e.Seq == 0 {
				t.Error("an event without a number")
			}
		})
		// A whole record is found in any surroundings that do not look like one.
		if at < 0 || at > len(b) || bytes.Contains(b, mark[:1]) {
			return
		}
		found := 0
		scan(slices.Concat(b[:at], record, b[at:]), func(e Entry) { found++ })
		if found != 1 {
			t.Errorf("found %d times", found)
		}
	})
}
