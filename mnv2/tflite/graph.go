package tflite

import (
	"errors"
	"fmt"
	"slices"

	"tarsier/mnv2"
	"tarsier/mnv2/tflite/internal/schema"
)

const (
	opAdd            = schema.BuiltinOperatorADD
	opAveragePool    = schema.BuiltinOperatorAVERAGE_POOL_2D
	opConv           = schema.BuiltinOperatorCONV_2D
	opDepthwise      = schema.BuiltinOperatorDEPTHWISE_CONV_2D
	opDequantize     = schema.BuiltinOperatorDEQUANTIZE
	opFullyConnected = schema.BuiltinOperatorFULLY_CONNECTED
	opMean           = schema.BuiltinOperatorMEAN
	opPad            = schema.BuiltinOperatorPAD
	opPadV2          = schema.BuiltinOperatorPADV2
	opQuantize       = schema.BuiltinOperatorQUANTIZE
	opReshape        = schema.BuiltinOperatorRESHAPE
	opShape          = schema.BuiltinOperatorSHAPE
	opSoftmax        = schema.BuiltinOperatorSOFTMAX
	opSqueeze        = schema.BuiltinOperatorSQUEEZE
)

// stages is table 2 of arXiv 1801.04381: the expansion of a stage's blocks, how
// many there are, and the stride of the first.
var stages = []struct{ expansion, repeats, stride int }{
	{1, 1, 1},
	{6, 2, 2},
	{6, 3, 2},
	{6, 4, 2},
	{6, 3, 1},
	{6, 3, 2},
	{6, 1, 1},
}

// network follows the graph from its input to its output and takes down the
// MobileNetV2 on the way.
func (m *model) network() (*mnv2.Network, error) {
	net := &mnv2.Network{Name: m.name}
	x, err := m.start(net)
	if err != nil {
		return nil, err
	}
	first := convRole{name: "first convolution", code: opConv, kernel: 3, stride: 2, active: true}
	if net.First, x, err = readConv(x, first); err != nil {
		return nil, err
	}
	for _, stage := range stages {
		for i := range stage.repeats {
			s := blockShape{index: len(net.Blocks), expansion: stage.expansion, stride: 1, repeat: i > 0}
			if i == 0 {
				s.stride = stage.stride
			}
			var b mnv2.Block
			if b, x, err = readBlock(x, s); err != nil {
				return nil, err
			}
			net.Blocks = append(net.Blocks, b)
		}
	}
	last := convRole{name: "last convolution", code: opConv, kernel: 1, stride: 1, active: true}
	if net.Last, x, err = readConv(x, last); err != nil {
		return nil, err
	}
	if x, err = readMean(net, x); err != nil {
		return nil, err
	}
	if err := m.end(net, x); err != nil {
		return nil, err
	}
	for _, op := range m.operators {
		if !op.seen {
			return nil, op.errorf("not part of a MobileNetV2: nothing of the network leads through it")
		}
	}
	return net, nil
}

// start finds the tensor that the first layer reads.
func (m *model) start(net *mnv2.Network) (*tensor, error) {
	if len(m.inputs) != 1 || m.inputs[0] == nil {
		return nil, fmt.Errorf("the graph has %d inputs; a MobileNetV2 has one, the picture", len(m.inputs))
	}
	if len(m.operators) == 0 {
		return nil, errors.New("the graph has no operators")
	}
	in := m.inputs[0]
	x := in
	op, err := after(x, false, "the first convolution")
	for err == nil && op.code == opQuantize {
		if x, err = op.pass(x); err == nil {
			op, err = after(x, false, "the first convolution")
		}
	}
	if err != nil {
		return nil, err
	}
	if net.Input, err = x.activation(); err != nil {
		return nil, op.errorf("input: %w", err)
	}
	if d := x.shape; len(d) != 4 || d[0] != 1 || d[1] != d[2] || d[3] != 3 {
		return nil, op.errorf("an input of shape %v; it must be one square RGB picture, [1 size size 3]", d)
	}
	if err := checkActivation(x); err != nil {
		return nil, op.errorf("input: %w", err)
	}
	net.Size = x.shape[1]
	net.Pixels, err = m.pixelsOf(in)
	return x, err
}

