package street

import (
	"image"
	"image/color"
	"slices"
	"testing"
	"time"
)

// The street is the same each time, and its end is followed by its beginning.
func TestFrame(t *testing.T) {
	s := New(96, 54)
	const at = 6 * time.Second // a car is in the middle
	one, again := s.Frame(at), New(96, 54).Frame(at)
	if !slices.Equal(one.Pix, again.Pix) {
		t.Error("two pictures of one time differ")
	}
	for i, g := range passing(0) {
		end := passing(Period)
		if len(end) <= i {
			t.Fatalf("of %d things there are %d at the end", i+1, len(end))
		}
		if d := end[i].center.sub(g.center); d.dot(d) > 1e-18 {
			t.Errorf("thing %d is at %v in the beginning, which is not where it ends", i, g.center)
		}
	}
	// The car is gone, and only there has more changed than the grain.
	later := s.Frame(at + 4*time.Second)
	changed := image.Rectangle{}
	for y := range 54 {
		for x := range 96 {
			a, b := color.GrayModel.Convert(one.At(x, y)).(color.Gray).Y, color.GrayModel.Convert(later.At(x, y)).(color.Gray).Y
			if max(a, b)-min(a, b) > 20 {
				changed = changed.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if changed.Empty() || changed.Min.Y < 18 || changed.Max.Y > 42 {
		t.Errorf("what moved is in %v", changed)
	}
}

// What stands in the sun is brighter than what stands in a shadow, the sky is
// above, and the grass below.
func TestLight(t *testing.T) {
	s := New(96, 54)
	lit, shade := 0, 0
	for _, p := range s.samples {
		if p.lit != p.shade {
			lit++
			if p.lit[0] < p.shade[0] {
				t.Fatalf("darker in the sun: %v, %v in the shade", p.lit, p.shade)
			}
		} else {
			shade++
		}
	}
	if lit < len(s.samples)/4 || shade < len(s.samples)/4 {
		t.Errorf("%d samples are in the sun, %d are not", lit, shade)
	}
	m := s.Frame(0)
	if r, _, b, _ := m.At(36, 1).RGBA(); b < r {
		t.Errorf("the sky is %v", m.At(36, 1))
	}
	if r, g, b, _ := m.At(18, 51).RGBA(); g < r || g < b {
		t.Errorf("the grass is %v", m.At(18, 51))
	}
}

func TestSolids(t *testing.T) {
	wedge := box(vec{-1, 2, 0}, vec{1, 4, 2}, nil).cut(vec{0, 2, 1}, vec{0, -1, 1})
	for name, c := range map[string]struct {
		solid     solid
		from, dir vec
		want      float64 // 0: missed
	}{
		"front of a box":  {box(vec{-1, 2, 0}, vec{1, 4, 2}, nil), vec{0, 0, 1}, vec{0, 1, 0}, 2},
		"beside it":       {box(vec{-1, 2, 0}, vec{1, 4, 2}, nil), vec{1.1, 0, 1}, vec{0, 1, 0}, 0},
		"behind":          {box(vec{-1, 2, 0}, vec{1, 4, 2}, nil), vec{0, 5, 1}, vec{0, 1, 0}, 0},
		"what is left":    {wedge, vec{0, 0, 0.5}, vec{0, 1, 0}, 2},
		"the slope":       {wedge, vec{0, 0, 1.5}, vec{0, 1, 0}, 2.5},
		"pole of a ball":  {ball(vec{0, 3, 0}, vec{1, 0.5, 1}, nil), vec{}, vec{0, 1, 0}, 2.5},
		"past a ball":     {ball(vec{0, 3, 0}, vec{1, 0.5, 1}, nil), vec{0, 0, 1.01}, vec{0, 1, 0}, 0},
		"a ball moved":    {ball(vec{0, 3, 0}, vec{1, 0.5, 1}, nil).moved(vec{0, 1, 5}), vec{0, 0, 5}, vec{0, 1, 0}, 3.5},
		"a box moved":     {box(vec{-1, 2, 0}, vec{1, 4, 2}, nil).moved(vec{3, 1, 0}), vec{3, 0, 1}, vec{0, 1, 0}, 3},
		"nothing so near": {ball(vec{0, 300, 0}, vec{1, 1, 1}, nil), vec{}, vec{0, 1, 0}, 0},
	} {
		const far = 100
		got, _ := c.solid.hit(c.from, c.dir, far)
		if c.want == 0 {
			c.want = far
		}
		if got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%s: hit at %v, not %v", name, got, c.want)
		}
	}
}
