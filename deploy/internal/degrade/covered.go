package degrade

import (
	"image"
	"math"
)

var coveredKinds = []Kind{
	{Class: "covered", Name: "hand", apply: hand},
	{Class: "covered", Name: "tape", apply: tape},
	{Class: "covered", Name: "cloth", apply: cloth},
	{Class: "covered", Name: "leaf", apply: leaf},
	{Class: "covered", Name: "spider web", apply: web},
	{Class: "covered", Name: "snow", apply: snow},
	{Class: "covered", Name: "cardboard", apply: cardboard},
	{Class: "covered", Name: "spray paint", apply: paint},
	{Class: "covered", Name: "mud", apply: mud},
}

// cover lays something near and out of focus over the picture: mask is what it hides, shade its light, both planes of a pixel a unit.
func (l *light) cover(r random, mask, shade *plane, colour [3]float32) *image.RGBA {
	m, s := l.stretch(mask), l.stretch(shade)
	l.mix(m, func(i int) [3]float32 {
		return [3]float32{colour[0] * s.v[i], colour[1] * s.v[i], colour[2] * s.v[i]}
	})
	l.sense(r, r.between(3000, 10000), 3)
	return l.develop()
}

// rgb is the light of an sRGB colour.
func rgb(red, green, blue float64) [3]float32 {
	return [3]float32{float32(linear(red / 255)), float32(linear(green / 255)), float32(linear(blue / 255))}
}

// edge is a point on the rim of a plane and the direction to its middle, with some error.
func (p *plane) edge(r random) (at, inward point) {
	w, h := float64(p.w), float64(p.h)
	switch r.IntN(4) {
	case 0:
		at = point{0, r.between(0.2, 0.8) * h}
	case 1:
		at = point{w, r.between(0.2, 0.8) * h}
	case 2:
		at = point{r.between(0.2, 0.8) * w, 0}
	default:
		at = point{r.between(0.2, 0.8) * w, h}
	}
	angle := math.Atan2(h/2-at.y, w/2-at.x) + r.between(-0.35, 0.35)
	return at, point{math.Cos(angle), math.Sin(angle)}
}

var skins = [][3]float32{rgb(233, 190, 165), rgb(215, 160, 130), rgb(190, 130, 98), rgb(150, 98, 70), rgb(120, 78, 58)}

// hand is fingers side by side and the palm behind them, close to the lens.
func hand(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	s := l.small()
	root, in := s.edge(r)
	across := point{-in.y, in.x}
	type finger struct {
		from, to point
		a, b     float64
	}
	var fingers []finger
	width := r.between(17, 24)
	for i := range 4 {
		side := (float64(i) - 1.5) * width * r.between(2.0, 2.35)
		reach := r.between(120, 175)
		lean := r.between(-12, 12)
		fingers = append(fingers, finger{
			from: point{root.x + across.x*side, root.y + across.y*side},
			to:   point{root.x + across.x*(side+lean) + in.x*reach, root.y + across.y*(side+lean) + in.y*reach},
			a:    width, b: width * 0.8,
		})
	}
	palm := point{root.x - in.x*20, root.y - in.y*20}
	distance := l.small().fill(func(x, y float64) float64 {
		d := capsule(point{x, y}, palm, point{palm.x + in.x*30, palm.y + in.y*30}, 70, 70)
		for _, f := range fingers {
			d = min(d, capsule(point{x, y}, f.from, f.to, f.a, f.b))
		}
		return d
	})
	mask := distance.below(r.between(0.66, 0.93), r.between(5, 14))
	// A finger is round: light between fingers is weaker, and the hand shades itself.
	soft := clouds(r, s, 70, 2)
	level := r.between(0.5, 0.9)
	shade := s.fill(func(x, y float64) float64 {
		nearest := math.Inf(1)
		for _, f := range fingers {
			nearest = min(nearest, capsule(point{x, y}, f.from, f.to, 0, 0))
		}
		return level * (0.65 + 0.4*math.Exp(-nearest*nearest/(width*width))) * (0.75 + 0.5*soft.at(x, y))
	}).soften(6)
	return l.cover(r, mask, shade, pick(r, skins...))
}

// across is the signed distance from a line through the middle, about, in units.
func across(r random, s *plane) (func(x, y float64) float64, float64) {
	angle := r.between(0, 2*math.Pi)
	cos, sin := math.Cos(angle), math.Sin(angle)
	cx, cy := float64(s.w)*r.between(0.4, 0.6), float64(s.h)*r.between(0.4, 0.6)
	return func(x, y float64) float64 { return (x-cx)*cos + (y-cy)*sin }, angle
}

