package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarsier/pipeline/capture/cameratest"
	"tarsier/pipeline/capture/wire"
)

// password is what camera's looks like in a URL.
const password = "T0pS3cret%22%21%5C"

// camera streams a shared video, each picture after some time.
func camera(t *testing.T, every time.Duration) *cameratest.RTSP {
	t.Helper()
	clip, err := cameratest.ReadClip(testdata(t, "videos/car.mp4"), 25)
	if err != nil {
		t.Fatal(err)
	}
	r, err := cameratest.NewRTSP(cameratest.Options{Address: "127.0.0.1:0", User: "watcher", Password: `T0pS3cret"!\`, Clip: clip, Other: clip, Every: every})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// listened is a stream as it is opened for the daemon, and what it has printed.
func listened(t *testing.T, source string, size int) (*stream, func() string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	f := &stderrFilter{real: out, in: w, pipe: in, marked: make(chan int, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.run()
	}()
	s, err := openStream(&wire.Open{Source: source, Size: uint16(size), Regions: []wire.Box{{0, 0, 1, 1}}}, f, make(chan struct{}, 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.close()
		w.Close()
		<-done
	})
	return s, func() string {
		b, _ := os.ReadFile(out.Name())
		return string(b)
	}
}

// with has the board's decoder be another, and the shared videos be large.
func with(t *testing.T, d string) {
	wasDecoder, wasLarge := decoder, large
	decoder, large = func() string { return d }, 1
	failed.Store(false)
	advised.Store(false)
	t.Cleanup(func() { decoder, large = wasDecoder, wasLarge })
}

// All of the pipeline but the board's own decoder: the login, the transport, the time stamps, a stream that falls behind.
func TestHardware(t *testing.T) {
	needElements(t, "rtspsrc", "rtph264depay", "h264parse", "avdec_h264", "videorate")
	with(t, "avdec_h264")
	const every = 40 * time.Millisecond
	r := camera(t, every)
	s, printed := listened(t, r.URL(password), 224)
	if _, err := s.first(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.src.uri, "rtspsrc ") {
		t.Fatalf("it is FFmpeg that decodes: %s", printed())
	}
	var last time.Duration
	began := time.Now()
	for n := range 30 {
		p, err := s.take()
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && p.stream <= last {
			t.Errorf("a picture of %v after one of %v", p.stream, last)
		}
		last = p.stream
		if age := time.Since(p.taken); age < -every || age > time.Second {
			t.Errorf("a picture is %v old", age)
		}
	}
	if d := time.Since(began) / 30; d < 50*time.Millisecond {
		t.Errorf("a picture each %v: more are converted than anybody looks at", d)
	}
	if err := r.Set(cameratest.Late); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(time.Minute, r.Close).Stop() // or it would never end
	for {
		if _, err := s.take(); err == nil {
			continue
		} else if !strings.Contains(err.Error(), "stream's own clock") {
			t.Errorf("a stream that falls behind: %v", err)
		}
		break
	}
	if strings.Contains(printed(), "T0pS3cret") {
		t.Errorf("the login is in %s", printed())
	}
}

// What does not work is said once, and FFmpeg decodes.
func TestHardwareFails(t *testing.T) {
	needElements(t, "rtspsrc", "rtph264depay", "h264parse", "avdec_h264", "identity")
	was := hardwarePatience
	hardwarePatience = time.Second
	defer func() { hardwarePatience = was }()
	for d, words := range map[string]string{
		"nvv4l2decoder": "nvidia-l4t", // is not there
		"video/x-h264,width=1 ! identity ! videoconvert": "could not link",    // takes no such stream
		"avdec_h264 ! identity drop-probability=1":       "no picture for 1s", // waits without end
		"avdec_h264 ! video/x-raw,format=GRAY8":          "no picture for 1s", // gives up at the first picture
	} {
		t.Run(d, func(t *testing.T) {
			with(t, d)
			r := camera(t, 40*time.Millisecond)
			s, printed := listened(t, r.URL(password), 224)
			if _, err := s.first(); err != nil {
				t.Fatal(err)
			}
			if _, err := s.take(); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(printed(), "the board's decoder is not used"); n != 1 || !strings.Contains(printed(), words) {
				t.Errorf("%q is not in %s", words, printed())
			}
			if strings.Contains(printed(), "T0pS3cret") {
				t.Errorf("the login is in %s", printed())
			}
		})
	}
}

// Who watches a large stream is told of the small one, once, if it is large enough.
func TestSubStreamAdvice(t *testing.T) {
	with(t, "")
	r := camera(t, 40*time.Millisecond)
	for _, c := range []struct{ size, want int }{{4000, 0}, {224, 1}, {224, 0}} {
		s, printed := listened(t, r.URL(password), c.size)
		if _, err := s.first(); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(printed(), "sub-stream"); n != c.want {
			t.Errorf("for %d pixels it is said %d times: %s", c.size, n, printed())
		}
	}
}
