package kernels

// Three pixels' values of one channel are packed into an int64,
//
//	x0 + x1<<21 + x2<<42
//
// as a sum of signed numbers. Products of it with a weight, and sums of such
// products, are packed the same way, so one multiplication does three. The
// sums come apart exactly as long as each stays within 21 bits, signed.
const laneBits = 21

// lanes takes a packed sum apart.
func lanes(a int64) (x0, x1, x2 int32) {
	const up = 64 - laneBits
	low := a << up >> up
	a = (a - low) >> laneBits
	mid := a << up >> up
	return int32(low), int32(mid), int32((a - mid) >> laneBits)
}

// portablePackPointwise orders weights by four outputs: out/4, in, 4.
//
// Sums are taken apart after every chunk inputs, as many as the weights allow
// whatever the input: 128 * sum(|w|) must fit a lane.
func portablePackPointwise(l *Layer, weights []int8) {
	portablePackFour(l, weights, l.In)
	l.chunk = l.In
	for !chunkFits(weights, l.In, l.chunk) {
		l.chunk = (l.chunk + 1) / 2
	}
}

func portablePackFirst(l *Layer, weights []int8) {
	portablePackFour(l, weights, 27) // 27 * 128 * 128 fits a lane
}

func portablePackFour(l *Layer, weights []int8, n int) {
	l.Weights = make([][4]int8, l.Out/4*n)
	for o := range l.Out {
		for i := range n {
			l.Weights[o/4*n+i][o%4] = weights[o*n+i]
		}
	}
}

func chunkFits(weights []int8, in, chunk int) bool {
	for row := 0; row < len(weights); row += in {
		for from := row; from < row+in; from += chunk {
			sum := 0
			for _, w := range weights[from:min(from+chunk, row+in)] {
				sum += max(int(w), -int(w))
			}
			if 128*sum >= 1<<(laneBits-1) {
				return false
			}
		}
	}
	return true
}

func portablePointwise(dst [][]int8, src []int8, l *Layer, s *Scratch) {
	x := s.pixels[:l.In]
	var t tile
	row, at := 0, 0
	for len(src) > 0 {
		n := min(3, len(src)/l.In)
		pack(x, src, n)
		src = src[n*l.In:]
		for i := range n {
			if at == len(dst[row]) {
				row, at = row+1, 0
			}
			t.out[i] = dst[row][at : at+l.Out]
			at += l.Out
		}
		t.run(x, n, l, l.chunk)
	}
}

func portableFirst(dst []int8, rows *[3][]int8, l *Layer, s *Scratch) {
	x := s.pixels[:27]
	var t tile
	for p := 0; len(dst) > 0; p += 3 {
		n := min(3, len(dst)/l.Out)
		for y, row := range rows {
			row = row[6*p:]
			row = row[:6*n+3] // n windows of 9 bytes, 6 apart
			for i := range 9 {
				v := int64(row[i])
				if n > 1 {
					v += int64(row[6+i]) << laneBits
				}
				if n > 2 {
					v += int64(row[12+i]) << (2 * laneBits)
				}
				x[9*y+i] = v
			}
		}
		for i := range n {
			t.out[i] = dst[i*l.Out : (i+1)*l.Out]
		}
		dst = dst[n*l.Out:]
		t.run(x, n, l, 27)
	}
}

// pack packs up to three pixels of len(x) channels.
func pack(x []int64, src []int8, n int) {
	in := len(x)
	x0 := src[:in]
	switch n {
	case 1:
		for k := range x {
			x[k] = int64(x0[k])
		}
	case 2:
		x1 := src[in:][:in]
		for k := range x {
			x[k] = int64(x0[k]) + int64(x1[k])<<laneBits
		}
	case 3:
		x1, x2 := src[in:][:in], src[2*in:][:in]
		for k := range x {
			x[k] = int64(x0[k]) + int64(x1[k])<<laneBits + int64(x2[k])<<(2*laneBits)
		}
	}
}

// block is how many output channels are summed before they are requantized.
const block = 64

// A tile is up to three pixels of output.
type tile struct {
	out    [3][]int8
	packed [block]int64
	sums   [3][block]int32
}

// run makes all output channels of n packed pixels, taking the sums apart
// after every chunk inputs.
func (t *tile) run(x []int64, n int, l *Layer, chunk int) {
	r := newRequantizer(l.Zero, l.Min, l.Max)
	for i := n; i < 3; i++ {
		t.out[i] = t.out[0] // see finish
	}
	for o := 0; o < l.Out; o += block {
		size := min(block, l.Out-o)
		bias, m := l.Bias[o:o+size], l.Multiplier[o:o+size]
		w := l.Weights[o/4*len(x):][:size/4*len(x)]
		packed := t.packed[:size]
		out0, out1, out2 := t.out[0][o:o+size], t.out[1][o:o+size], t.out[2][o:o+size]
		if chunk >= len(x) {
			t.dot(x, w, len(x), packed)
			r.finish(out0, out1, out2, packed, bias, m)
			continue
		}
		sum0, sum1, sum2 := t.sums[0][:size], t.sums[1][:size], t.sums[2][:size]
		copy(sum0, bias)
		copy(sum1, bias)
		copy(sum2, bias)
		for k := 0; k < len(x); k += chunk {
			t.dot(x[k:min(k+chunk, len(x))], w[k:], len(x), packed)
			for i, a := range packed {
				x0, x1, x2 := lanes(a)
				sum0[i] += x0
				sum1[i] += x1
				sum2[i] += x2
			}
		}
		for i := range packed {
			out2[i] = r.requantize(sum2[i], m[i])
			out1[i] = r.requantize(sum1[i], m[i])
			out0[i] = r.requantize(sum0[i], m[i])
		}
	}
}

// dot writes the sums of len(packed) outputs, whose weights for four of them
// lie in apart.
func (t *tile) dot(x []int64, weights [][4]int8, in int, packed []int64) {
	for o := 0; o < len(packed); o += 4 {
		p := (*[4]int64)(packed[o:])
		p[0], p[1], p[2], p[3] = dot3x4(x, weights[o/4*in:][:len(x)])
	}
}

// dot3x4 is where the time goes: three packed pixels by four outputs, four
// multiplications an input channel.
//
//go:noinline
func dot3x4(x []int64, weights [][4]int8) (a0, a1, a2, a3 int64) {
	x = x[:len(weights)]
	for k := range weights {
		w := &weights[k]
		v := x[k]
		a0 += v * int64(w[0])
		a1 += v * int64(w[1])
		a2 += v * int64(w[2])
		a3 += v * int64(w[3])
	}
	return
}

// finish requantizes packed sums into the outputs of three pixels. Of fewer,
// those that are not there stand for pixel 0, and so are written before it.
func (r requantizer) finish(out0, out1, out2 []int8, packed []int64, bias []int32, m []float32) {
	n := len(packed)
	out0, out1, out2 = out0[:n], out1[:n], out2[:n]
	bias, m = bias[:n], m[:n]
	for i, a := range packed {
		x0, x1, x2 := lanes(a)
		out2[i] = r.requantize(bias[i]+x2, m[i])
		out1[i] = r.requantize(bias[i]+x1, m[i])
		out0[i] = r.requantize(bias[i]+x0, m[i])
	}
}
