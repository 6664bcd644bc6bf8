package street

import (
	"math"
	"math/rand/v2"
	"time"
)

// What the street is made of, from the garden to the horizon: distances from
// the camera in metres.
const (
	lawn       = 8.6 // ends here
	pavement   = 9.0
	kerb       = 11.0
	road       = 11.15
	far        = 18.5 // the pavement over there
	gardens    = 20.5
	facades    = 26.0
	nearLane   = 12.9
	farLane    = 16.7
	laneMiddle = 14.85
)

func ground(p, _ vec) (vec, float64) {
	fine := noise(p.scale(27))
	rough := fractal(p.scale(0.7), 4)
	switch {
	case p.y > pavement && p.y < kerb, p.y > far && p.y < gardens:
		c := vec{0.33, 0.31, 0.29}.scale(1 + 0.25*rough + 0.12*fine + 0.12*(hash(int(math.Floor(p.x/0.6)), int(math.Floor(p.y/0.6)), 3)-0.5))
		if math.Mod(p.x+600, 0.6) < 0.025 || math.Mod(p.y-pavement, 0.6) < 0.025 {
			c = c.scale(0.55)
		}
		return c, 0
	case p.y >= kerb && p.y < road:
		return vec{0.45, 0.44, 0.42}.scale(1 + 0.15*fine), 0
	case p.y >= road && p.y < far:
		c := vec{0.105, 0.105, 0.11}.scale(1 + 0.45*rough + 0.3*fine)
		tyres := math.Abs(math.Mod(p.y-road+0.35, 1.75) - 0.87)
		c = c.scale(1 + 0.18*smooth(0.2, 0.8, tyres))
		if hash(int(math.Floor(p.x/5)), int(math.Floor(p.y/2.2)), 9) > 0.85 {
			c = c.scale(0.72) // mended
		}
		if math.Abs(p.y-laneMiddle) < 0.07 && math.Mod(p.x+600, 6) < 3 {
			c = c.mix(vec{0.62, 0.61, 0.58}, 0.85+0.4*fine)
		}
		return c, 0.03
	}
	c := vec{0.075, 0.13, 0.035}.mix(vec{0.17, 0.17, 0.06}, clamp(0.35+rough, 0, 1))
	blades := noise(vec{p.x * 55, p.y * 18, 0.5})
	return c.scale(math.Max(0.25, 1+0.45*fine+0.4*blades)), 0
}

func plain(c vec, gloss float64) paint {
	return func(p, _ vec) (vec, float64) { return c.scale(1 + 0.08*fractal(p.scale(2), 3)), gloss }
}

