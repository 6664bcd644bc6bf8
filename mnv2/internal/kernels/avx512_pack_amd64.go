//go:build !purego

package kernels

import "unsafe"

// avx512PackPointwise orders weights as a tile reads them: 32 output channels
// at a time, or 16 at the end, then four inputs, output channel, and these
// four.
func avx512PackPointwise(l *Layer, weights []int8) {
	l.avx512Prepare(weights, func(o, i int) int { return o*l.In + i }, l.In)
	l.avx512Pack(l.In, func(o, i int) int8 { return weights[o*l.In+i] })
}

// avx512PackFirst makes each row's nine inputs twelve, and then does the same.
func avx512PackFirst(l *Layer, weights []int8) {
	l.avx512Prepare(weights, func(o, i int) int { return o*27 + i }, 27)
	l.avx512Pack(36, func(o, i int) int8 {
		if i%12 >= 9 {
			return 0
		}
		return weights[o*27+i/12*9+i%12]
	})
}

func (l *Layer) avx512Pack(in int, weight func(o, i int) int8) {
	l.Weights = aligned(l.Out * in / 4)
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
	l.avx512Prepare(weights, func(o, i int) int { return i*l.Out + o }, 9)
	l.Weights = aligned(3 * l.Out)
	for y := range 3 {
		for x := range 3 {
			for c := range l.Out {
				l.Weights[(c/Group*3+x)*Group+c%Group][y] = weights[(3*y+x)*l.Out+c]
			}
		}
	}
}

// avx512Prepare folds the 128 that stored activations have more into the bias,
// and says whether there may be products beyond int32.
func (l *Layer) avx512Prepare(weights []int8, at func(out, i int) int, n int) {
	for o := range l.Bias {
		var sum int32
		for i := range n {
			sum += int32(weights[at(o, i)])
		}
		l.Bias[o] -= 128 * sum
		l.large = l.large || l.Multiplier[o] >= 1
	}
}

// aligned makes room for weights that begins with a cache line.
func aligned(n int) [][4]int8 {
	const line = 64 / 4
	w := make([][4]int8, n+line-1)
	for uintptr(unsafe.Pointer(&w[0]))%64 != 0 {
		w = w[1:]
	}
	return w[:n:n]
}
