package tflite

import (
	"slices"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/modelfile"
	"tarsier/mnv2/tflite/internal/schema"
)

// maxActivation is the largest number of values of an activation; width 1.4 at
// 224x224 has 1.7 million. It keeps a file of a few bytes from asking for the
// memory of a network that nobody would run.
const maxActivation = 1 << 26

// A convRole is what a convolution must be at its place in the network.
type convRole struct {
	name     string
	code     schema.BuiltinOperator
	kernel   int
	stride   int
	channels int  // of its output; 0: any number
	active   bool // followed by ReLU6; else linear
	shared   bool // its input is a block's, which the residual addition may read too
}

// A layer is a convolution or fully connected layer where the graph has it.
type layer struct {
	role   convRole
	shape  mnv2.Conv // without its numbers
	op     *operator
	in     *tensor
	out    *tensor // of op; its ReLU6 may follow as an operator of its own
	dim    int     // of the weights: that of the output channels
	active schema.ActivationFunctionType
}

// readConv reads the convolution, the PAD before it and the RELU6 behind it,
// whose input is x.
func readConv(x *tensor, role convRole) (layer, *tensor, error) {
	fail := func(err error) (layer, *tensor, error) { return layer{}, nil, err }
	op, err := after(x, role.shared, "the "+role.name)
	if err != nil {
		return fail(err)
	}
	var pad mnv2.Padding
	if (op.code == opPad || op.code == opPadV2) && role.kernel > 1 {
		if pad, x, err = readPad(op, x); err != nil {
			return fail(err)
		}
		if op, err = after(x, false, "the "+role.name); err != nil {
			return fail(err)
		}
	}
	if op.code != role.code {
		return fail(op.errorf("where a MobileNetV2 has the %s (%s)", role.name, kindOf(role.code)))
	}
	out, err := op.take(x)
	if err != nil {
		return fail(err)
	}
	o, err := op.convOptions()
	if err != nil {
		return fail(err)
	}
	w := op.input(1)
	if w == nil || len(w.shape) != 4 || len(x.shape) != 4 {
		return fail(op.errorf("its input and weights must have 4 dimensions"))
	}
	if err := role.check(op, o, w.shape); err != nil {
		return fail(err)
	}
	c := mnv2.Conv{Name: out.name(), Kernel: role.kernel, Stride: role.stride, In: x.shape[3], Out: w.shape[0]}
	dim, want := 0, []int{c.Out, c.Kernel, c.Kernel, c.In}
	if role.code == opDepthwise {
		c.Depthwise, c.Out = true, c.In
		dim, want = 3, []int{1, c.Kernel, c.Kernel, c.In}
	}
	if !slices.Equal(w.shape, want) {
		return fail(op.errorf("weights of shape %v; for %d input channels it must be %v", w.shape, c.In, want))
	}
	if role.channels != 0 && c.Out != role.channels {
		return fail(op.errorf("%d output channels; the %s has %d", c.Out, role.name, role.channels))
	}
	padded := x.shape[1]
	around, err := padding(op, o.Padding(), padded, role)
	if err != nil {
		return fail(err)
	}
	c.Pad = mnv2.Padding{Before: pad.Before + around.Before, After: pad.After + around.After}
	if c.Pad.Before > 1 || c.Pad.After > 1 {
		return fail(op.errorf("padded by %d before and %d after; a MobileNetV2 pads by 1 at most", c.Pad.Before, c.Pad.After))
	}
	n := (padded+around.Before+around.After-c.Kernel)/c.Stride + 1
	if err := op.checkOutput(out, []int{1, n, n, c.Out}); err != nil {
		return fail(err)
	}
	l := layer{role: role, shape: c, op: op, in: x, out: out, dim: dim, active: o.FusedActivationFunction()}
	out, err = l.readReLU6()
	return l, out, err
}

// readReLU6 takes the RELU6 behind a layer of a float32 graph that has no
// activation, and gives the output.
func (l *layer) readReLU6() (*tensor, error) {
	if !l.op.m.float || !l.role.active || l.active != none {
		return l.out, nil
	}
	op, err := after(l.out, false, "the ReLU6 of the "+l.role.name)
	if err != nil || op.code != opReLU6 {
		return l.out, err
	}
	l.active = relu6
	out, err := op.take(l.out)
	if err != nil {
		return nil, err
	}
	if err := op.checkUnchanged(l.out, out); err != nil {
		return nil, err
	}
	return out, op.checkOutput(out, l.out.shape)
}

