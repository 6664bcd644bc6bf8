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
		packPointwise: func(l *Layer, weights []int8) { packAVXDot(l, weights, l.In, 2) },
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
			f, ok := fuse(l.Multiplier[c], l.Zero+128, l.Min+128, l.Max+128, low, high)
			starts[i] = magicBits + f.start
			factors[i] = floatBits(f.factor)
			offsets[i] = floatBits(f.offset)
			proven = proven && ok
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
	dst, src    *int8
	weights     *[4]int8
	outputs     *int32
	wide        *int16 // see Scratch
	stride      int    // from a group of dst to the next
	pitch       int    // from a group, or row, of src to the next
	tiles       int    // of pixels
	groups      int    // of output channels
	inGroups    int    // of input channels
	units, half int    // of input channels
	low, high   uint8  // the clamp
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

func newAVXTile(dst Pixels, n int, l *Layer, from, to, row int) avxTile {
	_ = dst.Data[(to-from-1)/Group*dst.Stride:][:n*Group]
	return avxTile{
		weights: &l.Weights[from*row],
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
	a := newAVXTile(dst, n, l, from, to, l.In/2)
	a.wide = &s.wide[:7*Pad(l.In)][0]
	a.pitch = src.Stride
	a.inGroups = Pad(l.In) / Group
	a.units, a.half = l.In/8, l.In/4%2
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
	a := newAVXTile(dst, n, l, from, to, l.In/4)
	a.pitch = src.Stride
	a.units, a.half = l.In/16, l.In/8%2
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
	a := newAVXTile(dst, n, l, 0, l.Out, 15)
	row := 6*n + FirstSlack
	x := s.wide[:3*row]
	for y := range rows {
		avx2Widen(&x[y*row], &rows[y][:row][0], 6*n+3)
	}
	a.pitch, a.units = 2*row, 3
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
	a := newAVXTile(dst, n, l, 0, l.Out, 9)
	row := 6*n + FirstSlack
	x := unsafe.Slice((*int8)(unsafe.Pointer(&s.wide[0])), 2*len(s.wide))
	for y := range rows {
		copy(x[y*row:], rows[y][:row])
	}
	a.pitch, a.units = row, 3
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
