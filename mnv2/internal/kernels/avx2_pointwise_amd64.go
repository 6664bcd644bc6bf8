//go:build !purego

package kernels

import "slices"

// VPMADDUBSW multiplies bytes and adds neighbours, but saturates at 16 bits. So
// inputs are taken in lanes of four, and packing sorts these, for every eight
// output channels, into
//
//   - pairs of lanes whose sums of two products fit 16 bits when added,
//   - other lanes whose sums fit,
//   - and the rest, widened to 16 bits for VPMADDWD.
//
// As inputs are bytes, sums fit if neither the positive nor the negative weights
// of one add up to more than 128. A lane may be flipped: every second input x is
// then 255 - x and its weight negated, so that two large weights of one sign
// become one of each.
type lane struct {
	input   int
	weights [8][4]int8 // of each output channel
	flip    bool
	size    int       // what the weights of one sign of a sum add up to, at most
	sums    [8]uint64 // all that they do: positive and negative, of two sums
}

const most = 128 // that a lane's size may be

// A laneCopy says where a tile's input is copied to: as it is, flipped, and as
// words of 16 bits. Offsets are in bytes.
type laneCopy struct {
	row     int // inputs that follow one another
	pitch   int // from such a row to the next
	flipped int
	words   int
	size    int
}

// pointwiseCopy has rows of a group of channels of seven pixels.
func pointwiseCopy(in int) laneCopy {
	size := 7 * Pad(in)
	return laneCopy{row: Group, pitch: 7 * Group, flipped: size, words: 2 * size, size: 4 * size}
}

// firstCopy has three rows of the picture, of which a window takes 12 bytes.
var firstCopy = laneCopy{row: 12, pitch: 48, flipped: 3 * 48, words: 6 * 48, size: 12 * 48}

// place gives where an input is.
func (c *laneCopy) place(input int) int { return input/c.row*c.pitch + input%c.row }

func avx2PackPointwise(l *Layer, weights []int8) {
	avx2Pack(l, weights, l.In, pointwiseCopy(l.In))
}

func avx2PackFirst(l *Layer, weights []int8) {
	avx2Pack(l, padRows(weights), 3*12, firstCopy)
}

// avx2Pack writes, for every eight channels, the lists of lanes, each of which
// ends with a -1, and the weights in the same order.
func avx2Pack(l *Layer, weights []int8, in int, places laneCopy) {
	l.outputs = avx2Outputs(l, weights, in, inOrder)
	l.Weights = make([][4]int8, 0, l.Out*in/2)
	l.lanes = make([]int32, 0, l.Out/8*(in/4+4))
	p := lanePacker{Layer: l, places: places, lanes: make([]lane, in/4)}
	for o := 0; o < l.Out; o += Group {
		l.laneStarts = append(l.laneStarts, int32(len(l.lanes)))
		l.starts = append(l.starts, int32(len(l.Weights)))
		for c := 0; c < Group; c += 8 {
			p.starts = l.outputs[3*o+c:][:8]
			p.pack(weights[(o+c)*in:], in)
		}
	}
}

// A lanePacker packs the lanes of eight output channels.
type lanePacker struct {
	*Layer
	places laneCopy
	starts []int32 // of the sums
	lanes  []lane

	short, long []*lane // those that fit 16 bits, by size, and the others
	single      []*lane
}

func (p *lanePacker) pack(weights []int8, in int) {
	p.short, p.long, p.single = p.short[:0], p.long[:0], p.single[:0]
	for i := range p.lanes {
		n := &p.lanes[i]
		n.read(weights, in, 4*i)
		switch {
		case n.size == 0: // no weights at all
		case n.size <= most:
			p.short = append(p.short, n)
		default:
			p.long = append(p.long, n)
		}
	}
	slices.SortFunc(p.short, func(a, b *lane) int { return a.size - b.size })
	// Each goes with the largest that fits, of a few that may not.
	for short := p.short; len(short) > 0; {
		n := short[len(short)-1]
		short = short[:len(short)-1]
		sure, _ := slices.BinarySearchFunc(short, most-n.size+1, func(m *lane, size int) int { return m.size - size })
		i := min(sure+32, len(short)) - 1
		for i >= sure && !n.fits(short[i]) {
			i--
		}
		if i < 0 {
			p.single = append(p.single, n)
			continue
		}
		p.bytes(short[i])
		p.bytes(n)
		short = slices.Delete(short, i, i+1)
	}
	p.Layer.lanes = append(p.Layer.lanes, -1)
	for _, n := range p.single {
		p.bytes(n)
	}
	p.Layer.lanes = append(p.Layer.lanes, -1)
	for _, n := range p.long {
		p.words(n)
	}
	p.Layer.lanes = append(p.Layer.lanes, -1)
}

