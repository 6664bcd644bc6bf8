package tflite

import (
	"tarsier/mnv2"
	"tarsier/mnv2/tflite/internal/schema"
)

// network reads the int8 or uint8 numbers of a graph.
func (m *model) network() (*mnv2.Network, error) {
	g, err := m.graph()
	if err != nil {
		return nil, err
	}
	net := &mnv2.Network{Name: m.name, Size: g.input.shape[1]}
	if net.Input, err = g.input.activation(); err != nil {
		return nil, err
	}
	if net.Pixels, err = m.pixelsOf(g.picture); err != nil {
		return nil, err
	}
	if net.First, err = g.first.quantized(); err != nil {
		return nil, err
	}
	for i := range g.blocks {
		b, err := g.blocks[i].quantized()
		if err != nil {
			return nil, err
		}
		net.Blocks = append(net.Blocks, b)
	}
	if net.Last, err = g.last.quantized(); err != nil {
		return nil, err
	}
	if net.Embedding, err = g.mean.quantized(); err != nil {
		return nil, err
	}
	if g.classifier != nil {
		c, err := g.classifier.quantized()
		if err != nil {
			return nil, err
		}
		net.Classifier = &c
	}
	return net, m.checkSeen()
}

// pixelsOf says what a pixel's byte stands for.
func (m *model) pixelsOf(in *tensor) (mnv2.Normalization, error) {
	if m.pixels != nil {
		return single(m.pixels)
	}
	if in.Type() != schema.TensorTypeUINT8 {
		return defaultPixels, nil
	}
	q, err := in.activation()
	if err != nil {
		return mnv2.Normalization{}, err
	}
	return bytePixels(q), nil
}

// defaultPixels is -1..1, which every published MobileNetV2 was trained with.
// To an int8 input of scale 1/127.5 and zero point -1 that is the byte minus
// 128.
var defaultPixels = mnv2.Normalization{Mean: 127.5, Std: 127.5}

// bytePixels feeds a uint8 input the byte as it is. So do all who use such
// files, and so were they measured; their scale and zero point, mostly 1/128
// and 128, are not quite those of -1..1, and every second byte would come out
// one off.
func bytePixels(q mnv2.Quantization) mnv2.Normalization {
	return mnv2.Normalization{Mean: float32(q.Zero + 128), Std: 1 / q.Scale}
}

func (b *block) quantized() (mnv2.Block, error) {
	var (
		out mnv2.Block
		err error
	)
	if b.expand != nil {
		c, err := b.expand.quantized()
		if err != nil {
			return out, err
		}
		out.Expand = &c
	}
	if out.Depthwise, err = b.depthwise.quantized(); err != nil {
		return out, err
	}
	if out.Project, err = b.project.quantized(); err != nil {
		return out, err
	}
	if b.residual != nil {
		out.Residual, err = b.residual.quantized()
	}
	return out, err
}

// quantized reads the layer's numbers.
func (l *layer) quantized() (mnv2.Conv, error) {
	c := l.shape
	if err := l.weigh(&c); err != nil {
		return c, err
	}
	return c, l.checkActive(c.Output)
}

// checkActive tells a MobileNetV2 by its activations. Old files fold the
// ReLU6 into the range of the output, which then begins at 0.
func (l *layer) checkActive(out mnv2.Quantization) error {
	switch {
	case l.role.active && l.active == none && out.Zero != -128:
		return l.op.errorf("no activation; the %s of a MobileNetV2 has a ReLU6", l.role.name)
	case !l.role.active && l.active != none:
		return l.op.errorf("activation %v; the %s of a MobileNetV2 has none", l.active, l.role.name)
	}
	return nil
}

// quantized reads the numbers of a sum.
func (s *sum) quantized() (*mnv2.Add, error) {
	op := s.op
	a, err := s.block.activation()
	if err != nil {
		return nil, op.errorf("input: %w", err)
	}
	b, err := s.project.activation()
	if err != nil {
		return nil, op.errorf("input: %w", err)
	}
	add := &mnv2.Add{Name: s.out.name()}
	if add.Output, err = s.out.activation(); err != nil {
		return nil, op.errorf("output: %w", err)
	}
	if x, y, out := s.block.Type(), s.project.Type(), s.out.Type(); x != out || y != out {
		return nil, op.errorf("inputs %v and %v, output %v; they must be of one type", x, y, out)
	}
	if r := max(a.Scale/add.Output.Scale, b.Scale/add.Output.Scale); !(r >= minAddRatio && r < maxAddRatio) {
		return nil, op.errorf("scales %v and %v to %v; their largest ratio must be in %v..%v",
			a.Scale, b.Scale, add.Output.Scale, float32(minAddRatio), maxAddRatio)
	}
	var known bool
	if add.Min, add.Max, known = clamp(s.active, add.Output); !known {
		return nil, op.errorf("activation %v; only NONE, RELU and RELU6 are known", s.active)
	}
	return add, nil
}

// What the fixed-point addition can represent, as in XNNPACK.
const (
	minAddRatio = 1.0 / 1024
	maxAddRatio = 256
)

// quantized gives the quantization of the embedding.
func (m mean) quantized() (mnv2.Quantization, error) {
	in, err := m.in.activation()
	if err != nil {
		return in, m.op.errorf("input: %w", err)
	}
	out, err := m.out.activation()
	if err != nil {
		return out, m.op.errorf("output: %w", err)
	}
	if m.op.code == opAveragePool && out != in {
		return out, m.op.errorf("its output is not quantized as its input is")
	}
	return out, checkRatio(m.op, in.Scale, 1, out.Scale)
}
