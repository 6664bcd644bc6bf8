package tflite

import (
	"errors"
	"fmt"
	"math"

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
	opSoftmax        = schema.BuiltinOperatorSOFTMAX
	opSqueeze        = schema.BuiltinOperatorSQUEEZE
)

// network follows the graph from its input to its output and takes down the
// MobileNetV2 on the way.
func (m *model) network() (*mnv2.Network, error) {
	net := &mnv2.Network{Name: m.name}
	x, err := m.start(net)
	if err != nil {
		return nil, err
	}
	if net.First, x, err = m.conv(x, firstRole); err != nil {
		return nil, err
	}
	for {
		op, err := after(x, true, "the next block, or the last 1x1 convolution")
		if err != nil {
			return nil, err
		}
		if op.code == opConv && !expands(op) {
			net.Last, x, err = m.conv(x, lastRole)
			if err != nil {
				return nil, err
			}
			break
		}
		var b mnv2.Block
		if b, x, err = m.block(x, len(net.Blocks) == 0); err != nil {
			return nil, err
		}
		net.Blocks = append(net.Blocks, b)
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
	for {
		op, err := after(x, false, "the first convolution")
		if err != nil {
			return nil, err
		}
		if op.code != opQuantize {
			break
		}
		if x, err = op.pass(); err != nil {
			return nil, err
		}
	}
	if d := x.shape; len(d) != 4 || d[0] != 1 || d[1] != d[2] || d[1] < 1 || d[3] != 3 {
		return nil, x.errorf("the input has shape %v; it must be one square RGB picture, [1 size size 3]", d)
	}
	if err := checkActivation(x); err != nil {
		return nil, err
	}
	net.Size = x.shape[1]
	var err error
	if net.Input, err = x.activation(); err != nil {
		return nil, err
	}
	net.Pixels, err = m.pixelsOf(in)
	return x, err
}

// pixelsOf says what a pixel's byte stands for.
//
// Where the metadata does not say, it is -1..1, which every published
// MobileNetV2 was trained with: to an int8 input of scale 1/127.5 and zero
// point -1 that is the byte minus 128. A uint8 input is given the byte as it
// is: so do all who use such files (and so were they measured), although their
// scale and zero point, mostly 1/128 and 128, are not quite those of -1..1 and
// would put every second value one step off.
func (m *model) pixelsOf(in *tensor) (mnv2.Normalization, error) {
	if m.pixels != nil {
		return *m.pixels, nil
	}
	if in.Type() != schema.TensorTypeUINT8 {
		return mnv2.Normalization{Mean: 127.5, Std: 127.5}, nil
	}
	q, err := in.activation()
	if err != nil {
		return mnv2.Normalization{}, err
	}
	std := 1 / q.Scale
	if math.IsInf(float64(std), 0) {
		return mnv2.Normalization{}, in.errorf("scale %v", q.Scale)
	}
	return mnv2.Normalization{Mean: float32(q.Zero + 128), Std: std}, nil
}

// block reads the inverted residual block whose input is x.
func (m *model) block(x *tensor, isFirst bool) (mnv2.Block, *tensor, error) {
	var b mnv2.Block
	op, err := after(x, true, "an expand or depthwise convolution")
	if err != nil {
		return b, nil, err
	}
	in := x
	if op.code == opConv {
		c, out, err := m.conv(x, expandRole)
		if err != nil {
			return b, nil, err
		}
		b.Expand, in = &c, out
	} else if !isFirst {
		return b, nil, op.errorf("where a MobileNetV2 has a 1x1 convolution: only its first block may go without one that expands")
	}
	role := depthwiseRole
	role.shared = b.Expand == nil
	mid, out := in, in
	if b.Depthwise, mid, err = m.conv(in, role); err != nil {
		return b, nil, err
	}
	if b.Project, out, err = m.conv(mid, projectRole); err != nil {
		return b, nil, err
	}
	add := joins(x, out)
	if add == nil {
		return b, out, nil
	}
	sum, out, err := m.add(add, x, out)
	b.Residual = &sum
	return b, out, err
}

// expands says whether a depthwise convolution follows op, padded or not.
func expands(op *operator) bool {
	if len(op.outputs) != 1 || op.outputs[0] == nil {
		return false
	}
	for _, next := range op.outputs[0].consumers {
		switch next.code {
		case opDepthwise, opPad, opPadV2:
			return true
		}
	}
	return false
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

// after gives the one operator that reads t. Where residual is set, an
// addition may read it too. What a MobileNetV2 would have there is for the
// message.
func after(t *tensor, residual bool, what string) (*operator, error) {
	var next *operator
	for _, op := range t.consumers {
		switch {
		case residual && op.code == opAdd:
		case next != nil:
			return nil, op.errorf("reads tensor %q, which in a MobileNetV2 only %v would read", t.name(), next)
		default:
			next = op
		}
	}
	if next == nil && residual && len(t.consumers) > 0 {
		return nil, t.consumers[0].errorf("where a MobileNetV2 has %s", what)
	}
	if next == nil {
		if t.producer == nil {
			return nil, t.errorf("nothing reads it; a MobileNetV2 goes on with %s", what)
		}
		return nil, t.producer.errorf("nothing follows; a MobileNetV2 goes on with %s", what)
	}
	return next, nil
}

// take marks the operator as part of the network and gives its one output.
func (op *operator) take() (*tensor, error) {
	if op.seen {
		return nil, op.errorf("the graph runs in a circle through it")
	}
	op.seen = true
	if len(op.outputs) != 1 || op.outputs[0] == nil {
		return nil, op.errorf("%d outputs; it must have one", len(op.outputs))
	}
	return op.outputs[0], nil
}

// pass takes an operator that changes no values, only their form or scale.
func (op *operator) pass() (*tensor, error) {
	in := op.input(0)
	if in == nil {
		return nil, op.errorf("no input")
	}
	out, err := op.take()
	if err != nil {
		return nil, err
	}
	n, err := in.elements()
	if err != nil {
		return nil, op.errorf("%w", err)
	}
	got, err := out.elements()
	if err != nil {
		return nil, op.errorf("%w", err)
	}
	if n != got {
		return nil, op.errorf("%d values in, %d out", n, got)
	}
	return out, nil
}

// end reads the head: the mean, the classifier, if any, and what only changes
// the form of the result.
func (m *model) end(net *mnv2.Network, x *tensor) error {
	x, err := m.pool(net, x)
	if err != nil {
		return err
	}
	embedding := net.Embedding
	final := false // behind the last layer that computes
	for len(x.consumers) > 0 {
		op, err := after(x, false, "one operator")
		if err != nil {
			return err
		}
		in := x
		switch op.code {
		case opFullyConnected, opConv:
			if final || net.Classifier != nil {
				return op.errorf("another layer behind the end of a MobileNetV2")
			}
			if net.Classifier, x, err = m.classifier(x, op); err != nil {
				return err
			}
		case opReshape, opSqueeze:
			if x, err = op.pass(); err != nil {
				return err
			}
			if net.Classifier == nil && !final {
				if q, err := x.activation(); err != nil || q != embedding {
					return op.errorf("its output is not quantized as its input is")
				}
			}
		case opSoftmax:
			if net.Classifier == nil {
				return op.errorf("there is no classifier before it")
			}
			final = true
			if x, err = m.softmax(op); err != nil {
				return err
			}
		case opQuantize, opDequantize:
			final = true
			if x, err = op.pass(); err != nil {
				return err
			}
		default:
			return op.errorf("not at the end of a MobileNetV2, which has a classifier there, or a softmax")
		}
		if x == in {
			return op.errorf("its output is its input")
		}
	}
	for _, out := range m.outputs {
		if out == x {
			return nil
		}
	}
	return x.producer.errorf("its result is not an output of the graph, and nothing else follows")
}

func (m *model) softmax(op *operator) (*tensor, error) {
	t, err := op.options(schema.BuiltinOptionsSoftmaxOptions)
	if err != nil {
		return nil, err
	}
	var o schema.SoftmaxOptions
	o.Init(t.Bytes, t.Pos)
	if b := o.Beta(); b != 1 {
		return nil, op.errorf("beta %v; it must be 1", b)
	}
	return op.pass()
}
