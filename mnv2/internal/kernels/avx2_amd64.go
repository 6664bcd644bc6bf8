//go:build !purego

package kernels

import (
	"math"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// avx2 and avxvnni are the same kernels of 256-bit vectors but for the dot
// product: avxvnni has VPDPBUSD, four products of a byte each, and avx2 two
// products of 16 bits each, of activations and weights that were widened.
// (VPMADDUBSW multiplies bytes, but saturates.)
//
// Bytes are stored unsigned, as q + 128.
var (
	avx2 = Set{
		Name: "avx2",
		Flip: -128, In: 4, Out: Group, Step: 3 * Group,
		First:         avx2First,
		Pointwise:     avx2Pointwise,
		Depthwise:     avx2Depthwise,
		Add:           avxAdd,
		Mean:          avxMean,
		Peak:          avx2Peak,
		packFirst:     func(l *Layer, weights []int8) { packAVXFirst(l, weights, 2) },
		packPointwise: packAVX2Pointwise,
		packDepthwise: func(l *Layer, weights []int8) { packAVXDepthwise(l, weights, 2) },
	}
	avxvnni = Set{
		Name: "avxvnni",
		Flip: -128, In: 8, Out: Group, Step: 3 * Group,
		First:         avxvnniFirst,
		Pointwise:     avxvnniPointwise,
		Depthwise:     avxvnniDepthwise,
		Add:           avxAdd,
		Mean:          avxMean,
		Peak:          avxvnniPeak,
		packFirst:     func(l *Layer, weights []int8) { packAVXFirst(l, weights, 4) },
		packPointwise: func(l *Layer, weights []int8) { packAVXDot(l, weights, l.In, 4) },
		packDepthwise: func(l *Layer, weights []int8) { packAVXDepthwise(l, weights, 4) },
	}
)

// avxSets lists those of avxvnni and avx2 that this CPU runs.
func avxSets() (s []*Set) {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return nil
	}
	if cpu.X86.HasAVXVNNI {
		s = append(s, &avxvnni)
	}
	return append(s, &avx2)
}

// avxDword is a dword of weights: of four bytes or of two int16.
func avxDword(w ...int8) [4]int8 {
	if len(w) == 4 {
		return [4]int8(w)
	}
	return [4]int8{w[0], w[0] >> 7, w[1], w[1] >> 7}
}

// packAVXDot orders weights by steps of so many inputs, as the tiles read
// them: group, step, even then odd output channels, input.
func packAVXDot(l *Layer, weights []int8, in, step int) {
	l.Weights = make([][4]int8, 0, l.Out*in/step)
	for o := 0; o < l.Out; o += Group {
		for i := 0; i < in; i += step {
			for c := range Group {
				c = c%8*2 + c/8
				l.Weights = append(l.Weights, avxDword(weights[(o+c)*in+i:][:step]...))
			}
		}
	}
	packAVXOutputs(l, weights, in, func(c int) int { return c%8*2 + c/8 })
}

// packAVX2Pointwise orders weights by lists of lanes: for each group, of the
// even and then of the odd output channels, first the lanes of four bytes and
// then those of four int16, as two pairs.
func packAVX2Pointwise(l *Layer, weights []int8) {
	l.Weights = make([][4]int8, 0, l.Out*l.In/2)
	l.lanes = make([]int32, 0, avx2Lanes(l.In, l.Out))
	words := avx2Words(l.In)
	var rest []int // lanes of int16
	for o := 0; o < l.Out; o += Group {
		for odd := range 2 {
			row := func(c, i, n int) []int8 { return weights[(o+2*c+odd)*l.In+i:][:n] }
			rest = rest[:0]
			l.lanes = append(l.lanes, int32(len(l.Weights)))
			for i := 0; i < l.In; i += 4 {
				if !fitLane(weights[(o+odd)*l.In+i:], 2*l.In) {
					rest = append(rest, i)
					continue
				}
				l.lanes = append(l.lanes, int32(i/Group*7*Group+i%Group))
				for c := range 8 {
					l.Weights = append(l.Weights, avxDword(row(c, i, 4)...))
				}
			}
			l.lanes = append(l.lanes, -1)
			for _, i := range rest {
				l.lanes = append(l.lanes, int32(words+2*(i/Group*7*Group+i%Group)))
				for pair := 0; pair < 4; pair += 2 {
					for c := range 8 {
						l.Weights = append(l.Weights, avxDword(row(c, i+pair, 2)...))
					}
				}
			}
			l.lanes = append(l.lanes, -1)
		}
	}
	packAVXOutputs(l, weights, l.In, func(c int) int { return c%8*2 + c/8 })
}

