package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarsier/pipeline/capture"
)

// open opens a file as classify does.
func open(t *testing.T, o capture.Options) (*capture.Session, error) {
	t.Helper()
	o.Child, o.EveryFrame = needChild(t), true
	if o.Regions == nil {
		o.Regions = whole
	}
	s, err := capture.Open(deadline(t), o)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func TestEveryFrame(t *testing.T) {
	t.Parallel()
	s, err := open(t, capture.Options{Source: testdata(t, "videos/car.mp4")})
	if err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	var f capture.Frame
	last := time.Duration(-1)
	n := 0
	for ; ; n++ {
		err := s.Next(ctx, &f)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if f.Stream <= last {
			t.Fatalf("picture %d is at %v, after one at %v", n, f.Stream, last)
		}
		last = f.Stream
		if f.Width != 768 || f.Height != 432 || len(f.Pictures) != 1 || len(f.Pictures[0].RGB) != 224*224*3 {
			t.Fatalf("picture %d of %dx%d has %d squares", n, f.Width, f.Height, len(f.Pictures))
		}
	}
	if n != 377 || last != 376*80*time.Millisecond {
		t.Errorf("%d pictures, the last at %v", n, last)
	}
	if err := s.Next(ctx, &f); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
}

// A picture takes no memory of ours but that of the one before.
func TestNoAllocation(t *testing.T) {
	s, err := open(t, capture.Options{Source: testdata(t, "videos/car.mp4"), Fit: "tiles"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	var f capture.Frame
	n := testing.AllocsPerRun(100, func() {
		if err := s.Next(ctx, &f); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a picture", n)
	}
}

// A file stands in for a camera: its pictures come when they are due, and it ends but once.
func TestPlayed(t *testing.T) {
	t.Parallel()
	c := runCamera(t, capture.Options{Source: testdata(t, "videos/bottle.mp4")})
	var f capture.Frame
	c.newest(&f)
	c.waits(true)
	first, start := f.Taken, f.Stream
	for range 20 {
		c.newest(&f)
		if age := time.Since(f.Taken); age < 0 || age > time.Second {
			t.Errorf("a picture is %v old", age)
		}
	}
	played, passed := f.Stream-start, f.Taken.Sub(first)
	if d := (played - passed).Abs(); d > 20*time.Millisecond {
		t.Errorf("%v were played in %v", played, passed)
	}
	b, err := c.JPEG(c.ctx, 320)
	if err != nil {
		t.Fatal(err)
	}
	if i, err := jpeg.DecodeConfig(bytes.NewReader(b)); err != nil || i.Width != 320 || i.Height != 320*f.Height/f.Width {
		t.Errorf("JPEG of a picture of %dx%d: %+v, %v", f.Width, f.Height, i, err)
	}
	b, err = c.JPEG(c.ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	if i, err := jpeg.DecodeConfig(bytes.NewReader(b)); err != nil || i.Width != f.Width || i.Height != f.Height {
		t.Errorf("JPEG of a picture of %dx%d as it is: %+v, %v", f.Width, f.Height, i, err)
	}
}

// pictures copies photos to where a test may name them.
func photo(t *testing.T, name string) string { return testdata(t, filepath.Join("photos", name)) }

func TestStill(t *testing.T) {
	t.Parallel()
	ctx := deadline(t)
	s, err := open(t, capture.Options{Source: photo(t, "grace_hopper.bmp")})
	if err != nil {
		t.Fatal(err)
	}
	var f capture.Frame
	// One child serves many files, those that cannot be read included.
	for _, name := range []string{"", "owl.jpg", "nonsense.jpg", "parrot.jpg"} {
		if name == "nonsense.jpg" {
			p := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(p, []byte("\xff\xd8\xff and no more"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := s.Reopen(ctx, p); err == nil || s.Dead() {
				t.Errorf("nonsense: %v", err)
			}
			continue
		}
		if name != "" {
			if err := s.Reopen(ctx, photo(t, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Next(ctx, &f); err != nil {
			t.Fatal(err)
		}
		if f.Stream != 0 {
			t.Errorf("a picture at %v", f.Stream)
		}
		if err := s.Next(ctx, &f); err != io.EOF {
			t.Errorf("after a picture: %v", err)
		}
	}
}

// One child may open thousands of files: what it takes for one is given back.
func TestManyFiles(t *testing.T) {
	s, err := open(t, capture.Options{Source: photo(t, "owl.jpg"), Fit: "tiles"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	var f capture.Frame
	memory := func() int {
		kib := 0
		for _, p := range children(os.Getpid()) {
			b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
			_, rest, _ := strings.Cut(string(b), "RssAnon:")
			fmt.Sscan(rest, &kib)
		}
		return kib
	}
	files := []string{photo(t, "parrot.jpg"), testdata(t, "videos/bottle.mp4"), "/nonexistent", "/etc/passwd"}
	const warm, more = 40, 160
	before := 0
	for i := range warm + more {
		if i == warm {
			before = memory()
		}
		if s.Reopen(ctx, files[i%len(files)]) != nil {
			continue
		}
		if err := s.Next(ctx, &f); err != nil {
			t.Fatal(err)
		}
		if _, err := s.JPEG(ctx, 300); err != nil {
			t.Fatal(err)
		}
	}
	if grown := memory() - before; before == 0 || grown > 20<<10 {
		t.Errorf("%d KiB have become %d more for %d files", before, grown, more)
	}
}

func TestEndOfAVideo(t *testing.T) {
	// The end of a played file is not worth thirty seconds.
	c := runCamera(t, capture.Options{Source: photo(t, "owl.jpg")})
	var f capture.Frame
	c.newest(&f)
	c.waits(true)
	c.waits(false, "owl.jpg", "only picture")
	if n := len(children(os.Getpid())); n != 0 {
		t.Errorf("%d children for a camera that has ended", n)
	}
}

// A loop goes on as if there were no end: no picture is missing, and the time stamps go on.
func TestLoop(t *testing.T) {
	t.Parallel()
	s, err := open(t, capture.Options{Source: testdata(t, "videos/car.mp4"), Loop: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	var f capture.Frame
	for n := range 377 + 3 {
		if err := s.Next(ctx, &f); err != nil {
			t.Fatal(err)
		}
		if want := time.Duration(n) * 80 * time.Millisecond; f.Stream != want {
			t.Fatalf("picture %d is at %v, not %v", n, f.Stream, want)
		}
	}
}

// A looped file may go away.
func TestLoopBreaks(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(testdata(t, "videos/car.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), "car.mp4")
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := open(t, capture.Options{Source: p, Loop: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(p); err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	var f capture.Frame
	n := 0
	for ; err == nil; n++ {
		err = s.Next(ctx, &f)
	}
	if n != 378 || !strings.Contains(err.Error(), "car.mp4") || s.Dead() {
		t.Errorf("after %d pictures: %v", n, err)
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	video := testdata(t, "videos/car.mp4")
	for _, c := range []struct {
		fit     string
		regions []capture.Region
		want    []int // the region of each square
	}{
		{"stretch", whole, []int{0}},
		{"crop", whole, []int{0}},
		{"tiles", whole, []int{0, 0}},
		{"tiles", []capture.Region{{Box: [4]float64{0, 0, 1, 0.25}}, {Box: [4]float64{0.25, 0, 0.2, 1}}}, []int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1}},
		{"", []capture.Region{{Box: [4]float64{0.999, 0.999, 0.001, 0.001}}, whole[0]}, []int{0, 1}},
	} {
		s, err := open(t, capture.Options{Source: video, Fit: c.fit, Regions: c.regions, Size: 96})
		if err != nil {
			t.Fatal(err)
		}
		var f capture.Frame
		if err := s.Next(deadline(t), &f); err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, p := range f.Pictures {
			got = append(got, p.Region)
			if len(p.RGB) != 96*96*3 {
				t.Errorf("a square of %d bytes", len(p.RGB))
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s of %v: %v, not %v", c.fit, c.regions, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s of %v: %v, not %v", c.fit, c.regions, got, c.want)
				break
			}
		}
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	video, err := os.ReadFile(testdata(t, "videos/car.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		source string
		words  []string
	}{
		{filepath.Join(dir, "none.mp4"), []string{"none.mp4", "no such file"}},
		{"/dev/video99", []string{"/dev/video99", "no such device", "tarsier cameras"}},
		{dir, []string{dir, "directory"}},
		{write("empty.mp4", nil), []string{"empty.mp4", "empty"}},
		{write("text.mp4", bytes.Repeat([]byte("no video\n"), 100)), []string{"text.mp4", "cannot be opened as a video"}},
		{write("head.mp4", video[:9000]), []string{"head.mp4", "cannot be opened as a video", "("}},
		{write("zeros.mp4", append(video[:19840:19840], make([]byte, 200000)...)), []string{"zeros.mp4", "damaged"}},
		{write("broken.jpg", []byte("\xff\xd8\xff\xe0nothing")), []string{"broken.jpg", "cannot be decoded"}},
		{"csi:7", []string{"csi:7", "plugged in"}},
		{"csi:first", []string{"csi:first", "number"}},
	} {
		t.Run(filepath.Base(c.source), func(t *testing.T) {
			r := runCamera(t, capture.Options{Source: c.source})
			r.waits(false, c.words...)
			select {
			case s := <-r.status:
				t.Errorf("it is told again: %v", s)
			case <-time.After(300 * time.Millisecond): // two more tries
			}
		})
	}
}

// A video whose end is missing gives what it has, and then says so.
func TestCutOff(t *testing.T) {
	t.Parallel()
	video, err := os.ReadFile(testdata(t, "videos/car.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), "half.mp4")
	if err := os.WriteFile(p, video[:len(video)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := open(t, capture.Options{Source: p})
	if err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	var f capture.Frame
	n := 0
	for ; err == nil; n++ {
		err = s.Next(ctx, &f)
	}
	if errors.Is(err, io.EOF) || n < 100 {
		t.Errorf("after %d pictures: %v", n, err)
	}
	t.Log(err)
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]capture.Options{
		"fit":    {Source: "a", Fit: "zoom", Regions: whole},
		"source": {Regions: whole},
		"region": {Source: "a"},
		"size":   {Source: "a", Regions: whole, Size: 70000},
	} {
		if _, err := capture.Open(deadline(t), o); err == nil {
			t.Errorf("%s: no error", name)
		}
		if err := capture.New(o).Run(deadline(t)); err == nil {
			t.Errorf("%s: no error from Run", name)
		}
	}
}