func tape(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	s := l.small()
	line, _ := across(r, s)
	wave := clouds(r, s, 60, 2)
	distance := l.small().fill(func(x, y float64) float64 { return math.Abs(line(x, y)) + 6*wave.at(x, y) })
	mask := distance.below(r.between(0.68, 0.98), r.between(4, 12))
	streaks := make([]float64, 400)
	for i := range streaks {
		streaks[i] = r.between(-1, 1)
	}
	light := clouds(r, s, 120, 1)
	level, rough := r.between(0.5, 1), r.between(0.02, 0.1)
	shade := s.fill(func(x, y float64) float64 {
		return level * (0.7 + 0.6*light.at(x, y)) * (1 + rough*streaks[int(math.Abs(line(x, y))/2)%len(streaks)])
	}).soften(1.2)
	return l.cover(r, mask, shade, pick(r, rgb(214, 190, 140), rgb(165, 168, 172), rgb(70, 130, 185), rgb(232, 230, 222), rgb(180, 140, 90), rgb(190, 60, 50)))
}

func cloth(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	s := l.small()
	line, _ := across(r, s)
	wave := clouds(r, s, 70, 2)
	distance := l.small().fill(func(x, y float64) float64 { return line(x, y) + 50*wave.at(x, y) })
	mask := distance.below(r.between(0.72, 1), r.between(3, 10))
	folds, _ := across(r, s)
	thread, turn := r.between(3, 5.5), r.between(0, math.Pi)
	cos, sin := math.Cos(turn)*2*math.Pi/thread, math.Sin(turn)*2*math.Pi/thread
	period, depth, weave := r.between(35, 80), r.between(0.15, 0.4), r.between(0.08, 0.25)
	level := r.between(0.5, 0.95)
	shade := s.fill(func(x, y float64) float64 {
		fold := math.Sin(2*math.Pi*folds(x, y)/period + 5*wave.at(x, y))
		knit := math.Sin(x*cos+y*sin) * math.Sin(-x*sin+y*cos)
		return level * (1 - depth/2 + depth/2*fold) * (1 + weave*knit)
	}).soften(r.between(0.5, 1.2))
	return l.cover(r, mask, shade, pick(r, rgb(175, 60, 55), rgb(80, 110, 170), rgb(205, 200, 190), rgb(110, 130, 85), rgb(150, 135, 120), rgb(215, 175, 80), rgb(120, 90, 140)))
}

// leaf hangs before the lens, with the light behind it.
func leaf(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	s := l.small()
	line, angle := across(r, s)
	along := func(x, y float64) float64 {
		return -(x-float64(s.w)/2)*math.Sin(angle) + (y-float64(s.h)/2)*math.Cos(angle)
	}
	wide := r.between(0.55, 0.8)
	distance := l.small().fill(func(x, y float64) float64 {
		u, v := along(x, y), line(x, y)
		t := u / 150 // the tips are at -1 and 1
		return math.Abs(v) - 150*wide*(1-t*t)*(1+0.25*t)
	})
	mask := distance.below(r.between(0.62, 0.9), r.between(3, 9))
	mottled := clouds(r, s, 40, 3)
	slant, apart, level := r.between(0.5, 1.1), r.between(16, 30), r.between(0.4, 1)
	shade := s.fill(func(x, y float64) float64 {
		u, v := along(x, y), math.Abs(line(x, y))
		vein := math.Exp(-v * v / 12)
		side := math.Abs(math.Mod(u-slant*v+1000*apart, apart) - apart/2)
		vein = max(vein, 0.6*math.Exp(-side*side/4))
		return level * (0.7 + 0.4*mottled.at(x, y) + 0.45*vein)
	}).soften(r.between(1.5, 3.5))
	return l.cover(r, mask, shade, pick(r, rgb(95, 140, 50), rgb(70, 115, 55), rgb(140, 160, 60), rgb(170, 110, 50), rgb(120, 145, 80)))
}

// web is strands near the lens, bright in the light of the camera's own lamp or of the sun, and far out of focus.
func web(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	night := r.chance(0.5)
	if night {
		l.fade(1)
		l.exposeTo(0.6, r.between(50, 90), 200)
	}
	s := l.small()
	w, h := float64(s.w), float64(s.h)
	hub := point{r.between(0.2, 0.8) * w, r.between(0.2, 0.8) * h}
	n := r.whole(9, 14)
	type strand struct {
		from, to point
		radius   float64
		bright   float64
	}
	var strands []strand
	thread := func(from, to point, radius, bright float64) {
		strands = append(strands, strand{from, to, radius, bright})
	}
	angles := make([]float64, n)
	for i := range angles {
		angles[i] = (float64(i) + r.between(-0.3, 0.3)) * 2 * math.Pi / float64(n)
	}
	on := func(i int, distance float64) point {
		a := angles[i%n]
		return point{hub.x + distance*math.Cos(a), hub.y + distance*math.Sin(a)}
	}
	thick := r.between(2, 3.6)
	for i := range n {
		thread(on(i, 0), on(i, 320), thick*r.between(0.7, 1.4), r.between(0.6, 1))
	}
	for ring := r.between(14, 22); ring < 220; ring += r.between(15, 24) {
		for i := range n {
			if r.chance(0.85) {
				thread(on(i, ring), on(i+1, ring+r.between(-3, 3)), thick*r.between(0.5, 1.1), r.between(0.45, 0.95))
			}
		}
	}
	mask := l.small().fill(func(x, y float64) float64 {
		open := 1.0
		for _, t := range strands {
			if d := capsule(point{x, y}, t.from, t.to, t.radius, t.radius); d < 5 {
				open *= 1 - t.bright*step((5-d)/8)
			}
		}
		return 1 - open
	})
	// Dust and the silk between the strands scatter light all over.
	haze := clouds(r, s, 60, 2)
	mask.fill(func(x, y float64) float64 {
		return 1 - (1-mask.at(x, y))*(1-0.55*haze.at(x, y))
	})
	level := r.between(0.5, 0.85)
	shade := s.fill(func(float64, float64) float64 { return level })
	colour := [3]float32{1, 1, 1}
	if !night {
		colour = [3]float32{1, 0.97, 0.9}
	}
	return l.cover(r, mask, shade, colour)
}