// standing is all that does not move.
func standing() []*thing {
	random := rand.New(rand.NewPCG(7, 11))
	var all []*thing
	add := func(center vec, radius float64, solids ...solid) {
		all = append(all, &thing{solids, center, radius})
	}

	// The garden's fence.
	wood := func(p, n vec) (vec, float64) {
		grain := noise(vec{p.x * 40, p.y * 40, p.z * 3})
		return vec{0.36, 0.25, 0.16}.scale(1 + 0.3*grain + 0.25*(hash(int(math.Floor(p.x/0.16)), 0, 0)-0.5)), 0
	}
	for x := -12.; x < 12; x += 2 {
		var boards []solid
		for b := 0.; b < 2; b += 0.16 {
			if x+b > 0.6 && x+b < 1.9 {
				continue // the gate is open
			}
			top := 0.88 + 0.03*random.Float64()
			boards = append(boards, box(vec{x + b, lawn - 0.02, 0.06}, vec{x + b + 0.11, lawn, top}, wood))
		}
		boards = append(boards, box(vec{x, lawn, 0.25}, vec{x + 2, lawn + 0.04, 0.33}, wood), box(vec{x, lawn, 0.65}, vec{x + 2, lawn + 0.04, 0.73}, wood))
		if x == 0 {
			boards = boards[:len(boards)-2]
		}
		add(vec{x + 1, lawn, 0.5}, 1.3, boards...)
	}

	// Houses, wall to wall.
	walls := []vec{{0.50, 0.24, 0.17}, {0.68, 0.62, 0.50}, {0.46, 0.40, 0.36}, {0.62, 0.60, 0.58}, {0.52, 0.28, 0.20}, {0.66, 0.55, 0.38}, {0.42, 0.22, 0.17}}
	for i, wall := range walls {
		x, high := -34+9.5*float64(i), 5.0+0.9*random.Float64()
		y := facades + 1.5*random.Float64()
		low, top := vec{x, y, 0}, vec{x + 9.5, y + 8, high}
		roof := box(vec{x - 0.1, y - 0.5, high}, vec{x + 9.6, y + 8.5, high + 3.4}, tiles(random.Float64()))
		roof = roof.cut(vec{x, y - 0.5, high + 0.1}, vec{0, -0.62, 1}).cut(vec{x, y + 8.5, high + 0.1}, vec{0, 0.62, 1})
		chimney := box(vec{x + 1.2, y + 3.2, high + 1}, vec{x + 2, y + 4, high + 3.9}, bricks(vec{0.40, 0.20, 0.15}, low))
		add(vec{x + 4.7, y + 4, 3.5}, 9, box(low, top, facade(wall, low, i)), roof, chimney)
	}

	// Trees, a hedge, and woods behind the houses.
	all = append(all, tree(random, vec{-6.2, 10.3, 0}, 3.3, 1.75), tree(random, vec{9.6, 19.4, 0}, 4.4, 2.3), tree(random, vec{-13.5, 22.3, 0}, 4.8, 2.6), tree(random, vec{1.5, 23, 0}, 3.6, 1.8))
	for x := -22.; x < 22; x += 4.2 {
		if random.Float64() < 0.3 {
			continue
		}
		var leaves []solid
		for range 90 {
			p := vec{x + 3.4*random.Float64(), 21 + 0.7*random.Float64(), 1.2 * math.Sqrt(random.Float64())}
			r := 0.16 + 0.14*random.Float64()
			leaves = append(leaves, ball(p, vec{r, r, r * 0.8}, foliage(vec{x + 1.7, 21.4, 0.4}, 1.9, 0.9)))
		}
		add(vec{x + 1.7, 21.4, 0.6}, 2.3, leaves...)
	}
	for x := -70.; x < 70; x += 5 {
		y, r := 48+14*random.Float64(), 4+2.5*random.Float64()
		p := vec{x, y, r}
		add(p, 1.4*r, ball(p, vec{r, r, r * 1.3}, foliage(p, r, 0.5)), ball(p.add(vec{2.4, -1, -1}), vec{r * 0.7, r * 0.7, r}, foliage(p, r, 0.5)))
	}

	// A lamp post, bins at the fence, and a car at the other kerb.
	steel := plain(vec{0.22, 0.24, 0.25}, 0.1)
	add(vec{5.4, 10.75, 3}, 3.4, box(vec{5.35, 10.7, 0}, vec{5.45, 10.8, 5.6}, steel), box(vec{5.3, 10.75, 5.5}, vec{5.5, 12, 5.62}, steel))
	bin := func(x float64, c vec) {
		add(vec{x, 8.1, 0.5}, 0.9, box(vec{x - 0.28, 7.8, 0.05}, vec{x + 0.28, 8.4, 0.95}, plain(c, 0.06)).cut(vec{x, 7.8, 0.1}, vec{0, -1, -0.12}),
			box(vec{x - 0.31, 7.74, 0.95}, vec{x + 0.31, 8.44, 1.03}, plain(c.scale(0.7), 0.06)))
	}
	bin(3.1, vec{0.05, 0.06, 0.07})
	bin(3.85, vec{0.06, 0.14, 0.30})
	all = append(all, car(vec{0.10, 0.13, 0.20}).moved(vec{-5.2, 17.9, 0}))
	return all
}

func bricks(c, origin vec) paint {
	return func(p, n vec) (vec, float64) {
		q := p.sub(origin)
		along := q.x
		if math.Abs(n.x) > 0.5 {
			along = q.y
		}
		course := int(math.Floor(q.z / 0.085))
		along += 0.12 * float64(course&1)
		if math.Mod(q.z, 0.085) < 0.014 || math.Mod(along+100, 0.24) < 0.014 {
			return vec{0.44, 0.42, 0.38}, 0
		}
		return c.scale(0.85 + 0.4*hash(int(math.Floor(along/0.24)), course, 5) + 0.3*fractal(p.scale(0.6), 4)), 0
	}
}

