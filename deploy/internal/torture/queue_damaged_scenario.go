package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func init() {
	register(scenario{name: "queue-damaged", what: "bytes of the queue's files are flipped, cut off or zeroed while events wait in it", run: queueDamaged})
}

// queueDamaged is a worn out SD card. The daemon starts, says what it found, sends what can be read, and no number is
// used twice.
func queueDamaged(w *world) {
	b := w.startBroker()
	c := w.config(b.url())
	path := w.write(c)
	s := w.subscribe(b.url())
	d := w.startDaemon(path)
	w.settle(d, s, "bottle", "car")
	lost, reports := 0, 0
	for ; w.rounds < w.form(8, 60); w.rounds++ {
		b.stop()
		made := d.made()
		w.wait("events wait", func() bool { return d.made() > made+20 })
		if rand.IntN(2) == 0 {
			d.kill()
		} else {
			d.stop()
		}
		what := damage(w, c.queue)
		w.say("%s", what)
		d = w.startDaemon(path)
		w.within(patience, func() bool { return d.made() > 0 || !d.running() })
		if !d.running() {
			w.fatal("%s: the daemon does not start any more", what)
		}
		b.start()
		made = d.made()
		w.wait("events arrive again", func() bool { return s.highest() >= made })
		now := len(s.missing(s.highest()))
		reported := d.logged("damaged") > 0
		if reported {
			reports++
		}
		if now > lost && !reported {
			w.fail("%s: %d events are gone without a word in the log", what, now-lost)
		}
		lost = now
	}
	w.finish(d, c, &s.ledger, lost)
	w.lost = lost
	w.note = fmt.Sprintf("damage was reported in %d rounds; lost: what it had destroyed", reports)
}

// damage does something to one of a queue's files, and says what.
func damage(w *world, dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	w.must(err)
	files = slices.DeleteFunc(files, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.Size() == 0 || strings.Contains(filepath.Base(path), "damaged") // and so was set aside before
	})
	path := files[w.rounds%len(files)]
	b, err := os.ReadFile(path)
	w.must(err)
	name, at := filepath.Base(path), rand.IntN(len(b))
	var what string
	switch rand.IntN(4) {
	case 0:
		n := 1 + rand.IntN(8)
		for range n {
			b[rand.IntN(len(b))] ^= 1 << rand.IntN(8)
		}
		what = fmt.Sprintf("%s: %d bits are flipped", name, n)
	case 1:
		b = b[:at]
		what = fmt.Sprintf("%s: it ends at %d", name, at)
	case 2:
		n := min(len(b)-at, 1+rand.IntN(4096))
		clear(b[at : at+n])
		what = fmt.Sprintf("%s: %d zeros at %d", name, n, at)
	case 3:
		n := min(len(b)-at, 512)
		for i := range n {
			b[at+i] = byte(rand.Uint32())
		}
		what = fmt.Sprintf("%s: %d random bytes at %d", name, n, at)
	}
	w.must(os.WriteFile(path, b, 0o600))
	return what
}
