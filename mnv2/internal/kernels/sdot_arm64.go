//go:build !purego

package kernels

import (
	"math"
	"unsafe"
)

// sdot is the set for arm64 with dot products: Cortex-A55, A75, A76 and later.
var sdot = Set{
	Name: "sdot",
	In:   4,
	Out:  8,
	Step: Group,

	First:     sdotFirst,
	Pointwise: sdotPointwise,
	Depthwise: sdotDepthwiseRows,
	Add:       sdotAdd,
	Mean:      sdotMean,
	Peak:      sdotPeak,

	packFirst:     sdotPackFirst,
	packPointwise: sdotPackPointwise,
	packDepthwise: sdotPackDepthwise,
}

// An sdotHead stands before the weights of each 8 channels. Sums start with
// bias, at the bits of a float; the result is the low half of the bits of
//
//	fma(sum, factor, offset)
//
// saturated to a byte: see fuse. Mode says what has to be done before that.
type sdotHead struct {
	bias   [8]int32
	factor [8]float32
	offset [8]float32
	mode   int32
	_      [3]int32

	multiplier [8]float32
	low, high  [8]int32
}

// Bits of modes. Sums are bounded, or rounded as the definition says, those of
// the first 4 channels or of the last, or all of this; or all of the definition
// is computed, from sums that are whole numbers.
const (
	sdotBound = iota
	sdotRound0
	sdotRound1
	sdotExact
)

// sdotSlack is how many bytes after the last weights are read, in vain.
const sdotSlack = 512

// sdotHead makes the head of 8 channels from o on, whose weights, n each, are
// those given. Round says which modes a channel of the first 4, or of the last
// that must be rounded asks for.
func (l *Layer) sdotHead(o int, weights []int8, n int, round [2]int32) (h sdotHead) {
	var f [8]fused
	var rounds [8]bool
	for i := range f {
		low, high := sumRange(l.Bias[o+i], weights[i*n:(i+1)*n])
		var found bool
		f[i], found, rounds[i] = fuse(l.Multiplier[o+i], l.Zero, l.Min, l.Max, low, high)
		if !found {
			h.mode |= round[i/4]
		}
	}
	for i := range f {
		if h.mode&round[i/4] != 0 && !rounds[i] {
			h.mode = 1 << sdotExact
			break
		}
	}
	for i, f := range f {
		h.multiplier[i] = l.Multiplier[o+i]
		if h.mode == 1<<sdotExact {
			h.bias[i], h.factor[i], h.offset[i] = l.Bias[o+i], 1, float32(l.Zero)
			continue
		}
		if h.mode&round[i/4] != 0 && !f.constant {
			f.start, f.factor, f.offset, f.bound = 0, 1, float32(l.Zero), f.boundRounding
		}
		start := magicBits + f.start
		h.bias[i], h.factor[i], h.offset[i] = l.Bias[o+i]+start, f.factor, f.offset
		h.low[i], h.high[i] = math.MinInt32, math.MaxInt32
		if f.bound {
			h.low[i], h.high[i] = start+int32(f.low), start+int32(f.high)
			h.mode |= 1 << sdotBound
		}
	}
	return h
}

// sdotHeadQuads is the size of an sdotHead.
const sdotHeadQuads = int(unsafe.Sizeof(sdotHead{}) / 4)

// quads is the head as it stands in a stream of weights.
func (h *sdotHead) quads() [][4]int8 {
	return (*[sdotHeadQuads][4]int8)(unsafe.Pointer(h))[:]
}

func sdotPackPointwise(l *Layer, weights []int8) { l.sdotPack(weights, l.In) }

func sdotPackFirst(l *Layer, weights []int8) { l.sdotPack(weights, 27) }

