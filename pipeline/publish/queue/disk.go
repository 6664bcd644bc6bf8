package queue

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const database = "events.db"

// A disk is the part of the queue that survives. It belongs to one goroutine.
type disk struct {
	path    string // of the database
	log     *slog.Logger
	counter *counter

	db     *sql.DB          // nil: it could not be opened
	open   map[label]uint64 // the enters in it that have had no leave
	rows   int              // about as many
	newest uint64           // number of the newest one
	lost   bool             // it was damaged, and may have held more than was found
}

// errDamaged is wrapped by every error of which no second try would get rid.
var errDamaged = errors.New("damaged")

// damage tells damage from a disk that is full, or has failed for now.
func damage(err error) bool {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_FORMAT:
			return true
		}
	}
	return errors.Is(err, errDamaged) || errors.Is(err, errRecord)
}

// full says that there is no room on the disk.
func full(err error) bool {
	e := (*sqlite.Error)(nil)
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL
}

// load opens the database, mends it where that is needed, and gives all it holds, by number. What memory holds goes in too. With an
// error there is no database, but still the events, where they can be read.
func (d *disk) load(memory []Entry) ([]Entry, error) {
	if err := d.finish(); err != nil {
		return memory, err
	}
	entries, err := d.connect(d.path)
	if n := len(entries); err == nil && (n == 0 && d.counter.at.stored > 0 || n > 0 && entries[n-1].Seq < d.counter.at.stored) {
		err = fmt.Errorf("%w: events up to %d were written, and the last ones are not there", errDamaged, d.counter.at.stored)
	}
	if err != nil {
		d.close()
		if !damage(err) {
			return memory, err
		}
		return d.rebuild(memory, err)
	}
	if len(memory) > 0 {
		if err := d.commit(memory, 0); err != nil {
			d.close()
			return memory, err
		}
		entries = union(entries, memory)
	}
	return entries, nil
}

// connect opens a database and reads all of it.
func (d *disk) connect(path string) ([]Entry, error) {
	db, err := sql.Open("sqlite", "file:"+(&pathEscaper).Replace(path))
	if err != nil {
		return nil, err
	}
	d.db = db
	db.SetMaxOpenConns(1)
	// Nobody else opens it, so its index of the log need not be a shared file.
	statements := []string{
		"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
		"PRAGMA secure_delete = ON", // else what scan finds includes what is over
		"CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, record BLOB NOT NULL)",
	}
	if st, err := os.Stat(path); err != nil || st.Size() == 0 { // it writes each time, which a full disk does not allow
		statements = slices.Insert(statements, 1, "PRAGMA auto_vacuum = INCREMENTAL")
	}
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
	}
	var check string
	if err := db.QueryRow("PRAGMA quick_check(1)").Scan(&check); err != nil {
		return nil, fmt.Errorf("check %s: %w", path, err)
	}
	if check != "ok" {
		return nil, fmt.Errorf("check %s: %w: %s", path, errDamaged, check)
	}
	entries, err := d.read(0, -1)
	if err != nil {
		return nil, err
	}
	d.rows, d.newest, d.open = len(entries), 0, map[label]uint64{}
	if n := len(entries); n > 0 {
		d.newest = entries[n-1].Seq
	}
	follow(d.open, entries)
	return entries, nil
}

// pathEscaper makes a path what SQLite's URIs take for one.
var pathEscaper = *strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")

// follow keeps up which labels are entered.
func follow(open map[label]uint64, entries []Entry) {
	for _, e := range entries {
		if e.label.Type == "enter" {
			open[e.label.key()] = e.Seq
		} else {
			delete(open, e.label.key())
		}
	}
}

// read gives the events from a number on, n of them, or with -1 all.
func (d *disk) read(from uint64, n int) ([]Entry, error) {
	rows, err := d.db.Query("SELECT record FROM events WHERE seq >= ? ORDER BY seq LIMIT ?", int64(from), n)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.path, err)
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		var b sql.RawBytes
		if err := rows.Scan(&b); err != nil {
			return nil, fmt.Errorf("read %s: %w", d.path, err)
		}
		e, _, err := decode(b)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", d.path, err)
		}
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", d.path, err)
	}
	return entries, nil
}

// there is an error if somebody has deleted the database, which would not be noticed until it is opened again.
func (d *disk) there() error {
	_, err := os.Stat(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is gone", errDamaged, d.path)
	}
	return nil
}

// commit stores events for good, and takes out those that are done with. The newest stays, as what tells that it was stored,
// and so do enters whose leave is not stored.
func (d *disk) commit(entries []Entry, done uint64) error {
	tx, err := d.db.Begin()
	if err != nil {
		return fmt.Errorf("write %s: %w", d.path, err)
	}
	defer tx.Rollback()
	rows := d.rows
	for i := range entries {
		record, err := entries[i].encode()
		if err != nil {
			return fmt.Errorf("write %s: event %d: %w", d.path, entries[i].Seq, err)
		}
		if _, err := tx.Exec("INSERT OR REPLACE INTO events VALUES (?, ?)", int64(entries[i].Seq), record); err != nil {
			return fmt.Errorf("write %s: %w", d.path, err)
		}
		rows++
	}
	open := maps.Clone(d.open)
	follow(open, entries)
	var keep []string
	for _, seq := range open {
		keep = append(keep, strconv.FormatUint(seq, 10))
	}
	result, err := tx.Exec("DELETE FROM events WHERE seq <= ? AND seq < (SELECT max(seq) FROM events) AND seq NOT IN ("+
		strings.Join(keep, ",")+")", int64(done))
	if err != nil {
		return fmt.Errorf("write %s: %w", d.path, err)
	}
	deleted, _ := result.RowsAffected()
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write %s: %w", d.path, err)
	}
	d.open, d.rows = open, rows-int(deleted)
	for _, e := range entries {
		d.newest = max(d.newest, e.Seq)
	}
	return nil
}

