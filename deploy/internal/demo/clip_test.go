package main

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tarsier/deploy/internal/degrade"
	"tarsier/deploy/internal/demo/street"
	"tarsier/pipeline/capture"
)

// The clip is some seconds clear and some spoilt, in turn, and ends where a
// turn ends.
func TestShown(t *testing.T) {
	if turn := clearTime + spoiltTime; street.Period != turn*time.Duration(len(mishaps)) {
		t.Errorf("the street's period is %v, but %d mishaps take %v", street.Period, len(mishaps), turn*time.Duration(len(mishaps)))
	}
	for at, want := range map[time.Duration]string{0: "", 2900: "", 3000: "covered", 6999: "covered", 7000: "", 10000: "blurred", 17000: "dark", 24000: "overexposed", 31000: "noisy", 38000: "corrupt", 41999: "corrupt"} {
		got := ""
		if m := shown(at * time.Millisecond); m != nil {
			got = m.class
		}
		if got != want {
			t.Errorf("after %d ms the picture is %q, not %q", at, got, want)
		}
	}
	for _, m := range mishaps {
		found := false
		for _, k := range degrade.Kinds() {
			found = found || k.Class == m.class && k.Name == m.kind
		}
		if !found {
			t.Errorf("package degrade does not know %s, %q", m.class, m.kind)
		}
	}
}

// The capture program reads the clip's pictures, and each looks spoilt in its
// own way.
func TestClip(t *testing.T) {
	const width, height = clipWidth / 2, clipHeight / 2 // for the time it takes
	c, err := newClip(width, height)
	if err != nil {
		t.Fatal(err)
	}
	if want := int(street.Period.Seconds()) * clipRate; len(c.frames) != want {
		t.Errorf("%d pictures, not %d", len(c.frames), want)
	}
	if !bytes.Equal(c.frame(time.Second), c.frame(time.Second+street.Period)) {
		t.Error("the second round is another")
	}
	// Of each turn a clear picture and a spoilt one, the middle ones.
	var clip []byte
	for i := range mishaps {
		turn := time.Duration(i) * (clearTime + spoiltTime)
		clip = append(append(clip, c.frame(turn+clearTime/2)...), c.frame(turn+clearTime+spoiltTime/2)...)
	}
	if m, err := jpeg.DecodeConfig(bytes.NewReader(clip)); err != nil || m.Width != width || m.Height != height {
		t.Errorf("the first picture is %+v, %v", m, err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "clip.mjpeg")
	if err := os.WriteFile(path, clip, 0o600); err != nil {
		t.Fatal(err)
	}
	seen := pictures(t, path, buildCapture(t, dir))
	if len(seen) != 2*len(mishaps) {
		t.Fatalf("%d pictures were read, not %d", len(seen), 2*len(mishaps))
	}
	for i, m := range mishaps {
		clear, spoilt := looksOf(seen[2*i]), looksOf(seen[2*i+1])
		t.Logf("clear %+v, %s %+v", clear, m.class, spoilt)
		other := difference(seen[2*i], seen[2*i+1])
		if clear.mean < 80 || clear.mean > 160 || clear.white > 0.05 || clear.detail < 8 {
			t.Errorf("before %s it is not clear: %+v", m.class, clear)
		}
		ok := map[string]bool{
			"covered":     spoilt.detail < clear.detail*2/3,
			"blurred":     spoilt.detail < clear.detail/3,
			"dark":        spoilt.mean < 20,
			"overexposed": spoilt.white > 0.3,
			"noisy":       spoilt.detail > 2*clear.detail && spoilt.colour < 3,
			"corrupt":     other > 0.3, // cars make less of a difference
		}
		if !ok[m.class] {
			t.Errorf("it does not look %s: %+v, %+v before, and %.2f of it is not as before", m.class, spoilt, clear, other)
		}
	}
}

// A look is what a picture is like as a whole.
type look struct {
	mean   float64 // 0..255
	white  float64 // the part of it that is blown
	detail float64 // mean difference from pixel to pixel
	colour float64 // mean distance of red and blue
}

func looksOf(rgb []byte) (l look) {
	n := float64(len(rgb) / 3)
	for i := 3; i+2 < len(rgb); i += 3 {
		r, g, b := float64(rgb[i]), float64(rgb[i+1]), float64(rgb[i+2])
		l.mean += g / n
		if min(r, g, b) > 245 {
			l.white += 1 / n
		}
		l.detail += math.Abs(g-float64(rgb[i-2])) / n
		l.colour += math.Abs(r-b) / n
	}
	return l
}

// difference is the part of two pictures that is not alike.
func difference(a, b []byte) (part float64) {
	for i := 1; i < len(a); i += 3 {
		if max(a[i], b[i])-min(a[i], b[i]) > 40 {
			part += 3 / float64(len(a))
		}
	}
	return part
}

// pictures are those of a file, as the daemon gets them.
func pictures(t *testing.T, path, child string) (all [][]byte) {
	t.Helper()
	s, err := capture.Open(t.Context(), capture.Options{
		Name: "clip", Source: path, EveryFrame: true, Fit: "stretch", Child: child, Regions: []capture.Region{{Name: "frame", Box: [4]float64{0, 0, 1, 1}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for {
		var f capture.Frame
		if err := s.Next(t.Context(), &f); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Pictures[0].RGB)
	}
}

func buildCapture(t *testing.T, dir string) string {
	t.Helper()
	if exec.Command("pkg-config", "--exists", "opencv4").Run() != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("OpenCV is not installed (deploy/setup)")
		}
		t.Skip("OpenCV is not installed (deploy/setup)")
	}
	path := filepath.Join(dir, "tarsier-capture")
	c := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "build", "-o", path, "tarsier/pipeline/capture/tarsier-capture")
	c.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build tarsier-capture: %v\n%s", err, out)
	}
	return path
}

// The clip is served as a camera, from its beginning when it is first looked
// at.
func TestServe(t *testing.T) {
	begun := false
	picture := encode(street.New(32, 18).Frame(0))
	cameras, stop, err := serve([]show{{name: "street", labels: []string{"dark"}, rate: clipRate, frame: func(after time.Duration) []byte {
		begun = begun || after < time.Second/clipRate
		return picture
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if m := firstPicture(t, cameras[0].source); m.Bounds().Dx() != 32 {
		t.Errorf("a picture of %v", m.Bounds())
	}
	stop()
	if !begun {
		t.Error("it does not begin at its beginning")
	}
	p := newPrinter(io.Discard, false)
	all := p.allEntered(cameras)
	for _, label := range []string{"noisy", "dark"} {
		select {
		case <-all:
			t.Errorf("all is entered before %s is", label)
		default:
		}
		p.message("tarsier/demo/street/frame/event", []byte(`{"camera":"street","type":"enter","label":"`+label+`"}`))
	}
	<-all
}