// convOptions is what CONV_2D and DEPTHWISE_CONV_2D have in common.
type convOptions interface {
	Padding() schema.Padding
	StrideW() int32
	StrideH() int32
	DilationWFactor() int32
	DilationHFactor() int32
	FusedActivationFunction() schema.ActivationFunctionType
}

func (op *operator) convOptions() (convOptions, error) {
	if op.code == opDepthwise {
		t, err := op.options(schema.BuiltinOptionsDepthwiseConv2DOptions)
		if err != nil {
			return nil, err
		}
		var o schema.DepthwiseConv2DOptions
		o.Init(t.Bytes, t.Pos)
		return &o, nil
	}
	t, err := op.options(schema.BuiltinOptionsConv2DOptions)
	if err != nil {
		return nil, err
	}
	var o schema.Conv2DOptions
	o.Init(t.Bytes, t.Pos)
	return &o, nil
}

// check compares a convolution's kernel, stride and dilation with the role's.
func (r convRole) check(op *operator, o convOptions, weights []int) error {
	switch h, w := o.StrideH(), o.StrideW(); {
	case int64(h) != int64(r.stride) || int64(w) != int64(r.stride):
		return op.errorf("stride %dx%d; the %s of a MobileNetV2 has %d", h, w, r.name, r.stride)
	case o.DilationHFactor() != 1 || o.DilationWFactor() != 1:
		return op.errorf("dilation %dx%d; a MobileNetV2 has none", o.DilationHFactor(), o.DilationWFactor())
	case weights[1] != r.kernel || weights[2] != r.kernel:
		return op.errorf("kernel %dx%d; the %s of a MobileNetV2 has %dx%d", weights[1], weights[2], r.name, r.kernel, r.kernel)
	}
	return nil
}

// padding gives what SAME or VALID puts around an input of size pixels.
func padding(op *operator, kind schema.Padding, size int, r convRole) (mnv2.Padding, error) {
	switch {
	case kind == schema.PaddingSAME:
		return modelfile.SamePadding(size, r.kernel, r.stride), nil
	case kind != schema.PaddingVALID:
		return mnv2.Padding{}, op.errorf("padding %v; only SAME and VALID are known", kind)
	case size < r.kernel:
		return mnv2.Padding{}, op.errorf("an input of %dx%d is smaller than the kernel", size, size)
	}
	return mnv2.Padding{}, nil
}

