package tflite

import (
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"

	"tarsier/mnv2"
	"tarsier/mnv2/tflite/internal/schema"
)

// maxActivation is the largest number of values of an activation; width 1.4 at
// 224x224 has 1.7 million. It keeps a file of a few bytes from asking for the
// memory of a network that nobody would run.
const maxActivation = 1 << 26

// A convRole is what a convolution must be at its place in the network.
type convRole struct {
	name    string
	code    schema.BuiltinOperator
	kernel  int
	strides [2]int // smallest and largest
	active  bool   // followed by ReLU6; else linear
	shared  bool   // its input is a block's, which the residual addition may read too
}

var (
	firstRole     = convRole{name: "first convolution", code: opConv, kernel: 3, strides: [2]int{2, 2}, active: true}
	expandRole    = convRole{name: "expand convolution", code: opConv, kernel: 1, strides: [2]int{1, 1}, active: true, shared: true}
	depthwiseRole = convRole{name: "depthwise convolution", code: opDepthwise, kernel: 3, strides: [2]int{1, 2}, active: true}
	projectRole   = convRole{name: "project convolution", code: opConv, kernel: 1, strides: [2]int{1, 1}}
	lastRole      = convRole{name: "last convolution", code: opConv, kernel: 1, strides: [2]int{1, 1}, active: true, shared: true}
)

// convOptions is what CONV_2D and DEPTHWISE_CONV_2D have in common.
type convOptions interface {
	Init(buf []byte, i flatbuffers.UOffsetT)
	Padding() schema.Padding
	StrideW() int32
	StrideH() int32
	DilationWFactor() int32
	DilationHFactor() int32
	FusedActivationFunction() schema.ActivationFunctionType
}

// conv reads the convolution, and the PAD before it, whose input is x.
func (m *model) conv(x *tensor, role convRole) (mnv2.Conv, *tensor, error) {
	fail := func(err error) (mnv2.Conv, *tensor, error) { return mnv2.Conv{}, nil, err }
	op, err := after(x, role.shared, "the "+role.name)
	if err != nil {
		return fail(err)
	}
	var pad mnv2.Padding
	if (op.code == opPad || op.code == opPadV2) && role.kernel > 1 {
		if pad, x, err = m.pad(op); err != nil {
			return fail(err)
		}
		if op, err = after(x, false, "the "+role.name); err != nil {
			return fail(err)
		}
	}
	if op.code != role.code {
		return fail(op.errorf("where a MobileNetV2 has the %s (%s)", role.name, kindOf(role.code)))
	}
	out, err := op.take()
	if err != nil {
		return fail(err)
	}
	if op.input(0) != x {
		return fail(op.errorf("tensor %q is not its first input", x.name()))
	}
	w := op.input(1)
	if w == nil {
		return fail(op.errorf("no weights"))
	}
	var o convOptions = new(schema.Conv2DOptions)
	typ, channels := schema.BuiltinOptionsConv2DOptions, 0
	if role.code == opDepthwise {
		o, typ, channels = new(schema.DepthwiseConv2DOptions), schema.BuiltinOptionsDepthwiseConv2DOptions, 3
	}
	t, err := op.options(typ)
	if err != nil {
		return fail(err)
	}
	o.Init(t.Bytes, t.Pos)
	if len(x.shape) != 4 || len(w.shape) != 4 {
		return fail(op.errorf("input of shape %v, weights of shape %v; both must have 4 dimensions", x.shape, w.shape))
	}
	stride := int(o.StrideH())
	switch {
	case o.StrideW() != o.StrideH() || stride < role.strides[0] || stride > role.strides[1]:
		return fail(op.errorf("stride %dx%d; the %s of a MobileNetV2 has %s", o.StrideH(), o.StrideW(), role.name, role.strideNames()))
	case o.DilationWFactor() != 1 || o.DilationHFactor() != 1:
		return fail(op.errorf("dilation %dx%d; a MobileNetV2 has none", o.DilationHFactor(), o.DilationWFactor()))
	case w.shape[1] != role.kernel || w.shape[2] != role.kernel:
		return fail(op.errorf("kernel %dx%d; the %s of a MobileNetV2 has %dx%d", w.shape[1], w.shape[2], role.name, role.kernel, role.kernel))
	}
	c := mnv2.Conv{
		Name: out.name(), Kernel: role.kernel, Stride: stride,
		In: x.shape[3], Out: w.shape[channels], Depthwise: role.code == opDepthwise,
	}
	want := c.In
	if c.Depthwise {
		want = 1
	}
	if got := w.shape[3-channels]; got != want || c.Depthwise && c.Out != c.In {
		return fail(op.errorf("weights of shape %v for %d input channels", w.shape, c.In))
	}
	size := x.shape[1]
	if c.Pad, err = padding(op, o.Padding(), pad, size, role.kernel, stride); err != nil {
		return fail(err)
	}
	// x is padded already where a PAD came before.
	n := (size+c.Pad.Before+c.Pad.After-pad.Before-pad.After-role.kernel)/stride + 1
	if err := op.checkOutput(out, []int{1, n, n, c.Out}); err != nil {
		return fail(err)
	}
	act := o.FusedActivationFunction()
	if err := weigh(op, x, out, w, op.input(2), channels, act, &c); err != nil {
		return fail(err)
	}
	if err := role.checkActivation(op, act, c.Output); err != nil {
		return fail(err)
	}
	return c, out, nil
}

