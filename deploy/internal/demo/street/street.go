// Package street draws what a camera over a front garden sees on a sunny day: a street with houses and trees, and cars and
// people that pass.
//
// It takes a size in pixels and a time, and gives a picture. It is ray traced, with textures of noise, shadows of the sun
// and a sensor's grain, so that programs that know photographs take it for one. What stands still is traced once.
package street

import (
	"image"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Period is the time after which everything is where it was.
const Period = 42 * time.Second

// A Street is drawn from many goroutines at once.
type Street struct {
	width, height int
	still         []*thing
	samples       []sample // of what stands still, samplesPerPixel of each pixel
	empty         []byte   // its picture, without grain
	grain         []int8   // what a sensor adds, for some thousand pixels
}

// A sample is what a ray hits of what stands still.
type sample struct {
	distance   float32 // infinite for the sky
	lit, shade colour  // with the sun on it, and in the shadow of something
}

type colour [3]float32 // linear

// The samples of a pixel, as offsets from its middle: a rotated square.
var offsets = [samplesPerPixel][2]float64{{-0.125, -0.375}, {0.375, -0.125}, {-0.375, 0.125}, {0.125, 0.375}}

const samplesPerPixel = 4

// The camera is at the house's corner, above the door.
var (
	eye     = vec{0, 0, 3.3}
	forward = vec{-0.10, 1, -0.13}.unit()
	right   = vec{1, 0.10, 0}.unit()
	up      = vec{forward.y * right.z * -1, forward.x*right.z - forward.z*right.x, forward.y*right.x - forward.x*right.y}.unit()
)

const focal = 0.72 // of the picture's width: 70 degrees

var (
	sun      = vec{-0.55, -0.5, 0.72}.unit() // where it is
	sunlight = vec{3.1, 2.85, 2.5}
)

// New draws what stands still.
func New(width, height int) *Street {
	s := &Street{
		width: width, height: height, still: standing(),
		samples: make([]sample, width*height*samplesPerPixel), empty: make([]byte, 4*width*height), grain: make([]int8, 1<<16),
	}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range s.grain {
		s.grain[i] = int8(math.Round(grain * random.NormFloat64()))
	}
	s.rows(func(y int) {
		for x := range width {
			for i, o := range offsets {
				dir := s.ray(float64(x)+o[0], float64(y)+o[1])
				s.samples[(y*width+x)*samplesPerPixel+i] = s.trace(dir)
			}
			s.pixel(s.empty[4*(y*width+x):], nil, x, y)
		}
	})
	return s
}

// grain is that of a sensor in good light: the deviation of its noise.
const grain = 1.3

// Frame draws the picture of a time.
func (s *Street) Frame(at time.Duration) *image.RGBA {
	movers := passing(at)
	rects := make([]image.Rectangle, len(movers))
	for i, m := range movers {
		rects[i] = s.touched(m)
	}
	m := image.NewRGBA(image.Rect(0, 0, s.width, s.height))
	s.rows(func(y int) {
		row := m.Pix[y*m.Stride:][:4*s.width]
		copy(row, s.empty[4*y*s.width:])
		var near []*thing
		for x := range s.width {
			near = near[:0]
			for i, r := range rects {
				if (image.Point{x, y}).In(r) {
					near = append(near, movers[i])
				}
			}
			if len(near) > 0 {
				s.pixel(row[4*x:], near, x, y)
			}
		}
		// Another part of the grain for each row of each picture.
		n := int(hash(int(at/time.Millisecond), y, 0) * float64(len(s.grain)-len(row)))
		for i, g := range s.grain[n : n+len(row)] {
			if i%4 != 3 {
				row[i] = byte(min(max(int(row[i])+int(g), 0), 255))
			}
		}
	})
	return m
}

// pixel draws one, with these things before what stands still.
func (s *Street) pixel(to []byte, near []*thing, x, y int) {
	var sum vec
	for i, o := range offsets {
		c := s.sample(near, x, y, i, o)
		sum = sum.add(vec{float64(c[0]), float64(c[1]), float64(c[2])})
	}
	s.develop(to, sum.scale(1./samplesPerPixel), x, y)
}

// sample is a ray's colour where these things pass.
func (s *Street) sample(near []*thing, x, y, i int, o [2]float64) colour {
	still := &s.samples[(y*s.width+x)*samplesPerPixel+i]
	if len(near) == 0 {
		return still.lit
	}
	dir := s.ray(float64(x)+o[0], float64(y)+o[1])
	far, normal, what := float64(still.distance), vec{}, (*solid)(nil)
	for _, m := range near {
		if t, n, w := m.hit(eye, dir, far); w != nil {
			far, normal, what = t, n, w
		}
	}
	if what != nil {
		p := eye.add(dir.scale(far))
		lit, shade := s.light(p, dir, normal, far, what.paint)
		if dark(s.still, p) || dark(near, p) {
			return shade
		}
		return lit
	}
	if still.lit != still.shade && dark(near, eye.add(dir.scale(far))) {
		return still.shade
	}
	return still.lit
}

// rows draws rows, as many at once as there are processors.
func (s *Street) rows(draw func(y int)) {
	next := make(chan int)
	var working sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		working.Add(1)
		go func() {
			defer working.Done()
			for y := range next {
				draw(y)
			}
		}()
	}
	for y := range s.height {
		next <- y
	}
	close(next)
	working.Wait()
}

