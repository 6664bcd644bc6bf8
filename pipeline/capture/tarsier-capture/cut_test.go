package main

import (
	"image"
	"os"
	"path/filepath"
	"testing"

	"gocv.io/x/gocv"

	"tarsier/pipeline/capture/wire"
)

// testdata is a file of the shared test data.
func testdata(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("TARSIER_TESTDATA")
	if dir == "" {
		dir = "../../../../shared"
	}
	p := filepath.Join(dir, name)
	if _, err := os.Stat(p); err != nil {
		const why = "no test data: set TARSIER_TESTDATA"
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	return p
}

// pattern has colours that tell every place from the others.
func pattern(t *testing.T, w, h int) gocv.Mat {
	t.Helper()
	m := gocv.NewMatWithSize(h, w, gocv.MatTypeCV8UC3)
	b, err := m.DataPtrUint8()
	if err != nil {
		t.Fatal(err)
	}
	for y := range h {
		for x := range w {
			p := b[(y*w+x)*3:]
			p[0], p[1], p[2] = byte(x), byte(y), byte(x/256*16+y/256)
		}
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func newCutter(t *testing.T, fit wire.Fit, size int, boxes ...wire.Box) *cutter {
	t.Helper()
	c := &cutter{}
	c.set(&wire.Open{Fit: fit, Size: uint16(size), Regions: boxes})
	t.Cleanup(c.free)
	return c
}

// A square of the very size is copied, with the colours turned around.
func TestCutIsRGB(t *testing.T) {
	m := pattern(t, 320, 96)
	c := newCutter(t, wire.Tiles, 96, wire.Box{0, 0, 1, 1})
	head, pixels, err := c.cut(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(head.Regions) != 4 || len(pixels) != 4*96*96*3 {
		t.Fatalf("%d squares in %d bytes", len(head.Regions), len(pixels))
	}
	for i, r := range squares(nil, image.Rect(0, 0, 320, 96), wire.Tiles) {
		for y := range 96 {
			for x := range 96 {
				p := pixels[((i*96+y)*96+x)*3:]
				sx := r.Min.X + x
				if want := [3]byte{byte(sx / 256 * 16), byte(y), byte(sx)}; [3]byte(p[:3]) != want {
					t.Fatalf("square %d at %d,%d is %v, not %v", i, x, y, p[:3], want)
				}
			}
		}
	}
}

// mean is INTER_AREA by its definition, for whole factors: the mean of the block that becomes a pixel.
func mean(b []byte, w, x, y, fx, fy, c int) float64 {
	sum := 0
	for dy := range fy {
		for dx := range fx {
			sum += int(b[((y*fy+dy)*w+x*fx+dx)*3+c])
		}
	}
	return float64(sum) / float64(fx*fy)
}

func TestShrinksByArea(t *testing.T) {
	m := gocv.IMRead(testdata(t, "photos/grace_hopper.bmp"), gocv.IMReadColor)
	defer m.Close()
	whole := gocv.NewMat()
	defer whole.Close()
	gocv.Resize(m, &whole, image.Pt(448, 672), 0, 0, gocv.InterpolationLinear)
	b, err := whole.DataPtrUint8()
	if err != nil {
		t.Fatal(err)
	}
	c := newCutter(t, wire.Stretch, 224, wire.Box{0, 0, 1, 1})
	_, pixels, err := c.cut(whole)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 224 {
		for x := range 224 {
			for i := range 3 {
				got, want := float64(pixels[(y*224+x)*3+i]), mean(b, 448, x, y, 2, 3, 2-i)
				if d := got - want; d > 0.51 || d < -0.51 {
					t.Fatalf("channel %d at %d,%d is %v, not %v", i, x, y, got, want)
				}
			}
		}
	}
}

// Where one axis shrinks and the other grows, each has what suits it: on the way are neither lost lines nor steps.
func TestShrinksAndGrows(t *testing.T) {
	m := gocv.NewMatWithSize(32, 448, gocv.MatTypeCV8UC3)
	defer m.Close()
	b, err := m.DataPtrUint8()
	if err != nil {
		t.Fatal(err)
	}
	for y := range 32 {
		for x := range 448 {
			v := byte(8 * y)
			if x%2 == 1 {
				v = 255 // lines that the mean halves, and that a sample would keep or lose
			}
			p := b[(y*448+x)*3:]
			p[0], p[1], p[2] = v, v, v
		}
	}
	c := newCutter(t, wire.Stretch, 224, wire.Box{0, 0, 1, 1})
	_, pixels, err := c.cut(m)
	if err != nil {
		t.Fatal(err)
	}
	last := 0.0
	for y := range 224 {
		got := float64(pixels[(y*224+100)*3])
		at := min(max((float64(y)+0.5)*32/224-0.5, 0), 31)
		if want := (8*at + 255) / 2; got-want > 1.5 || want-got > 1.5 {
			t.Fatalf("line %d is %v, not %v", y, got, want)
		}
		if got < last {
			t.Fatalf("line %d is %v, after %v", y, got, last)
		}
		last = got
	}
}

// The same memory serves each picture; another size of the whole picture gets its own.
func TestMemoryIsKept(t *testing.T) {
	c := newCutter(t, wire.Stretch, 64, wire.Box{0, 0, 1, 1}, wire.Box{0, 0, 0.5, 0.5})
	small, large := pattern(t, 320, 240), pattern(t, 640, 480)
	_, first, err := c.cut(small)
	if err != nil {
		t.Fatal(err)
	}
	_, second, _ := c.cut(small)
	if &first[0] != &second[0] {
		t.Error("it has moved")
	}
	head, _, err := c.cut(large)
	if err != nil || head.Width != 640 || head.Height != 480 {
		t.Errorf("%+v, %v", head, err)
	}
}

func TestDepths(t *testing.T) {
	c := newCutter(t, wire.Stretch, 32, wire.Box{0, 0, 1, 1})
	for _, k := range []struct {
		kind gocv.MatType
		ok   bool
	}{{gocv.MatTypeCV8UC1, true}, {gocv.MatTypeCV8UC3, true}, {gocv.MatTypeCV8UC4, true}, {gocv.MatTypeCV16UC1, false}, {gocv.MatTypeCV32FC3, false}} {
		m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(10, 20, 30, 0), 48, 64, k.kind)
		_, pixels, err := c.cut(m)
		if (err == nil) != k.ok {
			t.Errorf("type %d: %v", k.kind, err)
		}
		if want := [3]byte{30, 20, 10}; k.ok && k.kind != gocv.MatTypeCV8UC1 && [3]byte(pixels[:3]) != want {
			t.Errorf("type %d: %v", k.kind, pixels[:3])
		}
		m.Close()
	}
}

func TestTooManySquares(t *testing.T) {
	c := newCutter(t, wire.Tiles, 224, wire.Box{0, 0, 1, 0.001})
	if _, _, err := c.cut(pattern(t, 1280, 720)); err == nil {
		t.Error("1280 squares of a line are made")
	}
}

// BenchmarkCut is what an answer costs in the child, but for the socket.
func BenchmarkCut(b *testing.B) {
	m := gocv.NewMatWithSize(720, 1280, gocv.MatTypeCV8UC3)
	defer m.Close()
	for name, fit := range map[string]wire.Fit{"stretch": wire.Stretch, "crop": wire.Crop, "tiles": wire.Tiles} {
		b.Run(name, func(b *testing.B) {
			c := &cutter{}
			c.set(&wire.Open{Fit: fit, Size: 224, Regions: []wire.Box{{0, 0, 1, 1}}})
			defer c.free()
			for b.Loop() {
				if _, _, err := c.cut(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
