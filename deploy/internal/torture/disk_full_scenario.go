package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func init() {
	register(scenario{name: "disk-full", what: "something else fills the disk under the queue, with the broker there and without", run: diskFull})
}

// diskFull is a disk without room. Events go on to the broker, or wait in memory; when there is room again, they are
// made safe.
func diskFull(w *world) {
	disk := w.smallDisk()
	b := w.startBroker()
	c := w.config(b.url())
	c.queue = filepath.Join(disk.inside, "queue")
	path := w.write(c)
	s := w.subscribe(b.url())
	d := w.startDaemon(path, disk.enter...)
	w.settle(d, s, "bottle", "car")
	for ; w.rounds < w.form(3, 20); w.rounds++ {
		disk.fill(w)
		heard := s.highest()
		w.wait("the log says that the queue cannot be written", func() bool { return d.logged("kept in memory") > 0 })
		w.wait("events arrive while the disk is full", func() bool { return s.highest() > heard+20 })
		b.stop()
		made := d.made()
		w.wait("events are made while the disk is full and the broker away", func() bool { return d.made() > made+30 })
		disk.free(w)
		w.wait("the log says that the queue is written again", func() bool { return d.logged("written to disk again") > 0 })
		w.sleep(1500 * time.Millisecond)
		w.kill9(d)
		d = w.startDaemon(path, disk.enter...)
		b.start()
		heard = s.highest()
		w.wait("what waited arrives", func() bool { return s.highest() > heard+30 })
		// A clean stop, after which the queue's files are small, so that it will miss the room.
		d.stop()
		d = w.startDaemon(path, disk.enter...)
		heard = s.highest()
		w.wait("events are made again", func() bool { return s.highest() > heard+5 })
	}
	w.wait("the cameras are online", func() bool { return s.online("bottle", "car") })
	w.finish(d, c, &s.ledger, 0)
}

// A smallDisk is a tmpfs of some MiB in a mount namespace of its own, which needs no root where the kernel lets users
// have namespaces, and leaves nothing behind.
type smallDisk struct {
	inside  string   // its folder, for processes in there
	outside string   // and for us
	enter   []string // the command that runs others there
}

func (w *world) smallDisk() smallDisk {
	dir := w.path("disk")
	w.must(os.Mkdir(dir, 0o755))
	var failed error
	for _, how := range []struct {
		unshare string
		enter   []string
	}{
		{"-m", []string{"-m"}},
		{"-Urm", []string{"-U", "-m", "--preserve-credentials"}},
	} {
		holder := exec.Command("unshare", how.unshare, "sh", "-c", `mount -t tmpfs -o size=16m torture "$0" && echo && exec sleep infinity`, dir)
		out, err := holder.StdoutPipe()
		w.must(err)
		done, err := start(holder)
		w.must(err)
		if _, failed = bufio.NewReader(out).ReadByte(); failed != nil {
			<-done
			continue
		}
		w.cleanup(func() {
			_ = holder.Process.Kill()
			<-done
		})
		pid := fmt.Sprint(holder.Process.Pid)
		return smallDisk{
			inside: dir, outside: filepath.Join("/proc", pid, "root", dir),
			enter: append([]string{"nsenter", "-t", pid}, how.enter...),
		}
	}
	w.skip("no small disk can be mounted here: neither as root nor in a user namespace: %v", failed)
	panic("unreachable")
}

// fill takes all the room that there is.
func (d smallDisk) fill(w *world) {
	f, err := os.Create(filepath.Join(d.outside, "filler"))
	w.must(err)
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
}

func (d smallDisk) free(w *world) { w.must(os.Remove(filepath.Join(d.outside, "filler"))) }
