package degrade

import (
	"image"
	"math"
)

var blurredKinds = []Kind{
	{Class: "blurred", Name: "out of focus", Fine: true, apply: outOfFocus},
	{Class: "blurred", Name: "soft lens", Fine: true, apply: softLens},
	{Class: "blurred", Name: "straight motion", Fine: true, apply: straightMotion},
	{Class: "blurred", Name: "shaking mast", Fine: true, apply: shakingMast},
	{Class: "blurred", Name: "raindrops", Fine: true, apply: raindrops},
	{Class: "blurred", Name: "greasy dome", Fine: true, apply: grease},
	{Class: "blurred", Name: "condensation", Fine: true, apply: condensation},
}

func outOfFocus(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.defocus(r.between(4.5, 10))
	l.sense(r, r.between(4000, 12000), 3)
	return l.develop()
}

func softLens(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.soften(r.between(2.5, 6))
	l.sense(r, r.between(4000, 12000), 3)
	return l.develop()
}

func straightMotion(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	length, angle := r.between(14, 34), r.between(0, math.Pi)
	var path []point
	for t := -0.5; t <= 0.5; t += 1 / (length * l.unit) {
		path = append(path, point{t * length * math.Cos(angle), t * length * math.Sin(angle)})
	}
	l.shake(path)
	l.soften(0.5)
	l.sense(r, r.between(4000, 12000), 3)
	return l.develop()
}

// shakingMast swings both ways at once, a Lissajous figure.
func shakingMast(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	ax, ay := r.between(5, 11), r.between(4, 9)
	fx, fy, phase := r.between(0.6, 1.6), r.between(0.6, 1.6), r.between(0, 2*math.Pi)
	path := make([]point, 60)
	for i := range path {
		t := 2 * math.Pi * float64(i) / float64(len(path))
		path[i] = point{ax * math.Sin(fx*t), ay * math.Sin(fy*t+phase)}
	}
	l.shake(path)
	l.soften(0.6)
	l.sense(r, r.between(4000, 12000), 3)
	return l.develop()
}

// raindrops on the front: each is a lens that shows the scene small and upside down, and what is seen between them is soft.
func raindrops(p *image.RGBA, r random) *image.RGBA {
	sharp := lightOf(p)
	l := sharp.copy()
	l.defocus(r.between(3.5, 5.5))
	far := sharp.copy()
	far.defocus(5)
	w, h := float64(l.w)/l.unit, float64(l.h)/l.unit
	for range r.whole(30, 60) {
		cx, cy, radius := r.between(0, w), r.between(0, h), r.between(5, 17)
		stretched := r.between(1, 1.4)
		x0, x1 := int(max(0, (cx-radius-2)*l.unit)), int(min(float64(l.w), (cx+radius+2)*l.unit))
		y0, y1 := int(max(0, (cy-radius*1.5-2)*l.unit)), int(min(float64(l.h), (cy+radius*1.5+2)*l.unit))
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				dx, dy := (float64(x)/l.unit-cx)/radius, (float64(y)/l.unit-cy)/(radius*stretched)
				d := math.Hypot(dx, dy)
				inside := float32(step((1 - d) * radius / 4))
				if inside == 0 {
					continue
				}
				bend := 2.2 + 2*d*d
				rgb := far.at((cx-dx*radius*bend)*l.unit, (cy-dy*radius*bend)*l.unit)
				rim := float32(1 - 0.55*step((d-0.6)*2.5) + 0.25*step((-dy-0.2)*1.2)) // dark at the rim, the sky from below
				for c := range 3 {
					at := 3*(y*l.w+x) + c
					l.v[at] += inside * (rgb[c]*rim - l.v[at])
				}
			}
		}
	}
	l.soften(1.2)
	return l.develop()
}

// grease is wiped over the dome: the scene smears across the strokes, and lights grow.
func grease(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	angle, length := r.between(0, math.Pi), r.between(10, 22)
	smeared := l.copy()
	var path []point
	for t := -0.5; t <= 0.5; t += 1 / (length * l.unit) {
		path = append(path, point{t * length * math.Cos(angle), t * length * math.Sin(angle)})
	}
	smeared.shake(path)
	smeared.soften(r.between(1.8, 3.2))
	smeared.bloom(0.12, 14)
	patches := clouds(r, l.small(), r.between(40, 80), 2).below(r.between(0.8, 0.97), 0.12)
	mask := l.stretch(patches)
	l.soften(1.2)
	l.mix(mask, func(i int) [3]float32 { return [3]float32(smeared.v[3*i : 3*i+3]) })
	l.sense(r, 8000, 3)
	return l.develop()
}

// condensation is fog on the inside: all is soft and pale, and here and there water has run down.
func condensation(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	clearer := l.copy()
	clearer.soften(3)
	l.soften(r.between(4.5, 9))
	pale := float32(r.between(0.15, 0.35))
	mean := float32(max(l.quantile(0.6), 0.12))
	for i := range l.v {
		l.v[i] += pale * (mean - l.v[i])
	}
	s := l.small()
	tracks := s.fill(func(float64, float64) float64 { return 0 })
	for range r.whole(0, 3) {
		x, top, wide := r.between(0, float64(s.w)), r.between(0, float64(s.h)/2), r.between(1.5, 3.5)
		sway := r.between(1, 4)
		tracks.fill(func(px, py float64) float64 {
			if py < top {
				return tracks.at(px, py)
			}
			return max(tracks.at(px, py), step((wide+1-math.Abs(px-x-sway*math.Sin(py/25)))/2))
		})
	}
	l.mix(l.stretch(tracks.soften(1.5)), func(i int) [3]float32 { return [3]float32(clearer.v[3*i : 3*i+3]) })
	l.sense(r, 8000, 3)
	return l.develop()
}
