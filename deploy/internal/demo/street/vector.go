package street

import "math"

// A vec is a place or direction in metres (x to the right, y away from the
// camera, z up), or a linear colour: red, green, blue.
type vec struct{ x, y, z float64 }

func (a vec) add(b vec) vec            { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) sub(b vec) vec            { return vec{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vec) mul(b vec) vec            { return vec{a.x * b.x, a.y * b.y, a.z * b.z} }
func (a vec) scale(f float64) vec      { return vec{a.x * f, a.y * f, a.z * f} }
func (a vec) dot(b vec) float64        { return a.x*b.x + a.y*b.y + a.z*b.z }
func (a vec) unit() vec                { return a.scale(1 / math.Sqrt(a.dot(a))) }
func (a vec) mix(b vec, f float64) vec { return a.scale(1 - f).add(b.scale(f)) }

func clamp(f, low, high float64) float64 { return math.Max(low, math.Min(high, f)) }

// smooth goes from 0 at low to 1 at high.
func smooth(low, high, f float64) float64 {
	f = clamp((f-low)/(high-low), 0, 1)
	return f * f * (3 - 2*f)
}

// hash gives a number of 0..1 that looks random for each cell of a grid.
func hash(x, y, z int) float64 {
	h := uint32(x)*0x8da6b343 ^ uint32(y)*0xd8163841 ^ uint32(z)*0xcb1ab31f
	h = (h ^ h>>16) * 0x7feb352d
	h = (h ^ h>>15) * 0x846ca68b
	return float64(h^h>>16) / math.MaxUint32
}

// noise is smooth, of -1..1, with features of about one metre.
func noise(p vec) float64 {
	fx, fy, fz := math.Floor(p.x), math.Floor(p.y), math.Floor(p.z)
	x, y, z := int(fx), int(fy), int(fz)
	u, v, w := smooth(0, 1, p.x-fx), smooth(0, 1, p.y-fy), smooth(0, 1, p.z-fz)
	row := func(y, z int) float64 { return hash(x, y, z)*(1-u) + hash(x+1, y, z)*u }
	return 2*((row(y, z)*(1-v)+row(y+1, z)*v)*(1-w)+(row(y, z+1)*(1-v)+row(y+1, z+1)*v)*w) - 1
}

// fractal sums octaves of noise, each of half the size and height.
func fractal(p vec, octaves int) float64 {
	sum, height := 0.0, 0.5
	for range octaves {
		sum += height * noise(p)
		p, height = p.scale(2.03).add(vec{17.1, 5.3, 9.7}), height/2
	}
	return sum
}