// facade has windows, a door, and streaks of rain.
func facade(c, origin vec, number int) paint {
	wall := bricks(c, origin)
	if number%2 == 1 {
		wall = func(p, _ vec) (vec, float64) {
			return c.scale(1 + 0.16*fractal(p.scale(0.9), 5) + 0.05*noise(p.scale(30)) - 0.1*smooth(1, 0, p.z)), 0
		}
	}
	white := vec{0.72, 0.71, 0.68}
	return func(p, n vec) (vec, float64) {
		q := p.sub(origin)
		if n.y > -0.5 {
			return wall(p, n)
		}
		if door := q.x - 7.2; q.z < 2.15 && door > 0 && door < 1.1 {
			switch {
			case door < 0.08, door > 1.02, q.z > 2.06:
				return white, 0
			case q.z > 1.5 && door > 0.3 && door < 0.8:
				return vec{0.03, 0.035, 0.04}, 0.5
			}
			return vec{0.10 + 0.3*hash(number, 1, 0), 0.10 + 0.12*hash(number, 2, 0), 0.12 + 0.2*hash(number, 3, 0)}.scale(1 + 0.1*noise(p.scale(4))), 0.06
		}
		column, row := math.Floor(q.x/3.1), math.Floor((q.z-0.2)/2.5)
		x, z := q.x-3.1*column-0.85, q.z-2.5*row-1.05
		if x < 0 || x > 1.4 || z < 0 || z > 1.35 || column > 2 || row > 1 || row == 0 && column == 2 {
			c, gloss := wall(p, n)
			if z < 0 && z > -0.12 && x > -0.1 && x < 1.5 && row < 2 && column < 3 {
				c = white.scale(0.85) // the sill
			}
			return c.scale(1 - 0.25*smooth(0.25, 0, math.Abs(p.z-origin.z-5.2))), gloss
		}
		if x < 0.08 || x > 1.32 || z < 0.08 || z > 1.27 || math.Abs(x-0.7) < 0.03 || math.Abs(z-0.9) < 0.025 {
			return white, 0.05
		}
		if curtain := math.Abs(x-0.7) - 0.28 - 0.3*hash(number, int(column), int(row)); curtain > 0 {
			return vec{0.45, 0.42, 0.38}.scale(0.8 + 0.3*math.Sin(x*60)), 0.3
		}
		return vec{0.025, 0.028, 0.03}, 0.6
	}
}

func tiles(shade float64) paint {
	c := vec{0.30, 0.14, 0.10}.mix(vec{0.16, 0.15, 0.16}, shade)
	return func(p, n vec) (vec, float64) {
		if n.z < 0.3 {
			return vec{0.5, 0.48, 0.45}, 0
		}
		row := math.Floor(p.z / 0.16)
		x := p.x + 0.15*math.Mod(row, 2)
		return c.scale((0.7 + 0.35*hash(int(math.Floor(x/0.3)), int(row), 2) + 0.4*fractal(p.scale(0.5), 4)) * (0.6 + 0.4*smooth(0, 0.05, p.z-0.16*row))), 0.02
	}
}

// foliage is darker within a crown than at its rim.
func foliage(center vec, radius, deep float64) paint {
	return func(p, _ vec) (vec, float64) {
		d := p.sub(center)
		rim := math.Sqrt(d.dot(d)) / radius
		c := vec{0.06, 0.12, 0.03}.mix(vec{0.16, 0.20, 0.05}, clamp(0.5+0.9*fractal(p.scale(1.3), 3), 0, 1))
		leaves := 1 + 0.6*noise(p.scale(11)) + 0.4*noise(p.scale(23))
		return c.scale(math.Max(0.15, leaves) * (1 - deep + deep*smooth(0.3, 1.1, rim))), 0.02
	}
}

