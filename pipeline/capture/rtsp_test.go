package capture_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"tarsier/pipeline/capture"
	"tarsier/pipeline/capture/cameratest"
)

// An IP camera: 12.5 pictures a second, H.264, behind a login.
const (
	user, password = "watcher", "T0pS3cret"
	frameTime      = 80 * time.Millisecond
)

func clip(t *testing.T, video string) *cameratest.Clip {
	t.Helper()
	c, err := cameratest.ReadClip(testdata(t, "videos/"+video), 25)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newRTSP(t *testing.T, addr string) *cameratest.RTSP {
	t.Helper()
	r, err := cameratest.NewRTSP(cameratest.Options{
		Address: addr, User: user, Password: password, Clip: clip(t, "car.mp4"), Other: clip(t, "bottle.mp4"), Every: frameTime,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func set(t *testing.T, r *cameratest.RTSP, f cameratest.Fault) {
	t.Helper()
	if err := r.Set(f); err != nil {
		t.Fatal(err)
	}
}

// secretless fails if what may be kept from a log is in it.
func (c *camera) secretless() {
	c.t.Helper()
	if s := c.log.String(); strings.Contains(s, password) || strings.Contains(s, user) {
		c.t.Errorf("the log has the login:\n%s", s)
	}
}

func TestRTSP(t *testing.T) {
	t.Parallel()
	r := newRTSP(t, "127.0.0.1:0")
	c := runCamera(t, capture.Options{Source: r.URL(password)})
	var f capture.Frame
	c.newest(&f)
	c.waits(true)
	last := f.Stream
	for range 30 {
		c.newest(&f)
		if f.Stream <= last {
			t.Errorf("a picture of %v after one of %v", f.Stream, last)
		}
		last = f.Stream
		if age := time.Since(f.Taken); age < 0 || age > time.Second {
			t.Errorf("a picture is %v old", age)
		}
	}
	n := int((f.Stream + frameTime/2) / frameTime)
	sent := r.Sent()[n]
	if d := f.Taken.Sub(sent); d.Abs() > frameTime {
		t.Errorf("picture %d is said to be taken %v after it was sent", n, d)
	}
	c.secretless()
}

func TestRTSPRefused(t *testing.T) {
	t.Parallel()
	r := newRTSP(t, "127.0.0.1:0")
	const wrong = "wr0ngT0pS3cret"
	c := runCamera(t, capture.Options{Source: r.URL(wrong)})
	c.waits(false, r.Addr, "refuses the login", "401")
	eventually(t, "a second try", func() bool { return strings.Count(c.log.String(), "401") > 2 })
	c.stop()
	c.secretless()
	if n := strings.Count(c.log.String(), "offline"); n != 1 {
		t.Errorf("%d lines for one and the same failure", n)
	}
}

func TestRTSPNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := runCamera(t, capture.Options{Source: "rtsp://" + user + ":" + password + "@" + addr + "/1"})
	c.waits(false, addr, "nobody answers", "refused")
	// Once it is switched on, it is seen, by the same tarsier-capture.
	pids := children(pid)
	newRTSP(t, addr)
	c.until(true)
	if again := children(pid); len(pids) != 1 || len(again) != 1 || pids[0] != again[0] {
		t.Errorf("children: %v, then %v", pids, again)
	}
	c.secretless()
}

// Some take a connection, and no more.
func TestRTSPSilent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := runCamera(t, capture.Options{Source: "rtsp://" + user + ":" + password + "@" + l.Addr().String() + "/1"})
	c.waits(false, l.Addr().String(), "does not answer")
	c.secretless()
}

func TestRTSPFreezes(t *testing.T) {
	t.Parallel()
	r := newRTSP(t, "127.0.0.1:0")
	c := runCamera(t, capture.Options{Source: r.URL(password)})
	var f capture.Frame
	c.newest(&f)
	c.waits(true)
	set(t, r, cameratest.Frozen)
	start := time.Now()
	c.waits(false, r.Addr)
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("that took %v", d)
	}
	set(t, r, cameratest.Healthy)
	c.until(true)
	c.newest(&f)
	c.secretless()
}

// A camera that goes away in the middle is said to be, and is back when it is back.
func TestRTSPRestarts(t *testing.T) {
	t.Parallel()
	r := newRTSP(t, "127.0.0.1:0")
	c := runCamera(t, capture.Options{Source: r.URL(password)})
	var f capture.Frame
	c.newest(&f)
	c.waits(true)
	set(t, r, cameratest.Refusing)
	c.waits(false, r.Addr)
	set(t, r, cameratest.Healthy)
	c.until(true)
	c.newest(&f)
	c.secretless()
}

// A stream whose clock falls behind ours is opened again.
func TestRTSPFallsBehind(t *testing.T) {
	t.Parallel()
	r := newRTSP(t, "127.0.0.1:0")
	c := runCamera(t, capture.Options{Source: r.URL(password)})
	var f capture.Frame
	c.newest(&f)
	c.waits(true)
	set(t, r, cameratest.Late)
	oldest := time.Duration(0)
	for !strings.Contains(c.log.String(), "stream's own clock") {
		c.newest(&f)
		oldest = max(oldest, time.Since(f.Taken))
	}
	if oldest < 2*time.Second {
		t.Errorf("its pictures are said to be %v old at most", oldest)
	}
	set(t, r, cameratest.Healthy)
	c.newest(&f)
	if age := time.Since(f.Taken); age > time.Second {
		t.Errorf("opened again, its pictures are %v old", age)
	}
	select {
	case s := <-c.status:
		t.Errorf("it was not away: %v", s)
	default:
	}
}