// avx2Words is where the widened part of a tile's copy begins, in bytes.
func avx2Words(in int) int { return 7 * Pad(in) }

// avx2Lanes is the length of the lists of so many output channels: two for each
// group, of all lanes, two ends and where their weights begin.
func avx2Lanes(in, out int) int { return out / Group * 2 * (in/4 + 3) }

// fitLane says whether sums of two products of these weights with bytes fit 16
// bits, of eight output channels of four weights each.
func fitLane(weights []int8, row int) bool {
	for c := range 8 {
		w := weights[c*row:][:4]
		for i := 0; i < 4; i += 2 {
			w0, w1 := int(w[i]), int(w[i+1])
			if max(w0, 0)+max(w1, 0) > 128 || min(w0, 0)+min(w1, 0) < -128 {
				return false
			}
		}
	}
	return true
}

// packAVXFirst pads each of the three rows of 9 weights to whole steps.
func packAVXFirst(l *Layer, weights []int8, step int) {
	row := roundUp(9, step)
	padded := make([]int8, l.Out*3*row)
	for y := range l.Out * 3 {
		copy(padded[y*row:], weights[y*9:][:9])
	}
	packAVXDot(l, padded, 3*row, step)
}

// packAVXOutputs gives the parameters of each group: the starts of its sums,
// then the factors, then the offsets. Channel order(i) is the group's i-th.
func packAVXOutputs(l *Layer, weights []int8, taps int, order func(int) int) {
	l.outputs = make([]int32, 3*l.Out)
	for o := 0; o < l.Out; o += Group {
		p := l.outputs[3*o:][:3*Group]
		starts, factors, offsets := p[:Group], p[Group:2*Group], p[2*Group:]
		proven := true
		for i := range Group {
			c := o + order(i)
			low, high := sumRange(l.Bias[c], weights[c*taps:][:taps])
			f, ok, _ := fuse(l.Multiplier[c], l.Zero, -128, 127, low, high)
			offset := f.offset + 128
			starts[i] = magicBits + f.start
			factors[i] = floatBits(f.factor)
			offsets[i] = floatBits(offset)
			proven = proven && ok && !f.bound && offset-128 == f.offset
		}
		for i := range Group {
			c := o + order(i)
			if !proven {
				starts[i] = 0
				factors[i] = floatBits(l.Multiplier[c])
				offsets[i] = l.Zero + 128
			}
			starts[i] += l.Bias[c]
			for _, w := range weights[c*taps:][:taps] {
				starts[i] -= 128 * int32(w) // what storing q + 128 adds to the sum
			}
		}
	}
}

func floatBits(f float32) int32 { return int32(math.Float32bits(f)) }

// An avxTile is what the kernels of tiles are to do.
type avxTile struct {
	dst, src  *int8
	weights   *[4]int8
	outputs   *int32
	stride    int   // from a group of dst to the next
	pitch     int   // from a group, or row, of src to the next
	tiles     int   // of pixels
	groups    int   // of output channels
	steps     int   // groups of input channels
	low, high uint8 // the clamp

	half int // avxvnni: whether half a group of input channels follows

	lanes *int32 // avx2
	copy  *int16 // avx2: see Scratch
	words int    // avx2: where the widened part of copy begins
}

//go:noescape
func avx2Tile7(a *avxTile)

//go:noescape
func avx2Tile3(a *avxTile)

//go:noescape
func avx2Tile1(a *avxTile)

//go:noescape
func avx2First7(a *avxTile)

//go:noescape
func avx2First1(a *avxTile)

//go:noescape
func avx2Widen(dst *int16, src *int8, n int)

//go:noescape
func avxvnniTile7(a *avxTile)

//go:noescape
func avxvnniTile3(a *avxTile)

//go:noescape
func avxvnniTile1(a *avxTile)

//go:noescape
func avxvnniFirst7(a *avxTile)

//go:noescape
func avxvnniFirst1(a *avxTile)

func newAVXTile(dst Pixels, n int, l *Layer, from, to, weights int) avxTile {
	_ = dst.Data[(to-from-1)/Group*dst.Stride:][:n*Group]
	return avxTile{
		weights: &l.Weights[weights],
		outputs: &l.outputs[3*from],
		stride:  dst.Stride,
		groups:  (to - from) / Group,
		low:     uint8(l.Min + 128), high: uint8(l.Max + 128),
	}
}

