//go:build !purego

package kernels

import "math"

// A neonHead stands in front of the weights of 16 channels, whose constants
// are in the order of the kernel's sums. In a pointwise convolution it
// says how many steps follow, of each kind, see neon_pointwise_arm64.s. After
// it stands the group of 16 inputs that each step is of, as 32 bits.
type neonHead struct {
	light, heavy, tails uint32
	stepwise            uint32 // 1 if the sums are integers, 0 if fused
	weights             uint32 // from the head to the weights, in bytes
	_                   [3]uint32
	starts              [Group]int32
	factors             [Group]float32
	offsets             [Group]float32
}

const neonHeadWords = 8 + 3*Group

// neonChannel is which channel has its sum at place i of a pointwise
// convolution: those of 8 in turn.
func neonChannel(i int) int { return i/8*8 + i%4*2 + i/4%2 }

// neonStream is weights and constants in the order in which they are read.
type neonStream [][4]int8

func (s *neonStream) word(v uint32) {
	*s = append(*s, [4]int8{int8(v), int8(v >> 8), int8(v >> 16), int8(v >> 24)})
}

// align adds zeros up to a multiple of 64 bytes.
func (s *neonStream) align() {
	for len(*s)%16 != 0 {
		s.word(0)
	}
}

// neonSlack is how many words after the last weights are read, in vain.
const neonSlack = 32

// close is the finished stream.
func (s neonStream) close() [][4]int8 {
	return append(make([][4]int8, 0, len(s)+neonSlack), s...)[:len(s)+neonSlack]
}

// head adds the head of the 16 channels from o on, n weights each, channel(i)
// at place i. It leaves the numbers of steps to be filled in.
func (s *neonStream) head(l *Layer, o int, weights []int8, n int, channel func(i int) int) {
	var h neonHead
	for i := range h.starts {
		c := channel(i)
		if o+c >= l.Out {
			continue
		}
		bias := l.Bias[o+c]
		low, high := sumRange(bias, weights[c*n:(c+1)*n])
		// A layer's own clamp comes later, on bytes.
		f, found, _ := fuse(l.Multiplier[o+c], l.Zero, -128, 127, low, high)
		if !found || f.bound {
			h.stepwise = 1
			break
		}
		h.starts[i] = bias + magicBits + f.start
		h.factors[i] = f.factor
		h.offsets[i] = f.offset
	}
	if h.stepwise != 0 {
		for i := range h.starts {
			c := o + channel(i)
			if c >= l.Out {
				continue
			}
			h.starts[i], h.factors[i], h.offsets[i] = l.Bias[c], l.Multiplier[c], 0
		}
	}
	for _, v := range [...]uint32{0, 0, 0, h.stepwise, 0, 0, 0, 0} {
		s.word(v)
	}
	for _, v := range h.starts {
		s.word(uint32(v))
	}
	for _, floats := range [...]*[Group]float32{&h.factors, &h.offsets} {
		for _, v := range floats {
			s.word(math.Float32bits(v))
		}
	}
}

// A neonBlock is weights of 16 channels, 16 inputs each.
type neonBlock [Group][Group]int8

// A neonStep is a block of weights for the inputs of a group.
type neonStep struct {
	group   int
	weights neonBlock
}

func neonPackPointwise(l *Layer, weights []int8) { l.neonPack(weights, l.In, l.In) }

func neonPackFirst(l *Layer, weights []int8) { l.neonPack(weights, 27, 32) }

// neonPack packs weights, n for each output, as a pointwise convolution of in
// inputs.
func (l *Layer) neonPack(weights []int8, n, in int) {
	var s neonStream
	for o := 0; o < l.Out; o += Group {
		l.starts = append(l.starts, int32(len(s)))
		channels := min(Group, l.Out-o)
		rows := weights[o*n:][:channels*n]
		var light, heavy, tails []neonStep
		for k := 0; k < in; k += Group {
			step := neonStep{group: k / Group}
			for c := range channels {
				copy(step.weights[c][:], rows[c*n+min(k, n):(c+1)*n])
			}
			if k+8 == in {
				for _, b := range step.weights.split(tailProducts) {
					tails = append(tails, neonStep{k / Group, b})
				}
			} else if step.weights.fits(lightProducts) {
				light = append(light, step)
			} else {
				for _, b := range step.weights.split(heavyProducts) {
					heavy = append(heavy, neonStep{k / Group, b})
				}
			}
		}
		head := len(s)
		s.head(l, o, rows, n, neonChannel)
		for _, steps := range [...][]neonStep{light, heavy, tails} {
			for _, step := range steps {
				s.word(uint32(step.group))
			}
		}
		s.word(0) // what the last steps load for a next one
		s.word(0)
		s.align()
		count := func(i, v int) { s[head+i] = [4]int8{int8(v), int8(v >> 8), int8(v >> 16), int8(v >> 24)} }
		count(0, len(light))
		count(1, len(heavy))
		count(2, len(tails))
		count(4, 4*(len(s)-head))
		for _, step := range append(light, heavy...) {
			for rotation := 0; rotation < 4; rotation += 2 {
				s.chain(&step.weights, channels, 8, [4]int{rotation, rotation + 4, rotation + 1, rotation + 5})
			}
		}
		for _, step := range tails {
			s.chain(&step.weights, channels, 4, [4]int{0, 1, 2, 3})
		}
	}
	l.Weights = s.close()
}

