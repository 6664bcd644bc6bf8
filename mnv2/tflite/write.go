package tflite

import (
	"encoding/binary"
	"fmt"
	"math"

	flatbuffers "github.com/google/flatbuffers/go"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/modelfile"
	"tarsier/mnv2/tflite/internal/schema"
)

// Type is what an input or output is made of.
type Type int

const (
	Int8    Type = iota // the network's own
	Uint8               // the same plus 128
	Float32             // real values
)

// Options pick among the forms in which files hold the same network. The zero
// value is what TensorFlow's converter writes for a classifier without a
// softmax.
type Options struct {
	Input, Output Type
	Legacy        bool // all of it uint8, both ends too, one scale for all weights of a layer, as files were until 2020
	PerTensor     bool // int8, with one scale for all weights of a layer
	ExplicitPad   bool // PAD before VALID where SAME would do
	AveragePool   bool // AVERAGE_POOL_2D, not MEAN; the embedding's quantization must be the last layer's
	KeepDims      bool // MEAN with keep_dims, and a RESHAPE behind it
	ConvHead      bool // a 1x1 convolution and a SQUEEZE, not FULLY_CONNECTED
	Softmax       bool // a SOFTMAX behind the classifier
}

// Write gives the network as a .tflite file, which [Read] takes back and
// TensorFlow Lite runs. With Legacy or PerTensor, all Scales of a layer must
// be equal.
func Write(net *mnv2.Network, o Options) ([]byte, error) {
	w, err := newWriter(net, o)
	if err != nil {
		return nil, fmt.Errorf("writing network %q: %w", net.Name, err)
	}
	return w.file(), nil
}

// A writer collects a graph.
type writer struct {
	Options
	net      *mnv2.Network
	typ      schema.TensorType // of activations and weights
	buffers  [][]byte
	tensors  []newTensor
	ops      []newOperator
	metadata []byte // nil: none
	inputs   []int32
	outputs  []int32
}

type newTensor struct {
	name   string
	shape  []int32
	typ    schema.TensorType
	buffer int
	scales []float32
	zero   int64
	dim    int32 // of the scales, where there are several
}

type newOperator struct {
	code            schema.BuiltinOperator
	inputs, outputs []int32
	typ             schema.BuiltinOptions
	options         func(*flatbuffers.Builder) flatbuffers.UOffsetT
}

func newWriter(net *mnv2.Network, o Options) (*writer, error) {
	w := &writer{Options: o, net: net, typ: schema.TensorTypeINT8}
	if o.Legacy {
		w.typ = schema.TensorTypeUINT8
	}
	w.buffer(nil) // the first is that of all activations
	return w, w.network()
}

// A plane is the activation that the next layer reads.
type plane struct {
	tensor   int
	size     int // height and width
	channels int
	quant    mnv2.Quantization
}

func (w *writer) network() error {
	net := w.net
	x := plane{size: net.Size, channels: 3, quant: net.Input}
	shape := []int32{1, int32(x.size), int32(x.size), 3}
	in := w.end("input", shape, w.Input, x.quant)
	if x.tensor = in; w.converts(w.Input) {
		x.tensor = w.activation("input/quantized", shape, x.quant)
		w.op(opQuantize, []int{in}, x.tensor, 0, nil)
	}
	if err := w.conv(&x, &net.First, true); err != nil {
		return err
	}
	for i := range net.Blocks {
		if err := w.block(&x, &net.Blocks[i]); err != nil {
			return err
		}
	}
	if err := w.conv(&x, &net.Last, true); err != nil {
		return err
	}
	if err := w.mean(&x, net.Embedding); err != nil {
		return err
	}
	if net.Classifier != nil {
		if err := w.classifier(&x, net.Classifier); err != nil {
			return err
		}
	}
	out := x.tensor
	if w.converts(w.Output) {
		code := opQuantize
		if w.Output == Float32 {
			code = opDequantize
		}
		out = w.end("output", w.tensors[x.tensor].shape, w.Output, x.quant)
		w.op(code, []int{x.tensor}, out, 0, nil)
	}
	mean, std := w.pixels()
	w.metadata = encodeMetadata(net.Name, mean, std)
	w.inputs, w.outputs = []int32{int32(in)}, []int32{int32(out)}
	return nil
}

