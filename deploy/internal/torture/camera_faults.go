package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tarsier/pipeline/capture/cameratest"
	"tarsier/pipeline/capture/wire"
	"tarsier/pipeline/publish"
)

// A fault is a camera that has it from time to time.
type fault struct {
	name, source string
	effect       effect
	begin, end   func() error

	// What was measured.
	rounds          int
	void            int           // rounds that do not count
	unnoticed       int           // rounds in which the camera was never offline
	offline, online time.Duration // the longest it took to say so
	oldest          time.Duration // of the pictures that were classified
}

// An effect is what a fault has to come to.
type effect int

const (
	goesOffline effect = iota // until the fault is gone
	goesOn                    // with pictures, and they are new
	recovers                  // by the daemon's doing; where pictures are soon back the camera need not have been offline
)

// round has the fault come and go, and says what was not as it had to be.
func (f *fault) round(ctx context.Context, s *subscriber) error {
	healthy := func(since time.Time) func() bool {
		return func() bool { return s.online(f.name) && f.classified(s).After(since) }
	}
	if !f.within(ctx, patience, healthy(time.Now())) {
		return fmt.Errorf("it is not online")
	}
	f.within(ctx, someTime(0, time.Second), never)
	began := time.Now()
	if err := f.begin(); err != nil {
		return err
	}
	switch f.effect {
	case goesOffline:
		if !f.within(ctx, cameraLimit, func() bool { return !s.online(f.name) }) {
			return fmt.Errorf("%v after it is still said to be online", cameraLimit)
		}
		f.offline = max(f.offline, time.Since(began))
		began = time.Now()
		if err := f.end(); err != nil {
			return err
		}
		if !f.within(ctx, cameraLimit, healthy(began)) {
			return fmt.Errorf("%v after it is not online again", cameraLimit)
		}
		f.online = max(f.online, time.Since(began))
	case goesOn:
		// Long enough for a camera that falls behind to be opened again.
		if _, err := f.watch(ctx, s, cameraLimit, never); err != nil {
			return err
		}
		// A machine that is busy may have lost pictures of a second or two.
		if !f.within(ctx, cameraLimit, healthy(time.Now())) {
			return fmt.Errorf("it is offline, though pictures come")
		}
		return f.end()
	case recovers:
		var replaced time.Time
		ok, err := f.watch(ctx, s, replaceLimit, func() bool {
			if replaced.IsZero() && f.end() == nil {
				replaced = time.Now()
			}
			return !replaced.IsZero() && healthy(replaced)()
		})
		switch {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("%v after it is not online again", replaceLimit)
		}
		f.online = max(f.online, time.Since(replaced))
	}
	return ctx.Err()
}

// watch is within, and sees that the camera is not said to be online where no picture comes, nor with old ones.
func (f *fault) watch(ctx context.Context, s *subscriber, d time.Duration, ok func() bool) (in bool, err error) {
	began := time.Now()
	var offline time.Time // when it was seen to be
	in = f.within(ctx, d, func() bool {
		known := f.classified(s)
		if !s.online(f.name) {
			if offline.IsZero() {
				f.offline = max(f.offline, time.Since(began))
			}
			offline = time.Now()
		}
		if offline.After(known) {
			known = offline
		}
		switch quiet := time.Since(known); {
		case quiet > cameraLimit:
			err = fmt.Errorf("it is said to be online without a picture for %v", quiet)
		case f.oldest > cameraLimit:
			err = fmt.Errorf("a picture was %v old when it had been classified", f.oldest)
		}
		return err != nil || ok()
	})
	if offline.IsZero() {
		f.unnoticed++
	}
	return in, err
}

// classified is when the newest scores came. It notes how old their picture was.
func (f *fault) classified(s *subscriber) time.Time {
	s.mu.Lock()
	came, payload := s.scored[f.name], s.last[publish.ScoresTopic(f.name, "frame")]
	s.mu.Unlock()
	var scores struct{ Time time.Time }
	if json.Unmarshal([]byte(payload), &scores) == nil {
		f.oldest = max(f.oldest, came.Sub(scores.Time))
	}
	return came
}

// within waits until something is so, like world.within, in any goroutine.
func (f *fault) within(ctx context.Context, d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); !ok(); time.Sleep(10 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(end) {
			return false
		}
	}
	return true
}

func never() bool { return false }

const cameraPassword = "secret"

// newRTSP is an IP camera of the car, or of the bottles where it resizes its pictures.
func (w *world) newRTSP() *cameratest.RTSP {
	car, err := cameratest.ReadClip(filepath.Join(w.data, video("car")), 25)
	w.must(err)
	bottle, err := cameratest.ReadClip(filepath.Join(w.data, video("bottle")), 25)
	w.must(err)
	r, err := cameratest.NewRTSP(cameratest.Options{User: "torture", Password: cameraPassword, Clip: car, Other: bottle, Every: 100 * time.Millisecond})
	w.must(err)
	w.cleanup(r.Close)
	return r
}

