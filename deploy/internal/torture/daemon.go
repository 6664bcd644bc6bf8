package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"tarsier/pipeline"
)

// A daemon is a running tarsier.
type daemon struct {
	w    *world
	cmd  *exec.Cmd
	done <-chan struct{}

	mu   sync.Mutex
	file *os.File // the log, of all daemons of this world
	log  bytes.Buffer
	rest []byte // of a line that has not ended
	news []logged
}

// logged is a line of the log about an event.
type logged struct {
	Msg, Camera, Region, Label string
	Seq                        uint64
	Time                       time.Time // it was logged
}

// startDaemon starts tarsier with a config file. A command may be given that runs it, such as strace.
func (w *world) startDaemon(config string, under ...string) *daemon {
	file, err := os.OpenFile(w.path("tarsier.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	w.must(err)
	args := append(under, filepath.Join(w.bin, "tarsier"), "run", "--config", config)
	d := &daemon{w: w, cmd: exec.Command(args[0], args[1:]...), file: file}
	d.cmd.Stderr = d
	d.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir} // and nothing that a systemd may have told us
	d.done, err = start(d.cmd)
	w.must(err)
	w.cleanup(d.kill)
	w.daemons = append(w.daemons, d)
	return d
}

// Write takes what the daemon logs.
func (d *daemon) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log.Write(b)
	d.rest = append(d.rest, b...)
	for {
		line, rest, ok := bytes.Cut(d.rest, []byte("\n"))
		if !ok {
			break
		}
		d.rest = rest
		var e logged
		if json.Unmarshal(line, &e) == nil && (e.Msg == pipeline.Enter || e.Msg == pipeline.Leave) {
			d.news = append(d.news, e)
		}
	}
	return d.file.Write(b)
}

// made is the number of the newest event in the log.
func (d *daemon) made() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var newest uint64
	for _, e := range d.news {
		newest = max(newest, e.Seq)
	}
	return newest
}

// eventsUntil gives the events that were logged until some time.
func (d *daemon) eventsUntil(t time.Time) []logged {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for n < len(d.news) && d.news[n].Time.Before(t) {
		n++
	}
	return d.news[:n:n]
}

// logged counts the lines of the log that contain something, whatever its case.
func (d *daemon) logged(text string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for line := range strings.Lines(d.log.String()) {
		if strings.Contains(strings.ToLower(line), strings.ToLower(text)) {
			n++
		}
	}
	return n
}

// running says whether it has not ended.
func (d *daemon) running() bool {
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

// stop stops it as systemd does; that it does not end well, or not in time, is a failure.
func (d *daemon) stop() {
	if !d.running() {
		d.w.fatal("the daemon has ended by itself: %v", d.cmd.ProcessState)
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	if !d.w.within(10*time.Second, func() bool { return !d.running() }) {
		d.w.fail("the daemon does not stop within 10 s of SIGTERM")
		d.kill()
	}
}

// kill is kill -9.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	<-d.done
	_ = d.file.Close()
}

// rss is its resident memory in bytes.
func (d *daemon) rss() int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	if fields := strings.Fields(after); len(fields) > 0 {
		n, _ := strconv.ParseInt(fields[0], 10, 64)
		return n << 10
	}
	return 0
}

// A child is a process that the daemon has started.
type child struct {
	pid    int
	zombie bool // it has ended, and nobody has asked how
}

// children are its capture programs.
func (d *daemon) children() []child {
	var all []child
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if state, parent := processState(path); parent == d.cmd.Process.Pid {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			all = append(all, child{pid, state == "Z"})
		}
	}
	return all
}

// alive says whether the process still runs as a capture program.
func (c child) alive() bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c.pid))
	state, _ := processState(fmt.Sprintf("/proc/%d/stat", c.pid))
	return err == nil && strings.HasPrefix(string(name), "tarsier-captur") && state != "Z"
}

// processState reads a /proc/PID/stat: "pid (comm) state ppid ...".
func processState(path string) (state string, parent int) {
	b, _ := os.ReadFile(path)
	_, rest, _ := strings.Cut(string(b), ") ")
	if f := strings.Fields(rest); len(f) > 1 {
		parent, _ = strconv.Atoi(f[1])
		return f[0], parent
	}
	return "", 0
}
