package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tarsier/pipeline/capture/wire"
)

// stderrFilter stands between file descriptor 2, where FFmpeg and OpenCV write, and the real standard error.
type stderrFilter struct {
	real *os.File
	pipe *os.File // its writing end is file descriptor 2

	mu     sync.Mutex
	prefix string
	recent []string // lines since clear, for the reason why something could not be opened
	marks  int
	marked chan int
}

// maxLine is where a line is cut: nobody reads more, and a decoder fed from the network may print without end.
const maxLine = 2048

// maxRecent lines are kept: FFmpeg's first complaint is the cause, what follows is its consequence.
const maxRecent = 16

func filterStderr() (*stderrFilter, error) {
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("keep standard error: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("filter standard error: %w", err)
	}
	if err := unix.Dup3(int(w.Fd()), 2, 0); err != nil {
		return nil, fmt.Errorf("filter standard error: %w", err)
	}
	w.Close()
	f := &stderrFilter{real: os.NewFile(uintptr(fd), "stderr"), pipe: r, marked: make(chan int, 1)}
	// Go's account of a crash holds addresses, not strings, and nobody reads the pipe any more by then.
	_ = debug.SetCrashOutput(f.real, debug.CrashOptions{})
	go f.run()
	return f, nil
}

// name puts the camera before every line, for the journal; the daemon knows whose child it hears.
func (f *stderrFilter) name(camera string) {
	if os.Getenv("LISTEN_FDS") == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prefix = camera + ": "
}

// printf writes a line of our own.
func (f *stderrFilter) printf(format string, args ...any) {
	fmt.Fprintln(f.real, wire.Redact(fmt.Sprintf("tarsier-capture: "+format, args...)))
}

const mark = "\x00tarsier-capture mark "

func (f *stderrFilter) run() {
	lines := bufio.NewReaderSize(f.pipe, maxLine)
	for {
		b, err := lines.ReadSlice('\n')
		for err == bufio.ErrBufferFull { // the rest of a line that is too long
			_, err = lines.ReadSlice('\n')
		}
		f.line(strings.TrimRight(string(b), "\r\n"))
		if err != nil {
			if err != io.EOF {
				fmt.Fprintln(f.real, "tarsier-capture: standard error:", err)
			}
			return
		}
	}
}

func (f *stderrFilter) line(s string) {
	if n, ok := strings.CutPrefix(s, mark); ok {
		var i int
		_, _ = fmt.Sscan(n, &i)
		f.marked <- i
		return
	}
	if strings.TrimSpace(s) == "" {
		return
	}
	s = wire.Redact(s)
	f.mu.Lock()
	if len(f.recent) < maxRecent {
		f.recent = append(f.recent, s)
	}
	prefix := f.prefix
	f.mu.Unlock()
	fmt.Fprintln(f.real, prefix+s)
}

// clear forgets what was printed so far.
func (f *stderrFilter) clear() {
	f.since()
	f.mu.Lock()
	f.recent = f.recent[:0]
	f.mu.Unlock()
}

// since is what was printed since clear, up to this very call: a mark sent through the pipe tells when all before it has come out.
func (f *stderrFilter) since() []string {
	f.marks++
	fmt.Fprintf(os.Stderr, "\n%s%d\n", mark, f.marks)
	timeout := time.After(time.Second)
	for {
		select {
		case n := <-f.marked:
			if n < f.marks {
				continue
			}
		case <-timeout:
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		return append([]string(nil), f.recent...)
	}
}
