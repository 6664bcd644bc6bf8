package tflite

import (
	"errors"
	"slices"

	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile"
	"tarsier/mnv2/tflite/internal/schema"
)

var errQuantized = errors.New("the model is quantized already: it runs as it is; to quantize it anew, take the float32 model that it was made of")

// LoadFloat reads the float32 network in a .tflite file. Its Name is the one in
// the file's metadata, else the file's. Errors are those of ReadFloat, or of
// reading the file, with its path.
func LoadFloat(path string) (*float.Network, error) {
	return modelfile.Load(path, extension, ReadFloat)
}

// ReadFloat gives the float32 network in the bytes of a .tflite file, as
// TensorFlow's and Keras' converters write it without optimizations or with
// float16 weights. Where the file does not say what its pixels stand for, they
// are float.Symmetric. It does not keep data. An error names the operator at
// which the file stops being a MobileNetV2, or says how it is damaged.
func ReadFloat(data []byte) (*float.Network, error) {
	if err := modelfile.CheckSize(int64(len(data)), modelfile.MaxFloat); err != nil {
		return nil, err
	}
	m, err := open(data)
	if err != nil {
		return nil, err
	}
	m.float = true
	net, err := m.floatNetwork()
	if err != nil {
		return nil, err
	}
	if err := net.Check(); err != nil {
		return nil, err
	}
	return net, nil
}

// floatNetwork reads the float32 numbers of a graph.
func (m *model) floatNetwork() (*float.Network, error) {
	g, err := m.graph()
	if err != nil {
		return nil, err
	}
	net := &float.Network{Name: m.name, Size: g.input.shape[1], Pixels: float.Symmetric}
	if m.pixels != nil {
		net.Pixels = *m.pixels
	}
	if net.First, err = g.first.float(); err != nil {
		return nil, err
	}
	for i := range g.blocks {
		b, err := g.blocks[i].float()
		if err != nil {
			return nil, err
		}
		net.Blocks = append(net.Blocks, b)
	}
	if net.Last, err = g.last.float(); err != nil {
		return nil, err
	}
	if g.classifier != nil {
		c, err := g.classifier.float()
		if err != nil {
			return nil, err
		}
		net.Classifier = &c
	}
	return net, m.checkSeen()
}

func (b *block) float() (float.Block, error) {
	out := float.Block{Residual: b.residual != nil}
	var err error
	if b.expand != nil {
		c, err := b.expand.float()
		if err != nil {
			return out, err
		}
		out.Expand = &c
	}
	if out.Depthwise, err = b.depthwise.float(); err != nil {
		return out, err
	}
	if out.Project, err = b.project.float(); err != nil {
		return out, err
	}
	if s := b.residual; s != nil {
		if s.active != none {
			return out, s.op.errorf("activation %v; the residual addition of a MobileNetV2 has none", s.active)
		}
		if err := s.out.real(); err != nil {
			return out, s.op.errorf("output: %w", err)
		}
	}
	return out, nil
}

// float reads the layer's numbers.
func (l *layer) float() (float.Conv, error) {
	s, op := l.shape, l.op
	c := float.Conv{
		Name: s.Name, Kernel: s.Kernel, Stride: s.Stride, Pad: s.Pad,
		In: s.In, Out: s.Out, Depthwise: s.Depthwise, ReLU6: l.role.active,
	}
	switch {
	case l.role.active && l.active != relu6:
		return c, op.errorf("activation %v; the %s of a MobileNetV2 has a ReLU6", l.active, l.role.name)
	case !l.role.active && l.active != none:
		return c, op.errorf("activation %v; the %s of a MobileNetV2 has none", l.active, l.role.name)
	case c.Out > maxChannels:
		return c, op.errorf("%d output channels; up to %d can be run", c.Out, maxChannels)
	}
	if err := l.out.real(); err != nil {
		return c, op.errorf("output: %w", err)
	}
	var err error
	if c.Weights, err = op.input(1).floats(); err != nil {
		return c, op.errorf("weights: %w", err)
	}
	bias := op.input(2)
	if bias == nil {
		c.Bias = make([]float32, c.Out)
		return c, nil
	}
	if c.Bias, err = bias.floats(); err != nil {
		return c, op.errorf("bias: %w", err)
	}
	if len(c.Bias) != c.Out {
		return c, op.errorf("bias: %w", bias.errorf("%d values for %d channels", len(c.Bias), c.Out))
	}
	return c, nil
}

// real checks that an activation is float32.
func (t *tensor) real() error {
	switch typ := t.Type(); typ {
	case schema.TensorTypeFLOAT32:
		return nil
	case schema.TensorTypeINT8, schema.TensorTypeUINT8:
		return t.errorf("type %v: %w", typ, errQuantized)
	default:
		return t.errorf("type %v; activations must be FLOAT32", typ)
	}
}

// floats gives a constant's values, which may be kept as float16 in front of a
// DEQUANTIZE.
func (t *tensor) floats() ([]float32, error) {
	if op := t.producer; op != nil && op.code == opDequantize && op.input(0) != nil {
		op.seen = true
		half := op.input(0)
		switch {
		case half.Type() != schema.TensorTypeFLOAT16:
			return nil, op.errorf("%w", half.weightsOnly())
		case !slices.Equal(half.shape, t.shape):
			return nil, op.errorf("its input has shape %v, its output %v; both must be the same", half.shape, t.shape)
		}
		t = half
	}
	switch typ := t.Type(); typ {
	case schema.TensorTypeFLOAT32:
		data, err := t.constant(4)
		if err != nil {
			return nil, err
		}
		return modelfile.Float32s(data), nil
	case schema.TensorTypeFLOAT16:
		data, err := t.constant(2)
		if err != nil {
			return nil, err
		}
		return modelfile.Float16s(data), nil
	default:
		return nil, t.weightsOnly()
	}
}

// weightsOnly is the error for constants of a model of which only those are
// quantized.
func (t *tensor) weightsOnly() error {
	return t.errorf("type %v; it must be FLOAT32 or FLOAT16: convert the model without optimizations", t.Type())
}
