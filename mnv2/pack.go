package mnv2

import "tarsier/mnv2/internal/kernels"

// pack fills the model from a network that has been checked.
func (m *Model) pack(n *Network) {
	m.pixels = newPixelTable(n.Pixels, n.Input, m.set.Flip)
	m.inputZero = m.stored(n.Input.Zero)
	m.first = m.set.NewFirst(describe(&n.First, n.Input))
	m.firstPad = n.First.Pad
	m.firstSize = n.First.outSize(n.Size)

	size, quant := m.firstSize, n.First.Output
	m.late = len(n.Blocks)
	for i := range n.Blocks {
		b := m.packBlock(&n.Blocks[i], size, &quant)
		b.stem = i == 0
		b.plan(m.set, m.threads)
		if b.late {
			m.late = min(m.late, i)
		}
		m.blocks = append(m.blocks, b)
		size = b.out
	}
	m.last = m.set.NewPointwise(describe(&n.Last, quant))
	m.headStep = equally(m.last.Out, stepBytes/(m.last.In+size*size), m.set.Step)
	m.mean = kernels.NewMean(kernels.Quantization(n.Last.Output), kernels.Quantization(n.Embedding), size*size)
	m.embedding = n.Embedding
	if n.Classifier != nil {
		m.classifier = m.set.NewPointwise(describe(n.Classifier, n.Embedding))
		m.logits = n.Classifier.Output
		m.exp = exponentials(m.logits.Scale)
	}
}

// stored is how the kernels store a zero point.
func (m *Model) stored(zero int32) int8 { return int8(zero) ^ m.set.Flip }

// packBlock makes of quant the quantization of the block's output.
func (m *Model) packBlock(b *Block, size int, quant *Quantization) block {
	in := *quant
	p := block{in: size, stride: b.Depthwise.Stride, pad: b.Depthwise.Pad}
	if b.Expand != nil {
		p.expand = m.set.NewPointwise(describe(b.Expand, *quant))
		*quant = b.Expand.Output
	}
	p.zero = m.stored(quant.Zero)
	p.depthwise = m.set.NewDepthwise(describe(&b.Depthwise, *quant))
	p.out = b.Depthwise.outSize(size)
	p.project = m.set.NewPointwise(describe(&b.Project, b.Depthwise.Output))
	*quant = b.Project.Output
	if a := b.Residual; a != nil {
		p.add = kernels.NewAdd(kernels.Quantization(in), kernels.Quantization(*quant),
			kernels.Quantization(a.Output), a.Min, a.Max)
		*quant = a.Output
	}
	return p
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