// converts says whether an end of the network is not of its own type.
func (w *writer) converts(end Type) bool { return end != Int8 && !w.Legacy }

func (w *writer) block(x *plane, b *mnv2.Block) error {
	in := *x
	if b.Expand != nil {
		if err := w.conv(x, b.Expand, true); err != nil {
			return err
		}
	}
	if err := w.conv(x, &b.Depthwise, true); err != nil {
		return err
	}
	if err := w.conv(x, &b.Project, false); err != nil {
		return err
	}
	if b.Residual == nil {
		return nil
	}
	a := b.Residual
	act, err := activationFor(a.Name, a.Min, a.Max, a.Output, none, relu, relu6)
	if err != nil {
		return err
	}
	inputs := []int{in.tensor, x.tensor}
	x.tensor, x.quant = w.activation(a.Name, w.tensors[x.tensor].shape, a.Output), a.Output
	w.op(opAdd, inputs, x.tensor, schema.BuiltinOptionsAddOptions, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
		schema.AddOptionsStart(b)
		schema.AddOptionsAddFusedActivationFunction(b, act)
		return schema.AddOptionsEnd(b)
	})
	return nil
}

// conv writes a convolution. One that is active has a ReLU6 where its range
// does not say otherwise.
func (w *writer) conv(x *plane, c *mnv2.Conv, active bool) error {
	acts := []schema.ActivationFunctionType{none}
	if active {
		acts = []schema.ActivationFunctionType{relu6, relu, none}
	}
	act, err := activationFor(c.Name, c.Min, c.Max, c.Output, acts...)
	if err != nil {
		return err
	}
	if c.In != x.channels {
		return fmt.Errorf("layer %q: %d input channels after %d output channels", c.Name, c.In, x.channels)
	}
	size := (x.size+c.Pad.Before+c.Pad.After-c.Kernel)/c.Stride + 1
	padding := schema.PaddingSAME
	if c.Pad != modelfile.SamePadding(x.size, c.Kernel, c.Stride) || w.ExplicitPad && c.Kernel > 1 {
		padding = schema.PaddingVALID
		w.pad(x, c)
	}
	shape := []int32{int32(c.Out), int32(c.Kernel), int32(c.Kernel), int32(c.In)}
	code, dim := opConv, int32(0)
	typ, options := schema.BuiltinOptionsConv2DOptions, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
		schema.Conv2DOptionsStart(b)
		schema.Conv2DOptionsAddPadding(b, padding)
		schema.Conv2DOptionsAddStrideW(b, int32(c.Stride))
		schema.Conv2DOptionsAddStrideH(b, int32(c.Stride))
		schema.Conv2DOptionsAddFusedActivationFunction(b, act)
		return schema.Conv2DOptionsEnd(b)
	}
	if c.Depthwise {
		shape[0], code, dim = 1, opDepthwise, 3
		typ, options = schema.BuiltinOptionsDepthwiseConv2DOptions, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
			schema.DepthwiseConv2DOptionsStart(b)
			schema.DepthwiseConv2DOptionsAddPadding(b, padding)
			schema.DepthwiseConv2DOptionsAddStrideW(b, int32(c.Stride))
			schema.DepthwiseConv2DOptionsAddStrideH(b, int32(c.Stride))
			schema.DepthwiseConv2DOptionsAddDepthMultiplier(b, 1)
			schema.DepthwiseConv2DOptionsAddFusedActivationFunction(b, act)
			return schema.DepthwiseConv2DOptionsEnd(b)
		}
	}
	inputs, err := w.weights(x, c, shape, dim)
	if err != nil {
		return err
	}
	*x = plane{size: size, channels: c.Out, quant: c.Output}
	x.tensor = w.activation(c.Name, []int32{1, int32(size), int32(size), int32(c.Out)}, c.Output)
	w.op(code, inputs, x.tensor, typ, options)
	return nil
}

// pad writes the PAD before c.
func (w *writer) pad(x *plane, c *mnv2.Conv) {
	before, after := int32(c.Pad.Before), int32(c.Pad.After)
	x.size += c.Pad.Before + c.Pad.After
	inputs := []int{x.tensor, w.ints(c.Name+"/paddings", []int32{4, 2}, 0, 0, before, after, before, after, 0, 0)}
	x.tensor = w.activation(c.Name+"/pad", []int32{1, int32(x.size), int32(x.size), int32(x.channels)}, x.quant)
	w.op(opPad, inputs, x.tensor, 0, nil)
}

