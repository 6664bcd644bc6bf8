package degrade

import (
	"image"
	"math"
	"slices"
)

// light is a picture as light on the sensor: linear, 1 where the camera clips; red, green, blue of each pixel.
type light struct {
	w, h int
	v    []float32
	unit float64 // pixels, see the package
}

var (
	decoded [256]float32
	encoded [1 << 16]uint8 // of linear values, the whole table for 0..1
)

func init() {
	for i := range decoded {
		decoded[i] = float32(linear(float64(i) / 255))
	}
	for i := range encoded {
		v := float64(i) / float64(len(encoded)-1)
		if v <= 0.0031308 {
			v *= 12.92
		} else {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		}
		encoded[i] = uint8(math.Round(v * 255))
	}
}

// linear is the light that an sRGB value in 0..1 stands for.
func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func unit(w, h int) float64 { return math.Sqrt(float64(w*h)) / 224 }

func newLight(w, h int) *light {
	return &light{w: w, h: h, v: make([]float32, 3*w*h), unit: unit(w, h)}
}

func lightOf(p *image.RGBA) *light {
	l := newLight(p.Rect.Dx(), p.Rect.Dy())
	for i := range l.w * l.h {
		for c := range 3 {
			l.v[3*i+c] = decoded[p.Pix[4*i+c]]
		}
	}
	return l
}

// develop clips and gives the bytes.
func (l *light) develop() *image.RGBA {
	p := image.NewRGBA(image.Rect(0, 0, l.w, l.h))
	for i := range l.w * l.h {
		for c := range 3 {
			p.Pix[4*i+c] = encoded[int(min(max(l.v[3*i+c], 0), 1)*float32(len(encoded)-1)+0.5)]
		}
		p.Pix[4*i+3] = 255
	}
	return p
}

func (l *light) copy() *light {
	c := *l
	c.v = slices.Clone(l.v)
	return &c
}

func luminance(rgb []float32) float32 { return 0.2126*rgb[0] + 0.7152*rgb[1] + 0.0722*rgb[2] }

// quantile is the luminance that the part q of all pixels does not exceed.
func (l *light) quantile(q float64) float64 {
	step := max(1, l.w*l.h/5000)
	var all []float32
	for i := 0; i < l.w*l.h; i += step {
		all = append(all, luminance(l.v[3*i:]))
	}
	slices.Sort(all)
	return float64(all[int(q*float64(len(all)-1))])
}

// expose changes the exposure by a factor.
func (l *light) expose(by float64) {
	for i := range l.v {
		l.v[i] *= float32(by)
	}
}

// exposeTo makes a quantile the light of an sRGB value of 0..255, or less where the brightest part, all but a few pixels in a
// hundred, would exceed another value.
func (l *light) exposeTo(q, value, brightest float64) {
	l.expose(min(linear(value/255)/max(l.quantile(q), 0.002), linear(brightest/255)/max(l.quantile(0.96), 0.002)))
}

// each changes every pixel; x and y are 0..1.
func (l *light) each(change func(x, y float64, rgb []float32)) {
	for y := range l.h {
		for x := range l.w {
			i := 3 * (y*l.w + x)
			change((float64(x)+0.5)/float64(l.w), (float64(y)+0.5)/float64(l.h), l.v[i:i+3])
		}
	}
}

// tint multiplies each channel.
func (l *light) tint(by [3]float32) {
	for i := range l.v {
		l.v[i] *= by[i%3]
	}
}

// fade takes colour away; 1 leaves grey. Night cameras have no filter against infrared, so that channels weigh alike there.
func (l *light) fade(amount float32) {
	for i := 0; i < len(l.v); i += 3 {
		grey := (l.v[i] + l.v[i+1] + l.v[i+2]) / 3
		for c := range 3 {
			l.v[i+c] += amount * (grey - l.v[i+c])
		}
	}
}

// mix lays a colour over the picture, as much as the mask says (0..1).
func (l *light) mix(mask *plane, over func(i int) [3]float32) {
	for i, m := range mask.v {
		if m <= 0 {
			continue
		}
		rgb := over(i)
		for c := range 3 {
			l.v[3*i+c] += m * (rgb[c] - l.v[3*i+c])
		}
	}
}

// sense counts the light: electrons are those of white on a square unit, noise is that of reading a pixel of one square unit. Their ratio to
// white does not depend on the size of the picture.
func (l *light) sense(r random, electrons, noise float64) {
	white := electrons / (l.unit * l.unit)
	noise /= l.unit
	for i, v := range l.v {
		l.v[i] = float32((r.poisson(float64(v)*white) + r.NormFloat64()*noise) / white)
	}
}

// poisson draws a count. From a mean of 20 on the normal distribution is near enough.
func (r random) poisson(mean float64) float64 {
	switch {
	case mean <= 0:
		return 0
	case mean > 20:
		return mean + math.Sqrt(mean)*r.NormFloat64()
	}
	n, limit, product := 0, math.Exp(-mean), r.Float64()
	for product > limit {
		n++
		product *= r.Float64()
	}
	return float64(n)
}

// zoom magnifies around a point (0..1), and samples between pixels.
func (l *light) zoom(by, cx, cy float64) *light {
	z := newLight(l.w, l.h)
	left, top := cx*float64(l.w)*(1-1/by), cy*float64(l.h)*(1-1/by)
	for y := range z.h {
		for x := range z.w {
			rgb := l.at(left+(float64(x)+0.5)/by-0.5, top+(float64(y)+0.5)/by-0.5)
			copy(z.v[3*(y*z.w+x):], rgb[:])
		}
	}
	return z
}

// at is the light between pixels; beyond the edge it is that of the edge.
func (l *light) at(x, y float64) (rgb [3]float32) {
	x, y = min(max(x, 0), float64(l.w-1)), min(max(y, 0), float64(l.h-1))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, l.w-1), min(y0+1, l.h-1)
	fx, fy := float32(x-float64(x0)), float32(y-float64(y0))
	for c := range 3 {
		top := l.v[3*(y0*l.w+x0)+c]*(1-fx) + l.v[3*(y0*l.w+x1)+c]*fx
		bottom := l.v[3*(y1*l.w+x0)+c]*(1-fx) + l.v[3*(y1*l.w+x1)+c]*fx
		rgb[c] = top*(1-fy) + bottom*fy
	}
	return rgb
}