// nextTiles says how many tiles of how many pixels come next when done of n
// are, and where they begin: the last may overlap those before.
func nextTiles(done, n int) (at, tiles, size int) {
	size = 1
	if n >= 7 {
		size = 7
	} else if n >= 3 {
		size = 3
	}
	if n-done >= size {
		return done, (n - done) / size, size
	}
	return n - size, 1, size
}

func avx2Pointwise(dst, src Pixels, n int, l *Layer, from, to int, s *Scratch) {
	lanes := l.lanes[avx2Lanes(l.In, from):avx2Lanes(l.In, to)]
	a := newAVXTile(dst, n, l, from, to, int(lanes[0]))
	a.lanes = &lanes[1]
	a.copy = &s.wide[:3*avx2Words(l.In)/2][0]
	a.words = avx2Words(l.In)
	a.pitch, a.steps = src.Stride, Pad(l.In)/Group
	_ = src.Data[(l.In-1)/Group*src.Stride:][:n*Group]
	for p := 0; p < n; {
		at, tiles, size := nextTiles(p, n)
		a.dst, a.src, a.tiles = &dst.Data[at*Group], &src.Data[at*Group], tiles
		switch size {
		case 7:
			avx2Tile7(&a)
		case 3:
			avx2Tile3(&a)
		default:
			avx2Tile1(&a)
		}
		p = at + tiles*size
	}
}

func avxvnniPointwise(dst, src Pixels, n int, l *Layer, from, to int, s *Scratch) {
	a := newAVXTile(dst, n, l, from, to, from*l.In/4)
	a.pitch = src.Stride
	a.steps, a.half = l.In/16, l.In/8%2
	_ = src.Data[(l.In-1)/Group*src.Stride:][:n*Group]
	for p := 0; p < n; {
		at, tiles, size := nextTiles(p, n)
		a.dst, a.src, a.tiles = &dst.Data[at*Group], &src.Data[at*Group], tiles
		switch size {
		case 7:
			avxvnniTile7(&a)
		case 3:
			avxvnniTile3(&a)
		default:
			avxvnniTile1(&a)
		}
		p = at + tiles*size
	}
}

func avx2First(dst Pixels, rows *[3][]int8, n int, l *Layer, s *Scratch) {
	a := newAVXTile(dst, n, l, 0, l.Out, 0)
	row := 6*n + FirstSlack
	x := s.wide[:3*row]
	for y := range rows {
		avx2Widen(&x[y*row], &rows[y][:row][0], 6*n+3)
	}
	a.pitch = 2 * row
	for p := 0; p < n; {
		at, tiles := p, (n-p)/7
		if tiles == 0 {
			at, tiles = n-7, 1
		}
		if n < 7 {
			at, tiles = p, n
		}
		a.dst, a.src, a.tiles = &dst.Data[at*Group], (*int8)(unsafe.Pointer(&x[6*at])), tiles
		if n < 7 {
			avx2First1(&a)
			return
		}
		avx2First7(&a)
		p = at + 7*tiles
	}
}

func avxvnniFirst(dst Pixels, rows *[3][]int8, n int, l *Layer, s *Scratch) {
	a := newAVXTile(dst, n, l, 0, l.Out, 0)
	row := 6*n + FirstSlack
	x := unsafe.Slice((*int8)(unsafe.Pointer(&s.wide[0])), 2*len(s.wide))
	for y := range rows {
		copy(x[y*row:], rows[y][:row])
	}
	a.pitch = row
	for p := 0; p < n; {
		at, tiles := p, (n-p)/7
		if tiles == 0 {
			at, tiles = n-7, 1
		}
		if n < 7 {
			at, tiles = p, n
		}
		a.dst, a.src, a.tiles = &dst.Data[at*Group], &x[6*at], tiles
		if n < 7 {
			avxvnniFirst1(&a)
			return
		}
		avxvnniFirst7(&a)
		p = at + 7*tiles
	}
}

//go:noescape
func avx2Dots(rounds int)

//go:noescape
func avxvnniDots(rounds int)

func avx2Peak(rounds int) (multiplyAdds int) {
	avx2Dots(rounds)
	return rounds * 14 * 16
}

func avxvnniPeak(rounds int) (multiplyAdds int) {
	avxvnniDots(rounds)
	return rounds * 14 * 32
}
