//go:build !purego

package kernels

import (
	"math"
	"unsafe"
)

// avx512PackPointwise orders weights as a tile reads them: 32 output channels
// at a time, or 16 at the end, then four inputs, output channel, and these
// four.
func avx512PackPointwise(l *Layer, weights []int8) {
	l.avx512PackOutputs(weights, func(o, i int) int { return o*l.In + i }, l.In)
	l.avx512Pack(l.In, func(o, i int) int8 { return weights[o*l.In+i] })
}

// avx512PackFirst makes each row's nine inputs twelve, and then does the same.
func avx512PackFirst(l *Layer, weights []int8) {
	l.avx512PackOutputs(weights, func(o, i int) int { return o*27 + i }, 27)
	l.avx512Pack(36, func(o, i int) int8 {
		if i%12 >= 9 {
			return 0
		}
		return weights[o*27+i/12*9+i%12]
	})
}

func (l *Layer) avx512Pack(in int, weight func(o, i int) int8) {
	l.Weights = aligned[[4]int8](l.Out * in / 4)
	w := l.Weights
	for from := 0; from < l.Out; from += 2 * Group {
		to := min(from+2*Group, l.Out)
		for i := 0; i < in; i += 4 {
			for o := from; o < to; o++ {
				w[0] = [4]int8{weight(o, i), weight(o, i+1), weight(o, i+2), weight(o, i+3)}
				w = w[1:]
			}
		}
	}
}

// avx512PackDepthwise orders weights by group, x, channel, and has in four
// bytes y and a zero.
func avx512PackDepthwise(l *Layer, weights []int8) {
	l.avx512PackOutputs(weights, func(o, i int) int { return i*l.Out + o }, 9)
	l.Weights = aligned[[4]int8](3 * l.Out)
	for y := range 3 {
		for x := range 3 {
			for c := range l.Out {
				l.Weights[(c/Group*3+x)*Group+c%Group][y] = weights[(3*y+x)*l.Out+c]
			}
		}
	}
}

// avx512Outputs is how many numbers a group of output channels has in
// Layer.outputs: 16 biases, multipliers and offsets, the latter float32.
const avx512Outputs = 3 * Group

// avx512NoOffset is, as bits of a float32, the offset of groups that are not
// requantized by one fused multiply-add, because one of the channels cannot.
const avx512NoOffset = 0x7FC00000

// avx512PackOutputs looks for a fused requantization, and folds the 128 that
// stored activations have more into the biases.
func (l *Layer) avx512PackOutputs(weights []int8, at func(out, i int) int, n int) {
	l.outputs = aligned[int32](l.Out / Group * avx512Outputs)
	row := make([]int8, n)
	for from := 0; from < l.Out; from += Group {
		outputs := l.outputs[from/Group*avx512Outputs:]
		bias, multiplier, offset := outputs[:Group], outputs[Group:2*Group], outputs[2*Group:3*Group]
		var sums [Group]int32 // 128 times the weights
		found := true
		for c := range Group {
			for i := range row {
				row[i] = weights[at(from+c, i)]
				sums[c] += 128 * int32(row[i])
			}
			low, high := sumRange(l.Bias[from+c], row)
			f, ok, _ := fuse(l.Multiplier[from+c], l.Zero, -128, 127, low, high)
			stored := f.offset + 128
			found = found && ok && !f.bound && stored-f.offset == 128
			bias[c] = l.Bias[from+c] - sums[c] + f.start + magicBits
			multiplier[c] = int32(math.Float32bits(f.factor))
			offset[c] = int32(math.Float32bits(stored))
		}
		if found {
			continue
		}
		for c := range Group {
			m := l.Multiplier[from+c]
			bias[c] = l.Bias[from+c] - sums[c]
			multiplier[c] = int32(math.Float32bits(m))
			offset[c] = avx512NoOffset
			l.large = l.large || m >= 1
		}
	}
}

// aligned makes room for n dwords that begins with a cache line.
func aligned[T int32 | [4]int8](n int) []T {
	const line = 64 / 4
	s := make([]T, n+line-1)
	for uintptr(unsafe.Pointer(&s[0]))%64 != 0 {
		s = s[1:]
	}
	return s[:n:n]
}
