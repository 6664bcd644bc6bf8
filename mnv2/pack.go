package mnv2

import (
	"math"

	"tarsier/mnv2/internal/kernels"
)

// pack fills the model from a network that has been checked.
func (m *Model) pack(n *Network) {
	m.pixels = pixelTable(n.Pixels, n.Input)
	m.inputZero = int8(n.Input.Zero)
	m.first = m.set.NewFirst(describe(&n.First, n.Input))
	m.firstPad = n.First.Pad
	m.firstSize = n.First.outSize(n.Size)

	size, quant := m.firstSize, n.First.Output
	for i := range n.Blocks {
		b := m.packBlock(&n.Blocks[i], size, &quant)
		m.blocks = append(m.blocks, b)
		size = b.out
	}
	m.last = m.packParts(&n.Last, quant)
	m.mean = kernels.NewMean(kernels.Quantization(n.Last.Output), kernels.Quantization(n.Embedding), size*size)
	m.embedding = n.Embedding
	if n.Classifier != nil {
		m.classifier = m.packParts(n.Classifier, n.Embedding)
		m.logits = n.Classifier.Output
		m.exp = exponentials(m.logits.Scale)
	}
}

// packBlock makes of quant the quantization of the block's output.
func (m *Model) packBlock(b *Block, size int, quant *Quantization) block {
	in := *quant
	p := block{in: size, stride: b.Depthwise.Stride, pad: b.Depthwise.Pad}
	if b.Expand != nil {
		p.expand = m.set.NewPointwise(describe(b.Expand, *quant))
		*quant = b.Expand.Output
	}
	p.zero = int8(quant.Zero)
	p.depthwise = m.set.NewDepthwise(describe(&b.Depthwise, *quant))
	p.out = b.Depthwise.outSize(size)
	p.step = min(p.out, (m.set.Pass+p.out-1)/p.out)
	p.project = m.set.NewPointwise(describe(&b.Project, b.Depthwise.Output))
	*quant = b.Project.Output
	if a := b.Residual; a != nil {
		p.add = kernels.NewAdd(kernels.Quantization(in), kernels.Quantization(*quant),
			kernels.Quantization(a.Output), a.Min, a.Max)
		*quant = a.Output
	}
	return p
}

// partChannels is the most output channels of the last layers that are made
// in one go: few enough that all pixels of a part stay in the first cache
// until their mean is taken.
const partChannels = 256

// packParts packs a 1x1 convolution as several, each of some of its outputs:
// equally many for each thread.
func (m *Model) packParts(c *Conv, in Quantization) (parts []*kernels.Layer) {
	n := m.threads
	for c.Out > n*partChannels {
		n += m.threads
	}
	size := m.set.Pad((c.Out + n - 1) / n)
	for from := 0; from < c.Out; from += size {
		to := min(from+size, c.Out)
		part := *c
		part.Out = to - from
		part.Weights = c.Weights[from*c.In : to*c.In]
		part.Scales, part.Bias = c.Scales[from:to], c.Bias[from:to]
		parts = append(parts, m.set.NewPointwise(describe(&part, in)))
	}
	return parts
}

func (c *Conv) outSize(in int) int {
	return (in+c.Pad.Before+c.Pad.After-c.Kernel)/c.Stride + 1
}

func describe(c *Conv, in Quantization) *kernels.Conv {
	return &kernels.Conv{
		In: c.In, Out: c.Out,
		Weights: c.Weights,
		Bias:    c.Bias,
		Scales:  c.Scales,
		Input:   kernels.Quantization(in),
		Output:  kernels.Quantization(c.Output),
		Min:     c.Min, Max: c.Max,
	}
}

// pixelTable is, for each byte p, floor((p-mean)/(std*scale) + 0.5) + zero.
// With the usual normalization and scale 1/127.5 the divisor is 1 in float32,
// and the result p - 128.
func pixelTable(p Normalization, q Quantization) (table [256]int8) {
	step := float64(float32(p.Std * q.Scale))
	for i := range table {
		v := math.Floor((float64(i)-float64(p.Mean))/step+0.5) + float64(q.Zero)
		table[i] = int8(min(max(v, -128), 127))
	}
	return table
}
