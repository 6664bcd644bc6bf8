package kernels

import "math"

// Quantization maps an int8 q to the real value Scale * (q - Zero).
type Quantization struct {
	Scale float32
	Zero  int32
}

// A Conv describes a convolution as it stands in a network. Its slices are
// read while it is packed and not kept.
type Conv struct {
	In, Out       int     // channels
	Weights       []int8  // out, y, x, in; y, x, channel if depthwise
	Bias          []int32 // in units of the input's scale times Scales
	Scales        []float32
	Input, Output Quantization
	Min, Max      int8
}

// A Layer is a convolution packed for one Set. With x the stored input and w
// the stored weights, output channel c is
//
//	clamp(rint(float32(Bias[c] + sum(x*w)) * Multiplier[c]) + Zero, Min, Max)
//
// where rint rounds halves to even and int32 sums wrap.
type Layer struct {
	In, Out    int       // channels, padded to multiples of the set's
	Weights    [][4]int8 // in the order the kernel reads them
	Bias       []int32   // the input's zero point is folded in
	Multiplier []float32 // input scale * weight scale / output scale
	Zero       int32
	Min, Max   int32
	chunk      int     // portable: see packPointwise
	outputs    []int32 // amd64: starts, factors and offsets, see avx2Outputs and avx512PackOutputs
	lanes      []int32 // avx2: see avx2Pack
	laneStarts []int32 // avx2: where each group of outputs begins in lanes
	starts     []int32 // avx2, neon: and in Weights
	large      bool    // avx512vnni: some product may be 2^31 or more
}

// Multiplier is the factor from an accumulator to the output's steps: input
// scale * weight scale / output scale in float32, in that order.
func Multiplier(input, weight, output float32) float32 {
	return float32(input*weight) / output
}

// NewFirst packs a 3x3 convolution on three channels.
func (s *Set) NewFirst(c *Conv) *Layer {
	l := newLayer(c, 3, roundUp(c.Out, s.Out))
	weights := make([]int8, l.Out*27)
	copy(weights, c.Weights)
	l.fold(c, weights, func(o, i int) int { return o*27 + i }, 27)
	s.packFirst(l, weights)
	return l
}

// NewPointwise packs a 1x1 convolution.
func (s *Set) NewPointwise(c *Conv) *Layer {
	l := newLayer(c, roundUp(c.In, s.In), roundUp(c.Out, s.Out))
	weights := make([]int8, l.Out*l.In)
	for o := range c.Out {
		copy(weights[o*l.In:], c.Weights[o*c.In:(o+1)*c.In])
	}
	l.fold(c, weights, func(o, i int) int { return o*l.In + i }, l.In)
	s.packPointwise(l, weights)
	return l
}

// NewDepthwise packs a 3x3 depthwise convolution, padded to whole groups.
func (s *Set) NewDepthwise(c *Conv) *Layer {
	l := newLayer(c, Pad(c.In), Pad(c.Out))
	weights := make([]int8, l.Out*9)
	for t := range 9 {
		copy(weights[t*l.Out:], c.Weights[t*c.Out:(t+1)*c.Out])
	}
	l.fold(c, weights, func(o, i int) int { return i*l.Out + o }, 9)
	s.packDepthwise(l, weights)
	return l
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// newLayer makes the layer but for its weights. Padded channels have bias and
// multiplier 0, and so come out as the output's zero point, clamped.
func newLayer(c *Conv, in, out int) *Layer {
	l := &Layer{
		In: in, Out: out,
		Bias:       make([]int32, out),
		Multiplier: make([]float32, out),
		Zero:       c.Output.Zero,
		Min:        int32(c.Min), Max: int32(c.Max),
	}
	copy(l.Bias, c.Bias)
	for o, scale := range c.Scales {
		l.Multiplier[o] = Multiplier(c.Input.Scale, scale, c.Output.Scale)
	}
	return l
}

// fold subtracts from the bias what the input's zero point adds to the sums:
// sum((x-z)*w) = sum(x*w) - z*sum(w).
func (l *Layer) fold(c *Conv, weights []int8, at func(out, i int) int, n int) {
	for o := range c.Out {
		var sum int32
		for i := range n {
			sum += int32(weights[at(o, i)])
		}
		l.Bias[o] -= c.Input.Zero * sum
	}
}

// An Add is a residual addition. With x and y the stored inputs the output is
//
//	clamp((X*(x-ZeroX) + Y*(y-ZeroY) + 1<<(Shift-1)) >> Shift + Zero, Min, Max)
//
// The factors are the inputs' scales over the output's, in units of 2^-Shift;
// the larger has 21 bits.
type Add struct {
	X, Y         int32
	ZeroX, ZeroY int32
	Shift        uint
	Zero         int32
	Min, Max     int32
}

// Ratios of scales from MinRatio up to, not including, MaxRatio keep Add within
// 32 bits; the larger of the two must be one. (XNNPACK has the same limits.)
const (
	MinRatio = 1.0 / (1 << 10)
	MaxRatio = 1 << 8
)

// NewAdd prepares the addition of two tensors.
func NewAdd(x, y, output Quantization, low, high int8) *Add {
	rx, ry := x.Scale/output.Scale, y.Scale/output.Scale
	_, exp := math.Frexp(float64(max(rx, ry))) // floor(log2) is exp-1
	shift := 20 - (exp - 1)
	return &Add{
		X:     int32(math.RoundToEven(math.Ldexp(float64(rx), shift))),
		Y:     int32(math.RoundToEven(math.Ldexp(float64(ry), shift))),
		ZeroX: x.Zero, ZeroY: y.Zero,
		Shift: uint(shift),
		Zero:  output.Zero,
		Min:   int32(low), Max: int32(high),
	}
}

// A Mean averages each channel over a number of pixels. With x the stored
// input the output is clamp(rint(float32(Bias + sum(x)) * Multiplier) + Zero).
type Mean struct {
	Bias       int32 // the input's zero point, times the pixels, negated
	Multiplier float32
	Zero       int32
}

// NewMean prepares the mean over that many pixels.
func NewMean(input, output Quantization, pixels int) *Mean {
	return &Mean{
		Bias:       -int32(pixels) * input.Zero,
		Multiplier: MeanMultiplier(input.Scale, output.Scale, pixels),
		Zero:       output.Zero,
	}
}

// MeanMultiplier is the factor from a sum to the output's steps.
func MeanMultiplier(input, output float32, pixels int) float32 {
	return input / float32(output*float32(pixels))
}