func tree(random *rand.Rand, foot vec, high, radius float64) *thing {
	bark := func(p, _ vec) (vec, float64) {
		return vec{0.20, 0.16, 0.12}.scale(1 + 0.5*noise(vec{p.x * 20, p.y * 20, p.z * 4})), 0
	}
	center := foot.add(vec{0, 0, high})
	trunk := ball(foot.add(vec{0, 0, high * 0.4}), vec{0.17, 0.17, high * 0.75}, bark)
	t := &thing{center: foot.add(vec{0, 0, high * 0.75}), radius: high*0.75 + radius, solids: []solid{trunk}}
	for range 200 {
		d := vec{random.NormFloat64(), random.NormFloat64(), random.NormFloat64()}.unit().scale(radius * math.Cbrt(0.15+0.85*random.Float64()))
		d.z *= 0.85
		r := radius * (0.09 + 0.08*random.Float64())
		t.solids = append(t.solids, ball(center.add(d), vec{r, r, r * 0.75}, foliage(center, radius, 0.75)))
	}
	return t
}

// car stands at the origin and looks to the right.
func car(c vec) *thing {
	lacquer := func(p, n vec) (vec, float64) {
		switch {
		case p.x > 2.02 && p.z > 0.58 && p.z < 0.76 && math.Abs(p.y) > 0.45:
			return vec{0.8, 0.8, 0.75}, 0.4
		case p.x < -2.02 && p.z > 0.6 && p.z < 0.8 && math.Abs(p.y) > 0.5:
			return vec{0.5, 0.02, 0.02}, 0.3
		case math.Abs(p.x+0.15) < 0.012 || math.Abs(p.x-0.95) < 0.012 || p.z < 0.36:
			return c.scale(0.25), 0.05 // doors and sill
		case math.Abs(p.y) > 0.8 && p.z < 0.72:
			for _, w := range wheels {
				if d := p.sub(w); d.x*d.x+d.z*d.z < 0.4*0.4 {
					return vec{0.012, 0.012, 0.012}, 0
				}
			}
		}
		return c, 0.35
	}
	cabin := func(p, n vec) (vec, float64) {
		if n.z > 0.93 || p.z > 1.41 || math.Abs(p.x+0.2) < 0.05 || p.x < -1.0 && math.Abs(n.y) > 0.5 {
			return c, 0.35
		}
		return vec{0.02, 0.022, 0.025}, 0.75
	}
	rubber := func(p, _ vec) (vec, float64) {
		for _, w := range wheels {
			if d := p.sub(w); d.x*d.x+d.z*d.z < 0.21*0.21 && math.Abs(d.x) < 0.3 {
				spoke := math.Cos(5 * math.Atan2(d.z, d.x))
				return vec{0.42, 0.42, 0.43}.scale(0.55 + 0.45*smooth(-0.4, 0.2, spoke)), 0.2
			}
		}
		return vec{0.018, 0.018, 0.019}, 0.02
	}
	t := &thing{center: vec{0, 0, 0.7}, radius: 2.45, solids: []solid{
		box(vec{-2.15, -0.87, 0.26}, vec{2.15, 0.87, 0.95}, lacquer).cut(vec{2.15, 0, 0.62}, vec{1, 0, 0.7}).cut(vec{1.2, 0, 0.95}, vec{0.12, 0, 1}).
			cut(vec{-2.15, 0, 0.75}, vec{-1, 0, 0.5}).cut(vec{0, -0.87, 0.6}, vec{0, -1, 0.25}).cut(vec{0, 0.87, 0.6}, vec{0, 1, 0.25}),
		box(vec{-1.75, -0.8, 0.9}, vec{1.2, 0.8, 1.47}, cabin).cut(vec{1.2, 0, 0.9}, vec{0.75, 0, 1}).cut(vec{-1.75, 0, 0.95}, vec{-1, 0, 0.85}).
			cut(vec{0, -0.8, 0.95}, vec{0, -1, 0.32}).cut(vec{0, 0.8, 0.95}, vec{0, 1, 0.32}),
	}}
	for _, w := range wheels {
		t.solids = append(t.solids, ball(w, vec{0.33, 0.16, 0.33}, rubber))
	}
	return t
}

var wheels = []vec{{-1.33, -0.76, 0.33}, {1.38, -0.76, 0.33}, {-1.33, 0.76, 0.33}, {1.38, 0.76, 0.33}}

