package degrade

import (
	"image"
	"math"
)

var darkKinds = []Kind{
	{Class: "dark", Name: "underexposed", apply: underexposed},
	{Class: "dark", Name: "night with lamps", apply: nightLamps},
	{Class: "dark", Name: "headlights in the black", apply: headlights},
	{Class: "dark", Name: "cap on, light leaks in", apply: lightLeak},
	{Class: "dark", Name: "black frame", apply: blackFrame},
	{Class: "dark", Name: "moonlight", apply: moonlight},
	{Class: "dark", Name: "infrared lamp too weak", apply: weakInfrared},
}

var overexposedKinds = []Kind{
	{Class: "overexposed", Name: "blown highlights", apply: blown},
	{Class: "overexposed", Name: "sun in the lens", apply: sun},
	{Class: "overexposed", Name: "veiling glare", apply: glare},
	{Class: "overexposed", Name: "infrared washout", apply: washout},
	{Class: "overexposed", Name: "iris stuck open", apply: irisOpen},
	{Class: "overexposed", Name: "almost white", apply: almostWhite},
}

func underexposed(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.75, r.between(10, 26), r.between(45, 75))
	l.sense(r, r.between(3000, 9000), r.between(2, 5))
	return l.develop()
}

// lamp adds a light source and what the lens scatters of it. Place and radius are parts of the picture, units; its light is 1 at the rim.
func (l *light) lamp(x, y, radius, halo float64, colour [3]float32) {
	l.each(func(px, py float64, rgb []float32) {
		d := math.Hypot((px-x)*float64(l.w), (py-y)*float64(l.h)) / l.unit
		v := float32(halo / (1 + d*d/(radius*radius*4)))
		if d < 5*radius {
			v += float32(math.Exp(3 * (1 - d/radius)))
		}
		for c := range 3 {
			rgb[c] += v * colour[c]
		}
	})
}

var lampColours = [][3]float32{{1, 0.72, 0.4}, {1, 0.9, 0.75}, {0.8, 0.9, 1}, {1, 0.55, 0.2}}

func nightLamps(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.8, r.between(6, 20), 60)
	for range r.whole(1, 4) {
		l.lamp(r.Float64(), r.between(0.05, 0.6), r.between(1, 3), r.between(0.01, 0.05), pick(r, lampColours...))
	}
	l.sense(r, r.between(3000, 9000), r.between(2, 5))
	return l.develop()
}

func headlights(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.9, r.between(3, 9), 30)
	x, y, apart, radius := r.between(0.15, 0.7), r.between(0.4, 0.75), r.between(0.06, 0.16), r.between(1.5, 4)
	for _, x := range []float64{x, x + apart} {
		l.lamp(x, y, radius, 0.02, lampColours[1])
		l.lamp(x, min(y+r.between(0.12, 0.2), 1), radius*2, 0.004, [3]float32{0.04, 0.04, 0.035}) // on the road
	}
	l.sense(r, r.between(2000, 6000), r.between(3, 6))
	return l.develop()
}

func lightLeak(p *image.RGBA, r random) *image.RGBA {
	l := newLight(p.Rect.Dx(), p.Rect.Dy())
	angle, strength, reach := r.between(0, 2*math.Pi), r.between(0.008, 0.05), r.between(0.08, 0.25)
	cos, sin := math.Cos(angle), math.Sin(angle)
	colour := pick(r, [3]float32{1, 0.5, 0.3}, [3]float32{0.9, 0.9, 1}, [3]float32{1, 0.8, 0.6})
	l.each(func(x, y float64, rgb []float32) {
		inside := 0.5 - ((x-0.5)*cos + (y-0.5)*sin) // 0 about at the rim
		v := strength * math.Exp(-max(inside, 0)/reach)
		for c := range 3 {
			rgb[c] = float32(v)*colour[c] + 0.0006
		}
	})
	l.sense(r, r.between(3000, 9000), r.between(3, 7))
	return l.develop()
}

func blackFrame(p *image.RGBA, r random) *image.RGBA {
	l := newLight(p.Rect.Dx(), p.Rect.Dy())
	level := [3]float32{float32(r.between(0.0003, 0.003)), float32(r.between(0.0003, 0.002)), float32(r.between(0.0003, 0.003))}
	columns := make([]float32, l.w)
	for i := range columns {
		columns[i] = float32(r.NormFloat64() * 0.0004)
	}
	for i := range l.v {
		l.v[i] = level[i%3] + columns[i/3%l.w]
	}
	l.sense(r, r.between(2000, 6000), r.between(2, 6))
	return l.develop()
}

func moonlight(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.8, r.between(16, 34), 80)
	l.fade(float32(r.between(0.5, 0.9)))
	l.tint([3]float32{0.6, 0.85, 1.3})
	black := float32(l.quantile(r.between(0.3, 0.5))) // the black level is set too high
	for i := range l.v {
		l.v[i] = max(l.v[i]-black*0.8, 0)
	}
	l.sense(r, r.between(3000, 9000), r.between(1, 4))
	return l.develop()
}

