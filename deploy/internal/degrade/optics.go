package degrade

import (
	"math"
	"slices"
)

// soften blurs with a Gaussian of sigma units: three boxes make one.
func (l *light) soften(sigma float64) { boxes(l.v, l.w, l.h, 3, sigma*l.unit) }

// boxes blurs n interleaved channels, sigma in pixels. Beyond the edges lies what is at the edge.
func boxes(v []float32, w, h, n int, sigma float64) {
	// A box of width b has the variance (b*b - 1) / 12.
	radius := (math.Sqrt(4*sigma*sigma+1) - 1) / 2
	if radius < 0.05 {
		return
	}
	line := make([]float32, max(w, h)+1)
	for range 3 {
		for y := range h {
			for c := range n {
				box(v[y*w*n+c:], w, n, radius, line)
			}
		}
		for x := range w {
			for c := range n {
				box(v[x*n+c:], h, w*n, radius, line)
			}
		}
	}
}

// box takes the mean of what lies within a radius, which need not be whole, of each of n values that are step apart.
func box(v []float32, n, step int, radius float64, line []float32) {
	for i := range n {
		line[i] = v[i*step]
	}
	line = line[:n]
	whole := int(radius)
	part := float32(radius - float64(whole))
	scale := 1 / (2*float32(radius) + 1)
	sum := float32(0)
	for i := -whole; i <= whole; i++ {
		sum += line[min(max(i, 0), n-1)]
	}
	for i := range n {
		before, after := line[max(i-whole-1, 0)], line[min(i+whole+1, n-1)]
		v[i*step] = (sum + part*(before+after)) * scale
		sum += after - line[max(i-whole, 0)]
	}
}

// defocus spreads each point to a disc, as a round aperture does; the radius is in units.
func (l *light) defocus(radius float64) {
	radius *= l.unit
	r := int(radius)
	sum, weight := make([]float32, len(l.v)), make([]float32, l.w*l.h)
	prefix := make([]float32, 3*(l.w+1))
	for y := range l.h {
		row := l.v[3*y*l.w:]
		for i := range 3 * l.w {
			prefix[i+3] = prefix[i] + row[i]
		}
		for dy := max(-r, -y); dy <= min(r, l.h-1-y); dy++ {
			half := int(math.Sqrt(radius*radius - float64(dy*dy)))
			at := (y + dy) * l.w
			for x := range l.w {
				from, to := max(x-half, 0), min(x+half+1, l.w)
				weight[at+x] += float32(to - from)
				for c := range 3 {
					sum[3*(at+x)+c] += prefix[3*to+c] - prefix[3*from+c]
				}
			}
		}
	}
	for i := range l.v {
		l.v[i] = sum[i] / weight[i/3]
	}
}

// A point is a place in units, or a way.
type point struct{ x, y float64 }

// shake exposes while the picture moves along a path.
func (l *light) shake(path []point) {
	sum := make([]float32, len(l.v))
	xs := make([]int, l.w)
	for _, p := range path {
		dx, dy := int(math.Round(p.x*l.unit)), int(math.Round(p.y*l.unit))
		for x := range xs {
			xs[x] = 3 * min(max(x+dx, 0), l.w-1)
		}
		for y := range l.h {
			from := l.v[3*l.w*min(max(y+dy, 0), l.h-1):]
			to := sum[3*l.w*y : 3*l.w*(y+1)]
			for x, at := range xs {
				to[3*x] += from[at]
				to[3*x+1] += from[at+1]
				to[3*x+2] += from[at+2]
			}
		}
	}
	for i := range sum {
		l.v[i] = sum[i] / float32(len(path))
	}
}

// bloom scatters a part of the light around, more of what is brighter than clipping: what lenses and dust do.
func (l *light) bloom(amount, sigma float64) {
	glow := l.copy()
	glow.soften(sigma)
	for i := range l.v {
		l.v[i] += float32(amount) * glow.v[i]
	}
}

// A plane has one value a pixel.
type plane struct {
	w, h int
	v    []float32
}

// small is a plane of about one pixel a unit, for what is out of focus anyway.
func (l *light) small() *plane {
	w, h := int(math.Round(float64(l.w)/l.unit)), int(math.Round(float64(l.h)/l.unit))
	return &plane{w: w, h: h, v: make([]float32, w*h)}
}

