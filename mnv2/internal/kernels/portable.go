package kernels

import "math"

// portable is the set that defines the results, for every CPU.
//
// It multiplies three pixels by a weight at once: see lanes.
var portable = Set{
	Name: "portable",
	In:   1,
	Out:  Group,
	Step: 12 * Group,

	First:     portableFirst,
	Pointwise: portablePointwise,
	Depthwise: portableDepthwise,
	Add:       portableAdd,
	Mean:      portableMean,
	Peak:      portablePeak,

	packFirst:     portablePackFirst,
	packPointwise: portablePackPointwise,
	packDepthwise: portablePackDepthwise,
}

// rounder is 1.5 * 2^52. A float64 added to it lands where one step of the
// last bit is 1, so the sum's low bits are the number, rounded half to even.
const rounder = 3 << 51

// requantizer is what the outputs of a layer have in common: the zero point,
// and the clamp without it, as the bits of rounder plus a number.
type requantizer struct {
	zero     int8
	min, max int64
}

func newRequantizer(zero, low, high int32) requantizer {
	base := int64(math.Float64bits(rounder)) - int64(zero)
	return requantizer{zero: int8(zero), min: base + int64(low), max: base + int64(high)}
}

// requantize is clamp(rint(float32(acc) * m) + zero). Multipliers are below
// 256, so the product is far from where float64 stops counting in ones. The
// conversions keep it from being fused with the addition. Of the clamped bits
// the last eight are those of the number: rounder's are 0.
func (r requantizer) requantize(acc int32, m float32) int8 {
	sum := float64(float32(float32(acc)*m)) + rounder
	return int8(min(max(int64(math.Float64bits(sum)), r.min), r.max)) + r.zero
}

func portableAdd(dst, x, y []int8, a *Add) {
	x, y = x[:len(dst)], y[:len(dst)]
	// All that does not depend on x and y, in one constant.
	rest := int32(1)<<(a.Shift-1) - a.X*a.ZeroX - a.Y*a.ZeroY
	for i := range dst {
		q := (a.X*int32(x[i])+a.Y*int32(y[i])+rest)>>a.Shift + a.Zero
		dst[i] = int8(min(max(q, a.Min), a.Max))
	}
}

func portableMean(dst []int8, src Pixels, n int, m *Mean) {
	r := newRequantizer(m.Zero, -128, 127)
	for c := range dst {
		sum := m.Bias
		pixels := src.Data[c/Group*src.Stride:][:n*Group]
		for i := c % Group; i < len(pixels); i += Group {
			sum += int32(pixels[i])
		}
		dst[c] = r.requantize(sum, m.Multiplier)
	}
}

func portablePeak(rounds int) (multiplyAdds int) {
	var x [64]int64
	var w [64][4]int8
	for range rounds / len(x) {
		dot3x4(x[:], w[:])
		multiplyAdds += 3 * 4 * len(x)
	}
	return multiplyAdds
}
