package queue

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// numbers are how far the events have come. All of a kind up to a number are meant.
type numbers struct {
	last   uint64   // given to an event, as far as it is known
	stored uint64   // written to the database
	done   uint64   // acknowledged or dropped
	limit  uint64   // may have been given to an event, whatever the power cut took with it
	boot   [16]byte // since when: while the machine runs, what is written is not lost
}

// A counter keeps numbers in a file of two slots, which are overwritten in turn: one of them is always whole. Its lock keeps
// a second process out.
type counter struct {
	file *os.File
	turn uint64
	safe int64 // the slot that is on disk for good, and not overwritten before the other one is
	at   numbers
	boot [16]byte
}

const (
	slotSize   = 72
	slotStride = 4096 // apart, so that a block that cannot be read takes only one with it
)

// openCounter opens the file or makes it. One that holds nothing that makes sense is an error of errDamaged with the counter.
func openCounter(path, boot string) (*counter, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	c := &counter{file: f}
	b, _ := hex.DecodeString(boot)
	copy(c.boot[:], b)
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, err
	}
	size, err := f.Seek(0, 2)
	if err == nil && size == 0 {
		if err = c.make(path); err == nil {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), database)); err == nil {
				return c, fmt.Errorf("%w: %s is gone", errDamaged, path)
			}
			return c, nil
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	if err := f.Sync(); err != nil { // what the last run wrote
		f.Close()
		return nil, err
	}
	found := false
	for slot := range int64(2) {
		var b [slotSize]byte
		if _, err := f.ReadAt(b[:], slot*slotStride); err != nil {
			continue
		}
		if turn, n, ok := decodeNumbers(b[:]); ok && (!found || turn > c.turn) {
			found, c.turn, c.at, c.safe = true, turn, n, slot
		}
	}
	if !found {
		return c, fmt.Errorf("%w: %s has no numbers in it", errDamaged, path)
	}
	return c, nil
}

// make has the file's blocks there for good, so that numbers can be written when the disk is full.
func (c *counter) make(path string) error {
	if _, err := c.file.WriteAt(make([]byte, 2*slotStride), 0); err != nil {
		return err
	}
	if err := c.write(numbers{}, true); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// write stores n; with sync it has been stored for good when write returns.
func (c *counter) write(n numbers, sync bool) error {
	n.boot = c.boot
	if n == c.at && !sync {
		return nil
	}
	b := make([]byte, 0, slotSize)
	b = binary.LittleEndian.AppendUint64(b, c.turn+1)
	for _, v := range []uint64{n.last, n.stored, n.done, n.limit} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, n.boot[:]...)
	b = append(b, make([]byte, slotSize-len(b)-4)...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if _, err := c.file.WriteAt(b, (1-c.safe)*slotStride); err != nil {
		return fmt.Errorf("write the counter of events: %w", err)
	}
	if sync {
		if err := unix.Fdatasync(int(c.file.Fd())); err != nil {
			return fmt.Errorf("write the counter of events: %w", err)
		}
		c.safe = 1 - c.safe
	}
	c.turn, c.at = c.turn+1, n
	return nil
}

func decodeNumbers(b []byte) (turn uint64, n numbers, ok bool) {
	end := slotSize - 4
	if crc32.Checksum(b[:end], castagnoli) != binary.LittleEndian.Uint32(b[end:]) {
		return 0, n, false
	}
	at := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	n = numbers{last: at(1), stored: at(2), done: at(3), limit: at(4)}
	copy(n.boot[:], b[40:])
	return at(0), n, true
}

// sameBoot says whether the machine has not been started since the counter was written.
func (c *counter) sameBoot() bool { return c.boot != [16]byte{} && c.at.boot == c.boot }

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