// pixelsOf says what a pixel's byte stands for.
func (m *model) pixelsOf(in *tensor) (mnv2.Normalization, error) {
	if m.pixels != nil {
		return *m.pixels, nil
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

// A blockShape is what makes a block the one it is.
type blockShape struct {
	index     int
	expansion int
	stride    int
	repeat    bool // has as many channels as the block before
}

// readBlock reads the inverted residual block whose input is x.
func readBlock(x *tensor, s blockShape) (b mnv2.Block, out *tensor, err error) {
	role := func(name string, r convRole) convRole {
		r.name = fmt.Sprintf("%s convolution of block %d", name, s.index)
		return r
	}
	in := x
	op, err := after(x, true, fmt.Sprintf("block %d", s.index))
	if err != nil {
		return b, nil, err
	}
	// Where nothing is to be expanded, files differ.
	if s.expansion > 1 || op.code == opConv {
		c, y, err := readConv(x, role("expand", convRole{
			code: opConv, kernel: 1, stride: 1, channels: x.shape[3] * s.expansion, active: true, shared: true,
		}))
		if err != nil {
			return b, nil, err
		}
		b.Expand, in = &c, y
	}
	if b.Depthwise, out, err = readConv(in, role("depthwise", convRole{
		code: opDepthwise, kernel: 3, stride: s.stride, active: true, shared: in == x,
	})); err != nil {
		return b, nil, err
	}
	project := convRole{code: opConv, kernel: 1, stride: 1}
	if s.repeat {
		project.channels = x.shape[3]
	}
	if b.Project, out, err = readConv(out, role("project", project)); err != nil {
		return b, nil, err
	}
	if s.stride != 1 || x.shape[3] != out.shape[3] {
		return b, out, nil
	}
	add := joins(x, out)
	if add == nil {
		return b, nil, out.producer.errorf("the input of block %d is not added to it, although both have the same shape", s.index)
	}
	b.Residual = new(mnv2.Add)
	out, err = readAdd(b.Residual, add, x, out)
	return b, out, err
}

// joins gives the addition of x and y, nil if there is none.
func joins(x, y *tensor) *operator {
	for _, op := range y.consumers {
		if op.code == opAdd && len(op.inputs) == 2 &&
			(op.inputs[0] == x && op.inputs[1] == y || op.inputs[0] == y && op.inputs[1] == x) {
			return op
		}
	}
	return nil
}

// after gives the one operator that computes with t. Where residual is set, an
// addition may read it too, and always what only asks for its shape. What a
// MobileNetV2 would have there is for the message.
func after(t *tensor, residual bool, what string) (*operator, error) {
	var next *operator
	for _, op := range t.consumers {
		switch {
		case residual && op.code == opAdd, op.code == opShape:
		case next != nil:
			return nil, op.errorf("reads tensor %q, which in a MobileNetV2 only %v would read", t.name(), next)
		default:
			next = op
		}
	}
	switch {
	case next != nil:
		return next, nil
	case len(t.consumers) > 0:
		return nil, t.consumers[0].errorf("where a MobileNetV2 has %s", what)
	case t.producer != nil:
		return nil, t.producer.errorf("nothing follows; a MobileNetV2 goes on with %s", what)
	}
	return nil, t.errorf("nothing reads it; a MobileNetV2 goes on with %s", what)
}

// take makes the operator, whose first input must be x, part of the network
// and gives its output.
func (op *operator) take(x *tensor) (*tensor, error) {
	if op.seen {
		return nil, op.errorf("the graph runs in a circle through it")
	}
	op.seen = true
	if op.input(0) != x {
		return nil, op.errorf("tensor %q must be its first input", x.name())
	}
	if len(op.outputs) != 1 || op.outputs[0] == nil {
		return nil, op.errorf("%d outputs; it must have one", len(op.outputs))
	}
	return op.outputs[0], nil
}

// pass takes an operator that changes no values, only their form or scale.
func (op *operator) pass(x *tensor) (*tensor, error) {
	out, err := op.take(x)
	if err != nil {
		return nil, err
	}
	n, err := x.elements()
	if err != nil {
		return nil, op.errorf("input: %w", err)
	}
	got, err := out.elements()
	if err != nil {
		return nil, op.errorf("output: %w", err)
	}
	if n != got {
		return nil, op.errorf("%d values in, %d out", n, got)
	}
	return out, nil
}

// reshape takes a RESHAPE or SQUEEZE. Where the size of a batch was left open,
// operators compute the shape; what comes of them is in the file too.
func (op *operator) reshape(x *tensor) (*tensor, error) {
	out, err := op.pass(x)
	if err != nil {
		return nil, err
	}
	if shape := op.input(1); shape != nil {
		shape.seeOrigins()
	}
	if q, err := x.activation(); err == nil {
		if r, err := out.activation(); err != nil || q != r {
			return nil, op.errorf("its output is not quantized as its input is")
		}
	}
	return out, nil
}

// seeOrigins makes all that computes t from a tensor's shape part of the
// network.
func (t *tensor) seeOrigins() {
	op := t.producer
	if op == nil || op.seen {
		return
	}
	op.seen = true
	if op.code == opShape {
		return
	}
	for _, in := range op.inputs {
		if in != nil {
			in.seeOrigins()
		}
	}
}

// end reads what comes behind the mean: the classifier, if any, and what only
// changes the form of the result.
func (m *model) end(net *mnv2.Network, x *tensor) error {
	final := false // behind the last layer that computes
	for len(x.consumers) > 0 {
		op, err := after(x, false, "the end, or a classifier")
		if err != nil {
			return err
		}
		switch op.code {
		case opFullyConnected, opConv:
			if final || net.Classifier != nil {
				return op.errorf("another layer behind the end of a MobileNetV2")
			}
			net.Classifier, x, err = readClassifier(op, x)
		case opReshape, opSqueeze:
			x, err = op.reshape(x)
		case opSoftmax:
			if net.Classifier == nil {
				return op.errorf("there is no classifier before it")
			}
			final = true
			x, err = readSoftmax(op, x)
		case opQuantize, opDequantize:
			final = true
			x, err = op.pass(x)
		default:
			return op.errorf("where a MobileNetV2 ends, or has a classifier or a softmax")
		}
		if err != nil {
			return err
		}
	}
	if !slices.Contains(m.outputs, x) {
		return x.producer.errorf("nothing follows, and its result is no output of the graph")
	}
	return nil
}
