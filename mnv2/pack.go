package mnv2

import (
	"sync"

	"tarsier/mnv2/internal/kernels"
)

// pack fills the model from a network that has been checked.
func (m *Model) pack(n *Network) {
	m.pixels = newPixelTable(n.Pixels, n.Input, m.set.Flip)
	m.inputZero = m.stored(n.Input.Zero)
	var p packer
	p.pack(&m.first, m.set.NewFirst, &n.First, n.Input)
	m.firstPad = n.First.Pad
	m.firstSize = n.First.outSize(n.Size)

	size, quant := m.firstSize, n.First.Output
	m.blocks = make([]block, len(n.Blocks))
	for i := range m.blocks {
		b := &m.blocks[i]
		m.packBlock(&p, b, &n.Blocks[i], size, &quant)
		b.stem = i == 0
		size = b.out
	}
	p.pack(&m.last, m.set.NewPointwise, &n.Last, quant)
	if n.Classifier != nil {
		p.pack(&m.classifier, m.set.NewPointwise, n.Classifier, n.Embedding)
	}
	p.wait.Wait()

	m.late = len(m.blocks)
	for i := range m.blocks {
		b := &m.blocks[i]
		b.plan(m.set, m.threads)
		if b.late {
			m.late = min(m.late, i)
		}
	}
	m.headStep = equally(m.last.Out, stepBytes/(m.last.In+size*size), m.set.Step)
	m.mean = kernels.NewMean(kernels.Quantization(n.Last.Output), kernels.Quantization(n.Embedding), size*size)
	m.embedding = n.Embedding
	if n.Classifier != nil {
		m.logits = n.Classifier.Output
		m.exp = exponentials(m.logits.Scale)
	}
}

// stored is how the kernels store a zero point.
func (m *Model) stored(zero int32) int8 { return int8(zero) ^ m.set.Flip }

// A packer packs layers side by side: to prove their requantizations is most of
// what loading a network takes.
type packer struct{ wait sync.WaitGroup }

func (p *packer) pack(layer **kernels.Layer, pack func(*kernels.Conv) *kernels.Layer, c *Conv, in Quantization) {
	p.wait.Add(1)
	go func() {
		defer p.wait.Done()
		*layer = pack(describe(c, in))
	}()
}

// packBlock makes of quant the quantization of the block's output.
func (m *Model) packBlock(p *packer, to *block, b *Block, size int, quant *Quantization) {
	in := *quant
	*to = block{in: size, stride: b.Depthwise.Stride, pad: b.Depthwise.Pad}
	if b.Expand != nil {
		p.pack(&to.expand, m.set.NewPointwise, b.Expand, *quant)
		*quant = b.Expand.Output
	}
	to.zero = m.stored(quant.Zero)
	p.pack(&to.depthwise, m.set.NewDepthwise, &b.Depthwise, *quant)
	to.out = b.Depthwise.outSize(size)
	p.pack(&to.project, m.set.NewPointwise, &b.Project, b.Depthwise.Output)
	*quant = b.Project.Output
	if a := b.Residual; a != nil {
		to.add = kernels.NewAdd(kernels.Quantization(in), kernels.Quantization(*quant),
			kernels.Quantization(a.Output), a.Min, a.Max)
		*quant = a.Output
	}
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
