package mnv2

import (
	"errors"
	"fmt"
	"math"

	"tarsier/mnv2/internal/kernels"
)

// blockShape is what makes a block the i-th of a MobileNetV2.
type blockShape struct {
	channels  int // before width_mult
	expansion int
	stride    int
	repeat    bool // has the channels of the block before
}

// architecture is table 2 of arXiv 1801.04381, block by block.
var architecture = func() (blocks []blockShape) {
	for _, stage := range []struct{ t, c, n, s int }{
		{1, 16, 1, 1},
		{6, 24, 2, 2},
		{6, 32, 3, 2},
		{6, 64, 4, 2},
		{6, 96, 3, 1},
		{6, 160, 3, 2},
		{6, 320, 1, 1},
	} {
		for i := range stage.n {
			b := blockShape{channels: stage.c, expansion: stage.t, stride: stage.s}
			if i > 0 {
				b.stride, b.repeat = 1, true
			}
			blocks = append(blocks, b)
		}
	}
	return blocks
}()

// Limits far beyond any real network, so that sizes computed from them fit an int.
const (
	maxSize     = 2048
	maxChannels = 1 << 16
)

// maxMultiplier bounds the factor from an accumulator to the output's steps,
// as XNNPACK does. A real one is below 1.
const maxMultiplier = 256

// tensor is what flows from layer to layer, as far as shapes go.
type tensor struct {
	size     int // height and width
	channels int
	quant    Quantization
}

// check tells at which layer the network stops being a MobileNetV2 that can be
// run.
func (n *Network) check() error {
	if n.Size < 1 || n.Size > maxSize {
		return fmt.Errorf("input is %d pixels high and wide: want 1 to %d", n.Size, maxSize)
	}
	if err := n.Input.check(); err != nil {
		return fmt.Errorf("input: %w", err)
	}
	if err := n.Pixels.check(n.Input); err != nil {
		return fmt.Errorf("input: %w", err)
	}
	t := tensor{n.Size, 3, n.Input}
	if err := n.First.check(&t, convShape{kernel: 3, stride: 2}); err != nil {
		return layerError("first convolution", n.First.Name, err)
	}
	if len(n.Blocks) != len(architecture) {
		return fmt.Errorf("%d inverted residual blocks: a MobileNetV2 has %d", len(n.Blocks), len(architecture))
	}
	for i := range n.Blocks {
		if err := n.Blocks[i].check(&t, i); err != nil {
			return fmt.Errorf("block %d, %w", i, err)
		}
	}
	if err := n.Last.check(&t, convShape{kernel: 1, stride: 1}); err != nil {
		return layerError("last convolution", n.Last.Name, err)
	}
	if err := n.Embedding.check(); err != nil {
		return fmt.Errorf("mean: %w", err)
	}
	if m := kernels.MeanMultiplier(t.quant.Scale, n.Embedding.Scale, t.size*t.size); !(m < maxMultiplier) {
		return fmt.Errorf("mean: input scale %g is too large for output scale %g", t.quant.Scale, n.Embedding.Scale)
	}
	if n.Classifier != nil {
		t.size, t.quant = 1, n.Embedding
		if err := n.Classifier.check(&t, convShape{kernel: 1, stride: 1}); err != nil {
			return layerError("classifier", n.Classifier.Name, err)
		}
	}
	return nil
}

func layerError(what, name string, err error) error {
	return fmt.Errorf("%s %q: %w", what, name, err)
}

// check follows t through the i-th block.
func (b *Block) check(t *tensor, i int) error {
	want, in := architecture[i], *t
	if b.Expand != nil {
		if err := b.Expand.check(t, convShape{kernel: 1, stride: 1, out: in.channels * want.expansion}); err != nil {
			return layerError("expand", b.Expand.Name, err)
		}
	} else if want.expansion > 1 {
		return fmt.Errorf("expand: missing; only block 0 may have none")
	}
	if err := b.Depthwise.check(t, convShape{kernel: 3, stride: want.stride, depthwise: true, out: t.channels}); err != nil {
		return layerError("depthwise", b.Depthwise.Name, err)
	}
	project := convShape{kernel: 1, stride: 1}
	if want.repeat {
		project.out = in.channels
	}
	if err := b.Project.check(t, project); err != nil {
		return layerError("project", b.Project.Name, err)
	}
	residual := want.stride == 1 && t.channels == in.channels
	switch {
	case residual && b.Residual == nil:
		return errors.New("residual add: missing; stride is 1 and the channels match")
	case !residual && b.Residual != nil:
		return layerError("residual add", b.Residual.Name, errors.New("stride or channels do not allow one"))
	case residual:
		if err := b.Residual.check(in, t); err != nil {
			return layerError("residual add", b.Residual.Name, err)
		}
	}
	return nil
}

