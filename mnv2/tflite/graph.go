package tflite

import (
	"errors"
	"fmt"
	"slices"

	"tarsier/mnv2/internal/modelfile"
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
	opReLU6          = schema.BuiltinOperatorRELU6
	opReshape        = schema.BuiltinOperatorRESHAPE
	opShape          = schema.BuiltinOperatorSHAPE
	opSoftmax        = schema.BuiltinOperatorSOFTMAX
	opSqueeze        = schema.BuiltinOperatorSQUEEZE
)

// A graph is the MobileNetV2 that the edges of a file show: which operator is
// which layer. The numbers in its tensors are read afterwards.
type graph struct {
	picture    *tensor // the file's input
	input      *tensor // the first layer's: the same, or that quantized
	first      layer
	blocks     []block
	last       layer
	mean       mean
	classifier *layer // nil for a feature extractor
}

// A block is an inverted residual block where the graph has it.
type block struct {
	expand    *layer // nil where the block has none
	depthwise layer
	project   layer
	residual  *sum // nil where there is none
}

// graph follows the edges from the input to the output and takes down the
// MobileNetV2 on the way.
func (m *model) graph() (*graph, error) {
	g := new(graph)
	x, err := m.start(g)
	if err != nil {
		return nil, err
	}
	first := convRole{name: "first convolution", code: opConv, kernel: 3, stride: 2, active: true}
	if g.first, x, err = readConv(x, first); err != nil {
		return nil, err
	}
	for _, stage := range modelfile.Stages {
		for i := range stage.Repeats {
			s := blockShape{index: len(g.blocks), expansion: stage.Expansion, stride: 1, repeat: i > 0}
			if i == 0 {
				s.stride = stage.Stride
			}
			var b block
			if b, x, err = readBlock(x, s); err != nil {
				return nil, err
			}
			g.blocks = append(g.blocks, b)
		}
	}
	last := convRole{name: "last convolution", code: opConv, kernel: 1, stride: 1, active: true}
	if g.last, x, err = readConv(x, last); err != nil {
		return nil, err
	}
	if g.mean, err = readMean(x); err != nil {
		return nil, err
	}
	return g, m.end(g, g.mean.out)
}

// checkSeen finds what is in the file and not in the network.
func (m *model) checkSeen() error {
	for _, op := range m.operators {
		if !op.seen {
			return op.errorf("not part of a MobileNetV2: nothing of the network leads through it")
		}
	}
	return nil
}

// start finds the tensor that the first layer reads.
func (m *model) start(g *graph) (*tensor, error) {
	if len(m.inputs) != 1 || m.inputs[0] == nil {
		return nil, fmt.Errorf("the graph has %d inputs; a MobileNetV2 has one, the picture", len(m.inputs))
	}
	if len(m.operators) == 0 {
		return nil, errors.New("the graph has no operators")
	}
	g.picture = m.inputs[0]
	x := g.picture
	op, err := after(x, false, "the first convolution")
	for err == nil && op.code == opQuantize && !m.float {
		if x, err = op.pass(x); err == nil {
			op, err = after(x, false, "the first convolution")
		}
	}
	if err != nil {
		return nil, err
	}
	if op.code == opQuantize {
		return nil, op.errorf("%w", errQuantized)
	}
	if err := x.checkType(); err != nil {
		return nil, op.errorf("input: %w", err)
	}
	if d := x.shape; len(d) != 4 || d[0] != 1 || d[1] != d[2] || d[3] != 3 {
		return nil, op.errorf("an input of shape %v; it must be one square RGB picture, [1 size size 3]", d)
	}
	if err := checkActivation(x); err != nil {
		return nil, op.errorf("input: %w", err)
	}
	g.input = x
	return x, nil
}

// A blockShape is what makes a block the one it is.
type blockShape struct {
	index     int
	expansion int
	stride    int
	repeat    bool // has as many channels as the block before
}

// readBlock reads the inverted residual block whose input is x.
func readBlock(x *tensor, s blockShape) (b block, out *tensor, err error) {
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
		b.expand, in = &c, y
	}
	if b.depthwise, out, err = readConv(in, role("depthwise", convRole{
		code: opDepthwise, kernel: 3, stride: s.stride, active: true, shared: in == x,
	})); err != nil {
		return b, nil, err
	}
	project := convRole{code: opConv, kernel: 1, stride: 1}
	if s.repeat {
		project.channels = x.shape[3]
	}
	if b.project, out, err = readConv(out, role("project", project)); err != nil {
		return b, nil, err
	}
	if s.stride != 1 || x.shape[3] != out.shape[3] {
		return b, out, nil
	}
	add := joins(x, out)
	if add == nil {
		return b, nil, out.producer.errorf("the input of block %d is not added to it, although both have the same shape", s.index)
	}
	if b.residual, err = readAdd(add, x, out); err != nil {
		return b, nil, err
	}
	return b, b.residual.out, nil
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
	if x.checkType() == nil {
		return out, op.checkUnchanged(x, out)
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
func (m *model) end(g *graph, x *tensor) error {
	final := false // behind the last layer that computes
	for len(x.consumers) > 0 {
		op, err := after(x, false, "the end, or a classifier")
		if err != nil {
			return err
		}
		switch op.code {
		case opFullyConnected, opConv:
			if final || g.classifier != nil {
				return op.errorf("another layer behind the end of a MobileNetV2")
			}
			g.classifier, x, err = readClassifier(op, x)
		case opReshape, opSqueeze:
			x, err = op.reshape(x)
		case opSoftmax:
			if g.classifier == nil {
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
