package quantize

import (
	"math"

	"tarsier/mnv2"
)

// A histogram counts the values of an activation, except those that are 0, which
// every range represents. It grows by powers of two, so that the order of what it
// sees does not matter.
type histogram struct {
	limit  float32     // the bins cover -limit..limit; 0 if nothing was seen
	counts [bins]int64 // i: of the values that, in widths of a bin and rounded towards 0, are i - half
	most   float32     // of the values, their signs ignored
}

const (
	half = 512
	bins = 2 * half
)

// silence is less than any network means by a value: such are taken for 0. Of
// smaller ones scales, and what is divided by them, leave float32.
const silence = 1e-30

// see counts values, none of which is larger than most.
func (h *histogram) see(values []float32, most float32) {
	if most < silence {
		return
	}
	h.most = max(h.most, most)
	h.cover(most)
	perBin := half / h.limit
	for _, v := range values {
		if v != 0 {
			h.counts[half+int(v*perBin)]++
		}
	}
}

// cover makes the bins cover v.
func (h *histogram) cover(v float32) {
	if h.limit == 0 {
		_, exp := math.Frexp(float64(v))
		h.limit = float32(math.Ldexp(1, exp))
	}
	for h.limit <= v {
		var wide [bins]int64
		for i, n := range h.counts {
			wide[half+(i-half)/2] += n
		}
		h.counts = wide
		h.limit *= 2
	}
}

func (h *histogram) add(g *histogram) {
	if g.most == 0 {
		return
	}
	h.most = max(h.most, g.most)
	h.cover(g.most)
	narrow := *g
	narrow.cover(h.most)
	for i, n := range narrow.counts {
		h.counts[i] += n
	}
}

// clipped is how much more than a rounding error a clipping error counts: more
// will be cut off than was seen.
const clipped = 2

// leastError finds the quantization, of a range that has 0 and lies within
// low..high, that rounds and clips the values with the least squared error.
func (h *histogram) leastError(low, high float64) mnv2.Quantization {
	const steps = 32
	best := quantization(low, high)
	least := h.error(best)
	try := func(lo, hi float64) {
		if q := quantization(lo, hi); q.Scale > 0 {
			if e := h.error(q); e < least {
				best, least = q, e
			}
		}
	}
	for i := range steps {
		for j := range steps {
			if (i == 0 || low < 0) && (j == 0 || high > 0) {
				try(low*float64(steps-i)/steps, high*float64(steps-j)/steps)
			}
		}
	}
	return best
}

// error is the sum of the squared errors of the values: step^2 / 12 for each that
// is rounded.
func (h *histogram) error(q mnv2.Quantization) float64 {
	step := float64(q.Scale)
	low, high := step*float64(-128-q.Zero), step*float64(127-q.Zero)
	width := float64(h.limit) / half
	var sum float64
	for i, n := range h.counts {
		if n == 0 {
			continue
		}
		v := float64(i-half) * width
		if v > 0 {
			v += width / 2
		} else if v < 0 {
			v -= width / 2
		}
		d := max(low-v, v-high, 0)
		sum += float64(n) * (clipped*d*d + step*step/12)
	}
	return sum
}

// quantization is that of the range low..high, which has 0 in it.
func quantization(low, high float64) mnv2.Quantization {
	step := (high - low) / 255
	if step == 0 {
		return mnv2.Quantization{Scale: 1}
	}
	zero := math.Round(-128 - low/step)
	return mnv2.Quantization{Scale: float32(step), Zero: int32(min(max(zero, -128), 127))}
}

// span is what was seen, to a bin, and 0.
func (h *histogram) span() (low, high float64) {
	width := float64(h.limit) / half
	for i, n := range h.counts {
		if n > 0 {
			low, high = min(low, float64(i-1-half)*width), max(high, float64(i+1-half)*width)
		}
	}
	return low, high
}
