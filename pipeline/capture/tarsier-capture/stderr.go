package main

// #include <stdio.h>
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tarsier/pipeline/capture/wire"
)

// stderrFilter stands between file descriptors 1 and 2, where FFmpeg and OpenCV write, and the real standard error.
type stderrFilter struct {
	real *os.File
	in   *os.File // where they write
	pipe *os.File // and what comes out there

	mu     sync.Mutex
	prefix string
	recent []string // lines since clear, for the reason why something could not be opened
	marks  int
	marked chan int
}

// maxLine is the longest line that is looked at; it holds the longest source several times. What is longer is left out, since half a
// URL is not known for one.
const maxLine = 16 << 10

// ffmpegLine is how long FFmpeg's lines are at most: it cuts them itself.
const ffmpegLine = 1000

// maxRecent lines are kept: FFmpeg's first complaint is the cause, what follows is its consequence.
const maxRecent = 16

func filterStderr() (*stderrFilter, error) {
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, socketFD+1)
	if err != nil {
		return nil, fmt.Errorf("keep standard error: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("filter standard error: %w", err)
	}
	for fd := 1; fd <= 2; fd++ { // some of it is printed on standard output
		if err := unix.Dup3(int(w.Fd()), fd, 0); err != nil {
			return nil, fmt.Errorf("filter standard error: %w", err)
		}
	}
	C.setvbuf(C.stdout, nil, C._IOLBF, 0)
	w.Close()
	f := &stderrFilter{real: os.NewFile(uintptr(fd), "stderr"), in: os.Stderr, pipe: r, marked: make(chan int, 1)}
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

// run passes lines on until the pipe ends, which it does with the process.
func (f *stderrFilter) run() {
	lines := bufio.NewReaderSize(f.pipe, maxLine)
	for {
		b, err := lines.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			for err == bufio.ErrBufferFull {
				_, err = lines.ReadSlice('\n')
			}
			b = []byte("a line that is too long was left out")
		}
		f.line(strings.TrimRight(string(b), "\r\n"))
		if err != nil {
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
	if len(s) >= ffmpegLine {
		s = s[:strings.LastIndexAny(s, " \t")+1] + "..."
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
	fmt.Fprintf(f.in, "\n%s%d\n", mark, f.marks)
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
