package degrade

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"testing"
)

// testScene has what scenes have: flat parts and fine ones, edges, dark, bright and coloured things.
func testScene() *image.RGBA {
	p := image.NewRGBA(image.Rect(0, 0, 320, 240))
	for y := range 240 {
		for x := range 320 {
			c := color.RGBA{uint8(90 + x/4), uint8(110 + y/4), 140, 255} // a sky
			switch {
			case y > 180 && (x/4+y/3)%3 == 0:
				c = color.RGBA{40, 60, 30, 255}
			case y > 180:
				c = color.RGBA{110, 140, 70, 255}
			case x > 60 && x < 140 && y > 60 && (x/10+y/10)%2 == 0:
				c = color.RGBA{170, 60, 40, 255}
			case x > 60 && x < 140 && y > 60:
				c = color.RGBA{210, 200, 180, 255}
			case x > 200 && x < 260 && y > 90 && (x-200)%12 < 6:
				c = color.RGBA{25, 25, 35, 255}
			}
			p.SetRGBA(x, y, c)
		}
	}
	return p
}

// A look is some statistics of a picture in bytes of green.
type look struct {
	mean    float64
	clipped float64 // part of the pixels that are 250 and more
	edges   float64 // mean difference between neighbours
	changed float64 // part of the pixels that differ from the scene by more than 12 in some channel
}

func lookAt(p, scene *image.RGBA) (l look) {
	n := 0.0
	for y := 1; y < p.Rect.Dy(); y++ {
		for x := 1; x < p.Rect.Dx(); x++ {
			at := p.PixOffset(x, y)
			g := float64(p.Pix[at+1])
			l.mean += g
			if g >= 250 {
				l.clipped++
			}
			l.edges += math.Abs(g-float64(p.Pix[at-3])) + math.Abs(g-float64(p.Pix[at-p.Stride+1]))
			for c := range 3 {
				if math.Abs(float64(p.Pix[at+c])-float64(scene.Pix[at+c])) > 12 {
					l.changed++
					break
				}
			}
			n++
		}
	}
	return look{l.mean / n, l.clipped / n, l.edges / n / 2, l.changed / n}
}

// Each kind does what its class says.
func TestKinds(t *testing.T) {
	scene := testScene()
	was := lookAt(scene, scene)
	seen := map[string]bool{}
	classes := map[string]int{}
	for _, k := range Kinds() {
		if seen[k.Class+k.Name] || k.Name == "" {
			t.Errorf("two kinds are called %s, %q", k.Class, k.Name)
		}
		seen[k.Class+k.Name] = true
		classes[k.Class]++
		for seed := range uint64(2) {
			is := lookAt(k.Apply(scene, seed), scene)
			good := false
			switch k.Class {
			case "clear":
				good = is.mean > 40 && is.mean < 210 && is.clipped < 0.15 && is.edges > 0.25*was.edges
			case "dark":
				good = is.mean < 40 && is.clipped < 0.02
			case "overexposed":
				good = is.mean > 170 && is.edges < 1.2*was.edges
			case "blurred":
				good = is.edges < 0.55*was.edges && math.Abs(is.mean-was.mean) < 40
			case "covered":
				good = is.changed > 0.6 && is.mean > 15 && is.mean < 245
			case "corrupt":
				good = is.changed > 0.15
			case "noisy":
				good = is.edges > 1.15*was.edges && is.mean > 40 && is.mean < 200
			default:
				t.Fatalf("%s is no class of the camera-health model", k.Class)
			}
			if !good {
				t.Errorf("%s, %s, seed %d: %.4g, of a scene with %.4g", k.Class, k.Name, seed, is, was)
			}
		}
	}
	for class, n := range classes {
		if n < 4 {
			t.Errorf("%s has %d kinds", class, n)
		}
	}
	if len(classes) != 7 {
		t.Errorf("%d classes, want 7", len(classes))
	}
}

func TestSeeds(t *testing.T) {
	scene := testScene()
	original := clone(scene)
	for _, k := range Kinds() {
		a, again := k.Apply(scene, 7), k.Apply(scene, 7)
		if !bytes.Equal(a.Pix, again.Pix) {
			t.Errorf("%s, %s: one seed gave two pictures", k.Class, k.Name)
		}
		if a.Rect != scene.Rect {
			t.Errorf("%s, %s: %v became %v", k.Class, k.Name, scene.Rect, a.Rect)
		}
		if !bytes.Equal(scene.Pix, original.Pix) {
			t.Fatalf("%s, %s changed the picture it was given", k.Class, k.Name)
		}
		for i := 3; i < len(a.Pix); i += 4 {
			if a.Pix[i] != 255 {
				t.Fatalf("%s, %s: a pixel that is not opaque", k.Class, k.Name)
			}
		}
		always := map[string]bool{"as it is": true, "colour bars": true, "grey": true, "planes read as pixels": true, "YUYV slipped by a byte": true}
		if b := k.Apply(scene, 8); bytes.Equal(a.Pix, b.Pix) && !always[k.Name] {
			t.Errorf("%s, %s: two seeds gave one picture", k.Class, k.Name)
		}
	}
}

