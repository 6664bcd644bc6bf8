package degrade

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
)

var noisyKinds = []Kind{
	{Class: "noisy", Name: "high gain", apply: highGain},
	{Class: "noisy", Name: "high gain, coarse", apply: coarseGain},
	{Class: "noisy", Name: "infrared, banded", apply: infraredNoise},
	{Class: "noisy", Name: "hot pixels", apply: hotPixels},
	{Class: "noisy", Name: "high gain, then JPEG", apply: noisyJPEG},
	{Class: "noisy", Name: "dim and amplified", apply: dimAmplified},
}

func highGain(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.5, r.between(85, 140), 235)
	l.sense(r, r.between(20, 60), r.between(1.5, 3))
	return l.develop()
}

// coarseGain has noise that the camera enlarged with the picture.
func coarseGain(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.5, r.between(85, 140), 235)
	l.sense(r, r.between(9, 22), r.between(0.8, 1.5))
	l.soften(r.between(0.4, 0.6))
	return l.develop()
}

func infraredNoise(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.fade(1)
	l.exposeTo(0.6, r.between(90, 140), 220)
	reach := r.between(0.45, 0.7)
	l.each(func(x, y float64, rgb []float32) {
		v := float32(0.35 + 0.9*math.Exp(-((x-0.5)*(x-0.5)+(y-0.5)*(y-0.5))/(reach*reach)))
		for c := range 3 {
			rgb[c] *= v
		}
	})
	l.grain(r, r.between(14, 40), r.between(1, 2.5))
	// Each column has an amplifier of its own, and each row is read at another moment of the supply.
	bands := func(n int, strength float64) []float32 {
		b := make([]float32, n)
		for i := range b {
			b[i] = float32(r.NormFloat64() * strength)
		}
		boxes(b, n, 1, 1, l.unit/2)
		return b
	}
	columns, rows := bands(l.w, r.between(0.02, 0.06)), bands(l.h, r.between(0.02, 0.06))
	for i := range l.v {
		at := i / 3
		l.v[i] += columns[at%l.w] + rows[at/l.w]
	}
	return l.develop()
}

// hotPixels are dead, stuck or hit by radiation: white, black or of one colour, on a sensor of about as many pixels as units.
func hotPixels(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	share := r.between(0.06, 0.14)
	coloured := r.chance(0.5)
	if coloured {
		share *= 2.2
	}
	size := max(1, int(math.Ceil(l.unit*0.8)))
	for n := int(share * float64(l.w*l.h) / float64(size*size)); n > 0; n-- {
		x0, y0 := r.IntN(l.w), r.IntN(l.h)
		level := float32(r.IntN(2))
		channel := r.IntN(3)
		for y := y0; y < min(y0+size, l.h); y++ {
			for x := x0; x < min(x0+size, l.w); x++ {
				for c := range 3 {
					if !coloured || c == channel {
						l.v[3*(y*l.w+x)+c] = level
					}
				}
			}
		}
	}
	l.sense(r, r.between(200, 600), 3)
	return l.develop()
}

func noisyJPEG(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.5, r.between(80, 130), 235)
	l.sense(r, r.between(10, 26), r.between(1, 2))
	l.soften(r.between(0.25, 0.4))
	return compress(l.develop(), r.whole(30, 60))
}

// dimAmplified is a dim scene whose gain makes up for half of what is missing.
func dimAmplified(p *image.RGBA, r random) *image.RGBA {
	l := lightOf(p)
	l.exposeTo(0.5, r.between(75, 100), 200)
	l.fade(float32(r.between(0, 0.6)))
	l.sense(r, r.between(18, 45), r.between(3, 5))
	return l.develop()
}

// compress writes a picture as a JPEG and reads it.
func compress(p *image.RGBA, quality int) *image.RGBA {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, p, &jpeg.Options{Quality: quality}); err != nil {
		panic(err) // a picture of more than 65535 pixels an edge
	}
	m, err := jpeg.Decode(&b)
	if err != nil {
		panic(err)
	}
	return clone(m)
}
