package street

import "math"

// A solid is a convex polyhedron or an ellipsoid, and what it is made of.
type solid struct {
	planes []plane // polyhedron: their inner sides; or
	center vec     // ellipsoid
	radii  vec
	paint  paint
}

// A plane bounds what lies where normal.p <= at.
type plane struct {
	normal vec
	at     float64
}

// A paint says what a surface looks like at a place: its albedo, and how much
// of the sky it mirrors.
type paint func(p, normal vec) (albedo vec, gloss float64)

// box is one from low to high.
func box(low, high vec, p paint) solid {
	return solid{paint: p, planes: []plane{
		{vec{1, 0, 0}, high.x}, {vec{-1, 0, 0}, -low.x}, {vec{0, 1, 0}, high.y}, {vec{0, -1, 0}, -low.y}, {vec{0, 0, 1}, high.z}, {vec{0, 0, -1}, -low.z},
	}}
}

// cut takes off what lies beyond a plane through a point.
func (s solid) cut(through, normal vec) solid {
	n := normal.unit()
	s.planes = append(s.planes[:len(s.planes):len(s.planes)], plane{n, n.dot(through)})
	return s
}

func ball(center, radii vec, p paint) solid { return solid{center: center, radii: radii, paint: p} }

// moved is the solid elsewhere.
func (s solid) moved(by vec) solid {
	s.center = s.center.add(by)
	planes := make([]plane, len(s.planes))
	for i, p := range s.planes {
		planes[i] = plane{p.normal, p.at + p.normal.dot(by)}
	}
	s.planes = planes
	paint := s.paint
	s.paint = func(p, n vec) (vec, float64) { return paint(p.sub(by), n) }
	return s
}

// hit gives how far along the ray the solid begins, and its normal there; far
// if it is not nearer than that.
func (s *solid) hit(from, dir vec, far float64) (float64, vec) {
	if len(s.planes) == 0 {
		o := from.sub(s.center)
		o, d := vec{o.x / s.radii.x, o.y / s.radii.y, o.z / s.radii.z}, vec{dir.x / s.radii.x, dir.y / s.radii.y, dir.z / s.radii.z}
		a, b, c := d.dot(d), o.dot(d), o.dot(o)-1
		root := b*b - a*c
		if root < 0 {
			return far, vec{}
		}
		t := (-b - math.Sqrt(root)) / a
		if t < 1e-4 || t >= far {
			return far, vec{}
		}
		n := o.add(d.scale(t))
		return t, vec{n.x / s.radii.x, n.y / s.radii.y, n.z / s.radii.z}.unit()
	}
	enter, leave := 1e-4, far
	var normal vec
	for _, p := range s.planes {
		toward, left := p.normal.dot(dir), p.at-p.normal.dot(from)
		switch {
		case toward < 0:
			if t := left / toward; t > enter {
				enter, normal = t, p.normal
			}
		case toward > 0:
			leave = math.Min(leave, left/toward)
		case left < 0:
			return far, vec{}
		}
		if enter >= leave {
			return far, vec{}
		}
	}
	if normal == (vec{}) { // the ray begins within
		return far, vec{}
	}
	return enter, normal
}

// A thing is some solids in a sphere, which is what a ray is tested against
// first.
type thing struct {
	solids []solid
	center vec
	radius float64
}

func (g *thing) moved(by vec) *thing {
	m := &thing{center: g.center.add(by), radius: g.radius}
	for _, s := range g.solids {
		m.solids = append(m.solids, s.moved(by))
	}
	return m
}

// near says whether a ray passes through the thing's sphere.
func (g *thing) near(from, dir vec) bool {
	o := g.center.sub(from)
	along := o.dot(dir)
	return along > -g.radius && o.dot(o)-along*along < g.radius*g.radius
}

// hit is that of its nearest solid; nil if none is nearer than far.
func (g *thing) hit(from, dir vec, far float64) (float64, vec, *solid) {
	if !g.near(from, dir) {
		return far, vec{}, nil
	}
	var normal vec
	var what *solid
	for i := range g.solids {
		if t, n := g.solids[i].hit(from, dir, far); t < far {
			far, normal, what = t, n, &g.solids[i]
		}
	}
	return far, normal, what
}

// blocks says whether a ray hits the thing at all.
func (g *thing) blocks(from, dir vec) bool {
	if !g.near(from, dir) {
		return false
	}
	for i := range g.solids {
		if t, _ := g.solids[i].hit(from, dir, math.Inf(1)); !math.IsInf(t, 1) {
			return true
		}
	}
	return false
}
