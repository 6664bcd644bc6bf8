//go:build !purego

package kernels

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// avx512vnni is for CPUs that multiply 64 pairs of uint8 and int8 at once and
// add them by fours: Intel's servers since 2019, AMD's Zen 4 and later.
//
// So that activations are uint8, they are stored with 128 added. What that adds
// to the sums, 128 times the sum of the weights, is folded into the bias.
var avx512vnni = Set{
	Name: "avx512vnni",
	Flip: -128,
	In:   4,
	Out:  Group,
	Step: 6 * Group, // a multiple of the 32 channels that a tile has

	First:     avx512First,
	Pointwise: avx512Pointwise,
	Depthwise: avx512Depthwise,
	Add:       avx512Addition,
	Mean:      avx512Average,
	Peak:      avx512Peak,

	packFirst:     avx512PackFirst,
	packPointwise: avx512PackPointwise,
	packDepthwise: avx512PackDepthwise,
}

var hasAVX512VNNI = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512VNNI

// avx512Output says how sums become activations: it begins the arguments of
// every kernel. Numbers are repeated to fill 32 bits.
type avx512Output struct {
	flags uint32
	zero  uint32 // int16
	low   uint32 // uint8
	high  uint32 // uint8
}

// What most layers do without.
const (
	avx512Large = 1 << iota // some sum * multiplier may be 2^31 or more
	avx512Zero              // the zero point, as it is stored, is not 0
	avx512Clamp             // the clamp is not that of uint8
)

func newAVX512Output(zero, low, high int32) avx512Output {
	o := avx512Output{
		zero: uint32(zero+128) * 0x10001,
		low:  uint32(low+128) * 0x1010101,
		high: uint32(high+128) * 0x1010101,
	}
	if o.zero != 0 {
		o.flags |= avx512Zero
	}
	if low > -128 || high < 127 {
		o.flags |= avx512Clamp
	}
	return o
}

func (l *Layer) avx512Output() avx512Output {
	o := newAVX512Output(l.Zero, l.Min, l.Max)
	if l.large {
		o.flags |= avx512Large
	}
	return o
}

// avx512Tiles are the arguments of a pointwise or first convolution.
type avx512Tiles struct {
	avx512Output
	in        *int8
	inStep    int    // from the last four channels of a group to the next group
	rows      [2]int // First: from row 0 to rows 2 and 1
	inputs    int    // how many times four, or First: rows
	out       *int8
	outStride int
	pixels    int
	groups    int // of output channels
	weights   *[4]int8
	outputs   *int32
}

// They do all channels of n pixels at a time. There must be n.
//
//go:noescape
func avx512Pointwise14(tiles *avx512Tiles)

//go:noescape
func avx512Pointwise7(tiles *avx512Tiles)

//go:noescape
func avx512Pointwise4(tiles *avx512Tiles)

//go:noescape
func avx512Pointwise1(tiles *avx512Tiles)

//go:noescape
func avx512First14(tiles *avx512Tiles)

//go:noescape
func avx512First7(tiles *avx512Tiles)

//go:noescape
func avx512First4(tiles *avx512Tiles)

//go:noescape
func avx512First1(tiles *avx512Tiles)

func avx512Pointwise(dst, src Pixels, n int, l *Layer, from, to int, _ *Scratch) {
	bytes := n * Group
	in, out := Pad(l.In)/Group, Pad(to-from)/Group
	_ = src.Data[(in-1)*src.Stride+bytes-1]
	_ = dst.Data[(out-1)*dst.Stride+bytes-1]
	a := avx512Tiles{
		avx512Output: l.avx512Output(),
		in:           &src.Data[0],
		inStep:       src.Stride - Group,
		inputs:       l.In / 4,
		out:          &dst.Data[0],
		outStride:    dst.Stride,
		pixels:       n,
		groups:       out,
		weights:      &l.Weights[from*l.In/4],
		outputs:      &l.outputs[from/Group*avx512Outputs],
	}
	switch {
	case n%14 == 0 || n > 14 && n%14 > 7:
		avx512Pointwise14(&a)
	case n > 14:
		rest := a
		a.pixels = n / 14 * 14
		avx512Pointwise14(&a)
		rest.in, rest.out, rest.pixels = &src.Data[bytes-7*Group], &dst.Data[bytes-7*Group], 7
		avx512Pointwise7(&rest)
	case n >= 7:
		avx512Pointwise7(&a)
	case n >= 4:
		avx512Pointwise4(&a)
	default:
		avx512Pointwise1(&a)
	}
}

