package mnv2

import "tarsier/mnv2/internal/kernels"

// An allocator hands out the parts of a Runner's memory.
type allocator interface {
	take(n int) []int8
}

// measure adds up what is taken, and gives nothing.
type measure struct{ size int }

func (m *measure) take(n int) []int8 {
	m.size += align(n)
	return nil
}

// arena gives what was measured, from one piece.
type arena struct{ rest []int8 }

func (a *arena) take(n int) []int8 {
	part := a.rest[:n:n]
	a.rest = a.rest[align(n):]
	return part
}

// align starts every part on a cache line.
func align(n int) int { return (n + 63) &^ 63 }

// memory is all that a run writes to.
type memory struct {
	// What one block writes, the next reads.
	activations [2][]int8

	embedding []int8
	logits    []int8
	workers   []worker
}

// worker is what one thread works in.
type worker struct {
	image ring   // rows of the input
	stem  ring   // rows out of the first convolution, if block 0 expands them
	ring  ring   // rows of a block, expanded
	tile  []int8 // rows of a block after its depthwise convolution
	head  []int8 // a part of the last convolution's output

	// The rows that kernels are called with.
	pixels       [3][]int8
	window, rows [][]int8

	scratch *kernels.Scratch
}

// layout plans the memory. It is called twice: to measure, then to make it.
func (m *Model) layout(a allocator) *memory {
	var mem memory
	var outputs [2]int // the largest of the blocks' outputs
	ringSize, zeroSize, tile, rows, channels := 0, 0, 0, 0, 0
	for i := range m.blocks {
		b := &m.blocks[i]
		outputs[i%2] = max(outputs[i%2], b.out*b.out*b.project.Out)
		ringSize = max(ringSize, b.ringRows()*b.ringWidth())
		zeroSize = max(zeroSize, b.ringWidth())
		tile = max(tile, b.step*b.out*b.depthwise.Out)
		rows = max(rows, b.ringRows())
		channels = max(channels, b.depthwise.Out, b.project.Out)
	}
	for i, n := range outputs {
		mem.activations[i] = a.take(n)
	}
	head := 0
	for _, l := range m.last {
		head = max(head, m.lastSize()*m.lastSize()*l.Out)
	}
	mem.embedding = a.take(outChannels(m.last))
	mem.logits = a.take(outChannels(m.classifier))
	channels = max(channels, outChannels(m.last))
	for range m.threads {
		var w worker
		w.image = newRing(a, 3*m.imageWidth(), m.imageWidth())
		if m.blocks[0].expand != nil {
			w.stem = newRing(a, m.blocks[0].ringRows()*m.firstSize*m.first.Out, m.firstSize*m.first.Out)
		}
		w.ring = newRing(a, ringSize, zeroSize)
		w.tile = a.take(tile)
		w.head = a.take(head)
		w.window = make([][]int8, rows)
		w.rows = make([][]int8, rows)
		w.scratch = kernels.NewScratch(channels)
		mem.workers = append(mem.workers, w)
	}
	return &mem
}

// imageWidth is the length of an input row with its padding.
func (m *Model) imageWidth() int {
	return (m.facts.Size + m.firstPad.Before + m.firstPad.After) * 3
}

// lastSize is the height and width that the last convolution sees.
func (m *Model) lastSize() int {
	return m.blocks[len(m.blocks)-1].out
}

// ringRows is how many expanded rows one pass needs.
func (b *block) ringRows() int { return (b.step-1)*b.stride + 3 }

// ringWidth is the length of an expanded row with its padding.
func (b *block) ringWidth() int {
	return (b.in + b.pad.Before + b.pad.After) * b.depthwise.In
}

func outChannels(parts []*kernels.Layer) (n int) {
	for _, l := range parts {
		n += l.Out
	}
	return n
}