func (r convRole) strideNames() string {
	if r.strides[0] == r.strides[1] {
		return fmt.Sprint(r.strides[0])
	}
	return fmt.Sprintf("%d or %d", r.strides[0], r.strides[1])
}

// checkActivation tells a MobileNetV2 by its activations. Old files fold the
// ReLU6 into the range of the output, which then begins at 0.
func (r convRole) checkActivation(op *operator, act schema.ActivationFunctionType, out mnv2.Quantization) error {
	none := act == schema.ActivationFunctionTypeNONE
	switch {
	case r.active && none && out.Zero != -128:
		return op.errorf("no activation; the %s of a MobileNetV2 has a ReLU6", r.name)
	case !r.active && !none:
		return op.errorf("activation %v; the %s of a MobileNetV2 has none", act, r.name)
	}
	return nil
}

// padding adds what SAME means to the zeros that a PAD has put around.
func padding(op *operator, kind schema.Padding, pad mnv2.Padding, padded, kernel, stride int) (mnv2.Padding, error) {
	if kind != schema.PaddingVALID && kind != schema.PaddingSAME {
		return pad, op.errorf("%v", kind)
	}
	if kind == schema.PaddingSAME {
		same := samePadding(padded, kernel, stride)
		pad.Before += same.Before
		pad.After += same.After
	} else if padded < kernel {
		return pad, op.errorf("an input of %dx%d is smaller than the kernel", padded, padded)
	}
	if pad.Before > 1 || pad.After > 1 {
		return pad, op.errorf("padded by %d before and %d after; a MobileNetV2 pads by 1 at most", pad.Before, pad.After)
	}
	return pad, nil
}

// samePadding is what SAME means: as many outputs as strides fit in, and the
// odd one of the zeros behind.
func samePadding(size, kernel, stride int) mnv2.Padding {
	out := (size + stride - 1) / stride
	total := max((out-1)*stride+kernel-size, 0)
	return mnv2.Padding{Before: total / 2, After: total - total/2}
}

// pad reads a PAD of height and width.
func (m *model) pad(op *operator) (mnv2.Padding, *tensor, error) {
	fail := func(err error) (mnv2.Padding, *tensor, error) { return mnv2.Padding{}, nil, err }
	out, err := op.take()
	if err != nil {
		return fail(err)
	}
	x, amounts := op.input(0), op.input(1)
	if x == nil || amounts == nil || len(x.shape) != 4 {
		return fail(op.errorf("its inputs must be a tensor of 4 dimensions and the paddings"))
	}
	v, err := amounts.ints()
	if err != nil {
		return fail(op.errorf("paddings: %w", err))
	}
	if len(v) != 8 || v[0] != 0 || v[1] != 0 || v[6] != 0 || v[7] != 0 || v[2] != v[4] || v[3] != v[5] {
		return fail(op.errorf("paddings %v; only height and width may be padded, and both the same", v))
	}
	if v[2] < 0 || v[2] > 1 || v[3] < 0 || v[3] > 1 {
		return fail(op.errorf("padded by %d before and %d after; a MobileNetV2 pads by 1 at most", v[2], v[3]))
	}
	p := mnv2.Padding{Before: int(v[2]), After: int(v[3])}
	in, err := x.activation()
	if err != nil {
		return fail(op.errorf("%w", err))
	}
	if q, err := out.activation(); err != nil || q != in {
		return fail(op.errorf("its output is not quantized as its input is"))
	}
	if op.code == opPadV2 {
		if err := padsWithZero(op, x); err != nil {
			return fail(err)
		}
	}
	n := x.shape[1] + p.Before + p.After
	return p, out, op.checkOutput(out, []int{1, n, n, x.shape[3]})
}

