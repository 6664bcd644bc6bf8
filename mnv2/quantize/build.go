package quantize

import (
	"math"
	"slices"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
)

// A builder makes the layers of an int8 network, one after the other.
type builder struct {
	seen  *calibration
	next  int                       // of the activations
	quant mnv2.Quantization         // of the last activation
	mean  func(channel int) float64 // of its values
}

func build(net *float.Network, seen *calibration) *mnv2.Network {
	n := &mnv2.Network{Name: net.Name, Size: net.Size}
	n.Input, n.Pixels = input(net.Pixels)
	b := &builder{seen: seen, quant: n.Input}
	b.mean = func(colour int) float64 { return (seen.bytes[colour] - float64(128+n.Input.Zero)) / 127.5 }
	first := foldPixels(&net.First, net.Pixels, n.Input)
	n.First = b.conv(&first)
	for i := range net.Blocks {
		n.Blocks = append(n.Blocks, b.block(&net.Blocks[i]))
	}
	n.Last = b.conv(&net.Last)
	b.observe(b.nonNegative(), b.quant.Scale)
	n.Embedding = b.quant
	if net.Classifier != nil {
		c := b.conv(net.Classifier)
		n.Classifier = &c
	}
	return n
}

func (b *builder) block(f *float.Block) (block mnv2.Block) {
	in := b.quant
	if f.Expand != nil {
		c := b.conv(f.Expand)
		block.Expand = &c
	}
	block.Depthwise = b.conv(&f.Depthwise)
	block.Project = b.conv(&f.Project)
	if f.Residual {
		b.observe(b.linear(), max(in.Scale, b.quant.Scale))
		block.Residual = &mnv2.Add{Name: f.Project.Name + "/add", Output: b.quant, Min: -128, Max: 127}
	}
	return block
}

// conv makes the next layer.
func (b *builder) conv(f *float.Conv) mnv2.Conv {
	c := mnv2.Conv{
		Name: f.Name, Kernel: f.Kernel, Stride: f.Stride, Pad: f.Pad, In: f.In, Out: f.Out, Depthwise: f.Depthwise,
		Weights: make([]int8, len(f.Weights)), Scales: make([]float32, f.Out), Bias: make([]int32, f.Out),
		Min: -128, Max: 127,
	}
	in, mean := b.quant, b.mean
	for o := range c.Scales {
		// A bias that is large beside the weights needs a larger unit, so that
		// sums stay exact in float32.
		const largest = 1 << 23
		c.Scales[o] = max(weightScale(channel(f, o)), float32(math.Abs(float64(f.Bias[o]))/largest/float64(in.Scale)))
	}
	out := b.linear
	switch {
	case f.ReLU6:
		out = b.nonNegative
	case b.next == len(b.seen.activations)-1:
		out = b.logits
	}
	b.observe(out(), in.Scale*slices.Max(c.Scales))
	if c.Output = b.quant; f.ReLU6 {
		c.Min = int8(c.Output.Zero)
		c.Max = int8(min(127, float64(c.Output.Zero)+math.RoundToEven(float64(6/c.Output.Scale))))
	}
	for o := range c.Scales {
		// Weights far too small to matter: 0, and a scale that is a number.
		c.Scales[o] = max(c.Scales[o], c.Output.Scale/in.Scale/(1<<32))
		scale, bias := float64(c.Scales[o]), float64(f.Bias[o])
		for i, w := range channel(f, o) {
			q := min(max(math.RoundToEven(float64(w)/scale), -127), 127)
			at := o*(len(c.Weights)/c.Out) + i
			from := i % c.In // the channel that it multiplies
			if c.Depthwise {
				at, from = i*c.Out+o, o
			}
			c.Weights[at] = int8(q)
			bias -= float64(float64(q*scale)-float64(w)) * mean(from) // see the package's comment
		}
		c.Bias[o] = int32(min(max(math.RoundToEven(bias/(scale*float64(in.Scale))), math.MinInt32/2), math.MaxInt32/2))
	}
	return c
}

// observe takes the next activation, whose quantization is q unless its step is
// too small beside what it is computed of.
func (b *builder) observe(q mnv2.Quantization, unit float32) {
	const most = 128 // half of what package mnv2 allows
	a := &b.seen.activations[b.next]
	b.next++
	b.quant, b.mean = mnv2.Quantization{Scale: max(q.Scale, unit/most), Zero: q.Zero}, a.mean
}

