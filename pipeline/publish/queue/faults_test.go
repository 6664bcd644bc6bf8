package queue

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarsier/pipeline"
)

func (r *reader) eventually(what string, holds func() bool) {
	r.t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("never seen: %s; %+v", what, r.Stats())
		}
	}
}

// fillDisk has no room for another page, and appends until that is felt. It gives how many events there are then.
func (r *reader) fillDisk(n int) int {
	r.t.Helper()
	if _, err := r.disk.db.Exec("PRAGMA max_page_count = 8"); err != nil {
		r.t.Fatal(err)
	}
	for r.Stats().Err == nil {
		n++
		r.put(change("enter", n, n))
		r.eventually("it is written, or cannot be", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.stored == r.last || r.err != nil
		})
	}
	return n
}

func (r *reader) freeDisk() {
	r.t.Helper()
	if _, err := r.disk.db.Exec("PRAGMA max_page_count = 1000000"); err != nil {
		r.t.Fatal(err)
	}
	r.eventually("the disk is written again", func() bool { return r.Stats().Err == nil })
}

// What is on a full disk, and not in memory, can be read all the same.
func TestFullBacklog(t *testing.T) {
	r := open(t, t.TempDir(), 64<<20)
	for i := range 1000 {
		r.put(change([]string{"enter", "leave"}[i%2], i/2%5, i))
	}
	r.all(1000)
	n := r.fillDisk(1000)
	r.Rewind()
	same(t, "from a full disk", r.all(n), upTo(1, uint64(n)))
	r.freeDisk()
	r.close()
}

// A leave that was delivered while the disk was full is not asked for again.
func TestFullLeave(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 64<<20)
	r.put(change("enter", 1, 1))
	r.next()
	r.Ack(1)
	n := r.fillDisk(1) + 1
	r.put(change("leave", 1, n))
	for range n - 1 {
		r.Ack(r.next().Seq)
	}
	r.freeDisk()
	r.put(change("enter", 5000, 1))
	r.next()
	r.close()
	r = open(t, dir, 64<<20)
	if slices.ContainsFunc(r.Orphans(), func(e pipeline.Event) bool { return e.Index == 1 }) {
		t.Error("it is")
	}
	r.close()
}

// However many labels are entered, an empty queue has nothing to do.
func TestManyEntered(t *testing.T) {
	r := open(t, t.TempDir(), 64<<20)
	for i := range manyRows + 100 {
		r.put(change("enter", i, i))
	}
	for range manyRows + 100 {
		r.Ack(r.next().Seq)
	}
	r.settled()
	r.close()
}

// forge makes the counter one of another boot, as after a power cut.
func forge(slot []byte) {
	for i := 40; i < 56; i++ {
		slot[i] = 0xee
	}
	binary.LittleEndian.PutUint32(slot[slotSize-4:], crc32.Checksum(slot[:slotSize-4], castagnoli))
}

// After a power cut the database cannot be opened at first. Numbers that are on it are not given again, and when it can be
// opened, what is on it is sent.
func TestLateDisk(t *testing.T) {
	r := open(t, t.TempDir(), 64<<20)
	for i := range 5 {
		r.put(change("enter", i, i))
	}
	r.all(5)
	r.settled()
	early, err := os.ReadFile(filepath.Join(r.options.Dir, "seq"))
	if err != nil {
		t.Fatal(err)
	}
	for slot := range 2 {
		forge(early[slot*slotStride:][:slotSize])
	}
	for i := range 20 {
		r.put(change("enter", 100+i, i))
	}
	r.all(20)
	dir := r.crash()
	if err := os.WriteFile(filepath.Join(dir, "seq"), early, 0o600); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, database)
	move := func(from, to string) {
		for _, end := range []string{"", "-wal"} {
			if err := os.Rename(from+end, to+end); err != nil {
				t.Fatal(err)
			}
		}
	}
	move(db, db+".away")
	if err := os.Mkdir(db, 0o700); err != nil {
		t.Fatal(err)
	}
	r = open(t, dir, 64<<20)
	made := r.put(change("enter", 900, 900))[0].Seq
	if made <= 25 {
		t.Errorf("number %d is given again", made)
	}
	same(t, "from memory", []uint64{r.next().Seq}, []uint64{made})
	if err := os.Remove(db); err != nil {
		t.Fatal(err)
	}
	move(db+".away", db)
	same(t, "when the disk is back", r.all(26), append(upTo(1, 25), made))
	r.close()
}

// A database that somebody deletes is missed, and made again with what was in it.
func TestDeleted(t *testing.T) {
	r := open(t, t.TempDir(), 64<<20)
	for i := range 2 * maxTail {
		r.put(change("enter", i, i))
	}
	r.all(2 * maxTail)
	for _, end := range []string{"", "-wal"} {
		if err := os.Remove(r.disk.path + end); err != nil {
			t.Fatal(err)
		}
	}
	r.put(change("leave", 1, 1))
	r.next()
	r = open(t, r.crash(), 64<<20)
	same(t, "after a crash", r.all(2*maxTail+1), upTo(1, 2*maxTail+1))
	r.close()
}

// An event that is not where it was written is given up, and the others come.
func TestMissingRow(t *testing.T) {
	r := open(t, t.TempDir(), 64<<20)
	for i := range 3 * maxTail {
		r.put(change("enter", i, i))
	}
	r.all(3 * maxTail)
	if _, err := r.disk.db.Exec("DELETE FROM events WHERE seq = 7"); err != nil {
		t.Fatal(err)
	}
	r.Rewind()
	same(t, "the others", r.all(3*maxTail-1), append(upTo(1, 6), upTo(8, 3*maxTail)...))
	if s := r.Stats(); s.Dropped != 1 || !strings.Contains(r.log.String(), "event 7 is not in it") {
		t.Errorf("%+v, log %s", s, r.log)
	}
	r.close()
}

// Whatever becomes of numbers that were not synced, those that were stay.
func TestCounterSlots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seq")
	c, err := openCounter(path, pipeline.BootID())
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(40) {
		if err := c.write(numbers{last: n}, n%7 == 0); err != nil {
			t.Fatal(err)
		}
		synced := n / 7 * 7
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for slot := range 2 {
			b := slices.Clone(whole)
			if _, at, ok := decodeNumbers(b[slot*slotStride:][:slotSize]); ok && at.last == synced {
				continue
			}
			b[slot*slotStride] ^= 1 // torn
			torn := filepath.Join(t.TempDir(), "seq")
			if err := os.WriteFile(torn, b, 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := openCounter(torn, pipeline.BootID())
			if err != nil {
				t.Fatal(err)
			}
			if c.at.last < synced {
				t.Errorf("after %d, with %d synced: %d", n, synced, c.at.last)
			}
			c.file.Close()
		}
	}
	c.file.Close()
}