func (w *writer) mean(x *plane, out mnv2.Quantization) error {
	n, size := int32(x.channels), int32(x.size)
	flat, deep := []int32{1, n}, []int32{1, 1, 1, n}
	if w.AveragePool {
		if out != x.quant {
			return fmt.Errorf("an AVERAGE_POOL_2D cannot change the quantization from %v to %v", x.quant, out)
		}
		y := w.activation("embedding", deep, out)
		w.op(opAveragePool, []int{x.tensor}, y, schema.BuiltinOptionsPool2DOptions, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
			schema.Pool2DOptionsStart(b)
			schema.Pool2DOptionsAddPadding(b, schema.PaddingVALID)
			schema.Pool2DOptionsAddStrideW(b, 1)
			schema.Pool2DOptionsAddStrideH(b, 1)
			schema.Pool2DOptionsAddFilterWidth(b, size)
			schema.Pool2DOptionsAddFilterHeight(b, size)
			return schema.Pool2DOptionsEnd(b)
		})
		x.tensor, x.quant = y, out
		return nil
	}
	keep := w.KeepDims || w.ConvHead
	shape := flat
	if keep {
		shape = deep
	}
	inputs := []int{x.tensor, w.ints("axes", []int32{2}, 1, 2)}
	x.tensor, x.quant = w.activation("embedding", shape, out), out
	w.op(opMean, inputs, x.tensor, schema.BuiltinOptionsReducerOptions, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
		schema.ReducerOptionsStart(b)
		schema.ReducerOptionsAddKeepDims(b, keep)
		return schema.ReducerOptionsEnd(b)
	})
	if w.KeepDims && !w.ConvHead {
		inputs := []int{x.tensor, w.ints("embedding/shape", []int32{2}, flat...)}
		x.tensor = w.activation("embedding/flat", flat, out)
		w.op(opReshape, inputs, x.tensor, schema.BuiltinOptionsReshapeOptions, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
			v := int32s(b, flat)
			schema.ReshapeOptionsStart(b)
			schema.ReshapeOptionsAddNewShape(b, v)
			return schema.ReshapeOptionsEnd(b)
		})
	}
	return nil
}

func (w *writer) classifier(x *plane, c *mnv2.Conv) error {
	flat := []int32{1, int32(c.Out)}
	if w.ConvHead {
		x.size = 1
		if err := w.conv(x, c, false); err != nil {
			return err
		}
		in := x.tensor
		x.tensor = w.activation(c.Name+"/flat", flat, c.Output)
		w.op(opSqueeze, []int{in}, x.tensor, schema.BuiltinOptionsSqueezeOptions, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
			v := int32s(b, []int32{1, 2})
			schema.SqueezeOptionsStart(b)
			schema.SqueezeOptionsAddSqueezeDims(b, v)
			return schema.SqueezeOptionsEnd(b)
		})
	} else {
		act, err := activationFor(c.Name, c.Min, c.Max, c.Output, none)
		if err != nil {
			return err
		}
		inputs, err := w.weights(x, c, []int32{int32(c.Out), int32(c.In)}, 0)
		if err != nil {
			return err
		}
		x.tensor, x.channels, x.quant = w.activation(c.Name, flat, c.Output), c.Out, c.Output
		w.op(opFullyConnected, inputs, x.tensor, schema.BuiltinOptionsFullyConnectedOptions, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
			schema.FullyConnectedOptionsStart(b)
			schema.FullyConnectedOptionsAddFusedActivationFunction(b, act)
			return schema.FullyConnectedOptionsEnd(b)
		})
	}
	if w.Softmax {
		in := x.tensor
		x.quant = mnv2.Quantization{Scale: 1. / 256, Zero: -128} // as the format demands
		x.tensor = w.activation("scores", flat, x.quant)
		w.op(opSoftmax, []int{in}, x.tensor, schema.BuiltinOptionsSoftmaxOptions, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
			schema.SoftmaxOptionsStart(b)
			schema.SoftmaxOptionsAddBeta(b, 1)
			return schema.SoftmaxOptionsEnd(b)
		})
	}
	return nil
}

