package tflite

import (
	"bytes"
	"math"
	"unsafe"

	"tarsier/mnv2"
	"tarsier/mnv2/tflite/internal/schema"
)

const (
	maxRequantize = 256     // s_in * w / s_out, as in XNNPACK
	maxChannels   = 1 << 16 // mnv2 runs no more; ImageNet's 21,841 classes are the most that is usual
)

// weigh fills in the numbers of the convolution or fully connected layer c.
func (l *layer) weigh(c *mnv2.Conv) error {
	op, x, out := l.op, l.in, l.out
	w, bias := op.input(1), op.input(2)
	in, err := x.activation()
	if err != nil {
		return op.errorf("input: %w", err)
	}
	if c.Output, err = out.activation(); err != nil {
		return op.errorf("output: %w", err)
	}
	if x.Type() != out.Type() || x.Type() != w.Type() {
		return op.errorf("input %v, weights %v, output %v; all must be INT8 or all UINT8", x.Type(), w.Type(), out.Type())
	}
	var known bool
	if c.Out > maxChannels {
		return op.errorf("%d output channels; up to %d can be run", c.Out, maxChannels)
	}
	if c.Min, c.Max, known = clamp(l.active, c.Output); !known {
		return op.errorf("activation %v; only NONE, RELU and RELU6 are known", l.active)
	}
	data, err := w.constant(1)
	if err != nil {
		return op.errorf("weights: %w", err)
	}
	q, err := w.affine(c.Out)
	if err != nil {
		return op.errorf("weights: %w", err)
	}
	if len(q.scales) > 1 && q.dim != l.dim {
		return op.errorf("weights: %w", w.errorf("scales along dimension %d; they must be along %d, the output channels", q.dim, l.dim))
	}
	if c.Bias, err = biasOf(bias, c.Out); err != nil {
		return op.errorf("bias: %w", err)
	}
	c.Scales = make([]float32, c.Out)
	for i := range c.Scales {
		c.Scales[i] = q.scales[i%len(q.scales)]
	}
	if w.Type() == schema.TensorTypeINT8 {
		for i, z := range q.zeros {
			if z != 0 {
				return op.errorf("weights: %w", w.errorf("zero point %d of channel %d; INT8 weights are symmetric", z, i))
			}
		}
		// Nothing to convert, and so nothing to copy.
		if bytes.IndexByte(data, 0x80) < 0 {
			c.Weights = unsafe.Slice((*int8)(unsafe.Pointer(&data[0])), len(data))
		}
	}
	if c.Weights == nil {
		if err := symmetric(c, w, data, q, l.dim); err != nil {
			return op.errorf("weights: %w", err)
		}
	}
	if err := biasScale(bias, in, q, c.Output); err != nil {
		return op.errorf("bias: %w", err)
	}
	for _, s := range c.Scales {
		if err := checkRatio(op, in.Scale, s, c.Output.Scale); err != nil {
			return err
		}
	}
	return nil
}

// symmetric converts weights to int8 around 0. A channel whose values lie
// within 127 of the zero point keeps them, and its scale; one that does not is
// scaled to -127..127, and its bias with it. -128 is not used: two products of
// it and an activation do not fit the int16 that some kernels add them in.
func symmetric(c *mnv2.Conv, w *tensor, data []byte, q affine, dim int) error {
	unsigned := w.Type() == schema.TensorTypeUINT8
	c.Weights = make([]int8, len(data))
	n, step, next := len(data)/c.Out, 1, len(data)/c.Out
	if dim == 3 {
		step, next = c.Out, 1
	}
	values := make([]int32, n)
	for i := range c.Out {
		zero := q.zeros[i%len(q.zeros)]
		if unsigned && (zero < 0 || zero > 255) {
			return w.errorf("zero point %d does not fit UINT8", zero)
		}
		var largest int32
		for j := range values {
			b := data[i*next+j*step]
			v := int32(int8(b))
			if unsigned {
				v = int32(b)
			}
			values[j] = v - int32(zero)
			largest = max(largest, values[j], -values[j])
		}
		if largest > 127 {
			f := 127 / float64(largest)
			for j, v := range values {
				values[j] = int32(math.RoundToEven(float64(v) * f))
			}
			c.Scales[i] = float32(float64(c.Scales[i]) / f)
			c.Bias[i] = int32(math.RoundToEven(float64(c.Bias[i]) * f))
		}
		for j, v := range values {
			c.Weights[i*next+j*step] = int8(v)
		}
	}
	return nil
}

// biasOf gives the n values of a bias, zeros where there is none.
func biasOf(t *tensor, n int) ([]int32, error) {
	if t == nil {
		return make([]int32, n), nil
	}
	v, err := t.ints()
	if err != nil {
		return nil, err
	}
	if len(v) != n {
		return nil, t.errorf("%d values for %d channels", len(v), n)
	}
	return v, nil
}

// biasScale checks that a bias is in units of the input's scale times the
// weights', with TensorFlow Lite's own tolerance. Where the file does not say,
// it must be.
func biasScale(t *tensor, in mnv2.Quantization, w affine, out mnv2.Quantization) error {
	var q schema.QuantizationParameters
	if t == nil || t.Quantization(&q) == nil || q.ScaleLength() == 0 {
		return nil
	}
	b, err := t.affine(max(len(w.scales), 1))
	if err != nil {
		return err
	}
	for i := range max(len(b.scales), len(w.scales)) {
		got, want := b.scales[i%len(b.scales)], in.Scale*w.scales[i%len(w.scales)]
		if d := math.Abs(float64(got) - float64(want)); d > 0.02*float64(out.Scale) {
			return t.errorf("scale %v of channel %d; it must be the input's times the weights', %v", got, i, want)
		}
		if z := b.zeros[i%len(b.zeros)]; z != 0 {
			return t.errorf("zero point %d of channel %d; it must be 0", z, i)
		}
	}
	return nil
}

// checkRatio refuses scales that no sum of int32 survives.
func checkRatio(op *operator, in, w, out float32) error {
	if r := (in * w) / out; !(r < maxRequantize) {
		return op.errorf("scales %v (input), %v (weights), %v (output): the output's must be more than a %dth of the others' product",
			in, w, out, maxRequantize)
	}
	return nil
}

const (
	none  = schema.ActivationFunctionTypeNONE
	relu  = schema.ActivationFunctionTypeRELU
	relu6 = schema.ActivationFunctionTypeRELU6
)

// clamp gives the range that an activation function leaves of an output; ok is
// false for a function that no MobileNetV2 has.
func clamp(act schema.ActivationFunctionType, q mnv2.Quantization) (lo, hi int8, ok bool) {
	switch act {
	case none:
		return -128, 127, true
	case relu:
		return int8(q.Zero), 127, true
	case relu6:
		top := math.RoundToEven(float64(6 / q.Scale))
		return int8(q.Zero), int8(min(float64(q.Zero)+top, 127)), true
	}
	return 0, 0, false
}