// sdotPack orders the weights of 8 channels, from out, n inputs, by quads of
// inputs: quad, out, 4 inputs.
func (l *Layer) sdotPack(weights []int8, n int) {
	quads := (n + 3) / 4
	s := make([][4]int8, 0, l.Out/8*(sdotHeadQuads+8*quads)+sdotSlack/4)
	for o := 0; o < l.Out; o += 8 {
		block := weights[o*n : (o+8)*n]
		h := l.sdotHead(o, block, n, [2]int32{1 << sdotRound0, 1 << sdotRound1})
		s = append(s, h.quads()...)
		for k := 0; k < n; k += 4 {
			for i := range 8 {
				var quad [4]int8
				copy(quad[:], block[i*n+k:(i+1)*n])
				s = append(s, quad)
			}
		}
	}
	l.Weights = s[:cap(s)]
}

// sdotPackDepthwise orders the weights of 8 channels by column: column,
// channel, 3 rows and a zero.
func sdotPackDepthwise(l *Layer, weights []int8) {
	const both = 1<<sdotRound0 | 1<<sdotRound1 // its kernels know no halves
	s := make([][4]int8, 0, l.Out/8*(sdotHeadQuads+24)+sdotSlack/4)
	for o := 0; o < l.Out; o += 8 {
		var block [8 * 9]int8
		for i := range 8 {
			for t := range 9 {
				block[9*i+t] = weights[t*l.Out+o+i]
			}
		}
		h := l.sdotHead(o, block[:], 9, [2]int32{both, both})
		s = append(s, h.quads()...)
		for x := range 3 {
			for i := range 8 {
				s = append(s, [4]int8{block[9*i+x], block[9*i+3+x], block[9*i+6+x]})
			}
		}
	}
	l.Weights = s[:cap(s)]
}

type sdotPointwiseArgs struct {
	dst, src             *int8
	dstStride, srcStride int
	head                 *[4]int8
	size                 int // bytes of a head and its weights
	blocks               int // of 8 channels
	groups               int // of 16 input channels, see the kernels
	quads                int // and what remains, 4 each
	last                 int // position of the last tile
	low, high            int32
}

//go:noescape
func sdotPointwise7(a *sdotPointwiseArgs)

//go:noescape
func sdotPointwise1(a *sdotPointwiseArgs)

func sdotPointwise(dst, src Pixels, n int, l *Layer, from, to int, s *Scratch) {
	l.sdotChannels(dst, src, n, l.In, from, to)
}

// sdotChannels is a 1x1 convolution of in inputs.
func (l *Layer) sdotChannels(dst, src Pixels, n, in, from, to int) {
	quads := (in + 3) / 4
	size := sdotHeadQuads + 8*quads
	a := sdotPointwiseArgs{
		dstStride: dst.Stride,
		srcStride: src.Stride,
		head:      &l.Weights[from/8*size:][:(to-from)/8*size+sdotSlack/4][0],
		size:      4 * size,
		blocks:    (to - from) / 8,
		low:       l.Min - l.Zero,
		high:      l.Max - l.Zero,
	}
	out := dst.Data[:(to-from-1)/Group*dst.Stride+n*Group]
	x := src.Data[:(in-1)/Group*src.Stride+n*Group]
	if n >= 7 {
		a.dst, a.src = &out[0], &x[0]
		a.groups, a.quads = (quads-1)/4, (quads-1)%4+1
		a.last = (n - 7) * Group
		sdotPointwise7(&a)
		return
	}
	a.groups, a.quads = quads/4, quads%4
	for p := range n {
		a.dst, a.src = &out[p*Group], &x[p*Group]
		sdotPointwise1(&a)
	}
}

//go:noescape
func sdotWindows(dst *int8, rows *[3]*int8, n int)

// sdotFirst makes some pixels at a time, so that their windows stay in the
// first cache.
func sdotFirst(dst Pixels, rows *[3][]int8, n int, l *Layer, s *Scratch) {
	const most = 8 * 7 // whole tiles
	for p := 0; p < n; p += most {
		window := sdotWindow(s, rows, p, min(n-p, most))
		l.sdotChannels(dst.At(0, p), window, min(n-p, most), 27, 0, l.Out)
	}
}

// sdotWindow makes the windows of n pixels from pixel p on.
func sdotWindow(s *Scratch, rows *[3][]int8, p, n int) Pixels {
	var from [3]*int8
	for i, row := range rows {
		from[i] = &row[6*p:][:6*n+FirstSlack][0]
	}
	window := Pixels{s.window[:2*Group*n], n * Group}
	sdotWindows(&window.Data[0], &from, n)
	return window
}

