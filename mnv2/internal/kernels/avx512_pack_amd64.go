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
	l.avx512PackOutputs(weights, l.In)
	l.avx512PackTiles(weights, l.In)
}

// avx512PackFirst makes each row's nine inputs twelve, and then does the same.
func avx512PackFirst(l *Layer, weights []int8) {
	padded := make([]int8, l.Out*36)
	for i := range l.Out * 3 {
		copy(padded[i*12:], weights[i*9:i*9+9])
	}
	l.avx512PackOutputs(padded, 36)
	l.avx512PackTiles(padded, 36)
}

func (l *Layer) avx512PackTiles(weights []int8, in int) {
	l.Weights = aligned[[4]int8](l.Out * in / 4)
	for from := 0; from < l.Out; from += 2 * Group {
		channels := min(2*Group, l.Out-from)
		tile := l.Weights[from*in/4:][:channels*in/4]
		for c := range channels {
			row := weights[(from+c)*in:][:in]
			for i := c; i < len(tile); i += channels {
				tile[i] = [4]int8(row)
				row = row[4:]
			}
		}
	}
}

// avx512PackDepthwise orders weights by group, x, channel, and has in four
// bytes y and a zero.
func avx512PackDepthwise(l *Layer, weights []int8) {
	l.Weights = aligned[[4]int8](3 * l.Out)
	rows := make([]int8, l.Out*9)
	for i := range 9 {
		y, x := i/3, i%3
		for c := range l.Out {
			w := weights[i*l.Out+c]
			l.Weights[(c/Group*3+x)*Group+c%Group][y] = w
			rows[c*9+i] = w
		}
	}
	l.avx512PackOutputs(rows, 9)
}

// avx512Outputs is how many numbers a group of output channels has in
// Layer.outputs: 16 biases, multipliers and offsets, the latter float32.
const avx512Outputs = 3 * Group

// avx512NoOffset is, as bits of a float32, the offset of groups that are not
// requantized by one fused multiply-add, because it is not proven for all.
const avx512NoOffset = 0x7FC00000

// avx512PackOutputs looks for a fused requantization of each group, and folds
// the 128 that stored activations have more into the biases. An output channel
// has in weights, side by side.
func (l *Layer) avx512PackOutputs(weights []int8, in int) {
	l.outputs = aligned[int32](l.Out / Group * avx512Outputs)
	for from := 0; from < l.Out; from += Group {
		outputs := l.outputs[from/Group*avx512Outputs:]
		bias, multiplier, offset := outputs[:Group], outputs[Group:2*Group], outputs[2*Group:3*Group]
		fits := true
		for c := 0; c < Group && fits; c++ {
			var f fused
			f, fits = l.avx512Fuse(from+c, weights[(from+c)*in:][:in])
			bias[c] = f.start + magicBits
			multiplier[c] = int32(math.Float32bits(f.factor))
			offset[c] = int32(math.Float32bits(f.offset))
		}
		for c := range Group {
			if !fits {
				m := l.Multiplier[from+c]
				bias[c], multiplier[c], offset[c] = 0, int32(math.Float32bits(m)), avx512NoOffset
				l.large = l.large || m >= 1
			}
			var sum int32
			for _, w := range weights[(from+c)*in:][:in] {
				sum += int32(w)
			}
			bias[c] += l.Bias[from+c] - 128*sum
		}
	}
}

// avx512Fuse looks for a channel's fused requantization to stored activations,
// that needs no bounds.
func (l *Layer) avx512Fuse(channel int, weights []int8) (fused, bool) {
	low, high := sumRange(l.Bias[channel], weights)
	f, found, _ := fuse(l.Multiplier[channel], l.Zero, -128, 127, low, high)
	stored := f.offset + 128
	exact := stored-f.offset == 128
	f.offset = stored
	return f, found && !f.bound && exact
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