func avx512First(dst Pixels, rows *[3][]int8, n int, l *Layer, _ *Scratch) {
	for _, row := range rows {
		_ = row[6*n+FirstSlack-1]
	}
	out := l.Out / Group
	_ = dst.Data[(out-1)*dst.Stride+n*Group-1]
	row0, row1, row2 := &rows[0][0], &rows[1][0], &rows[2][0]
	a := avx512Tiles{
		avx512Output: l.avx512Output(),
		in:           row0,
		rows:         [2]int{bytesFrom(row0, row2), bytesFrom(row0, row1)},
		inputs:       3,
		out:          &dst.Data[0],
		outStride:    dst.Stride,
		pixels:       n,
		groups:       out,
		weights:      &l.Weights[0],
		outputs:      &l.outputs[0],
	}
	switch {
	case n >= 14:
		avx512First14(&a)
	case n >= 7:
		avx512First7(&a)
	case n >= 4:
		avx512First4(&a)
	default:
		avx512First1(&a)
	}
}

func bytesFrom(a, b *int8) int { return int(uintptr(unsafe.Pointer(b)) - uintptr(unsafe.Pointer(a))) }

// avx512Rows are the arguments of a depthwise convolution.
type avx512Rows struct {
	avx512Output
	in        [4]*int8
	inStride  int
	out       [2]*int8
	outStride int
	pixels    int
	groups    int
	weights   *[4]int8
	outputs   *int32
}

//go:noescape
func avx512DepthwiseOne(rows *avx512Rows)

//go:noescape
func avx512DepthwiseTwo(rows *avx512Rows)

//go:noescape
func avx512DepthwiseStride2(rows *avx512Rows)

func avx512Depthwise(dst, src []Pixels, n int, l *Layer, stride, from, to int) {
	groups := (to - from) / Group
	a := avx512Rows{
		avx512Output: l.avx512Output(),
		inStride:     src[0].Stride,
		outStride:    dst[0].Stride,
		pixels:       n,
		groups:       groups,
		weights:      &l.Weights[3*from],
		outputs:      &l.outputs[from/Group*avx512Outputs],
	}
	for i, row := range src[:len(dst)+2] {
		_ = row.Data[(groups-1)*row.Stride+((n-1)*stride+3)*Group-1]
		a.in[i] = &row.Data[0]
	}
	for i, row := range dst {
		_ = row.Data[(groups-1)*row.Stride+n*Group-1]
		a.out[i] = &row.Data[0]
	}
	switch {
	case stride == 2:
		avx512DepthwiseStride2(&a)
	case len(dst) == 2:
		avx512DepthwiseTwo(&a)
	default:
		avx512DepthwiseOne(&a)
	}
}

// avx512Add are the arguments of a residual addition of stored bytes:
//
//	clamp((bias + 256*(x*highX + y*highY) + x*lowX + y*lowY) >> shift + zero)
type avx512Add struct {
	avx512Output
	x, y, out *int8
	bytes     int
	shift     uint32
	bias      int32
	highXY    [2]int16
	lowXY     [2]int16
}

//go:noescape
func avx512AddBytes(add *avx512Add)

func avx512Addition(dst, x, y []int8, a *Add) {
	n := len(dst)
	avx512AddBytes(&avx512Add{
		avx512Output: newAVX512Output(a.Zero, a.Min, a.Max),
		x:            &x[:n][0],
		y:            &y[:n][0],
		out:          &dst[0],
		bytes:        n,
		shift:        uint32(a.Shift),
		bias:         1<<(a.Shift-1) - a.X*(a.ZeroX+128) - a.Y*(a.ZeroY+128),
		highXY:       [2]int16{int16(a.X >> 8), int16(a.Y >> 8)},
		lowXY:        [2]int16{int16(a.X & 255), int16(a.Y & 255)},
	})
}

// avx512Mean are the arguments of an average.
type avx512Mean struct {
	avx512Output
	in         *int8
	inStride   int
	out        *int8
	groups     int
	pixels     int
	bias       int32
	multiplier float32
}

//go:noescape
func avx512MeanPixels(mean *avx512Mean)

func avx512Average(dst []int8, src Pixels, n int, m *Mean) {
	groups := len(dst) / Group
	_ = src.Data[(groups-1)*src.Stride+n*Group-1]
	output := newAVX512Output(m.Zero, -128, 127)
	output.flags |= avx512Large
	avx512MeanPixels(&avx512Mean{
		avx512Output: output,
		in:           &src.Data[0],
		inStride:     src.Stride,
		out:          &dst[0],
		groups:       groups,
		pixels:       n,
		bias:         m.Bias - 128*int32(n),
		multiplier:   m.Multiplier,
	})
}
