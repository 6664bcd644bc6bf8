// Package randnet makes MobileNetV2 networks with random weights for tests:
// any width, rounding, padding and input size that real files come with.
// Scales are chosen so that activations fill their ranges and are clipped now
// and then, as a trained network's do, and zero points and clamps vary.
package randnet

import (
	"fmt"
	"math"
	"math/rand/v2"

	"tarsier/mnv2"
)

// Options say what the network looks like. The zero value is MobileNetV2 1.0
// at 224x224 without a classifier, as TensorFlow writes it.
type Options struct {
	WidthMult    float64 // 0 means 1
	Truncate     bool    // channels int(c * WidthMult), not multiples of 8
	TorchPadding bool    // stride 2 pads 1 and 1, not as SAME does
	ExpandFirst  bool    // block 0 has an expand convolution
	Classes      int     // 0 means no classifier
	Size         int     // 0 means 224
}

// stages is table 2 of arXiv 1801.04381.
var stages = []struct{ t, c, n, s int }{
	{1, 16, 1, 1},
	{6, 24, 2, 2},
	{6, 32, 3, 2},
	{6, 64, 4, 2},
	{6, 96, 3, 1},
	{6, 160, 3, 2},
	{6, 320, 1, 1},
}

// New makes the network that seed and options determine.
func New(seed uint64, o Options) *mnv2.Network {
	if o.WidthMult == 0 {
		o.WidthMult = 1
	}
	if o.Size == 0 {
		o.Size = 224
	}
	b := builder{Options: o, rng: rand.New(rand.NewPCG(seed, 0x7a51e5)), size: o.Size}
	return b.network(seed)
}

// builder carries what the next layer needs to know of the one before.
type builder struct {
	Options
	rng      *rand.Rand
	size     int // height and width
	channels int
	quant    mnv2.Quantization
	rms      float64 // root of the mean square of the real values
}

func (b *builder) network(seed uint64) *mnv2.Network {
	n := &mnv2.Network{
		Name:   fmt.Sprintf("random_%g_%d", b.WidthMult, seed),
		Size:   b.Size,
		Input:  mnv2.Quantization{Scale: float32(1 / 127.5), Zero: -1},
		Pixels: mnv2.Normalization{Mean: 127.5, Std: 127.5},
	}
	b.channels, b.quant, b.rms = 3, n.Input, 0.6
	n.First = b.conv("first", 3, 2, b.width(32), true, false)
	for _, st := range stages {
		for i := range st.n {
			stride := 1
			if i == 0 {
				stride = st.s
			}
			n.Blocks = append(n.Blocks, b.block(len(n.Blocks), st.t, b.width(st.c), stride))
		}
	}
	last := 1280
	if b.WidthMult > 1 {
		last = b.width(1280)
	}
	n.Last = b.conv("last", 1, 1, last, true, false)
	n.Embedding = mnv2.Quantization{Scale: float32(b.uniform(3, 5) / 255), Zero: -128}
	if b.Classes > 0 {
		b.quant, b.size, b.rms = n.Embedding, 1, 1.5
		c := b.conv("classifier", 1, 1, b.Classes, false, false)
		n.Classifier = &c
	}
	return n
}

func (b *builder) block(i, t, out, stride int) mnv2.Block {
	name := func(layer string) string { return fmt.Sprintf("block%d/%s", i, layer) }
	in, inQuant, inRMS := b.channels, b.quant, b.rms
	var blk mnv2.Block
	if t > 1 || b.ExpandFirst {
		c := b.conv(name("expand"), 1, 1, in*t, true, false)
		blk.Expand = &c
	}
	blk.Depthwise = b.conv(name("depthwise"), 3, stride, b.channels, true, true)
	blk.Project = b.conv(name("project"), 1, 1, out, false, false)
	if stride == 1 && in == out {
		b.rms = math.Hypot(inRMS, b.rms)
		// Files keep the sum in a scale of its own, or in that of one input.
		b.quant = b.linear()
		if b.rng.IntN(4) == 0 {
			b.quant = inQuant
		}
		blk.Residual = &mnv2.Add{Name: name("add"), Output: b.quant, Min: -128, Max: 127}
	}
	return blk
}