// shrink gives the disk back what a long queue took.
func (d *disk) shrink(done uint64) error {
	if err := d.commit(nil, done); err != nil {
		return err
	}
	d.rows = 0 // but for those that stay: it must not seem worth while at once again
	return d.do("PRAGMA incremental_vacuum", "PRAGMA wal_checkpoint(TRUNCATE)")
}

// do runs statements that work row by row.
func (d *disk) do(statements ...string) error {
	for _, statement := range statements {
		rows, err := d.db.Query(statement)
		if err != nil {
			return fmt.Errorf("write %s: %w", d.path, err)
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return fmt.Errorf("write %s: %w", d.path, err)
		}
	}
	return nil
}

func (d *disk) close() {
	if d.db != nil {
		d.db.Close()
		d.db = nil
	}
}

// The files of a database: it, and what it has not taken in yet.
func (d *disk) wal() string     { return d.path + "-wal" }
func (d *disk) damaged() string { return d.path + ".damaged" }
func (d *disk) next() string    { return d.path + ".new" }

// rebuild makes a new database of what is found in the bytes of the damaged one, and of what memory holds. The new one takes the
// other's place when it is complete, so that a power cut meanwhile takes nothing.
func (d *disk) rebuild(memory []Entry, cause error) ([]Entry, error) {
	d.lost = true
	entries := memory
	found := 0
	for _, path := range []string{d.path, d.wal()} {
		b, err := readable(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.log.Error("of the damaged event queue not everything can be read", "error", err)
		}
		var list []Entry
		scan(b, func(e Entry) { list = append(list, e) })
		slices.SortStableFunc(list, func(a, b Entry) int { return compareSeq(a, b.Seq) })
		entries = union(list, entries)
	}
	done := d.counter.at.done
	open := map[label]uint64{}
	follow(open, entries)
	entries = slices.DeleteFunc(entries, func(e Entry) bool {
		if e.Seq > done {
			found++
			return false
		}
		return open[e.label.key()] != e.Seq
	})
	missing := int(max(d.counter.at.stored, done)-done) - found
	d.log.Error("the event queue is damaged: it is set aside, and what is readable of it is sent",
		"file", d.damaged(), "cause", cause, "found", found, "missing", max(missing, 0))

	// Once the new one is there, the old numbers must not make it seem damaged, too.
	at := d.counter.at
	if at.stored = 0; len(entries) > 0 {
		at.stored = entries[len(entries)-1].Seq
	}
	err := d.counter.write(at, true)
	if err == nil {
		err = d.replace(entries)
	}
	if err != nil {
		d.close()
		err = fmt.Errorf("make a new event queue: %w", err)
	}
	return entries, err
}

// readable reads a file; blocks that cannot be read are zero.
func readable(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	f, openErr := os.Open(path)
	if openErr != nil {
		return nil, err
	}
	defer f.Close()
	size, _ := f.Seek(0, io.SeekEnd)
	b = make([]byte, size)
	for at := int64(0); at < size; at += slotStride {
		f.ReadAt(b[at:min(at+slotStride, size)], at)
	}
	return b, err
}

func (d *disk) replace(entries []Entry) (err error) {
	complete := false
	defer func() {
		if err != nil && !complete { // it may be all the room there is
			d.close()
			os.Remove(d.next())
			os.Remove(d.next() + "-wal")
		}
	}()
	for _, path := range []string{d.next(), d.next() + "-wal"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if _, err := d.connect(d.next()); err != nil {
		return err
	}
	for some := range slices.Chunk(entries, batchSize) { // so that the log stays short
		if err := d.commit(some, 0); err != nil {
			return err
		}
	}
	// Close would take the log in, too, but does not say if it cannot.
	if err := d.do("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return err
	}
	err = d.db.Close()
	d.db = nil
	if err != nil {
		return err
	}
	complete = true // from here on finish can go on with it
	if err := os.Rename(d.path, d.damaged()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.finish(); err != nil {
		return err
	}
	_, err = d.connect(d.path)
	return err
}

// finish ends a replacement that was interrupted after the old database was moved away.
func (d *disk) finish() error {
	if _, err := os.Stat(d.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(d.next()); err != nil {
		return nil // nothing is, or nothing was complete
	}
	if err := os.Rename(d.wal(), d.damaged()+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(d.next(), d.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(d.path))
}

// union merges two lists by number; of two events of the same number the first list's stays.
func union(a, b []Entry) []Entry {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b Entry) int { return compareSeq(a, b.Seq) })
	return slices.CompactFunc(all, func(a, b Entry) bool { return a.Seq == b.Seq })
}