// walker is a person at the origin who walks to the right; step says how far
// he has come.
func walker(jacket, trousers vec, step float64) *thing {
	swing := 0.24 * math.Sin(step*math.Pi/0.75)
	cloth := func(c vec) paint {
		return func(p, _ vec) (vec, float64) { return c.scale(1 + 0.3*fractal(p.scale(9), 3)), 0 }
	}
	skin := plain(vec{0.46, 0.29, 0.21}, 0.03)
	return &thing{center: vec{0, 0, 0.9}, radius: 1, solids: []solid{
		ball(vec{0.02, 0, 1.62}, vec{0.10, 0.09, 0.13}, skin), ball(vec{-0.015, 0, 1.67}, vec{0.105, 0.1, 0.1}, cloth(vec{0.06, 0.04, 0.03})),
		ball(vec{0, 0, 1.2}, vec{0.15, 0.2, 0.33}, cloth(jacket)), ball(vec{0, 0, 0.95}, vec{0.14, 0.18, 0.16}, cloth(trousers)),
		ball(vec{-swing * 0.7, -0.22, 1.1}, vec{0.07, 0.06, 0.3}, cloth(jacket)), ball(vec{swing * 0.7, 0.22, 1.1}, vec{0.07, 0.06, 0.3}, cloth(jacket)),
		ball(vec{swing * 0.5, -0.09, 0.68}, vec{0.09, 0.085, 0.28}, cloth(trousers)), ball(vec{-swing * 0.5, 0.09, 0.68}, vec{0.09, 0.085, 0.28}, cloth(trousers)),
		ball(vec{swing, -0.09, 0.3}, vec{0.07, 0.07, 0.28}, cloth(trousers)), ball(vec{-swing, 0.09, 0.3}, vec{0.07, 0.07, 0.28}, cloth(trousers)),
		ball(vec{swing + 0.06, -0.09, 0.05}, vec{0.14, 0.05, 0.05}, cloth(vec{0.04, 0.03, 0.03})), ball(vec{-swing + 0.06, 0.09, 0.05}, vec{0.14, 0.05, 0.05}, cloth(vec{0.04, 0.03, 0.03})),
	}}
}

// Everybody passes once a Period, is in the middle at such a second, and goes
// to the right at so many metres a second, or to the left.
var traffic = []struct {
	lane, at, speed float64
	thing           func(gone float64) *thing
}{
	{nearLane, 1, 7, func(float64) *thing { return car(vec{0.42, 0.03, 0.03}) }},
	{farLane, 6, -8, func(float64) *thing { return car(vec{0.62, 0.62, 0.60}) }},
	{nearLane, 15, 6, func(float64) *thing { return car(vec{0.03, 0.10, 0.28}) }},
	{farLane, 19.5, -7, func(float64) *thing { return car(vec{0.28, 0.29, 0.30}) }},
	{nearLane, 26.5, 8, func(float64) *thing { return car(vec{0.55, 0.45, 0.06}) }},
	{farLane, 33, -6, func(float64) *thing { return car(vec{0.05, 0.16, 0.09}) }},
	{nearLane, 40, 7, func(float64) *thing { return car(vec{0.60, 0.60, 0.58}) }},
	{10.1, 8, 1.4, func(gone float64) *thing { return walker(vec{0.30, 0.05, 0.05}, vec{0.05, 0.06, 0.10}, gone) }},
	{9.5, 30, -1.3, func(gone float64) *thing { return walker(vec{0.07, 0.10, 0.16}, vec{0.16, 0.14, 0.11}, gone) }},
}

// passing is who is there at a time.
func passing(at time.Duration) []*thing {
	var all []*thing
	for _, p := range traffic {
		period := Period.Seconds()
		since := math.Mod(at.Seconds()-p.at+1.5*period, period) - period/2
		x := p.speed * since
		if math.Abs(x) > 40 {
			continue
		}
		t := p.thing(math.Abs(x))
		if p.speed < 0 {
			t = t.turned()
		}
		all = append(all, t.moved(vec{x, p.lane, 0}))
	}
	return all
}

// turned looks the other way.
func (g *thing) turned() *thing {
	flip := func(p vec) vec { return vec{-p.x, p.y, p.z} }
	t := &thing{center: flip(g.center), radius: g.radius}
	for _, s := range g.solids {
		s.center = flip(s.center)
		planes := make([]plane, len(s.planes))
		for i, p := range s.planes {
			planes[i] = plane{flip(p.normal), p.at}
		}
		s.planes = planes
		paint := s.paint
		s.paint = func(p, n vec) (vec, float64) { return paint(flip(p), flip(n)) }
		t.solids = append(t.solids, s)
	}
	return t
}
