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

// memory is all that a run of one picture writes to.
type memory struct {
	outputs [2][]int8 // of the blocks before the late ones: what one block writes, the next reads
	tile    []int8    // a block's image after its depthwise convolution, where threads share the channels
	workers []worker
}

// late is what the late stages write for one picture of a batch.
type late struct {
	outputs   [2][]int8
	embedding []int8
	logits    []int8
}

// worker is what one thread works in.
type worker struct {
	image  imageRing // rows of the input
	stem   ring      // rows out of the first convolution, if block 0 expands them
	ring   ring      // rows of a block, expanded
	padded *block    // the block shared by channel whose padding stands in the ring
	tile   []int8    // rows of a block after its depthwise convolution
	head   []int8    // some channels of the last convolution's output

	// The rows that kernels are called with.
	rgb [3][]int8
	src [4]kernels.Pixels
	dst [2]kernels.Pixels

	scratch *kernels.Scratch
}

// layout plans the memory. It is called twice: to measure, then to make it.
func (m *Model) layout(a allocator) *memory {
	var mem memory
	var outputs [2]int // the largest of the blocks' outputs
	ring, image, tile, channels := 0, 0, 0, 0
	for i := range m.blocks {
		b := &m.blocks[i]
		if i < m.late-1 {
			outputs[i%2] = max(outputs[i%2], b.outputSize())
		}
		ring = max(ring, ringSize(b.ringRows(), b.ringWidth(), b.ringChannels()))
		if b.byChannel {
			image = max(image, b.tileSize(b.out))
		} else {
			tile = max(tile, b.tileSize(min(b.band, (b.out+m.threads-1)/m.threads)))
		}
		channels = max(channels, b.depthwise.Out, b.project.Out)
	}
	for i, n := range outputs {
		mem.outputs[i] = a.take(n)
	}
	mem.tile = a.take(image)
	channels = max(channels, m.last.Out)
	for range m.threads {
		var w worker
		w.image = newImageRing(a, m.imageWidth())
		if m.blocks[0].expand != nil {
			w.stem.buf = a.take(ringSize(m.blocks[0].ringRows(), m.firstSize, kernels.Pad(m.first.Out)))
		}
		w.ring.buf = a.take(ring)
		w.tile = a.take(tile)
		w.head = a.take(m.lastSize() * m.lastSize() * m.headStep)
		w.scratch = kernels.NewScratch(channels, m.firstSize)
		mem.workers = append(mem.workers, w)
	}
	return &mem
}

// layoutLate plans what one picture of a batch needs.
func (m *Model) layoutLate(a allocator) (l late) {
	var sizes [2]int
	for i := max(0, m.late-1); i < len(m.blocks); i++ {
		sizes[i%2] = max(sizes[i%2], m.blocks[i].outputSize())
	}
	for i, n := range sizes {
		l.outputs[i] = a.take(n)
	}
	l.embedding = a.take(m.facts.Embedding)
	l.logits = a.take(m.facts.Classes)
	return l
}

// imageWidth is the length of an input row with its padding.
func (m *Model) imageWidth() int {
	return (m.facts.Size+m.firstPad.Before+m.firstPad.After)*3 + kernels.FirstSlack
}

// lastSize is the height and width that the last convolution sees.
func (m *Model) lastSize() int {
	return m.blocks[len(m.blocks)-1].out
}

func (b *block) outputSize() int {
	return b.out * b.out * kernels.Pad(b.project.Out)
}
