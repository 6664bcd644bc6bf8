//go:build !purego

package kernels

// neon is the set for every arm64: without dot products, so for Cortex-A53,
// A57 and A72.
var neon = Set{
	Name: "neon",
	In:   8,
	Out:  8,
	Step: Group,

	First:     neonFirst,
	Pointwise: neonPointwise,
	Depthwise: neonDepthwise,
	Add:       neonAdd,
	Mean:      sdotMean,
	Peak:      neonPeak,

	packFirst:     neonPackFirst,
	packPointwise: neonPackPointwise,
	packDepthwise: neonPackDepthwise,
}

// neonTiles is what a kernel for pointwise convolutions works on: tiles of
// some pixels, by groups of 16 output channels.
type neonTiles struct {
	dst, src         *int8
	stream           *[4]int8
	dstNext, srcNext int // from a group of channels to the next
	groups, tiles    int
	requantized
}

// requantized is what all requantizations of a layer have in common. Unless
// clamped, the results' range is that of a byte.
type requantized struct {
	zero, low, high int32
	clamped         int32
}

func (l *Layer) requantized() requantized {
	r := requantized{zero: l.Zero, low: l.Min, high: l.Max}
	if l.Min > -128 || l.Max < 127 {
		r.clamped = 1
	}
	return r
}

//go:noescape
func neonPointwise3x16(t *neonTiles)

//go:noescape
func neonPointwise2x16(t *neonTiles)

//go:noescape
func neonPointwise1x16(t *neonTiles)

//go:noescape
func neonPointwise3x8(t *neonTiles)

//go:noescape
func neonPointwise2x8(t *neonTiles)

//go:noescape
func neonPointwise1x8(t *neonTiles)

func neonPointwise(dst, src Pixels, n int, l *Layer, from, to int, s *Scratch) {
	l.neonPointwise(dst, src, n, l.In, from, to)
}

// neonPointwise is the convolution of in inputs. Pixels are taken by threes,
// and what is left over by pairs, but for a single one.
func (l *Layer) neonPointwise(dst, src Pixels, n, in, from, to int) {
	ones, pairs := 0, (3-n%3)%3
	if n == 1 {
		ones, pairs = 1, 0
	}
	threes := (n - ones - 2*pairs) / 3
	groups := (to - from + Group - 1) / Group
	out := dst.Data[:(groups-1)*dst.Stride+n*Group]
	x := src.Data[:(in-1)/Group*src.Stride+n*Group]
	t := neonTiles{dstNext: dst.Stride, srcNext: src.Stride, requantized: l.requantized()}
	if to%Group == 8 {
		groups--
		t.groups = 1
		t.stream = &l.Weights[l.starts[to/Group]]
		out := out[groups*dst.Stride:]
		if t.at(out, x, 0, threes) {
			neonPointwise3x8(&t)
		}
		if t.at(out, x, 3*threes, pairs) {
			neonPointwise2x8(&t)
		}
		if t.at(out, x, 0, ones) {
			neonPointwise1x8(&t)
		}
	}
	// All tiles of a group come before the next group where weights are many,
	// so that they come from the first cache but once.
	t.groups = max(1, min(groups, neonCached/(Group*in)))
	for g := 0; g < groups; g += t.groups {
		t.groups = min(t.groups, groups-g)
		t.stream = &l.Weights[l.starts[from/Group+g]]
		out := out[g*dst.Stride:]
		if t.at(out, x, 0, threes) {
			neonPointwise3x16(&t)
		}
		if t.at(out, x, 3*threes, pairs) {
			neonPointwise2x16(&t)
		}
		if t.at(out, x, 0, ones) {
			neonPointwise1x16(&t)
		}
	}
}

// neonCached is how many weights are used twice in a row.
const neonCached = 12 << 10

// at places the tiles, if there are any.
func (t *neonTiles) at(out, x []int8, pixel, tiles int) bool {
	if tiles == 0 {
		return false
	}
	t.dst, t.src, t.tiles = &out[pixel*Group], &x[pixel*Group], tiles
	return true
}

// neonFirst is a pointwise convolution of the windows: 27 inputs, padded to 32.
func neonFirst(dst Pixels, rows *[3][]int8, n int, l *Layer, s *Scratch) {
	l.neonPointwise(dst, sdotWindow(s, rows, 0, n), n, 2*Group, 0, l.Out)
}

// neonRows is what a depthwise kernel works on.
type neonRows struct {
	dst              [2]*int8
	src              [4]*int8
	stream           *[4]int8
	dstNext, srcNext int // from a group of channels to the next
	groups, pixels   int
	move             int // from a pixel's columns to the next one's
	requantized
}

//go:noescape
func neonDepthwise2(r *neonRows)

//go:noescape
func neonDepthwise1(r *neonRows)

func neonDepthwise(dst, src []Pixels, n int, l *Layer, stride, from, to int) {
	if l.starts == nil { // see neonPackDepthwise
		portableDepthwise(dst, src, n, l, stride, from, to)
		return
	}
	groups := (to - from) / Group
	r := neonRows{
		stream:  &l.Weights[l.starts[from/Group]],
		dstNext: dst[0].Stride, srcNext: src[0].Stride,
		groups: groups, pixels: n,
		move:        stride * Group,
		requantized: l.requantized(),
	}
	for i, p := range dst {
		r.dst[i] = &p.Data[:(groups-1)*p.Stride+n*Group][0]
	}
	for i, p := range src {
		r.src[i] = &p.Data[:(groups-1)*p.Stride+((n-1)*stride+3)*Group][0]
	}
	if len(dst) == 2 {
		neonDepthwise2(&r)
	} else {
		neonDepthwise1(&r)
	}
}

// neonSum is what the addition of 16 bytes at a time works on.
type neonSum struct {
	dst, x, y       *int8
	n               int
	fx, fy          int32
	rest            int32 // the constant part of the sum
	shift           int32 // negated: to the right
	zero, low, high int32
}

//go:noescape
func neonAdd16(s *neonSum)

func neonAdd(dst, x, y []int8, a *Add) {
	n := len(dst) / 16 * 16
	if n > 0 {
		neonAdd16(&neonSum{
			dst: &dst[0], x: &x[:n][0], y: &y[:n][0],
			n:  n / 16,
			fx: a.X, fy: a.Y,
			rest:  1<<(a.Shift-1) - a.X*a.ZeroX - a.Y*a.ZeroY,
			shift: -int32(a.Shift),
			zero:  a.Zero, low: a.Min, high: a.Max,
		})
	}
	if n < len(dst) {
		portableAdd(dst[n:], x[n:], y[n:], a)
	}
}