// padsWithZero checks that what a PADV2 puts around x stands for 0.
func padsWithZero(op *operator, x *tensor) error {
	value := op.input(2)
	if value == nil || value.Type() != x.Type() {
		return op.errorf("no value to pad with, of its input's type")
	}
	b, err := value.bytes(1)
	if err != nil {
		return op.errorf("%w", err)
	}
	q, err := x.affine(1)
	if err != nil {
		return op.errorf("%w", err)
	}
	if len(b) != 1 || b[0] != byte(q.zeros[0]) {
		return op.errorf("pads with %v; a MobileNetV2 pads with zero, here %d", b, q.zeros[0])
	}
	return nil
}

// checkOutput compares the shape that the file states with the one that
// follows from the operator.
func (op *operator) checkOutput(out *tensor, want []int) error {
	same := len(out.shape) == len(want)
	for i := range want {
		same = same && out.shape[i] == want[i]
	}
	if !same {
		return op.errorf("output of shape %v; it must be %v", out.shape, want)
	}
	if err := checkActivation(out); err != nil {
		return op.errorf("%w", err)
	}
	return nil
}

func checkActivation(t *tensor) error {
	n := int64(1)
	for _, d := range t.shape {
		if n *= int64(d); d < 1 || n > maxActivation {
			return t.errorf("an activation of shape %v; up to %d values can be run", t.shape, maxActivation)
		}
	}
	return nil
}

// add reads the residual addition of a block's input and its projection.
func (m *model) add(op *operator, x, y *tensor) (mnv2.Add, *tensor, error) {
	fail := func(err error) (mnv2.Add, *tensor, error) { return mnv2.Add{}, nil, err }
	out, err := op.take()
	if err != nil {
		return fail(err)
	}
	t, err := op.options(schema.BuiltinOptionsAddOptions)
	if err != nil {
		return fail(err)
	}
	var o schema.AddOptions
	o.Init(t.Bytes, t.Pos)
	if fmt.Sprint(x.shape) != fmt.Sprint(y.shape) {
		return fail(op.errorf("adds shapes %v and %v", x.shape, y.shape))
	}
	if err := op.checkOutput(out, x.shape); err != nil {
		return fail(err)
	}
	sum := mnv2.Add{Name: out.name()}
	a, err := x.activation()
	if err != nil {
		return fail(op.errorf("input: %w", err))
	}
	b, err := y.activation()
	if err != nil {
		return fail(op.errorf("input: %w", err))
	}
	if sum.Output, err = out.activation(); err != nil {
		return fail(op.errorf("output: %w", err))
	}
	if x.Type() != out.Type() || y.Type() != out.Type() {
		return fail(op.errorf("inputs %v and %v, output %v; they must be of one type", x.Type(), y.Type(), out.Type()))
	}
	if r := max(a.Scale/sum.Output.Scale, b.Scale/sum.Output.Scale); !(r >= minAddRatio && r < maxAddRatio) {
		return fail(op.errorf("scales %v and %v to %v; their largest ratio must be in %v..%v",
			a.Scale, b.Scale, sum.Output.Scale, float32(minAddRatio), maxAddRatio))
	}
	sum.Min, sum.Max, err = clamp(op, o.FusedActivationFunction(), sum.Output)
	return sum, out, err
}

// What the fixed-point addition can represent, as in XNNPACK.
const (
	minAddRatio = 1.0 / 1024
	maxAddRatio = 256
)