// cameraFaults are those that an IP camera has.
func (w *world) cameraFaults() []*fault {
	var all []*fault
	for _, c := range []struct {
		name   string
		fault  cameratest.Fault
		effect effect
	}{
		{"freezes", cameratest.Frozen, goesOffline},
		{"refuses", cameratest.Refusing, goesOffline},
		{"hangs-up", cameratest.HangingUp, goesOffline},
		{"noise", cameratest.Noisy, goesOffline},
		{"babble", cameratest.Babbling, goesOffline},
		{"no-picture", cameratest.Blind, goesOffline},
		{"new-login", cameratest.Locked, goesOffline},
		{"late", cameratest.Late, goesOn},
		{"resizes", cameratest.Resized, goesOn},
		{"clock-ahead", cameratest.Leaping, goesOn},
		{"clock-back", cameratest.Relapsing, goesOn},
	} {
		r := w.newRTSP()
		all = append(all, &fault{
			name: c.name, source: r.URL(cameraPassword), effect: c.effect,
			begin: func() error { return r.Set(c.fault) },
			end:   func() error { return r.Set(cameratest.Healthy) },
		})
	}
	return all
}

// childFaults are those of a capture program. They befall the real one, that of the camera that plays the file.
func (w *world) childFaults(d func() *daemon) []*fault {
	var all []*fault
	for name, do := range map[string]func(pid int) error{
		"child-crashes": func(pid int) error {
			return syscall.Kill(pid, []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGABRT}[rand.N(3)])
		},
		"child-hangs": func(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) },
		// As if it had leaked so much that nothing is left.
		"child-leaks": func(pid int) error {
			return unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}, nil)
		},
		"child-babbles": babble,
	} {
		path := w.copyOf("bottle", name)
		var pid int
		all = append(all, &fault{
			name: name, source: path, effect: recovers,
			begin: func() (err error) {
				if pid, err = d().childThatPlays(path); err != nil {
					return err
				}
				return do(pid)
			},
			end: func() error {
				if now, err := d().childThatPlays(path); err != nil || now == pid {
					return fmt.Errorf("it plays %s still: %w", path, err)
				}
				return nil
			},
		})
	}
	return all
}

// babble writes what has no place there into the capture program's end of its socket.
func babble(pid int) error {
	number := -1
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, f := range files {
		if to, _ := os.Readlink(f); strings.HasPrefix(to, "socket:") { // it plays a file: this is the only one
			number, _ = strconv.Atoi(filepath.Base(f))
		}
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, number, 0)
	if err != nil {
		return fmt.Errorf("take the socket of process %d: %w", pid, err)
	}
	socket := os.NewFile(uintptr(fd), "socket")
	defer socket.Close()
	var b []byte
	switch rand.N(5) {
	case 0: // no message at all
		b = make([]byte, 1<<12)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
	case 1: // a message of 4 GiB
		b = wire.Append(nil, &wire.Opened{Width: 640, Height: 480})
		b[4], b[5], b[6], b[7] = 0xff, 0xff, 0xff, 0xff
	case 2: // an answer that nobody asked for, with a promise of many bytes
		b = wire.Append(nil, &wire.Image{Length: wire.MaxPixels})
	case 3: // a question
		b = wire.Append(nil, &wire.JPEG{Width: 640})
	case 4: // no end
		for range 10000 {
			b = wire.Append(b, &wire.Pulse{Pictures: 1})
		}
	}
	_, _ = socket.Write(b) // that the daemon closes it meanwhile is right
	return nil
}

// truncated is a file that shrinks while it is played.
func (w *world) truncated() *fault {
	path := w.copyOf("car", "truncated")
	whole, err := os.ReadFile(path)
	w.must(err)
	return &fault{
		name: "truncated", source: path, effect: goesOffline,
		begin: func() error { return os.Truncate(path, 1000) },
		end:   func() error { return os.WriteFile(path, whole, 0o600) },
	}
}

// copyOf is a video under another name.
func (w *world) copyOf(film, name string) string {
	b, err := os.ReadFile(filepath.Join(w.data, video(film)))
	w.must(err)
	path := w.path(name + ".mp4")
	w.must(os.WriteFile(path, b, 0o600))
	return path
}

// childThatPlays is the capture program that has a file open.
func (d *daemon) childThatPlays(path string) (pid int, err error) {
	for _, c := range d.children() {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", c.pid))
		for _, f := range files {
			if to, _ := os.Readlink(f); to == path {
				return c.pid, nil
			}
		}
	}
	return 0, fmt.Errorf("no capture program has %s open", path)
}

// openFiles counts the daemon's file descriptors.
func (d *daemon) openFiles() int {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", d.cmd.Process.Pid))
	return len(files)
}