// activationFor finds the function that clamps to lo..hi.
func activationFor(layer string, lo, hi int8, q mnv2.Quantization, acts ...schema.ActivationFunctionType) (schema.ActivationFunctionType, error) {
	for _, act := range acts {
		if l, h, ok := clamp(act, q); ok && l == lo && h == hi {
			return act, nil
		}
	}
	return 0, fmt.Errorf("layer %q: no activation of %v clamps %v to %d..%d", layer, acts, q, lo, hi)
}

// weights adds a layer's constants and gives its inputs.
func (w *writer) weights(x *plane, c *mnv2.Conv, shape []int32, dim int32) ([]int, error) {
	n := 1
	for _, d := range shape {
		n *= int(d)
	}
	if len(c.Weights) != n || len(c.Scales) != c.Out || len(c.Bias) != c.Out {
		return nil, fmt.Errorf("layer %q: %d weights, %d scales, %d biases for weights of shape %v",
			c.Name, len(c.Weights), len(c.Scales), len(c.Bias), shape)
	}
	scales := c.Scales
	if w.PerTensor || w.Legacy {
		for _, s := range scales {
			if s != scales[0] {
				return nil, fmt.Errorf("layer %q: scales %v and %v; the form has one for all", c.Name, scales[0], s)
			}
		}
		scales = scales[:1]
	}
	var shift int8
	if w.Legacy {
		shift = -128
	}
	data := make([]byte, n)
	for i, v := range c.Weights {
		data[i] = byte(v + shift)
	}
	units := make([]float32, len(scales)) // of the bias
	for i, s := range scales {
		units[i] = max(x.quant.Scale*s, math.SmallestNonzeroFloat32) // 0 is no scale
	}
	bias := make([]byte, 0, 4*c.Out)
	for _, v := range c.Bias {
		bias = binary.LittleEndian.AppendUint32(bias, uint32(v))
	}
	return []int{
		x.tensor,
		w.tensor(newTensor{
			name: c.Name + "/weights", shape: shape, typ: w.typ, buffer: w.buffer(data),
			scales: scales, zero: w.zero(0), dim: dim,
		}),
		w.tensor(newTensor{
			name: c.Name + "/bias", shape: []int32{int32(c.Out)}, typ: schema.TensorTypeINT32, buffer: w.buffer(bias),
			scales: units,
		}),
	}, nil
}

func (w *writer) zero(z int32) int64 {
	if w.Legacy {
		return int64(z) + 128
	}
	return int64(z)
}

func (w *writer) activation(name string, shape []int32, q mnv2.Quantization) int {
	return w.tensor(newTensor{name: name, shape: shape, typ: w.typ, scales: []float32{q.Scale}, zero: w.zero(q.Zero)})
}

// end adds an input or output.
func (w *writer) end(name string, shape []int32, typ Type, q mnv2.Quantization) int {
	t := newTensor{name: name, shape: shape}
	switch {
	case !w.converts(typ):
		return w.activation(name, shape, q)
	case typ == Uint8:
		t.typ, t.scales, t.zero = schema.TensorTypeUINT8, []float32{q.Scale}, int64(q.Zero)+128
	default:
		t.typ = schema.TensorTypeFLOAT32
	}
	return w.tensor(t)
}

func (w *writer) ints(name string, shape []int32, v ...int32) int {
	b := make([]byte, 0, 4*len(v))
	for _, i := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
	}
	return w.tensor(newTensor{name: name, shape: shape, typ: schema.TensorTypeINT32, buffer: w.buffer(b)})
}

func (w *writer) buffer(data []byte) int {
	w.buffers = append(w.buffers, data)
	return len(w.buffers) - 1
}

func (w *writer) tensor(t newTensor) int {
	w.tensors = append(w.tensors, t)
	return len(w.tensors) - 1
}

func (w *writer) op(code schema.BuiltinOperator, inputs []int, output int, typ schema.BuiltinOptions, options func(*flatbuffers.Builder) flatbuffers.UOffsetT) {
	op := newOperator{code: code, outputs: []int32{int32(output)}, typ: typ, options: options}
	for _, i := range inputs {
		op.inputs = append(op.inputs, int32(i))
	}
	w.ops = append(w.ops, op)
}