type sdotDepthwiseArgs struct {
	magic, low, high     [4]int32 // see sdot_arm64.h
	src                  [4]*int8
	dst                  [2]*int8
	srcStride, dstStride int
	head                 *[4]int8
	blocks               int // of 8 channels
	last                 int // position of the last column
	n                    int
}

//go:noescape
func sdotDepthwise(a *sdotDepthwiseArgs)

//go:noescape
func sdotDepthwise2(a *sdotDepthwiseArgs)

func sdotDepthwiseRows(dst, src []Pixels, n int, l *Layer, stride, from, to int) {
	const size = sdotHeadQuads + 24
	a := sdotDepthwiseArgs{
		magic:     four(magicBits),
		low:       four(l.Min - l.Zero),
		high:      four(l.Max - l.Zero),
		srcStride: src[0].Stride,
		dstStride: dst[0].Stride,
		head:      &l.Weights[from/8*size:][:(to-from)/8*size][0],
		blocks:    (to - from) / 8,
		last:      (n + 1) * Group,
		n:         n,
	}
	groups := (to - from - 1) / Group
	columns := (n-1)*stride + 3
	for i := range a.src {
		row := src[min(i, len(src)-1)]
		a.src[i] = &row.Data[:groups*row.Stride+columns*Group][0]
	}
	for i := range a.dst {
		row := dst[min(i, len(dst)-1)]
		a.dst[i] = &row.Data[:groups*row.Stride+n*Group][0]
	}
	if stride == 2 {
		a.last = (2*n - 1) * Group
		sdotDepthwise2(&a)
		return
	}
	sdotDepthwise(&a)
}

func four(v int32) [4]int32 { return [4]int32{v, v, v, v} }

type sdotAddArgs struct {
	rest      [4]int32
	digits    [3][16]int8
	dst, x, y *int8
	n         int // times 16 bytes
	shift     int32
	zero      int32
	low, high int32
}

//go:noescape
func sdotAdd16(a *sdotAddArgs)

func sdotAdd(dst, x, y []int8, a *Add) {
	n := len(dst) / Group
	x, y = x[:len(dst)], y[:len(dst)]
	if n > 0 && a.Shift >= 16 {
		rest := int32(1)<<(a.Shift-1) - a.X*a.ZeroX - a.Y*a.ZeroY
		args := sdotAddArgs{
			dst: &dst[0], x: &x[0], y: &y[0], n: n,
			shift: 16 - int32(a.Shift),
			zero:  a.Zero, low: a.Min, high: a.Max,
		}
		numbers := [4]int32{a.X, a.Y, rest, 0}
		for d := range 2 {
			for i := range numbers {
				digit := int8(numbers[i])
				numbers[i] = (numbers[i] - int32(digit)) >> 8
				for lane := i; lane < 16; lane += 4 {
					args.digits[d][lane] = digit
				}
			}
		}
		for lane := 0; lane < 16; lane += 4 {
			args.digits[2][lane], args.digits[2][lane+1] = int8(numbers[0]), int8(numbers[1])
		}
		args.rest = four(numbers[2])
		sdotAdd16(&args)
		dst, x, y = dst[n*Group:], x[n*Group:], y[n*Group:]
	}
	portableAdd(dst, x, y, a)
}

type sdotMeanArgs struct {
	dst, src   *int8
	srcStride  int
	groups     int
	n          int
	bias       int32
	multiplier float32
	zero       int32
}

//go:noescape
func sdotMean16(a *sdotMeanArgs)

func sdotMean(dst []int8, src Pixels, n int, m *Mean) {
	groups := len(dst) / Group
	x := src.Data[:(groups-1)*src.Stride+n*Group]
	sdotMean16(&sdotMeanArgs{
		dst: &dst[0], src: &x[0], srcStride: src.Stride, groups: groups, n: n,
		bias: m.Bias, multiplier: m.Multiplier, zero: m.Zero,
	})
}