// snow clings to the dome, thin at its border.
func snow(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	s := l.small()
	line, _ := across(r, s)
	heap, fine := clouds(r, s, 50, 4), clouds(r, s, 5, 2)
	distance := l.small().fill(func(x, y float64) float64 { return line(x, y) + 130*heap.at(x, y) + 10*fine.at(x, y) })
	mask := distance.below(r.between(0.68, 0.97), r.between(5, 14))
	lit := clouds(r, s, 35, 3)
	level := r.between(0.45, 0.8)
	shade := s.fill(func(x, y float64) float64 {
		return level * (0.7 + 0.45*lit.at(x, y) + 0.1*fine.at(x, y))
	})
	return l.cover(r, mask, shade, pick(r, [3]float32{0.86, 0.93, 1}, [3]float32{0.95, 0.97, 1}, [3]float32{0.75, 0.84, 1}))
}

func cardboard(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	s := l.small()
	line, angle := across(r, s)
	mask := l.small().fill(line).below(r.between(0.75, 1), r.between(2, 8))
	ribs := r.between(5, 10)
	turned := r.chance(0.5)
	light := clouds(r, s, 150, 1)
	fibres := clouds(r, s, 3, 1)
	level := r.between(0.45, 1)
	cos, sin := math.Cos(angle), math.Sin(angle)
	if turned {
		cos, sin = -sin, cos
	}
	shade := s.fill(func(x, y float64) float64 {
		return level * (0.65 + 0.6*light.at(x, y)) * (1 + 0.05*math.Sin(2*math.Pi*(x*cos+y*sin)/ribs) + 0.06*(fibres.at(x, y)-0.5))
	}).soften(0.8)
	return l.cover(r, mask, shade, pick(r, rgb(190, 150, 105), rgb(170, 128, 85), rgb(205, 172, 130)))
}

// blotches are where something was thrown or sprayed at the lens, and ran down.
func blotches(r random, s *plane) *plane {
	wave := clouds(r, s, 60, 3)
	cx, cy := float64(s.w)*r.between(0.35, 0.65), float64(s.h)*r.between(0.35, 0.65)
	type drip struct{ x, from, to, wide float64 }
	drips := make([]drip, r.whole(4, 9))
	for i := range drips {
		drips[i] = drip{r.between(0.1, 0.9) * float64(s.w), cy, r.between(0.7, 1.05) * float64(s.h), r.between(2, 5)}
	}
	out := plane{w: s.w, h: s.h, v: make([]float32, len(s.v))}
	return out.fill(func(x, y float64) float64 {
		d := math.Hypot(x-cx, y-cy) - 90 + 110*(wave.at(x, y)-0.5)
		for _, t := range drips {
			d = min(d, capsule(point{x, y}, point{t.x, t.from}, point{t.x, t.to}, t.wide, t.wide))
		}
		return d
	})
}

func paint(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	s := l.small()
	mask := blotches(r, s).below(r.between(0.66, 0.94), r.between(3, 8))
	thin := clouds(r, s, 45, 3)
	level := r.between(0.5, 1)
	shade := s.fill(func(x, y float64) float64 { return level * (0.8 + 0.35*thin.at(x, y)) })
	return l.cover(r, mask, shade, pick(r, rgb(200, 40, 45), rgb(50, 90, 190), rgb(230, 200, 40), rgb(60, 150, 70), rgb(225, 225, 220), rgb(220, 110, 160), rgb(225, 120, 40)))
}

func mud(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	s := l.small()
	mask := blotches(r, s).below(r.between(0.66, 0.95), r.between(3, 10))
	lumps := clouds(r, s, 22, 4)
	level := r.between(0.5, 1.1)
	shade := s.fill(func(x, y float64) float64 { return level * (0.55 + 0.9*lumps.at(x, y)) }).soften(1.5)
	return l.cover(r, mask, shade, pick(r, rgb(115, 88, 62), rgb(135, 110, 82), rgb(98, 80, 60)))
}
