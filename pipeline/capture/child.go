package capture

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// program is what is looked for.
const program = "tarsier-capture"

// nothing is what it has of our environment: there may be passwords in that, and it decodes what comes from a network. (nil would be
// all of it.)
var nothing = []string{}

// child is a tarsier-capture of our own.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it is dead and buried
	err  error         // how it ended
	last string        // of what it wrote on standard error
}

// find looks beside this program, then in the path.
func find(path string) (string, error) {
	if path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("start tarsier-capture: %w; build it with `go build -o %s ./pipeline/capture/tarsier-capture` (deploy/setup installs OpenCV for it)", err, path)
		}
		return path, nil
	}
	if self, err := os.Executable(); err == nil {
		if p := filepath.Join(filepath.Dir(self), program); exists(p) {
			return p, nil
		}
	}
	p, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside this program nor in the path; it opens the cameras: install it, or build it with `go build ./pipeline/capture/tarsier-capture` (deploy/setup installs OpenCV for it)", program)
	}
	return p, nil
}

func exists(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// startChild starts one with one end of a socket pair as file descriptor 3.
func startChild(o Options) (net.Conn, *child, error) {
	path, err := find(o.Child)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket for tarsier-capture: %w", err)
	}
	defer theirs.Close()
	cmd := exec.Command(path)
	cmd.Env = nothing
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,            // Ctrl-C in a terminal is for us
		Pdeathsig: syscall.SIGKILL, // it ends with its socket by itself; this is for one that hangs
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		ours.Close()
		return nil, nil, fmt.Errorf("start tarsier-capture: %w", err)
	}
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Pdeathsig is sent when the thread ends that started the child, so this one is kept until then.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		defer close(c.done)
		c.log(o.Log, bufio.NewScanner(stderr))
		err = cmd.Wait()
		if err == nil {
			err = errors.New("exit status 0")
		}
		if c.last != "" {
			err = fmt.Errorf("%w (its last words: %s)", err, c.last)
		}
		c.err = err
	}()
	if err := <-started; err != nil {
		ours.Close()
		return nil, nil, fmt.Errorf("start tarsier-capture: %w", err)
	}
	return ours, c, nil
}

// log passes on what the child prints: its own words as warnings; FFmpeg's, who complains of every lost packet, for debugging.
func (c *child) log(l *slog.Logger, lines *bufio.Scanner) {
	for lines.Scan() {
		s := Redact(strings.TrimSpace(lines.Text()))
		if s == "" {
			continue
		}
		level := slog.LevelDebug
		if rest, ok := strings.CutPrefix(s, program+": "); ok {
			level, s = slog.LevelWarn, rest
		}
		if c.last == "" || !strings.HasPrefix(c.last, "SIG") { // Go's account of a crash begins with its signal
			c.last = s
		}
		l.Log(context.Background(), level, s, "from", program)
	}
}

// kill ends the child, waits for it, and tells how it ended; if it was dead already, by what.
func (c *child) kill() error {
	select {
	case <-c.done: // and its number may be another's
	default:
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		<-c.done
	}
	return c.err
}

func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "tarsier-capture")
	file := os.NewFile(uintptr(fds[0]), "tarsier")
	defer file.Close()
	ours, err := net.FileConn(file)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// Versions tells what tarsier-capture is made of; "" as the path looks for it.
func Versions(ctx context.Context, path string) (string, error) {
	path, err := find(path)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = nothing
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	return strings.TrimSpace(string(out)), nil
}
