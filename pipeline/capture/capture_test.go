package capture_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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
	dir, err := os.MkdirTemp("", "tarsier-capture")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	child = filepath.Join(dir, "tarsier-capture")
	if err := exec.Command("pkg-config", "--exists", "opencv4").Run(); err != nil {
		noChild = "OpenCV is not installed (apt-get install libopencv-dev g++ pkg-config)"
	} else if out, err := exec.Command("go", "build", "-o", child, "./tarsier-capture").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build tarsier-capture: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
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

var whole = []capture.Region{{Name: "frame", Box: [4]float64{0, 0, 1, 1}}}

func TestEveryFrameOfAVideo(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := capture.Open(ctx, capture.Options{Child: needChild(t), Source: testdata(t, "videos/car.mp4"), EveryFrame: true, Regions: whole})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var f capture.Frame
	last := time.Duration(-1)
	n := 0
	for ; ; n++ {
		err := s.Next(ctx, &f)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if f.Stream <= last {
			t.Fatalf("picture %d is at %v, after one at %v", n, f.Stream, last)
		}
		last = f.Stream
		if len(f.Pictures) != 1 || len(f.Pictures[0].RGB) != 224*224*3 {
			t.Fatalf("picture %d has %d squares", n, len(f.Pictures))
		}
	}
	if n != 377 {
		t.Errorf("%d pictures, not 377", n)
	}
	t.Log(f.Width, f.Height, last)
}

func TestCameraFile(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := capture.New(capture.Options{Name: "a", Child: needChild(t), Source: testdata(t, "videos/bottle.mp4"), Regions: whole,
		Status: func(online bool, err error) { t.Log(online, err) }})
	done := make(chan error, 1)
	run, stop := context.WithCancel(ctx)
	go func() { done <- c.Run(run) }()
	var f capture.Frame
	for range 30 {
		if err := c.Newest(ctx, &f); err != nil {
			t.Fatal(err)
		}
		t.Log(f.Stream, time.Since(f.Taken))
	}
	b, err := c.JPEG(ctx, 320)
	t.Log(len(b), err)
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
