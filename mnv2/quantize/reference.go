package quantize

import (
	"math"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/kernels"
)

// A reference runs an int8 network plainly and shows every activation, which
// the engine, with its fused layers, cannot. It computes with float32 numbers
// that are whole: an activation is held as q - zero point, and sums are exact up
// to 2^24. Requantization is rounded as package mnv2 rounds it.
type reference struct {
	net     *mnv2.Network
	pixels  [256]float32
	convs   []*quantized // in the order of float.Network.Convs
	x, y    float.Tensor // a layer's input and output
	block   float.Tensor // the input of a block that adds it
	patches []float32
}

// quantized is a convolution in whole numbers.
type quantized struct {
	conv        float.Conv
	multipliers []float32 // from a sum to steps of the output, for each channel
	low, high   float32   // clamp of q - zero point
}

func newReference(n *mnv2.Network) *reference {
	r := &reference{net: n, pixels: pixelValues(n.Pixels, n.Input)}
	in := n.Input
	conv := func(c *mnv2.Conv) {
		r.convs = append(r.convs, newQuantized(c, in))
		in = c.Output
	}
	conv(&n.First)
	for i := range n.Blocks {
		b := &n.Blocks[i]
		if b.Expand != nil {
			conv(b.Expand)
		}
		conv(&b.Depthwise)
		conv(&b.Project)
		if b.Residual != nil {
			in = b.Residual.Output
		}
	}
	conv(&n.Last)
	if in = n.Embedding; n.Classifier != nil {
		conv(n.Classifier)
	}
	return r
}

func newQuantized(c *mnv2.Conv, in mnv2.Quantization) *quantized {
	q := &quantized{
		conv: float.Conv{
			Kernel: c.Kernel, Stride: c.Stride, Pad: c.Pad, In: c.In, Out: c.Out, Depthwise: c.Depthwise,
			Weights: make([]float32, len(c.Weights)), Bias: make([]float32, c.Out),
		},
		multipliers: make([]float32, c.Out),
		low:         float32(int32(c.Min) - c.Output.Zero),
		high:        float32(int32(c.Max) - c.Output.Zero),
	}
	for i, w := range c.Weights {
		q.conv.Weights[i] = float32(w)
	}
	for o, b := range c.Bias {
		q.conv.Bias[o] = float32(b)
		q.multipliers[o] = kernels.Multiplier(in.Scale, c.Scales[o], c.Output.Scale)
	}
	return q
}

// forward makes of dst the layer's output.
func (q *quantized) forward(dst, src *float.Tensor, patches *[]float32) {
	q.conv.Forward(dst, src, patches)
	for p := 0; p < len(dst.Data); p += q.conv.Out {
		px := dst.Data[p : p+q.conv.Out]
		for c, m := range q.multipliers {
			px[c] = min(max(round(px[c]*m), q.low), q.high)
		}
	}
}

// round rounds halves to even.
func round(v float32) float32 { return float32(math.RoundToEven(float64(v))) }

// run runs a picture and shows every activation to tap, as float.Runner.Run
// does; it gives the logits, nil without a classifier, and the embedding.
func (r *reference) run(rgb []byte, tap func(i int, t *float.Tensor)) (logits, embedding []float32) {
	shown := 0
	show := func() {
		tap(shown, &r.x)
		shown++
	}
	n, layer := r.net, 0
	conv := func() {
		r.convs[layer].forward(&r.y, &r.x, &r.patches)
		r.x, r.y = r.y, r.x
		layer++
		show()
	}
	r.start(rgb)
	conv()
	in := n.First.Output
	for i := range n.Blocks {
		b := &n.Blocks[i]
		if b.Residual != nil {
			r.block.Copy(&r.x)
		}
		if b.Expand != nil {
			conv()
		}
		conv()
		conv()
		if b.Residual != nil {
			add(&r.x, &r.block, b.Project.Output, in, b.Residual)
			in = b.Residual.Output
			show()
		} else {
			in = b.Project.Output
		}
	}
	conv()
	mean(&r.y, &r.x, n.Last.Output, n.Embedding)
	r.x, r.y = r.y, r.x
	show()
	embedding = dequantize(r.x.Data, n.Embedding)
	if n.Classifier == nil {
		return nil, embedding
	}
	conv()
	return dequantize(r.x.Data, n.Classifier.Output), embedding
}

// start begins with a picture.
func (r *reference) start(rgb []byte) {
	r.x.Resize(r.net.Size, 3)
	for i, p := range rgb {
		r.x.Data[i] = r.pixels[p]
	}
}

// pixelValues says how each byte of a picture is held.
func pixelValues(p mnv2.Normalization, q mnv2.Quantization) (values [256]float32) {
	step := float64(float32(p.Std * q.Scale))
	for i := range values {
		v := math.Floor((float64(i)-float64(p.Mean))/step + 0.5)
		values[i] = float32(min(max(v, float64(-128-q.Zero)), float64(127-q.Zero)))
	}
	return values
}

// add adds a block's input to its projection t.
func add(t, block *float.Tensor, project, in mnv2.Quantization, sum *mnv2.Add) {
	ra, rb := in.Scale/sum.Output.Scale, project.Scale/sum.Output.Scale
	_, exp := math.Frexp(float64(max(ra, rb)))
	shift := 20 - (exp - 1)
	ma := int64(math.RoundToEven(math.Ldexp(float64(ra), shift)))
	mb := int64(math.RoundToEven(math.Ldexp(float64(rb), shift)))
	low, high := int64(sum.Min)-int64(sum.Output.Zero), int64(sum.Max)-int64(sum.Output.Zero)
	for i, b := range t.Data {
		v := (ma*int64(block.Data[i]) + mb*int64(b) + 1<<(shift-1)) >> shift
		t.Data[i] = float32(min(max(v, low), high))
	}
}

// mean makes of dst the mean of src over all pixels.
func mean(dst, src *float.Tensor, in, out mnv2.Quantization) {
	dst.Resize(1, src.Channels)
	clear(dst.Data)
	for p := 0; p < len(src.Data); p += src.Channels {
		for c, v := range src.Data[p : p+src.Channels] {
			dst.Data[c] += v
		}
	}
	m := kernels.MeanMultiplier(in.Scale, out.Scale, src.Size*src.Size)
	low, high := float32(-128-out.Zero), float32(127-out.Zero)
	for c, sum := range dst.Data {
		dst.Data[c] = min(max(round(sum*m), low), high)
	}
}

func dequantize(data []float32, q mnv2.Quantization) []float32 {
	real := make([]float32, len(data))
	for i, v := range data {
		real[i] = q.Scale * v
	}
	return real
}
