package main

import (
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"tarsier/pipeline/capture/wire"
)

func TestRegion(t *testing.T) {
	for _, c := range []struct {
		box  wire.Box
		w, h int
		want image.Rectangle
	}{
		{wire.Box{0, 0, 1, 1}, 1280, 720, image.Rect(0, 0, 1280, 720)},
		{wire.Box{0.1, 0.2, 0.45, 0.6}, 1280, 720, image.Rect(128, 144, 704, 576)},
		{wire.Box{0.5, 0.5, 0.5, 0.5}, 3, 3, image.Rect(2, 2, 3, 3)},
		{wire.Box{0.999, 0.999, 0.001, 0.001}, 640, 480, image.Rect(639, 479, 640, 480)},
		{wire.Box{0.3, 0.3, 0.001, 0.001}, 640, 480, image.Rect(192, 144, 193, 145)},
		{wire.Box{0, 0, 1, 1}, 1, 1, image.Rect(0, 0, 1, 1)},
		{wire.Box{0.7, 0, 0.3 + 1e-10, 1}, 10, 10, image.Rect(7, 0, 10, 10)},
	} {
		if got := region(c.box, c.w, c.h); got != c.want {
			t.Errorf("%v of %dx%d is %v, not %v", c.box, c.w, c.h, got, c.want)
		}
	}
}

func TestSquares(t *testing.T) {
	r := image.Rect
	for _, c := range []struct {
		fit  wire.Fit
		in   image.Rectangle
		want []image.Rectangle
	}{
		{wire.Stretch, r(10, 20, 110, 70), []image.Rectangle{r(10, 20, 110, 70)}},
		{wire.Crop, r(0, 0, 1280, 720), []image.Rectangle{r(280, 0, 1000, 720)}},
		{wire.Crop, r(10, 20, 60, 121), []image.Rectangle{r(10, 45, 60, 95)}},
		{wire.Crop, r(5, 5, 6, 6), []image.Rectangle{r(5, 5, 6, 6)}},
		{wire.Tiles, r(0, 0, 1280, 720), []image.Rectangle{r(0, 0, 720, 720), r(560, 0, 1280, 720)}},
		{wire.Tiles, r(0, 0, 720, 720), []image.Rectangle{r(0, 0, 720, 720)}},
		{wire.Tiles, r(0, 0, 640, 480), []image.Rectangle{r(0, 0, 480, 480), r(160, 0, 640, 480)}},
		{wire.Tiles, r(100, 100, 300, 200), []image.Rectangle{r(100, 100, 200, 200), r(200, 100, 300, 200)}},
		{wire.Tiles, r(0, 0, 100, 250), []image.Rectangle{r(0, 0, 100, 100), r(0, 75, 100, 175), r(0, 150, 100, 250)}},
		{wire.Tiles, r(0, 0, 101, 100), []image.Rectangle{r(0, 0, 100, 100), r(1, 0, 101, 100)}},
	} {
		if got := squares(nil, c.in, c.fit); !slices.Equal(got, c.want) {
			t.Errorf("fit %d of %v: %v, not %v", c.fit, c.in, got, c.want)
		}
	}
}

// Tiles are squares within the region that leave no pixel out, are as few as can be, and are evenly spread.
func TestTilesCover(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		at := image.Pt(rng.IntN(100), rng.IntN(100))
		in := image.Rectangle{at, at.Add(image.Pt(1+rng.IntN(3000), 1+rng.IntN(300)))}
		if rng.IntN(2) == 0 {
			in = image.Rect(in.Min.Y, in.Min.X, in.Max.Y, in.Max.X)
		}
		got := squares(nil, in, wire.Tiles)
		edge, long := min(in.Dx(), in.Dy()), max(in.Dx(), in.Dy())
		if want := (long + edge - 1) / edge; len(got) != want {
			t.Fatalf("%v: %d squares, not %d", in, len(got), want)
		}
		place := func(r image.Rectangle) int { return r.Min.X - in.Min.X + r.Min.Y - in.Min.Y }
		low, high := long, 0
		for i, s := range got {
			if s.Dx() != edge || s.Dy() != edge || !s.In(in) {
				t.Fatalf("%v: %v", in, s)
			}
			if i > 0 {
				step := place(s) - place(got[i-1])
				low, high = min(low, step), max(high, step)
			}
		}
		if place(got[0]) != 0 || place(got[len(got)-1]) != long-edge {
			t.Fatalf("%v: the ends are left out by %v", in, got)
		}
		if len(got) > 1 && (high > edge || high-low > 1) {
			t.Fatalf("%v: steps from %d to %d", in, low, high)
		}
	}
}