// read takes the weights of eight channels from input on.
func (n *lane) read(weights []int8, in, input int) {
	n.input = input
	var plain, flipped int
	for c := range n.weights {
		w := [4]int8(weights[c*in+input:])
		n.weights[c] = w
		p0, n0 := signs(w[0])
		p1, n1 := signs(w[1])
		p2, n2 := signs(w[2])
		p3, n3 := signs(w[3])
		plain = max(plain, p0+p1, n0+n1, p2+p3, n2+n3)
		flipped = max(flipped, p0+n1, n0+p1, p2+n3, n2+p3)
		if w[1] == -128 || w[3] == -128 {
			flipped = most + 1 // 128 is no weight
		}
	}
	n.size, n.flip = plain, flipped < plain
	if n.flip {
		n.size = flipped
		for c := range n.weights {
			w := &n.weights[c]
			w[1], w[3] = -w[1], -w[3]
		}
	}
	if n.size > most {
		return
	}
	for c, w := range n.weights {
		p0, n0 := signs(w[0])
		p1, n1 := signs(w[1])
		p2, n2 := signs(w[2])
		p3, n3 := signs(w[3])
		n.sums[c] = uint64(p0+p1) | uint64(n0+n1)<<16 | uint64(p2+p3)<<32 | uint64(n2+n3)<<48
	}
}

// signs gives the positive part of a weight, and the negative one.
func signs(w int8) (positive, negative int) { return max(int(w), 0), max(-int(w), 0) }

// fits says whether sums of both lanes fit 16 bits when added.
func (n *lane) fits(m *lane) bool {
	const over = 0x7FFF - most // makes a number above most reach the 16th bit
	var all uint64
	for c := range n.sums {
		all |= n.sums[c] + m.sums[c] + over*0x0001_0001_0001_0001
	}
	return all&0x8000_8000_8000_8000 == 0
}

// bytes adds a lane to the current list.
func (p *lanePacker) bytes(n *lane) {
	place := p.places.place(n.input)
	if n.flip {
		place += p.places.flipped
		for c, w := range n.weights {
			// x*w = 255*w + (255-x)*(-w)
			p.starts[c] -= 255 * (int32(w[1]) + int32(w[3]))
		}
	}
	p.Layer.lanes = append(p.Layer.lanes, int32(place))
	p.Weights = append(p.Weights, n.weights[:]...)
}

// words adds a lane to the list of those of 16 bits: as two halves.
func (p *lanePacker) words(n *lane) {
	p.Layer.lanes = append(p.Layer.lanes, int32(p.places.words+2*p.places.place(n.input)))
	for i := 0; i < 4; i += 2 {
		for _, w := range n.weights {
			if n.flip {
				w[1], w[3] = -w[1], -w[3]
			}
			p.Weights = append(p.Weights, words(w[i], w[i+1]))
		}
	}
}

// An avx2Tile is what the kernels of tiles are to do. They change it.
type avx2Tile struct {
	dst, src       *int8
	rows           [3]*int8 // of First
	copy           *int8
	flipped, words int // see laneCopy
	lanes          *int32
	weights        *[4]int8
	outputs        *int32
	stride         int   // from a group of dst to the next
	pitch          int   // from a group of src to the next
	tiles          int   // of pixels
	inputs, groups int   // groups of input and output channels
	low, high      uint8 // the clamp
}

//go:noescape
func avx2Pixels7(a *avx2Tile)

//go:noescape
func avx2Pixels3(a *avx2Tile)

//go:noescape
func avx2Pixels1(a *avx2Tile)

//go:noescape
func avx2First7(a *avx2Tile)

//go:noescape
func avx2First1(a *avx2Tile)

func newAVX2Tile(dst Pixels, n int, l *Layer, from, to int, places laneCopy, s *Scratch) avx2Tile {
	_ = dst.Data[(to-from-1)/Group*dst.Stride:][:n*Group]
	_ = s.copies[:places.size]
	a := avx2Tile{
		copy:    &s.copies[0],
		flipped: places.flipped,
		words:   places.words,
		lanes:   &l.lanes[l.laneStarts[from/Group]],
		outputs: &l.outputs[3*from],
		stride:  dst.Stride,
		groups:  (to - from) / Group,
		low:     uint8(l.Min + 128), high: uint8(l.Max + 128),
	}
	if start := int(l.starts[from/Group]); start < len(l.Weights) { // else all that follow are zero
		a.weights = &l.Weights[start]
	}
	return a
}

func avx2Pointwise(dst, src Pixels, n int, l *Layer, from, to int, s *Scratch) {
	_ = src.Data[(l.In-1)/Group*src.Stride:][:n*Group]
	a := newAVX2Tile(dst, n, l, from, to, pointwiseCopy(l.In), s)
	a.pitch, a.inputs = src.Stride, Pad(l.In)/Group
	for p := 0; p < n; {
		at, tiles, size := nextTiles(p, n)
		a.dst, a.src, a.tiles = &dst.Data[at*Group], &src.Data[at*Group], tiles
		switch size {
		case 7:
			avx2Pixels7(&a)
		case 3:
			avx2Pixels3(&a)
		default:
			avx2Pixels1(&a)
		}
		p = at + tiles*size
	}
}

func avx2First(dst Pixels, rows *[3][]int8, n int, l *Layer, s *Scratch) {
	a := newAVX2Tile(dst, n, l, 0, l.Out, firstCopy, s)
	for p := 0; p < n; {
		at, tiles, size := nextTiles(p, n)
		a.dst, a.tiles = &dst.Data[at*Group], tiles
		for y, row := range rows {
			a.rows[y] = &row[:6*n+FirstSlack][6*at]
		}
		if size == 7 {
			avx2First7(&a)
		} else {
			a.tiles *= size
			avx2First1(&a)
		}
		p = at + tiles*size
	}
}
