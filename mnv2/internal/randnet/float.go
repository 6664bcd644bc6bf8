package randnet

import (
	"tarsier/mnv2"
	"tarsier/mnv2/float"
)

// Float makes a float32 network with the shape and the weights that New gives
// the int8 one.
func Float(seed uint64, o Options) *float.Network {
	q := New(seed, o)
	in := q.Input.Scale
	conv := func(c *mnv2.Conv, relu6 bool) float.Conv {
		f := float.Conv{
			Name: c.Name, Kernel: c.Kernel, Stride: c.Stride, Pad: c.Pad, In: c.In, Out: c.Out, Depthwise: c.Depthwise,
			ReLU6: relu6, Weights: make([]float32, len(c.Weights)), Bias: make([]float32, c.Out),
		}
		for i, w := range c.Weights {
			o := i / (len(c.Weights) / c.Out)
			if c.Depthwise {
				o = i % c.Out
			}
			f.Weights[i] = float32(w) * c.Scales[o]
		}
		for o, b := range c.Bias {
			f.Bias[o] = float32(b) * in * c.Scales[o]
		}
		in = c.Output.Scale
		return f
	}
	n := &float.Network{Name: q.Name, Size: q.Size, Pixels: float.Symmetric, First: conv(&q.First, true)}
	for i := range q.Blocks {
		b := &q.Blocks[i]
		var block float.Block
		if b.Expand != nil {
			c := conv(b.Expand, true)
			block.Expand = &c
		}
		block.Depthwise = conv(&b.Depthwise, true)
		block.Project = conv(&b.Project, false)
		if b.Residual != nil {
			block.Residual, in = true, b.Residual.Output.Scale
		}
		n.Blocks = append(n.Blocks, block)
	}
	n.Last = conv(&q.Last, true)
	if in = q.Embedding.Scale; q.Classifier != nil {
		c := conv(q.Classifier, false)
		n.Classifier = &c
	}
	return n
}
