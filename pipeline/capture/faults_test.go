package capture_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tarsier/pipeline/capture"
	"tarsier/pipeline/capture/cameratest"
)

// limit is how long it may take until it is said that pictures cease, or come again.
const limit = 5 * time.Second

// A camera with a fault is offline, and online again when the fault is gone; where pictures go on it stays online, and they are new.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault cameratest.Fault
		stays bool
	}{
		"freezes":              {fault: cameratest.Frozen},
		"refuses":              {fault: cameratest.Refusing},
		"hangs up":             {fault: cameratest.HangingUp},
		"noise for pictures":   {fault: cameratest.Noisy},
		"noise for RTSP":       {fault: cameratest.Babbling},
		"sends no picture":     {fault: cameratest.Blind},
		"wants another login":  {fault: cameratest.Locked},
		"falls behind":         {fault: cameratest.Late, stays: true},
		"resizes its pictures": {fault: cameratest.Resized, stays: true},
		"clock leaps ahead":    {fault: cameratest.Leaping, stays: true},
		"clock leaps back":     {fault: cameratest.Relapsing, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRTSP(t, "")
			cam := runCamera(t, capture.Options{Source: r.URL(password)})
			frames := make(chan capture.Frame, 1)
			go func() {
				var f capture.Frame
				for cam.Newest(cam.ctx, &f) == nil {
					select {
					case frames <- capture.Frame{Taken: f.Taken, Width: f.Width, Height: f.Height}:
					default:
					}
				}
			}()
			cam.waits(true)
			<-frames
			set(t, r, c.fault)
			if c.stays {
				cam.stays(frames, limit+time.Second, c.fault)
				set(t, r, cameratest.Healthy)
				cam.stays(frames, time.Second, cameratest.Healthy)
			} else {
				cam.changes(false, limit)
				set(t, r, cameratest.Healthy)
				cam.changes(true, limit)
				for len(frames) > 0 {
					<-frames
				}
				<-frames
			}
			cam.secretless()
		})
	}
}

// A child whose memory is used up says so and is replaced, though it might go on somehow.
func TestChildMemoryUsedUp(t *testing.T) {
	c := runCamera(t, capture.Options{Source: testdata(t, "videos/bottle.mp4"), Loop: true})
	var f capture.Frame
	c.newest(&f)
	pid := children(os.Getpid())[0]
	// As if it had leaked so much that nothing is left.
	if err := unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child is gone", func() bool { return gone(pid) })
	for range 10 {
		c.newest(&f)
	}
}

// changes waits for a status, over other words of the old one, for so long.
func (c *camera) changes(online bool, within time.Duration) {
	c.t.Helper()
	timeout := time.After(within)
	for {
		select {
		case s := <-c.status:
			if s.online == online {
				return
			}
		case <-timeout:
			c.t.Fatalf("after %v online is not %v", within, online)
		}
	}
}

// stays sees for a while that pictures come and are new. In the end they have the size that the camera sends.
func (c *camera) stays(frames <-chan capture.Frame, d time.Duration, fault cameratest.Fault) {
	c.t.Helper()
	end := time.After(d)
	var last capture.Frame
	for {
		select {
		case s := <-c.status:
			c.t.Fatalf("online is %v (%v)", s.online, s.err)
		case last = <-frames:
			if age := time.Since(last.Taken); age < 0 || age > limit {
				c.t.Errorf("a picture is %v old", age)
			}
		case <-time.After(limit):
			c.t.Fatalf("no picture for %v", limit)
		case <-end:
			if fault == cameratest.Resized && (last.Width != 640 || last.Height != 360) {
				c.t.Errorf("pictures of %dx%d", last.Width, last.Height)
			}
			return
		}
	}
}