// pool reads the mean over height and width.
func (m *model) pool(net *mnv2.Network, x *tensor) (*tensor, error) {
	op, err := after(x, false, "the mean over height and width")
	if err != nil {
		return nil, err
	}
	out, err := op.take()
	if err != nil {
		return nil, err
	}
	if op.input(0) != x {
		return nil, op.errorf("tensor %q is not its first input", x.name())
	}
	size, channels := x.shape[1], x.shape[3]
	switch op.code {
	case opMean:
		err = checkMean(op)
	case opAveragePool:
		err = checkAveragePool(op, size)
	default:
		err = op.errorf("where a MobileNetV2 has the mean over height and width (mean or average_pool_2d)")
	}
	if err != nil {
		return nil, err
	}
	want := []int{1, 1, 1, channels}
	if len(out.shape) == 2 {
		want = []int{1, channels}
	}
	if err := op.checkOutput(out, want); err != nil {
		return nil, err
	}
	if out.Type() != x.Type() {
		return nil, op.errorf("input %v, output %v; they must be of one type", x.Type(), out.Type())
	}
	if net.Embedding, err = out.activation(); err != nil {
		return nil, op.errorf("output: %w", err)
	}
	return out, checkRatio(op, net.Last.Output.Scale, 1, net.Embedding.Scale)
}

func checkMean(op *operator) error {
	axes := op.input(1)
	if axes == nil {
		return op.errorf("no axes")
	}
	v, err := axes.ints()
	if err != nil {
		return op.errorf("axes: %w", err)
	}
	var seen [4]bool
	for _, a := range v {
		if a < 0 {
			a += 4
		}
		if a != 1 && a != 2 {
			return op.errorf("axes %v; the mean of a MobileNetV2 is over height and width, [1 2]", v)
		}
		seen[a] = true
	}
	if !seen[1] || !seen[2] {
		return op.errorf("axes %v; the mean of a MobileNetV2 is over height and width, [1 2]", v)
	}
	return nil
}

func checkAveragePool(op *operator, size int) error {
	t, err := op.options(schema.BuiltinOptionsPool2DOptions)
	if err != nil {
		return err
	}
	var o schema.Pool2DOptions
	o.Init(t.Bytes, t.Pos)
	if int(o.FilterHeight()) != size || int(o.FilterWidth()) != size {
		return op.errorf("a mean over %dx%d; that of a MobileNetV2 is over all %dx%d", o.FilterHeight(), o.FilterWidth(), size, size)
	}
	if act := o.FusedActivationFunction(); act != schema.ActivationFunctionTypeNONE {
		return op.errorf("activation %v; the mean of a MobileNetV2 has none", act)
	}
	return nil
}

// classifier reads the fully connected layer, or 1x1 convolution, whose input
// is x.
func (m *model) classifier(x *tensor, op *operator) (*mnv2.Conv, *tensor, error) {
	fail := func(err error) (*mnv2.Conv, *tensor, error) { return nil, nil, err }
	out, err := op.take()
	if err != nil {
		return fail(err)
	}
	w := op.input(1)
	if op.input(0) != x || w == nil {
		return fail(op.errorf("its first input must be tensor %q, its second the weights", x.name()))
	}
	n, err := x.elements()
	if err != nil {
		return fail(op.errorf("%w", err))
	}
	var act schema.ActivationFunctionType
	shape := []int{1, 1} // of the weights, without channels
	if op.code == opConv {
		t, err := op.options(schema.BuiltinOptionsConv2DOptions)
		if err != nil {
			return fail(err)
		}
		var o schema.Conv2DOptions
		o.Init(t.Bytes, t.Pos)
		act = o.FusedActivationFunction()
		if len(x.shape) != 4 {
			return fail(op.errorf("input of shape %v; it must have 4 dimensions", x.shape))
		}
	} else {
		t, err := op.options(schema.BuiltinOptionsFullyConnectedOptions)
		if err != nil {
			return fail(err)
		}
		var o schema.FullyConnectedOptions
		o.Init(t.Bytes, t.Pos)
		act = o.FusedActivationFunction()
		if f := o.WeightsFormat(); f != 0 {
			return fail(op.errorf("weights format %d; only the default, 0, is known", f))
		}
		shape = nil
	}
	if act != schema.ActivationFunctionTypeNONE {
		return fail(op.errorf("activation %v; the classifier of a MobileNetV2 has none", act))
	}
	if d := len(w.shape); d != 2+len(shape) || w.shape[d-1] != n || d == 4 && (w.shape[1] != 1 || w.shape[2] != 1) {
		return fail(op.errorf("weights of shape %v for %d inputs", w.shape, n))
	}
	c := mnv2.Conv{Name: out.name(), Kernel: 1, Stride: 1, In: n, Out: w.shape[0]}
	if got, err := out.elements(); err != nil || got != c.Out {
		return fail(op.errorf("output of shape %v for %d classes", out.shape, c.Out))
	}
	return &c, out, weigh(op, x, out, w, op.input(2), 0, act, &c)
}