// linear is the quantization of the next activation, which has values of either
// sign.
func (b *builder) linear() mnv2.Quantization {
	a := &b.seen.activations[b.next]
	if a.most == 0 {
		return b.quant // any will do
	}
	return a.leastError(a.span())
}

// nonNegative is that of one behind a ReLU6, or of a mean of such.
func (b *builder) nonNegative() mnv2.Quantization {
	const room = 1.25 // for what was not seen
	a := &b.seen.activations[b.next]
	if a.most == 0 {
		return quantization(0, 6)
	}
	return a.leastError(0, min(6, room*float64(a.most)))
}

// logits is that of the logits: all that was seen, some room for more, and, where
// no class is certain in any picture, room for one to be, as it will be in others.
// There is no more of that than twice what was seen: steps that are too large make
// the two best classes equal. What was seen is from the least to the largest, not
// from 0: scores are the same when all logits move together. But the range has to
// have 0 in it, too.
func (b *builder) logits() mnv2.Quantization {
	const (
		room    = 0.2
		certain = 10 // the logarithm of the odds
	)
	l := &b.seen.logits
	low, high := float64(l.low), float64(l.high)
	seen := high - low
	rest := float64(l.rest) / sumStep / float64(l.pictures)
	low, high = min(low, 0), max(high+room*seen, min(rest+certain, high+2*seen), 0)
	if high-low < silence {
		return b.quant // any will do
	}
	return quantization(low, high)
}

// input says how pixels come: a byte p as p - 128, with the zero point, which
// stands for padding, at the mean of the three colours. Of -1..1 it is the -1 that
// all such files have.
//
// The padding of the first layer is then not quite the 0 that it was trained with,
// which is the mean of each colour: with ImageNet's, 123.7, 116.3 and 103.5, it is
// 114, and stands for -0.17, -0.04 and 0.18 in red, green and blue. No bias can
// take that back, as it is at the picture's border only.
func input(p float.Normalization) (mnv2.Quantization, mnv2.Normalization) {
	mean := (float64(p.Mean[0]) + float64(p.Mean[1]) + float64(p.Mean[2])) / 3
	zero := int32(min(max(math.Ceil(mean-0.5)-128, -128), 127))
	pixels := mnv2.Normalization{Mean: float32(128 + zero), Std: 127.5}
	if p == float.Symmetric {
		pixels.Mean = 127.5 // what a file means that does not say; the bytes are the same
	}
	return mnv2.Quantization{Scale: float32(1 / 127.5), Zero: zero}, pixels
}

// foldPixels gives the first convolution for an input of (p - 128 - zero) / 127.5
// instead of (p - mean) / deviation.
func foldPixels(c *float.Conv, p float.Normalization, in mnv2.Quantization) float.Conv {
	folded := *c
	folded.Weights, folded.Bias = slices.Clone(c.Weights), slices.Clone(c.Bias)
	taps := len(c.Weights) / c.Out
	for i, w := range c.Weights {
		colour := i % 3
		folded.Weights[i] = w * 127.5 / p.Std[colour]
		folded.Bias[i/taps] += w * (float32(128+in.Zero) - p.Mean[colour]) / p.Std[colour]
	}
	return folded
}

// channel gives the weights of output channel o.
func channel(c *float.Conv, o int) []float32 {
	taps := len(c.Weights) / c.Out
	if !c.Depthwise {
		return c.Weights[o*taps : (o+1)*taps]
	}
	w := make([]float32, taps)
	for i := range w {
		w[i] = c.Weights[i*c.Out+o]
	}
	return w
}

// weightScale finds the scale of the least squared error for a channel's weights,
// of those that make the largest a whole number, 64..127. If all are multiples
// of one number, because they come from 8-bit ones, there is one without error.
func weightScale(w []float32) float32 {
	var most float64
	for _, v := range w {
		most = max(most, math.Abs(float64(v)))
	}
	scale, least := most/127, math.Inf(1)
	for n := 127; n >= 64; n-- {
		s := most / float64(n)
		var sum float64
		for _, v := range w {
			steps := float64(v) / s
			d := (steps - math.RoundToEven(steps)) * s
			sum += d * d
		}
		if sum < 0.999*least { // of nearly equal ones the smallest
			scale, least = s, sum
		}
	}
	return float32(scale)
}
