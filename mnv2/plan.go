package mnv2

import "tarsier/mnv2/internal/kernels"

// stepBytes is how much a step may work on at a time, of a first cache of 32
// KiB: weights, and rows of the input, of the ring and of the tile.
const stepBytes = 24 << 10

// togetherBytes is how much of a tile may be projected in one go: the weights
// of some channels pass by as well.
const togetherBytes = 16 << 10

// bandRows is how many rows of an early block are made step by step. What a
// step left of the ring comes from the second cache once a band.
const bandRows = 14

// leastRows is how many rows a thread should make of a late block. One row more
// than two of those is then expanded by two threads.
const leastRows = 6

// plan decides how the block is cut up.
func (b *block) plan(set *kernels.Set, threads int) {
	b.planStep(set)
	b.band = b.unit()
	if !b.stem {
		weights := b.expand.In*b.expand.Out + b.project.In*b.project.Out
		b.late = weights > b.in*b.in*b.expand.In
		b.band = bandRows
	}
	if b.late {
		b.band = b.out
		b.byChannel = threads > 1 && b.out < leastRows*threads
	}
	b.together = max(1, min(b.band, togetherBytes/(b.out*b.depthwise.Out)))
}

// planStep divides the channels into equal steps, as few as stepBytes allows.
func (b *block) planStep(set *kernels.Set) {
	const depthwise = 64 // about what its weights and both requantizations take
	channel := b.ringRows()*b.ringWidth() + b.unit()*b.out + depthwise
	input := 0
	if b.expand != nil {
		channel += b.expand.In
		input = b.unit() * b.stride * b.in * b.expand.In
	}
	b.step = equally(b.depthwise.Out, (stepBytes-input)/channel, set.Step)
}

// equally divides n into equal parts, multiples of unit, as few as can be of up
// to most each, and says how large a part is.
func equally(n, most, unit int) int {
	most = max(1, most/unit)
	units := (n + unit - 1) / unit
	parts := (units + most - 1) / most
	return (units + parts - 1) / parts * unit
}

// unit is how many rows are made best at a time.
func (b *block) unit() int { return 3 - b.stride }

// ringRows is how many expanded rows are needed at a time.
func (b *block) ringRows() int { return (b.unit()-1)*b.stride + 3 }

// ringChannels is how many channels the ring has at a time. What an early
// block's band leaves, the next one begins with.
func (b *block) ringChannels() int {
	if b.late {
		return b.step
	}
	return b.depthwise.Out
}

// ringChannel is where a channel is in the ring.
func (b *block) ringChannel(c int) int {
	if b.late {
		return 0
	}
	return c
}

// ringWidth is how many pixels an expanded row has with its padding.
func (b *block) ringWidth() int { return b.in + b.pad.Before + b.pad.After }

// tileSize is how large a tile of so many rows is.
func (b *block) tileSize(rows int) int {
	return (rows + b.together - 1) / b.together * b.together * b.out * b.depthwise.Out
}
