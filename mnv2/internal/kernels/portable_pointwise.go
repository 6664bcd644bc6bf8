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

func portablePointwise(dst, src Pixels, n int, l *Layer, from, to int, s *Scratch) {
	x := s.packed[:l.In]
	for p := 0; p < n; p += 3 {
		pixels := min(3, n-p)
		pack(x, src, p, pixels)
		portableChannels(dst.At(0, p), pixels, x, l, l.chunk, from, to)
	}
}

func portableFirst(dst Pixels, rows *[3][]int8, n int, l *Layer, s *Scratch) {
	x := s.packed[:27]
	for p := 0; p < n; p += 3 {
		pixels := min(3, n-p)
		for y, row := range rows {
			row = row[6*p:]
			row = row[:6*pixels+3] // windows of 9 bytes, 6 apart
			for i := range 9 {
				v := int64(row[i])
				if pixels > 1 {
					v += int64(row[6+i]) << laneBits
				}
				if pixels > 2 {
					v += int64(row[12+i]) << (2 * laneBits)
				}
				x[9*y+i] = v
			}
		}
		portableChannels(dst.At(0, p), pixels, x, l, 27, 0, l.Out)
	}
}

// pack packs n pixels, up to three, of len(x) channels, from pixel p on.
func pack(x []int64, src Pixels, p, n int) {
	for k := 0; k < len(x); k += Group {
		x := x[k:min(k+Group, len(x))]
		group := src.Data[k/Group*src.Stride+p*Group:][:n*Group]
		x0 := (*[Group]int8)(group)
		switch n {
		case 1:
			for k := range x {
				x[k] = int64(x0[k])
			}
		case 2:
			x1 := (*[Group]int8)(group[Group:])
			for k := range x {
				x[k] = int64(x0[k]) + int64(x1[k])<<laneBits
			}
		case 3:
			x1, x2 := (*[Group]int8)(group[Group:]), (*[Group]int8)(group[2*Group:])
			for k := range x {
				x[k] = int64(x0[k]) + int64(x1[k])<<laneBits + int64(x2[k])<<(2*laneBits)
			}
		}
	}
}

// portableChannels makes output channels from up to to of n packed pixels,
// taking the sums apart after every chunk inputs.
func portableChannels(dst Pixels, n int, x []int64, l *Layer, chunk, from, to int) {
	r := newRequantizer(l.Zero, l.Min, l.Max)
	for o := from; o < to; o += Group {
		var out [3]*[Group]int8
		group := dst.At(o-from, 0).Data[:n*Group]
		for i := range out {
			out[i] = (*[Group]int8)(group[min(i, n-1)*Group:])
		}
		bias, m := (*[Group]int32)(l.Bias[o:]), (*[Group]float32)(l.Multiplier[o:])
		w := l.Weights[o/4*len(x):][:Group/4*len(x)]
		var packed [Group]int64
		if chunk >= len(x) {
			dot(&packed, x, w, len(x))
			r.finish(&out, &packed, bias, m, n)
			continue
		}
		sums := [3][Group]int32{*bias, *bias, *bias}
		for k := 0; k < len(x); k += chunk {
			dot(&packed, x[k:min(k+chunk, len(x))], w[k:], len(x))
			for i, a := range packed {
				x0, x1, x2 := lanes(a)
				sums[0][i] += x0
				sums[1][i] += x1
				sums[2][i] += x2
			}
		}
		for i := range n {
			for c := range out[i] {
				out[i][c] = r.requantize(sums[i][c], m[c])
			}
		}
	}
}

// dot makes the sums of a group of outputs, whose weights for four of them lie
// in apart.
func dot(sums *[Group]int64, x []int64, weights [][4]int8, in int) {
	for o := 0; o < Group; o += 4 {
		sums[o], sums[o+1], sums[o+2], sums[o+3] = dot3x4(x, weights[o/4*in:][:len(x)])
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

// finish requantizes packed sums into the outputs of n pixels.
func (r requantizer) finish(out *[3]*[Group]int8, sums *[Group]int64, bias *[Group]int32, m *[Group]float32, n int) {
	out0, out1, out2 := out[0], out[1], out[2]
	if n < 3 { // those that are not there are written before pixel 0, in its place
		out2 = out0
	}
	if n < 2 {
		out1 = out0
	}
	for i, a := range sums {
		x0, x1, x2 := lanes(a)
		out2[i] = r.requantize(bias[i]+x2, m[i])
		out1[i] = r.requantize(bias[i]+x1, m[i])
		out0[i] = r.requantize(bias[i]+x0, m[i])
	}
}