// chain adds the weights of two rotations of the inputs' pairs: of each 8
// channels those of the first, then those of the second. Rotations are given
// for the lower and the upper half of each.
func (s *neonStream) chain(b *neonBlock, channels, pairs int, rotations [4]int) {
	for half := 0; half < channels; half += 8 {
		for second := 0; second < 4; second += 2 {
			for vector := half; vector < half+8; vector += 4 {
				for _, r := range rotations[second : second+2] {
					for lane := 0; lane < 4; lane += 2 {
						w0, w1 := b.pair(vector+lane, pairs, lane+r), b.pair(vector+lane+1, pairs, lane+1+r)
						*s = append(*s, [4]int8{w0[0], w0[1], w1[0], w1[1]})
					}
				}
			}
		}
	}
}

// pair gives the weights of the channel at place i for a pair of inputs.
func (b *neonBlock) pair(i, pairs, pair int) [2]int8 {
	w := b[neonChannel(i)][pair%pairs*2:]
	return [2]int8{w[0], w[1]}
}

// Which pairs of inputs, counted from its lane, have their products added up
// in a lane of 16 bits: both rotations' of a chain if light, else one's.
var (
	lightProducts = [][]int{{0, 4, 1, 5}, {2, 6, 3, 7}}
	heavyProducts = [][]int{{0, 4}, {1, 5}, {2, 6}, {3, 7}}
	tailProducts  = [][]int{{0, 1}, {2, 3}}
)

// fits says whether such sums of products fit 16 bits, whatever the inputs: if
// 128 * sum(|w|) does.
func (b *neonBlock) fits(products [][]int) bool {
	pairs := len(products) * len(products[0])
	for i := range Group {
		for _, together := range products {
			var sum [2]int
			for _, pair := range together {
				for j, w := range b.pair(i, pairs, i%4+pair) {
					sum[j] += max(int(w), -int(w))
				}
			}
			if max(sum[0], sum[1]) > 255 {
				return false
			}
		}
	}
	return true
}

// split gives blocks that fit, whose sum b is: b itself unless weights of -128
// meet, which are then made of two.
func (b *neonBlock) split(products [][]int) []neonBlock {
	if b.fits(products) {
		return []neonBlock{*b}
	}
	var most, rest neonBlock
	for c := range b {
		for k, w := range b[c] {
			most[c][k] = max(w, -127)
			rest[c][k] = w - most[c][k]
		}
	}
	return []neonBlock{most, rest}
}

// neonPackDepthwise orders weights by groups: head, tap, channel. Two products
// are added up in 16 bits, which is too little where two weights are -128: the
// portable kernel does such layers.
func neonPackDepthwise(l *Layer, weights []int8) {
	for _, taps := range [...][2]int{{0, 3}, {1, 4}, {2, 5}, {6, 7}} {
		for c := range l.Out {
			if weights[taps[0]*l.Out+c] == -128 && weights[taps[1]*l.Out+c] == -128 {
				portablePackDepthwise(l, weights)
				return
			}
		}
	}
	var s neonStream
	for o := 0; o < l.Out; o += Group {
		l.starts = append(l.starts, int32(len(s)))
		var rows [9 * Group]int8
		for c := range Group {
			for t := range 9 {
				rows[c*9+t] = weights[t*l.Out+o+c]
			}
		}
		s.head(l, o, rows[:], 9, func(i int) int { return i })
		for t := range 9 {
			for c := 0; c < Group; c += 4 {
				s = append(s, [4]int8(weights[t*l.Out+o+c:]))
			}
		}
		s.align()
	}
	l.Weights = s.close()
}
