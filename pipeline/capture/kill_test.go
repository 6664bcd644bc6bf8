package capture_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tarsier/pipeline/capture"
)

// children are the processes that pid started.
func children(pid int) []int {
	var pids []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, l := range lists {
		b, _ := os.ReadFile(l)
		for _, f := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// eventually polls, for what happens in another process.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }

// A child that dies or hangs is replaced, and whoever waits for pictures only waits longer.
func TestChildKilled(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGSTOP} {
		t.Run(sig.String(), func(t *testing.T) {
			c := runCamera(t, capture.Options{Source: testdata(t, "videos/bottle.mp4"), Loop: true})
			var f capture.Frame
			c.newest(&f)
			c.waits(true)
			pids := children(os.Getpid())
			if len(pids) != 1 {
				t.Fatalf("children: %v", pids)
			}
			if err := syscall.Kill(pids[0], sig); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the child is gone", func() bool { return gone(pids[0]) })
			for range 10 {
				c.newest(&f)
			}
			if again := children(os.Getpid()); len(again) != 1 || again[0] == pids[0] {
				t.Errorf("children: %v, before: %v", again, pids)
			}
			if !strings.Contains(c.log.String(), "tarsier-capture") {
				t.Error("nothing is said of it")
			}
			if sig == syscall.SIGKILL {
				select {
				case s := <-c.status:
					t.Errorf("an interruption this short is not worth a word: %v", s)
				default:
				}
			}
		})
	}
}

// parts are what this binary does under another name.
var parts = map[string]func(){
	"daemon":  daemon,
	"garbage": garbage, "silence": silence, "version": wrongVersion, "quits": func() { fmt.Fprintln(os.Stderr, "tarsier-capture: no such library") },
	"unasked": unasked, "huge": huge, "foreign": foreign, "crossed": crossed, "ancient": ancient, "doubled": doubled,
	"flood": flood, "withholds": withholds,
}

// as makes this binary known under one of those names.
func as(t *testing.T, part string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), part)
	if err := os.Symlink(self, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// daemon opens a camera, tells of it, and waits to be killed.
func daemon() {
	ctx := context.Background()
	c := capture.New(capture.Options{Name: "porch", Child: os.Args[1], Source: os.Args[2], Loop: true, Regions: whole, Status: func(online bool, err error) {
		fmt.Println(online, err)
	}})
	c.Run(ctx)
}

// No orphan is left, be it playing, waiting for an answer that never comes, or stopped.
func TestDaemonKilled(t *testing.T) {
	t.Parallel()
	// This one accepts, and says nothing.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, c := range []struct {
		name, source string
		stop         bool
	}{
		{"playing", testdata(t, "videos/bottle.mp4"), false},
		{"blocked", "rtsp://user:secret@" + silent.Addr().String() + "/1", false},
		{"stopped", testdata(t, "videos/bottle.mp4"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(as(t, "daemon"), needChild(t), c.source)
			cmd.Env = append(os.Environ(), "TARSIER_HTTP_PASSWORD=secret")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer cmd.Process.Kill()
			if c.name != "blocked" {
				lines := bufio.NewScanner(out)
				if !lines.Scan() || !strings.HasPrefix(lines.Text(), "true") {
					t.Fatalf("the daemon says %q", lines.Text())
				}
			} else if conn, err := silent.Accept(); err != nil {
				t.Fatal(err)
			} else {
				defer conn.Close()
			}
			pids := children(cmd.Process.Pid)
			if len(pids) != 1 {
				t.Fatalf("children: %v", pids)
			}
			args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pids[0]))
			env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pids[0]))
			if s := string(args) + string(env); strings.Contains(s, "secret") || strings.Contains(s, "bottle") || len(args) == 0 {
				t.Errorf("the source is in the arguments or the environment: %q", s)
			}
			threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pids[0]))
			for _, p := range threads {
				if s, _ := os.ReadFile(p); !strings.Contains(string(s), "NoNewPrivs:\t1") {
					t.Errorf("%s may gain privileges", p)
				}
			}
			if c.stop {
				if err := syscall.Kill(pids[0], syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			cmd.Process.Kill()
			eventually(t, "the child is gone", func() bool { return gone(pids[0]) })
		})
	}
}

// systemd accepts connections and starts a tarsier-capture with each as file descriptor 3; so does this.
func TestSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "capture.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	bin := needChild(t)
	started := make(chan *exec.Cmd, 10)
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			f, err := conn.File()
			conn.Close()
			if err != nil {
				t.Error(err)
				return
			}
			cmd := exec.Command(bin)
			cmd.Env = []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=connection"}
			cmd.ExtraFiles = []*os.File{f}
			if err := cmd.Start(); err != nil {
				t.Error(err)
				return
			}
			f.Close()
			started <- cmd
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-accepting
	})
	c := runCamera(t, capture.Options{Source: testdata(t, "videos/bottle.mp4"), Loop: true, Socket: path})
	var f capture.Frame
	c.newest(&f)
	// Nobody of ours may kill it: a stopped one is left alone, and the next is asked for.
	first := <-started
	if err := first.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := func() *exec.Cmd {
		for {
			c.newest(&f)
			select {
			case cmd := <-started:
				return cmd
			default:
			}
		}
	}()
	c.newest(&f)
	if err := first.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	first.Wait() // it ends with its socket
	c.stop()
	second.Wait()
}
