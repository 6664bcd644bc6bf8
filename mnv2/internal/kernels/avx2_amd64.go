//go:build !purego

package kernels

import (
	"math"

	"golang.org/x/sys/cpu"
)

// avx2 and avxvnni are sets of 256-bit vectors, the same but for the dot
// products. Bytes are stored unsigned, as q + 128.
var (
	avx2 = Set{
		Name: "avx2",
		Flip: -128, In: 4, Out: Group, Step: 12 * Group,
		First:         avx2First,
		Pointwise:     avx2Pointwise,
		Depthwise:     avx2Depthwise,
		Add:           avx2Add,
		Mean:          avx2Mean,
		Peak:          avx2Peak,
		packFirst:     avx2PackFirst,
		packPointwise: avx2PackPointwise,
		packDepthwise: func(l *Layer, weights []int8) { avx2PackDepthwise(l, weights, 2) },
	}
	avxvnni = Set{
		Name: "avxvnni",
		Flip: -128, In: 8, Out: Group, Step: 12 * Group,
		First:         avxvnniFirst,
		Pointwise:     avxvnniPointwise,
		Depthwise:     avxvnniDepthwise,
		Add:           avx2Add,
		Mean:          avx2Mean,
		Peak:          avxvnniPeak,
		packFirst:     avxvnniPackFirst,
		packPointwise: func(l *Layer, weights []int8) { avxvnniPack(l, weights, l.In) },
		packDepthwise: func(l *Layer, weights []int8) { avx2PackDepthwise(l, weights, 4) },
	}
)

// avx2Sets lists those of avxvnni and avx2 that this CPU runs.
func avx2Sets() (s []*Set) {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return nil
	}
	if cpu.X86.HasAVXVNNI {
		s = append(s, &avxvnni)
	}
	return append(s, &avx2)
}

// avx2LeastFused tells the offsets of groups that are proven, bits of floats,
// from those that are not: the zero point, a byte. With multipliers of 1.5 or
// more such an offset would be negative, and then the group counts as not proven.
const avx2LeastFused = 1 << 16

// avx2Outputs gives the parameters of each group of output channels: where its
// sums start, then the factors, then the offsets; see exact.go. In a group that
// is not proven the factors are the multipliers and the offsets the zero point.
// Channel order(i) is the group's i-th.
func avx2Outputs(l *Layer, weights []int8, taps int, order func(i int) int) []int32 {
	outputs := make([]int32, 3*l.Out)
	for o := 0; o < l.Out; o += Group {
		p := outputs[3*o:][:3*Group]
		starts, factors, offsets := p[:Group], p[Group:2*Group], p[2*Group:]
		var sums [Group]int32 // of the weights
		proven := true
		for i := range Group {
			c := o + order(i)
			low, high := sumRange(l.Bias[c], weights[c*taps:][:taps])
			sums[i] = int32(2*int64(l.Bias[c]) - low - high)
			if !proven {
				continue
			}
			f, found, _ := fuse(l.Multiplier[c], l.Zero, -128, 127, low, high)
			offset := f.offset + 128
			starts[i] = magicBits + f.start
			factors[i] = int32(math.Float32bits(f.factor))
			offsets[i] = int32(math.Float32bits(offset))
			proven = found && !f.bound && offset-128 == f.offset && offsets[i] >= avx2LeastFused
		}
		for i := range Group {
			c := o + order(i)
			if !proven {
				starts[i] = 0
				factors[i] = int32(math.Float32bits(l.Multiplier[c]))
				offsets[i] = l.Zero + 128
			}
			starts[i] += l.Bias[c] - 128*sums[i] // as what is stored is q + 128
		}
	}
	return outputs
}

func inOrder(i int) int { return i }

// evenOdd is the order of a group's channels in avxvnni's tiles: the even ones,
// then the odd ones. Joining takes them in turns.
func evenOdd(i int) int { return i%8*2 + i/8 }

// words is four bytes that hold two int16.
func words(w0, w1 int8) [4]int8 { return [4]int8{w0, w0 >> 7, w1, w1 >> 7} }

// nextTiles says where tiles begin when done of n pixels are made, how many
// there are, and of how many pixels: the last may overlap those before.
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