// fill computes each value; x and y are in units.
func (p *plane) fill(value func(x, y float64) float64) *plane {
	for y := range p.h {
		for x := range p.w {
			p.v[y*p.w+x] = float32(value(float64(x)+0.5, float64(y)+0.5))
		}
	}
	return p
}

// at is the value nearest to a place.
func (p *plane) at(x, y float64) float64 {
	return float64(p.v[min(max(int(y), 0), p.h-1)*p.w+min(max(int(x), 0), p.w-1)])
}

// soften blurs, sigma in units of a plane that has one pixel a unit.
func (p *plane) soften(sigma float64) *plane {
	boxes(p.v, p.w, p.h, 1, sigma)
	return p
}

// quantile is the value that the part q does not exceed.
func (p *plane) quantile(q float64) float64 {
	s := slices.Clone(p.v)
	slices.Sort(s)
	return float64(s[int(q*float64(len(s)-1))])
}

// below is 1 for the part of the plane with the smallest values, 0 elsewhere, and goes from one to the other over a width of twice
// soft in values: what a shape of signed distances covers when it has grown to a part of the picture.
func (p *plane) below(part, soft float64) *plane {
	limit := p.quantile(part)
	return p.fill(func(x, y float64) float64 { return step((limit + soft - p.at(x, y)) / (2 * soft)) })
}

// step goes smoothly from 0 to 1.
func step(t float64) float64 {
	t = min(max(t, 0), 1)
	return t * t * (3 - 2*t)
}

// stretch makes a plane the size of the picture.
func (l *light) stretch(p *plane) *plane {
	out := &plane{w: l.w, h: l.h, v: make([]float32, l.w*l.h)}
	sx, sy := float64(p.w)/float64(l.w), float64(p.h)/float64(l.h)
	for y := range out.h {
		fy := min(max((float64(y)+0.5)*sy-0.5, 0), float64(p.h-1))
		y0 := min(int(fy), p.h-2)
		ty := float32(fy - float64(y0))
		for x := range out.w {
			fx := min(max((float64(x)+0.5)*sx-0.5, 0), float64(p.w-1))
			x0 := min(int(fx), p.w-2)
			tx := float32(fx - float64(x0))
			a, b := p.v[y0*p.w+x0:], p.v[(y0+1)*p.w+x0:]
			out.v[y*out.w+x] = (a[0]*(1-tx)+a[1]*tx)*(1-ty) + (b[0]*(1-tx)+b[1]*tx)*ty
		}
	}
	return out
}

// clouds is smooth noise in 0..1, the largest blobs size units wide and each octave half as wide and half as strong.
func clouds(r random, p *plane, size float64, octaves int) *plane {
	out := &plane{w: p.w, h: p.h, v: make([]float32, p.w*p.h)}
	amount, total := 1.0, 0.0
	for range octaves {
		w, h := int(float64(p.w)/size)+3, int(float64(p.h)/size)+3
		grid := make([]float64, w*h)
		for i := range grid {
			grid[i] = r.Float64()
		}
		ox, oy := r.Float64(), r.Float64()
		for y := range p.h {
			gy := float64(y)/size + oy
			y0 := int(gy)
			ty := step(gy - float64(y0))
			for x := range p.w {
				gx := float64(x)/size + ox
				x0 := int(gx)
				tx := step(gx - float64(x0))
				g := grid[y0*w+x0:]
				below := grid[(y0+1)*w+x0:]
				out.v[y*p.w+x] += float32(amount * ((g[0]*(1-tx)+g[1]*tx)*(1-ty) + (below[0]*(1-tx)+below[1]*tx)*ty))
			}
		}
		total += amount
		amount /= 2
		size = max(size/2, 1)
	}
	for i := range out.v {
		out.v[i] /= float32(total)
	}
	return out
}

// capsule is the distance from the line between two points; it is thick by a at the one and b at the other end.
func capsule(p, from, to point, a, b float64) float64 {
	dx, dy := to.x-from.x, to.y-from.y
	t := min(max(((p.x-from.x)*dx+(p.y-from.y)*dy)/max(dx*dx+dy*dy, 1e-9), 0), 1)
	return math.Hypot(p.x-from.x-t*dx, p.y-from.y-t*dy) - a - t*(b-a)
}
