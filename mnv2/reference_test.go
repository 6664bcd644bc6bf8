package mnv2_test

import (
	"math"

	"tarsier/mnv2"
)

// reference runs a network as the specification has it, with nothing packed,
// folded, padded or fused, and gives what every layer writes.
func reference(n *mnv2.Network, input []int8) []mnv2.Output {
	x := activation{n.Size, 3, n.Input, input}
	outputs := n.Layers()
	i := 0
	emit := func(a activation) {
		outputs[i].Size, outputs[i].Data = a.size, a.data
		i++
	}
	layer := func(c *mnv2.Conv) {
		x = x.conv(c)
		emit(x)
	}
	layer(&n.First)
	for j := range n.Blocks {
		b, in := &n.Blocks[j], x
		if b.Expand != nil {
			layer(b.Expand)
		}
		layer(&b.Depthwise)
		layer(&b.Project)
		if b.Residual != nil {
			x = in.add(x, b.Residual)
			emit(x)
		}
	}
	layer(&n.Last)
	x = x.mean(n.Embedding)
	emit(x)
	if n.Classifier != nil {
		layer(n.Classifier)
	}
	return outputs
}

// activation is a tensor of size x size pixels.
type activation struct {
	size, channels int
	quant          mnv2.Quantization
	data           []int8
}

// at is the value less the zero point, 0 outside the image.
func (a activation) at(y, x, c int) int32 {
	if y < 0 || y >= a.size || x < 0 || x >= a.size {
		return 0
	}
	return int32(a.data[(y*a.size+x)*a.channels+c]) - a.quant.Zero
}

func (a activation) conv(c *mnv2.Conv) activation {
	out := activation{(a.size+c.Pad.Before+c.Pad.After-c.Kernel)/c.Stride + 1, c.Out, c.Output, nil}
	for y := range out.size {
		for x := range out.size {
			for o := range c.Out {
				acc := c.Bias[o]
				for k := range c.Kernel * c.Kernel {
					inY := y*c.Stride - c.Pad.Before + k/c.Kernel
					inX := x*c.Stride - c.Pad.Before + k%c.Kernel
					if c.Depthwise {
						acc += a.at(inY, inX, o) * int32(c.Weights[k*c.Out+o])
						continue
					}
					for i := range c.In {
						acc += a.at(inY, inX, i) * int32(c.Weights[(o*c.Kernel*c.Kernel+k)*c.In+i])
					}
				}
				m := float32(a.quant.Scale*c.Scales[o]) / c.Output.Scale
				q := math.RoundToEven(float64(float32(acc)*m)) + float64(c.Output.Zero)
				out.data = append(out.data, int8(min(max(q, float64(c.Min)), float64(c.Max))))
			}
		}
	}
	return out
}

func (a activation) add(b activation, sum *mnv2.Add) activation {
	ra, rb := a.quant.Scale/sum.Output.Scale, b.quant.Scale/sum.Output.Scale
	shift := 20 - int(math.Floor(math.Log2(float64(max(ra, rb)))))
	ma := int64(math.RoundToEven(math.Ldexp(float64(ra), shift)))
	mb := int64(math.RoundToEven(math.Ldexp(float64(rb), shift)))
	out := activation{a.size, a.channels, sum.Output, make([]int8, len(a.data))}
	for i := range out.data {
		v := ma*int64(int32(a.data[i])-a.quant.Zero) + mb*int64(int32(b.data[i])-b.quant.Zero)
		v = (v+1<<(shift-1))>>shift + int64(sum.Output.Zero)
		out.data[i] = int8(min(max(v, int64(sum.Min)), int64(sum.Max)))
	}
	return out
}

func (a activation) mean(q mnv2.Quantization) activation {
	out := activation{1, a.channels, q, nil}
	pixels := a.size * a.size
	m := a.quant.Scale / float32(q.Scale*float32(pixels))
	for c := range a.channels {
		var acc int32
		for p := range pixels {
			acc += a.at(p/a.size, p%a.size, c)
		}
		v := math.RoundToEven(float64(float32(acc)*m)) + float64(q.Zero)
		out.data = append(out.data, int8(min(max(v, -128), 127)))
	}
	return out
}