// Pictures may be of any size, and parts of others.
func TestSizes(t *testing.T) {
	scene := testScene()
	for _, r := range []image.Rectangle{image.Rect(10, 20, 75, 53), image.Rect(0, 0, 33, 120), image.Rect(100, 100, 130, 131)} {
		part := scene.SubImage(r)
		for _, k := range Kinds() {
			if got := k.Apply(part, 1).Rect; got != image.Rect(0, 0, r.Dx(), r.Dy()) {
				t.Errorf("%s, %s: a picture of %v became %v", k.Class, k.Name, r.Size(), got)
			}
		}
	}
}

// dot is one bright pixel on black.
func dot(w, h int) *light {
	l := newLight(w, h)
	copy(l.v[3*(h/2*w+w/2):], []float32{1, 1, 1})
	return l
}

// spread is the sum of a point's light and its variance along x, in pixels.
func spread(l *light) (sum, variance float64) {
	for y := range l.h {
		for x := range l.w {
			v := float64(l.v[3*(y*l.w+x)])
			sum += v
			variance += v * float64((x-l.w/2)*(x-l.w/2))
		}
	}
	return sum, variance / sum
}

func TestOptics(t *testing.T) {
	for _, c := range []struct {
		name     string
		blur     func(*light)
		variance float64 // in square units
	}{
		{"Gaussian of 0.7 units", func(l *light) { l.soften(0.7) }, 0.49},
		{"Gaussian of 4 units", func(l *light) { l.soften(4) }, 16},
		{"disc of 8 units", func(l *light) { l.defocus(8) }, 16}, // r*r/4
		{"path of 12 units", func(l *light) {
			var path []point
			for x := -6.0; x <= 6; x += 0.125 {
				path = append(path, point{x, 0})
			}
			l.shake(path)
		}, 12},
	} {
		l := dot(448, 448) // two pixels a unit
		c.blur(l)
		sum, variance := spread(l)
		if math.Abs(sum-1) > 0.01 {
			t.Errorf("%s: of a light of 1 remains %.3f", c.name, sum)
		}
		if want := c.variance * l.unit * l.unit; math.Abs(variance-want) > 0.06*want+0.1 {
			t.Errorf("%s: variance %.2f, want %.2f", c.name, variance, want)
		}
	}
}

// The signal-to-noise ratio of a square unit is that of its electrons, whatever the size of the picture.
func TestSense(t *testing.T) {
	for _, width := range []int{224, 672} {
		l := newLight(width, width)
		for i := range l.v {
			l.v[i] = 0.25
		}
		l.sense(newRandom(1, 1), 400, 5)
		side := width / 224
		var sum, squares float64
		for y := range 224 {
			for x := range 224 {
				unit := 0.0
				for i := range side * side {
					unit += float64(l.v[3*((y*side+i/side)*width+x*side+i%side)])
				}
				unit /= float64(side * side)
				sum += unit
				squares += unit * unit
			}
		}
		mean := sum / (224 * 224)
		deviation := math.Sqrt(squares/(224*224) - mean*mean)
		if want := math.Sqrt(100+25) / 400; math.Abs(mean-0.25) > 0.001 || math.Abs(deviation-want) > 0.03*want {
			t.Errorf("%d pixels wide: mean %.4f, deviation %.4f; want 0.25 and %.4f", width, mean, deviation, want)
		}
	}
}

func TestDevelop(t *testing.T) {
	p := image.NewRGBA(image.Rect(0, 0, 256, 1))
	for i := range 256 {
		p.SetRGBA(i, 0, color.RGBA{uint8(i), uint8(255 - i), 7, 255})
	}
	if got := lightOf(p).develop(); !bytes.Equal(got.Pix, p.Pix) {
		t.Error("light and back are other bytes")
	}
}

func TestGlyphs(t *testing.T) {
	for _, text := range []string{"NO SIGNAL", "NO VIDEO", "VIDEO LOSS", "CAMERA OFFLINE", "CAM 01", "FRONT DOOR", "YARD", "CHANNEL 4", "2026-01-01 12:34:56", "789"} {
		for _, letter := range text {
			if _, ok := glyphs[letter]; !ok && letter != ' ' {
				t.Errorf("%q has no glyph for %q", text, letter)
			}
		}
	}
}

func BenchmarkKinds(b *testing.B) {
	scene := testScene()
	for _, k := range Kinds() {
		b.Run(k.Class+"/"+k.Name, func(b *testing.B) {
			for b.Loop() {
				k.Apply(scene, 1)
			}
		})
	}
}