// readPad reads a PAD of height and width.
func readPad(op *operator, x *tensor) (mnv2.Padding, *tensor, error) {
	fail := func(err error) (mnv2.Padding, *tensor, error) { return mnv2.Padding{}, nil, err }
	out, err := op.take(x)
	if err != nil {
		return fail(err)
	}
	amounts := op.input(1)
	if amounts == nil {
		return fail(op.errorf("no paddings"))
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
	if err := op.checkUnchanged(x, out); err != nil {
		return fail(err)
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
	if op.m.float {
		v, err := value.floats()
		switch {
		case err != nil:
			return op.errorf("%w", err)
		case len(v) != 1:
			return op.errorf("%d numbers to pad with; there must be one", len(v))
		case v[0] != 0:
			return op.errorf("pads with %v; a MobileNetV2 pads with zero", v[0])
		}
		return nil
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
	if !slices.Equal(out.shape, want) {
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

// A sum is a residual addition where the graph has it.
type sum struct {
	op             *operator
	block, project *tensor // what is added: a block's input and its projection
	out            *tensor
	active         schema.ActivationFunctionType
}

// readAdd reads the residual addition of a block's input x and its projection y.
func readAdd(op *operator, x, y *tensor) (*sum, error) {
	out, err := op.take(op.inputs[0])
	if err != nil {
		return nil, err
	}
	t, err := op.options(schema.BuiltinOptionsAddOptions)
	if err != nil {
		return nil, err
	}
	var o schema.AddOptions
	o.Init(t.Bytes, t.Pos)
	if !slices.Equal(x.shape, y.shape) {
		return nil, op.errorf("adds shapes %v and %v", x.shape, y.shape)
	}
	if err := op.checkOutput(out, x.shape); err != nil {
		return nil, err
	}
	return &sum{op: op, block: x, project: y, out: out, active: o.FusedActivationFunction()}, nil
}

// A mean is that over height and width where the graph has it.
type mean struct {
	op      *operator
	in, out *tensor
}

// readMean reads the mean over height and width.
func readMean(x *tensor) (mean, error) {
	op, err := after(x, false, "the mean over height and width")
	if err != nil {
		return mean{}, err
	}
	if op.code != opMean && op.code != opAveragePool {
		return mean{}, op.errorf("where a MobileNetV2 has the mean over height and width (mean or average_pool_2d)")
	}
	out, err := op.take(x)
	if err != nil {
		return mean{}, err
	}
	size, channels := x.shape[1], x.shape[3]
	if op.code == opMean {
		err = checkMean(op)
	} else {
		err = checkAveragePool(op, size)
	}
	if err != nil {
		return mean{}, err
	}
	want := []int{1, 1, 1, channels}
	if len(out.shape) == 2 { // without "keep_dims"
		want = []int{1, channels}
	}
	if err := op.checkOutput(out, want); err != nil {
		return mean{}, err
	}
	if out.Type() != x.Type() {
		return mean{}, op.errorf("input %v, output %v; they must be of one type", x.Type(), out.Type())
	}
	return mean{op: op, in: x, out: out}, nil
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
	sorted := make([]int32, len(v))
	for i, a := range v {
		if sorted[i] = a; a < 0 {
			sorted[i] += 4
		}
	}
	slices.Sort(sorted)
	if !slices.Equal(slices.Compact(sorted), []int32{1, 2}) {
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
	if act := o.FusedActivationFunction(); act != none {
		return op.errorf("activation %v; the mean of a MobileNetV2 has none", act)
	}
	return nil
}

// readClassifier reads the fully connected layer, or the 1x1 convolution that
// is the same, whose input is x.
func readClassifier(op *operator, x *tensor) (*layer, *tensor, error) {
	fail := func(err error) (*layer, *tensor, error) { return nil, nil, err }
	out, err := op.take(x)
	if err != nil {
		return fail(err)
	}
	act, err := classifierActivation(op)
	if err != nil {
		return fail(err)
	}
	if act != none {
		return fail(op.errorf("activation %v; the classifier of a MobileNetV2 has none", act))
	}
	n, err := x.elements()
	if err != nil {
		return fail(op.errorf("input: %w", err))
	}
	w := op.input(1)
	if w == nil || len(w.shape) == 0 {
		return fail(op.errorf("no weights"))
	}
	c := mnv2.Conv{Name: out.name(), Kernel: 1, Stride: 1, In: n, Out: w.shape[0]}
	want := []int{c.Out, c.In}
	if op.code == opConv {
		want = []int{c.Out, 1, 1, c.In}
	}
	if !slices.Equal(w.shape, want) {
		return fail(op.errorf("weights of shape %v; for %d inputs it must be %v", w.shape, n, want))
	}
	if got, err := out.elements(); err != nil || got != c.Out {
		return fail(op.errorf("output of shape %v for %d classes", out.shape, c.Out))
	}
	role := convRole{name: "classifier", code: op.code, kernel: 1, stride: 1}
	return &layer{role: role, shape: c, op: op, in: x, out: out, active: act}, out, nil
}

func classifierActivation(op *operator) (schema.ActivationFunctionType, error) {
	if op.code == opConv {
		o, err := op.convOptions()
		if err != nil {
			return 0, err
		}
		return o.FusedActivationFunction(), nil
	}
	t, err := op.options(schema.BuiltinOptionsFullyConnectedOptions)
	if err != nil {
		return 0, err
	}
	var o schema.FullyConnectedOptions
	o.Init(t.Bytes, t.Pos)
	if f := o.WeightsFormat(); f != 0 {
		return 0, op.errorf("weights in format %d; only the plain one, 0, is known", f)
	}
	return o.FusedActivationFunction(), nil
}

// readSoftmax takes the SOFTMAX whose input is x. It is not run: the scores are
// made from the logits, which are finer than its 256 steps.
func readSoftmax(op *operator, x *tensor) (*tensor, error) {
	t, err := op.options(schema.BuiltinOptionsSoftmaxOptions)
	if err != nil {
		return nil, err
	}
	var o schema.SoftmaxOptions
	o.Init(t.Bytes, t.Pos)
	if b := o.Beta(); b != 1 {
		return nil, op.errorf("beta %v; it must be 1", b)
	}
	return op.pass(x)
}
