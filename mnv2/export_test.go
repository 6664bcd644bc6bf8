package mnv2

import "tarsier/mnv2/internal/kernels"

// Output is what one layer writes, without the padding of its channels.
type Output struct {
	Op             string // as in the golden files' index
	Size, Channels int
	Data           []int8
}

// Layers names the layers in the order they run, with their channels.
func (n *Network) Layers() (outputs []Output) {
	add := func(op string, channels int) {
		outputs = append(outputs, Output{Op: op, Channels: channels})
	}
	add("conv_2d", n.First.Out)
	for _, b := range n.Blocks {
		if b.Expand != nil {
			add("conv_2d", b.Expand.Out)
		}
		add("depthwise_conv_2d", b.Depthwise.Out)
		add("conv_2d", b.Project.Out)
		if b.Residual != nil {
			add("add", b.Project.Out)
		}
	}
	add("conv_2d", n.Last.Out)
	add("mean", n.Last.Out)
	if n.Classifier != nil {
		add("fully_connected", n.Classifier.Out)
	}
	return outputs
}

// RunInt8 runs on an input that is quantized already.
func (r *Runner) RunInt8(input []int8) error {
	rgb := make([]byte, len(input))
	for i, q := range input {
		rgb[i] = byte(q)
	}
	var table [256]int8
	for i := range table {
		table[i] = int8(i)
	}
	defer func(t *[256]int8) { r.pixels = t }(r.pixels)
	r.pixels = &table
	return r.Run(rgb)
}

// Quantized gives the last two layers of the last run as the kernels left them.
func (r *Runner) Quantized() (embedding, logits []int8) {
	return r.mem.embedding[:r.m.facts.Embedding], r.mem.logits[:r.m.facts.Classes]
}

// Pixels gives the table that quantizes the input.
func (m *Model) Pixels() [256]int8 { return m.pixels }

// Unfused runs a model of the network one whole layer after the other, with
// the kernels and the packed weights that a Runner uses, and tells what each
// layer writes.
func Unfused(m *Model, n *Network, input []int8) []Output {
	u := unfused{set: m.set, outputs: n.Layers()}
	var need measure
	m.layout(&need)
	u.scratch = m.layout(&arena{make([]int8, need.size)}).workers[0].scratch

	image := padded(input, m.facts.Size, 3, m.firstPad, m.inputZero)
	var x []int8
	for y := range m.firstSize {
		row := make([]int8, m.firstSize*m.first.Out)
		m.set.First(row, (*[3][]int8)(image[2*y:]), m.first, u.scratch)
		x = append(x, row...)
	}
	u.emit(x, m.firstSize)

	for i := range m.blocks {
		b := &m.blocks[i]
		in := x
		if b.expand != nil {
			x = u.pointwise(x, b.expand)
			u.emit(x, b.in)
		}
		rows := padded(x, b.in, b.depthwise.In, b.pad, b.zero)
		x = make([]int8, b.out*b.out*b.depthwise.Out)
		m.set.Depthwise(x, rows[:(b.out-1)*b.stride+3], b.depthwise, b.stride)
		u.emit(x, b.out)
		x = u.pointwise(x, b.project)
		u.emit(x, b.out)
		if b.add != nil {
			sum := make([]int8, len(x))
			m.set.Add(sum, in, x, b.add)
			x = sum
			u.emit(x, b.out)
		}
	}

	x = u.parts(x, m.last)
	u.emit(x, m.lastSize())
	mean := make([]int8, outChannels(m.last))
	m.set.Mean(mean, x, m.mean)
	u.emit(mean, 1)
	if m.classifier != nil {
		u.emit(u.parts(mean, m.classifier), 1)
	}
	return u.outputs
}

type unfused struct {
	set     *kernels.Set
	scratch *kernels.Scratch
	outputs []Output
	done    int
}

// emit writes down the next layer's output.
func (u *unfused) emit(x []int8, size int) {
	o := &u.outputs[u.done]
	u.done++
	o.Size = size
	channels := len(x) / (size * size)
	for ; len(x) > 0; x = x[channels:] {
		o.Data = append(o.Data, x[:o.Channels]...)
	}
}

func (u *unfused) pointwise(x []int8, l *kernels.Layer) []int8 {
	out := make([]int8, len(x)/l.In*l.Out)
	u.set.Pointwise([][]int8{out}, x, l, u.scratch)
	return out
}

// parts joins the parts of a layer pixel by pixel.
func (u *unfused) parts(x []int8, parts []*kernels.Layer) (joined []int8) {
	outs := make([][]int8, len(parts))
	for i, l := range parts {
		outs[i] = u.pointwise(x, l)
	}
	for p := range len(x) / parts[0].In {
		for i, l := range parts {
			joined = append(joined, outs[i][p*l.Out:(p+1)*l.Out]...)
		}
	}
	return joined
}

// padded gives the rows of an image with padding all around.
func padded(x []int8, size, channels int, pad Padding, zero int8) (rows [][]int8) {
	for y := -pad.Before; y < size+pad.After; y++ {
		row := make([]int8, (pad.Before+size+pad.After)*channels)
		fill(row, zero)
		if y >= 0 && y < size {
			copy(row[pad.Before*channels:], x[y*size*channels:(y+1)*size*channels])
		}
		rows = append(rows, row)
	}
	return rows
}
