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

// A tile is six pixels, in two packed numbers for each channel, by four
// output channels.
const tilePixels = 6

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
	var out [tilePixels][]int8
	row, at := 0, 0
	for len(src) > 0 {
		n := min(tilePixels, len(src)/l.In)
		pack(x, src, n)
		src = src[n*l.In:]
		for i := range n {
			if at == len(dst[row]) {
				row, at = row+1, 0
			}
			out[i] = dst[row][at : at+l.Out]
			at += l.Out
		}
		tile(&out, n, x, l, l.chunk)
	}
}

func portableFirst(dst []int8, rows *[3][]int8, l *Layer, s *Scratch) {
	x := s.pixels[:27]
	var out [tilePixels][]int8
	for p := 0; len(dst) > 0; p += tilePixels {
		n := min(tilePixels, len(dst)/l.Out)
		for ky, row := range rows {
			row = row[6*p:]
			row = row[:6*n+3] // n windows of 9 bytes, 6 apart
			for i := range 9 {
				var v [tilePixels]int64
				for j := range n {
					v[j] = int64(row[6*j+i])
				}
				x[9*ky+i] = [2]int64{
					v[0] + v[1]<<laneBits + v[2]<<(2*laneBits),
					v[3] + v[4]<<laneBits + v[5]<<(2*laneBits),
				}
			}
		}
		for i := range n {
			out[i] = dst[i*l.Out : (i+1)*l.Out]
		}
		dst = dst[n*l.Out:]
		tile(&out, n, x, l, 27)
	}
}

// pack packs n pixels of len(x) channels.
func pack(x [][2]int64, src []int8, n int) {
	in := len(x)
	if n == tilePixels {
		s0, s1, s2 := src[:in], src[in:2*in], src[2*in:3*in]
		s3, s4, s5 := src[3*in:4*in], src[4*in:5*in], src[5*in:6*in]
		for k := range x {
			x[k][0] = int64(s0[k]) + int64(s1[k])<<laneBits + int64(s2[k])<<(2*laneBits)
			x[k][1] = int64(s3[k]) + int64(s4[k])<<laneBits + int64(s5[k])<<(2*laneBits)
		}
		return
	}
	clear(x)
	for p := range n {
		shift := p % 3 * laneBits
		for k, v := range src[p*in : (p+1)*in] {
			x[k][p/3] += int64(v) << shift
		}
	}
}

// tile makes all output channels of n packed pixels.
func tile(out *[tilePixels][]int8, n int, x [][2]int64, l *Layer, chunk int) {
	r := newRequantizer(l.Zero, l.Min, l.Max)
	for o := 0; o < l.Out; o += 4 {
		w := l.Weights[o/4*len(x):][:len(x)]
		bias := (*[4]int32)(l.Bias[o:])
		var acc [tilePixels][4]int32
		for i := range acc {
			acc[i] = *bias
		}
		for k := 0; k < len(x); k += chunk {
			end := min(k+chunk, len(x))
			if n > 3 {
				a0, a1, a2, a3, b0, b1, b2, b3 := dot6x4(x[k:end], w[k:end])
				accumulate((*[3][4]int32)(acc[:3]), a0, a1, a2, a3)
				accumulate((*[3][4]int32)(acc[3:]), b0, b1, b2, b3)
			} else {
				a0, a1, a2, a3 := dot3x4(x[k:end], w[k:end])
				accumulate((*[3][4]int32)(acc[:3]), a0, a1, a2, a3)
			}
		}
		m := (*[4]float32)(l.Multiplier[o:])
		for i, dst := range out[:n] {
			q := (*[4]int8)(dst[o:])
			q[0] = r.requantize(acc[i][0], m[0])
			q[1] = r.requantize(acc[i][1], m[1])
			q[2] = r.requantize(acc[i][2], m[2])
			q[3] = r.requantize(acc[i][3], m[3])
		}
	}
}

func accumulate(acc *[3][4]int32, a0, a1, a2, a3 int64) {
	for c, a := range [4]int64{a0, a1, a2, a3} {
		x0, x1, x2 := lanes(a)
		acc[0][c] += x0
		acc[1][c] += x1
		acc[2][c] += x2
	}
}

// dot6x4 is where the time goes: six pixels by four outputs, eight
// multiplications an input channel.
func dot6x4(x [][2]int64, weights [][4]int8) (a0, a1, a2, a3, b0, b1, b2, b3 int64) {
	x = x[:len(weights)]
	for k := range weights {
		w := &weights[k]
		xa, xb := x[k][0], x[k][1]
		v := int64(w[0])
		a0 += xa * v
		b0 += xb * v
		v = int64(w[1])
		a1 += xa * v
		b1 += xb * v
		v = int64(w[2])
		a2 += xa * v
		b2 += xb * v
		v = int64(w[3])
		a3 += xa * v
		b3 += xb * v
	}
	return
}

// dot3x4 is the first half of dot6x4, for three pixels or fewer.
func dot3x4(x [][2]int64, weights [][4]int8) (a0, a1, a2, a3 int64) {
	x = x[:len(weights)]
	for k := range weights {
		w := &weights[k]
		v := x[k][0]
		a0 += v * int64(w[0])
		a1 += v * int64(w[1])
		a2 += v * int64(w[2])
		a3 += v * int64(w[3])
	}
	return
}