// check follows t, the projection, through its addition to the block's input.
func (a *Add) check(in tensor, t *tensor) error {
	if in.size != t.size {
		return fmt.Errorf("%d rows and columns cannot be added to %d", t.size, in.size)
	}
	if err := a.Output.check(); err != nil {
		return err
	}
	if a.Min > a.Max {
		return fmt.Errorf("clamp %d..%d is empty", a.Min, a.Max)
	}
	scale := max(in.quant.Scale, t.quant.Scale)
	if ratio := scale / a.Output.Scale; !(ratio >= kernels.MinRatio && ratio < kernels.MaxRatio) {
		return fmt.Errorf("output scale %g is too far from the larger input scale, %g", a.Output.Scale, scale)
	}
	t.quant = a.Output
	return nil
}

// convShape is what a convolution must be where it stands; 0 out is any number.
type convShape struct {
	kernel, stride, out int
	depthwise           bool
}

// check makes of t the convolution's output.
func (c *Conv) check(t *tensor, want convShape) error {
	kind := func(kernel, stride int, depthwise bool) string {
		s := fmt.Sprintf("%dx%d, stride %d", kernel, kernel, stride)
		if depthwise {
			s += ", depthwise"
		}
		return s
	}
	if got, want := kind(c.Kernel, c.Stride, c.Depthwise), kind(want.kernel, want.stride, want.depthwise); got != want {
		return fmt.Errorf("the convolution is %s: a MobileNetV2 has %s here", got, want)
	}
	if c.In != t.channels {
		return fmt.Errorf("takes %d channels: there are %d", c.In, t.channels)
	}
	if want.out != 0 && c.Out != want.out {
		return fmt.Errorf("gives %d channels: a MobileNetV2 has %d here", c.Out, want.out)
	}
	if c.Out < 1 || c.Out > maxChannels {
		return fmt.Errorf("gives %d channels: want 1 to %d", c.Out, maxChannels)
	}
	for _, pad := range []int{c.Pad.Before, c.Pad.After} {
		if pad < 0 || pad >= c.Kernel {
			return fmt.Errorf("padding %d, %d: want 0 to %d", c.Pad.Before, c.Pad.After, c.Kernel-1)
		}
	}
	padded := t.size + c.Pad.Before + c.Pad.After
	if padded < c.Kernel {
		return fmt.Errorf("%d rows and columns, padding included, are too few for a %dx%d convolution", padded, c.Kernel, c.Kernel)
	}
	weights := int64(c.Kernel*c.Kernel) * int64(c.Out)
	if !c.Depthwise {
		weights *= int64(c.In)
	}
	if int64(len(c.Weights)) != weights {
		return fmt.Errorf("%d weights: want %d", len(c.Weights), weights)
	}
	if len(c.Scales) != c.Out || len(c.Bias) != c.Out {
		return fmt.Errorf("%d scales and %d biases for %d channels", len(c.Scales), len(c.Bias), c.Out)
	}
	if err := c.Output.check(); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if c.Min > c.Max {
		return fmt.Errorf("clamp %d..%d is empty", c.Min, c.Max)
	}
	for i, s := range c.Scales {
		if !positive(s) {
			return fmt.Errorf("weight scale of channel %d is %g: want a positive number", i, s)
		}
		if m := kernels.Multiplier(t.quant.Scale, s, c.Output.Scale); !(m < maxMultiplier) {
			return fmt.Errorf("channel %d: input scale %g and weight scale %g are too large for output scale %g",
				i, t.quant.Scale, s, c.Output.Scale)
		}
	}
	*t = tensor{(padded-c.Kernel)/c.Stride + 1, c.Out, c.Output}
	return nil
}

func (q Quantization) check() error {
	if !positive(q.Scale) {
		return fmt.Errorf("scale is %g: want a positive number", q.Scale)
	}
	if q.Zero < -128 || q.Zero > 127 {
		return fmt.Errorf("zero point is %d: want -128 to 127", q.Zero)
	}
	return nil
}

func (p Normalization) check(input Quantization) error {
	if mean := float64(p.Mean); math.IsNaN(mean) || math.IsInf(mean, 0) {
		return fmt.Errorf("mean of the pixels is %g: want a number", p.Mean)
	}
	if !positive(p.Std) || !positive(p.Std*input.Scale) {
		return fmt.Errorf("deviation of the pixels is %g: want a positive number that suits scale %g", p.Std, input.Scale)
	}
	return nil
}

// positive is false for infinities and NaN too.
func positive(f float32) bool {
	return f > 0 && f <= math.MaxFloat32
}