// ray is the direction in which a pixel looks.
func (s *Street) ray(x, y float64) vec {
	w := float64(s.width)
	return forward.scale(focal).add(right.scale((x - w/2) / w)).add(up.scale((float64(s.height)/2 - y) / w)).unit()
}

// trace follows a ray to what stands still.
func (s *Street) trace(dir vec) sample {
	far, normal, paint := math.Inf(1), vec{}, paint(nil)
	if dir.z < 0 {
		far, normal, paint = eye.z/-dir.z, vec{0, 0, 1}, ground
	}
	for _, g := range s.still {
		if t, n, w := g.hit(eye, dir, far); w != nil {
			far, normal, paint = t, n, w.paint
		}
	}
	if paint == nil {
		c := sky(dir).colour()
		return sample{float32(far), c, c}
	}
	p := eye.add(dir.scale(far))
	lit, shade := s.light(p, dir, normal, far, paint)
	if dark(s.still, p) {
		lit = shade
	}
	return sample{float32(far), lit, shade}
}

// light is the colour of a place with and without the sun on it, seen along
// dir through so many metres of haze.
func (s *Street) light(p, dir, normal vec, distance float64, paint paint) (lit, shade colour) {
	albedo, gloss := paint(p, normal)
	ambient := vec{0.20, 0.18, 0.15}.mix(vec{0.40, 0.50, 0.68}, 0.5+0.5*normal.z)
	c := albedo.mul(ambient)
	if gloss > 0 {
		mirrored := dir.sub(normal.scale(2 * dir.dot(normal)))
		mirrored.z = math.Abs(mirrored.z) + 0.02
		facing := 1 + dir.dot(normal)
		c = c.mix(sky(mirrored.unit()), gloss*(0.25+0.75*facing*facing*facing))
	}
	direct := albedo.mul(sunlight).scale(math.Max(0, normal.dot(sun)))
	if gloss > 0 {
		half := sun.sub(dir).unit()
		direct = direct.add(sunlight.scale(gloss * math.Pow(math.Max(0, half.dot(normal)), 90)))
	}
	haze := 1 - math.Exp(-distance/350)
	air := vec{0.72, 0.82, 0.95}
	return c.add(direct).mix(air, haze).colour(), c.mix(air, haze).colour()
}

func (a vec) colour() colour { return colour{float32(a.x), float32(a.y), float32(a.z)} }

// dark says whether something is between a place and the sun.
func dark(things []*thing, p vec) bool {
	p = p.add(sun.scale(0.01))
	return slices.ContainsFunc(things, func(g *thing) bool { return g.blocks(p, sun) })
}

// sky has clouds.
func sky(dir vec) vec {
	high := math.Max(dir.z, 0)
	c := vec{0.86, 0.92, 1.0}.mix(vec{0.20, 0.40, 0.86}, math.Pow(high, 0.5))
	at := vec{dir.x, dir.y, 0}.scale(1.6 / (high + 0.12))
	thick := smooth(0.02, 0.34, fractal(at.add(vec{3.7, 1.2, 0.4}), 6))
	inside := fractal(at.add(vec{3.9, 1.5, 0.4}), 5)
	return c.mix(vec{1.25, 1.23, 1.2}.scale(1-0.45*smooth(-0.1, 0.4, inside)), thick*smooth(0, 0.12, high))
}

// touched is where a thing or its shadow may be in the picture.
func (s *Street) touched(g *thing) image.Rectangle {
	r := image.Rectangle{}
	shadow := sun.scale(-(g.center.z + g.radius) / sun.z)
	for _, by := range []vec{{}, shadow} {
		for corner := range 8 {
			p := g.center.add(by)
			for i, v := range []*float64{&p.x, &p.y, &p.z} {
				*v += g.radius * float64(corner>>i&1*2-1)
			}
			q := p.sub(eye)
			depth := math.Max(q.dot(forward), 0.5)
			f := focal * float64(s.width) / depth
			x, y := int(q.dot(right)*f)+s.width/2, s.height/2-int(q.dot(up)*f)
			r = r.Union(image.Rect(x-1, y-1, x+2, y+2))
		}
	}
	return r.Intersect(image.Rect(0, 0, s.width, s.height))
}

// develop makes a pixel of a linear colour: the lens's vignette, exposure, a
// film's curve (Narkowicz, "ACES Filmic Tone Mapping Curve").
func (s *Street) develop(pixel []byte, c vec, x, y int) {
	dx, dy := float64(x)/float64(s.width)-0.5, (float64(y)-float64(s.height)/2)/float64(s.width)
	c = c.scale(exposure * (1 - 0.5*(dx*dx+dy*dy)))
	for i, v := range [3]float64{c.x, c.y, c.z} {
		v = v * (2.51*v + 0.03) / (v*(2.43*v+0.59) + 0.14)
		pixel[i] = byte(255*math.Pow(clamp(v, 0, 1), 1/2.2) + 0.5)
	}
	pixel[3] = 255
}

const exposure = 0.55