func (b *builder) conv(name string, kernel, stride, out int, relu6, depthwise bool) mnv2.Conv {
	c := mnv2.Conv{
		Name: name, Kernel: kernel, Stride: stride,
		In: b.channels, Out: out, Depthwise: depthwise,
		Pad: b.padding(kernel, stride),
	}
	taps := kernel * kernel
	if !depthwise {
		taps *= c.In
	}
	c.Weights = make([]int8, out*taps)
	c.Scales = make([]float32, out)
	c.Bias = make([]int32, out)
	for o := range out {
		most := 32 + b.rng.IntN(96) // the largest weight
		for i := range taps {
			w := int8(b.rng.IntN(2*most+1) - most)
			if depthwise {
				c.Weights[i*out+o] = w
			} else {
				c.Weights[o*taps+i] = w
			}
		}
		rms, bias := b.uniform(0.5, 1.5), b.uniform(-0.5, 0.5)
		if relu6 {
			rms, bias = b.uniform(1, 3), b.uniform(-0.5, 2.5)
		}
		// The sum of taps products of independent factors has the root mean
		// square sqrt(taps) * (most/sqrt(3) * scale) * input's.
		c.Scales[o] = float32(rms / (math.Sqrt(float64(taps)/3) * float64(most) * b.rms))
		c.Bias[o] = int32(bias / (float64(b.quant.Scale) * float64(c.Scales[o])))
	}

	c.Min, c.Max, b.rms = -128, 127, 1.1
	b.quant = b.linear()
	if relu6 {
		b.rms = 2.7
		b.quant = mnv2.Quantization{Scale: float32(6.0 / 255), Zero: -128}
		if b.rng.IntN(3) == 0 { // a range that ReLU6 does not fill
			b.quant.Scale = float32(b.uniform(6.1, 8) / 255)
			b.quant.Zero += int32(b.rng.IntN(3) * b.rng.IntN(10))
		}
		c.Min = int8(b.quant.Zero)
		c.Max = int8(min(127, float64(b.quant.Zero)+math.RoundToEven(float64(6/b.quant.Scale))))
	}
	c.Output = b.quant
	b.channels = out
	b.size = (b.size+c.Pad.Before+c.Pad.After-kernel)/stride + 1
	return c
}

// linear is a quantization for values of either sign.
func (b *builder) linear() mnv2.Quantization {
	return mnv2.Quantization{
		Scale: float32(b.uniform(5, 8) * b.rms / 255),
		Zero:  int32(b.rng.IntN(41) - 20),
	}
}

func (b *builder) padding(kernel, stride int) mnv2.Padding {
	if kernel == 1 {
		return mnv2.Padding{}
	}
	if stride == 2 && !b.TorchPadding && b.size%2 == 0 {
		return mnv2.Padding{Before: 0, After: 1}
	}
	return mnv2.Padding{Before: 1, After: 1}
}

// width scales c channels by WidthMult with the rounding that was asked for.
func (b *builder) width(c int) int {
	v := float64(c) * b.WidthMult
	if b.Truncate {
		return max(1, int(v))
	}
	n := max(8, int(v+4)/8*8)
	if float64(n) < 0.9*v {
		n += 8
	}
	return n
}

func (b *builder) uniform(low, high float64) float64 {
	return low + float64((high-low)*b.rng.Float64()) // rounded: the same on every CPU
}

// RGB makes a picture of size x size x 3 random bytes that seed determines.
func RGB(seed uint64, size int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	rgb := make([]byte, size*size*3)
	for i := range rgb {
		rgb[i] = byte(rng.Uint32())
	}
	return rgb
}