func weakInfrared(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.fade(1)
	l.exposeTo(0.7, r.between(12, 26), 60)
	cx, cy, reach := r.between(0.35, 0.65), r.between(0.35, 0.65), r.between(0.12, 0.25)
	l.each(func(x, y float64, rgb []float32) {
		v := float32(0.3 + 1.5*math.Exp(-((x-cx)*(x-cx)+(y-cy)*(y-cy))/(reach*reach)))
		for c := range 3 {
			rgb[c] *= v
		}
	})
	l.grain(r, r.between(3000, 9000), r.between(1, 3))
	return l.develop()
}

// grain is noise of a sensor whose channels are one.
func (l *light) grain(r random, electrons, noise float64) {
	white := electrons / (l.unit * l.unit)
	noise /= l.unit
	for i := 0; i < len(l.v); i += 3 {
		v := float32((r.poisson(float64(l.v[i])*white) + r.NormFloat64()*noise) / white)
		l.v[i], l.v[i+1], l.v[i+2] = v, v, v
	}
}

// most is how far an exposure can be wrong: six stops and a half.
const most = 90

// blown clips more than half of the picture.
func blown(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.bloom(0.06, 60)
	l.expose(min(r.between(1.1, 1.5)/l.quantile(r.between(0.2, 0.42)), most))
	l.sense(r, r.between(4000, 12000), 3)
	return l.develop()
}

func sun(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.5, r.between(150, 200), 400)
	x, y := r.between(0.15, 0.85), r.between(0.05, 0.55)
	reach, veil := r.between(0.3, 0.5), r.between(0.45, 0.65)
	spokes, turn := float64(r.whole(5, 9)), r.between(0, math.Pi)
	l.each(func(px, py float64, rgb []float32) {
		dx, dy := px-x, (py-y)*float64(l.h)/float64(l.w)
		d := math.Hypot(dx, dy)
		rays := 1 + 0.5*math.Cos(math.Atan2(dy, dx)*spokes+turn)
		v := float32(veil + 1.6*rays*math.Exp(-d/reach) + 4*math.Exp(-d*d/0.01))
		rgb[0] += v
		rgb[1] += v * 0.97
		rgb[2] += v * 0.88
	})
	for i := range r.whole(2, 4) { // reflections between the lenses lie on the line through the middle
		t := 1.2 + 0.35*float64(i)
		gx, gy, size := x+(0.5-x)*t, y+(0.5-y)*t, r.between(0.02, 0.07)
		colour := pick(r, [3]float32{0.3, 0.1, 0.4}, [3]float32{0.1, 0.35, 0.2}, [3]float32{0.35, 0.25, 0.05})
		l.each(func(px, py float64, rgb []float32) {
			if math.Hypot(px-gx, (py-gy)*float64(l.h)/float64(l.w)) < size {
				for c := range 3 {
					rgb[c] += colour[c]
				}
			}
		})
	}
	return l.develop()
}

// glare is light from beside the picture that a dirty or scratched dome spreads all over it.
func glare(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.5, 120, 250)
	angle, veil, slope := r.between(0, 2*math.Pi), r.between(0.84, 0.95), r.between(0.02, 0.15)
	cos, sin := math.Cos(angle), math.Sin(angle)
	kept := float32(r.between(0.1, 0.22))
	colour := pick(r, [3]float32{1, 1, 1}, [3]float32{1, 0.97, 0.9}, [3]float32{0.95, 0.98, 1})
	l.each(func(x, y float64, rgb []float32) {
		v := float32(veil + slope*((x-0.5)*cos+(y-0.5)*sin+0.5))
		for c := range 3 {
			rgb[c] = rgb[c]*kept + v*colour[c]
		}
	})
	l.sense(r, 8000, 3)
	return l.develop()
}

// washout is the lamp of a night camera on something near.
func washout(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.fade(1)
	l.exposeTo(0.5, r.between(120, 160), 250)
	x, y, reach := r.between(0.3, 0.7), r.between(0.35, 0.7), r.between(0.42, 0.55)
	peak := r.between(25, 60)
	l.each(func(px, py float64, rgb []float32) {
		d := ((px-x)*(px-x) + (py-y)*(py-y)) / (reach * reach)
		v := float32(0.25 + peak*math.Exp(-d*2.2))
		for c := range 3 {
			rgb[c] = rgb[c]*v + 0.02*v
		}
	})
	l.bloom(0.15, 12)
	l.grain(r, 4000, 3)
	return l.develop()
}

// irisOpen clips the channels one after the other, and what clipped spills over.
func irisOpen(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.bloom(0.06, 60)
	l.expose(min(r.between(1.1, 1.4)/l.quantile(r.between(0.25, 0.42)), most))
	l.tint(pick(r, [3]float32{1.2, 1, 0.85}, [3]float32{0.9, 1.1, 1}, [3]float32{1.1, 0.95, 1.1}))
	for i := range l.v {
		l.v[i] = min(l.v[i], 6)
	}
	l.bloom(r.between(0.15, 0.35), r.between(6, 20))
	return l.develop()
}

func almostWhite(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.5, 128, 250)
	floor := r.between(0.86, 0.97)
	l.each(func(_, _ float64, rgb []float32) {
		for c := range 3 {
			rgb[c] = float32(floor) + 0.25*rgb[c]
		}
	})
	l.soften(r.between(0, 2))
	l.sense(r, 8000, 2)
	return l.develop()
}
