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
	var values [256]int8
	for i := range values {
		values[i] = int8(i) ^ r.m.set.Flip
	}
	defer func(t *pixelTable) { r.pixels = t }(r.pixels)
	r.pixels = tableOf(values)
	return r.Run(rgb)
}

// EachPart gives each part of a run to f, to be run alone, after a whole run.
func (r *Runner) EachPart(rgb []byte, f func(p Part, run func())) {
	if err := r.Run(rgb); err != nil {
		panic(err)
	}
	r.rgb = rgb
	r.team.start()
	defer r.team.rest()
	for i, p := range r.m.parts {
		switch i - len(r.m.blocks) {
		default:
			f(p, func() { r.runBlock(i, 0) })
		case 0:
			f(p, func() { r.run(lastAndMean) })
		case 1:
			f(p, func() { r.run(classifier) })
		}
	}
}

// Quantized gives the last two layers of the last run as the kernels left them.
func (r *Runner) Quantized() (embedding, logits []int8) {
	return r.late[0].embedding, r.late[0].logits
}

// Pixels gives the table that quantizes the input.
func (m *Model) Pixels() [256]int8 {
	values := m.pixels.values
	for i := range values {
		values[i] ^= m.set.Flip
	}
	return values
}

// Unfused runs a model of the network one whole layer after the other, with
// the kernels and the packed weights that a Runner uses, and tells what each
// layer writes.
func Unfused(m *Model, n *Network, input []int8) []Output {
	u := unfused{set: m.set, outputs: n.Layers()}
	var need measure
	m.layout(&need)
	u.scratch = m.layout(&arena{make([]int8, need.size)}).workers[0].scratch

	var image [][]int8
	size, pad := m.facts.Size, m.firstPad
	for y := -pad.Before; y < size+pad.After; y++ {
		row := make([]int8, m.imageWidth())
		fill(row, m.inputZero)
		if y >= 0 && y < size {
			for x := range 3 * size {
				row[3*pad.Before+x] = input[3*size*y+x] ^ m.set.Flip
			}
		}
		image = append(image, row)
	}
	x := newTensor(m.firstSize, m.first.Out)
	for y := range m.firstSize {
		m.set.First(x.At(0, y*m.firstSize), (*[3][]int8)(image[2*y:]), m.firstSize, m.first, u.scratch)
	}
	u.emit(x, m.firstSize)

	for i := range m.blocks {
		b := &m.blocks[i]
		in := x
		if b.expand != nil {
			x = u.pointwise(x, b.in*b.in, b.expand)
			u.emit(x, b.in)
		}
		x = u.depthwise(x, b)
		u.emit(x, b.out)
		x = u.pointwise(x, b.out*b.out, b.project)
		u.emit(x, b.out)
		if b.add != nil {
			sum := newTensor(b.out, b.project.Out)
			m.set.Add(sum.Data, in.Data, x.Data, b.add)
			x = sum
			u.emit(x, b.out)
		}
	}

	pixels := m.lastSize() * m.lastSize()
	x = u.pointwise(x, pixels, m.last)
	u.emit(x, m.lastSize())
	mean := newTensor(1, m.last.Out)
	m.set.Mean(mean.Data, x, pixels, m.mean)
	u.emit(mean, 1)
	if m.classifier != nil {
		u.emit(u.pointwise(mean, 1, m.classifier), 1)
	}
	return u.outputs
}

type unfused struct {
	set     *kernels.Set
	scratch *kernels.Scratch
	outputs []Output
	done    int
}

func newTensor(size, channels int) kernels.Pixels {
	return kernels.Pixels{
		Data:   make([]int8, size*size*kernels.Pad(channels)),
		Stride: size * size * kernels.Group,
	}
}

// emit writes down the next layer's output.
func (u *unfused) emit(x kernels.Pixels, size int) {
	o := &u.outputs[u.done]
	u.done++
	o.Size = size
	for p := range size * size {
		for c := range o.Channels {
			o.Data = append(o.Data, x.At(c, p).Data[c%kernels.Group]^u.set.Flip)
		}
	}
}

func (u *unfused) pointwise(x kernels.Pixels, n int, l *kernels.Layer) kernels.Pixels {
	out := kernels.Pixels{Data: make([]int8, kernels.Pad(l.Out)*n), Stride: n * kernels.Group}
	for c := 0; c < l.Out; c += u.set.Step {
		u.set.Pointwise(out.At(c, 0), x, n, l, c, min(c+u.set.Step, l.Out), u.scratch)
	}
	return out
}

func (u *unfused) depthwise(x kernels.Pixels, b *block) kernels.Pixels {
	channels := b.depthwise.Out
	width := b.ringWidth()
	var rows []kernels.Pixels
	for y := -b.pad.Before; y < b.in+b.pad.After; y++ {
		row := kernels.Pixels{Data: make([]int8, width*channels), Stride: width * kernels.Group}
		fill(row.Data, b.zero)
		if y >= 0 && y < b.in {
			for c := 0; c < channels; c += kernels.Group {
				copy(row.At(c, b.pad.Before).Data, x.At(c, y*b.in).Data[:b.in*kernels.Group])
			}
		}
		rows = append(rows, row)
	}
	out := newTensor(b.out, channels)
	for y := range b.out {
		dst := []kernels.Pixels{out.At(0, y*b.out)}
		u.set.Depthwise(dst, rows[y*b.stride:][:3], b.out, b.depthwise, b.stride, 0, channels)
	}
	return out
}
