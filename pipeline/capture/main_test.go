package capture_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tarsier/pipeline/capture"
)

// child is the real tarsier-capture, built once; noChild says why there is none.
var (
	child   string
	noChild string
)

func TestMain(m *testing.M) {
	// This binary also plays other parts: see fake_test.go and kill_test.go.
	if play, ok := parts[filepath.Base(os.Args[0])]; ok {
		play()
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tarsier-capture")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	child = filepath.Join(dir, "tarsier-capture")
	if err := exec.Command("pkg-config", "--exists", "opencv4").Run(); err != nil {
		noChild = "OpenCV is not installed (apt-get install libopencv-dev g++ pkg-config)"
	} else if out, err := exec.Command("go", "build", "-o", child, "./tarsier-capture").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build tarsier-capture: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if pids := children(os.Getpid()); len(pids) > 0 {
			fmt.Fprintln(os.Stderr, "children are left:", pids)
			return 1
		}
	}
	return code
}

// missing skips, but not where everything has to be there.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func needChild(t *testing.T) string {
	t.Helper()
	if noChild != "" {
		missing(t, noChild)
	}
	return child
}

func testdata(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("TARSIER_TESTDATA")
	if dir == "" {
		dir = "../../../shared"
	}
	p := filepath.Join(dir, name)
	if _, err := os.Stat(p); err != nil {
		missing(t, "no test data: set TARSIER_TESTDATA ("+p+")")
	}
	return p
}

// whole is the whole picture.
var whole = []capture.Region{{Name: "frame", Box: [4]float64{0, 0, 1, 1}}}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// status is what a camera told of itself.
type status struct {
	online bool
	err    error
}

// camera is one that runs until the test ends.
type camera struct {
	*capture.Camera
	t      *testing.T
	ctx    context.Context
	status chan status
	log    *logged
	stop   func() // ends Run and waits for it
}

// logged is a log to look into.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func runCamera(t *testing.T, o capture.Options) *camera {
	t.Helper()
	c := &camera{t: t, ctx: deadline(t), status: make(chan status, 100), log: &logged{}}
	if o.Child == "" && o.Socket == "" {
		o.Child = needChild(t)
	}
	if o.Name == "" {
		o.Name = "porch"
	}
	if o.Regions == nil {
		o.Regions = whole
	}
	o.Log = slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Status = func(online bool, err error) { c.status <- status{online, err} }
	c.Camera = capture.New(o)
	ctx, cancel := context.WithCancel(c.ctx)
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		c.stop()
		if t.Failed() {
			t.Logf("log:\n%s", c.log)
		}
	})
	return c
}

// newest asks for a picture.
func (c *camera) newest(f *capture.Frame) {
	c.t.Helper()
	if err := c.Newest(c.ctx, f); err != nil {
		c.t.Fatalf("Newest: %v", err)
	}
}

// waits for the next status and checks it; an error has all of the words.
func (c *camera) waits(online bool, words ...string) {
	c.t.Helper()
	select {
	case s := <-c.status:
		if s.online != online {
			c.t.Fatalf("online is %v (%v)", s.online, s.err)
		}
		for _, w := range words {
			if s.err == nil || !strings.Contains(s.err.Error(), w) {
				c.t.Errorf("%q is not in the error: %v", w, s.err)
			}
		}
		if s.err != nil && strings.Contains(s.err.Error(), "\n") {
			c.t.Errorf("the error is more than a line: %v", s.err)
		}
	case <-c.ctx.Done():
		c.t.Fatal("no word of the camera's status")
	}
}

// until waits for a status, over others.
func (c *camera) until(online bool) {
	c.t.Helper()
	for {
		select {
		case s := <-c.status:
			if s.online == online {
				return
			}
		case <-c.ctx.Done():
			c.t.Fatalf("online is never %v", online)
		}
	}
}
