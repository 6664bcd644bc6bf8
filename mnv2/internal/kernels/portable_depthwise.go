package kernels

// portablePackDepthwise orders weights by group and kernel row: group, y,
// channel, x and a zero.
func portablePackDepthwise(l *Layer, weights []int8) {
	l.Weights = make([][4]int8, 3*l.Out)
	for y := range 3 {
		for c := range l.Out {
			for x := range 3 {
				l.Weights[(c/Group*3+y)*Group+c%Group][x] = weights[(3*y+x)*l.Out+c]
			}
		}
	}
}

// portableDepthwise makes three pixels at a time, packed as lanes describes:
// nine products of 128 * 128 fit a lane. The last three may overlap those
// before.
func portableDepthwise(dst, src []Pixels, n int, l *Layer, stride, from, to int) {
	r := newRequantizer(l.Zero, l.Min, l.Max)
	last := (n-1)*stride + 2 // the last column
	for c := 0; c < to-from; c += Group {
		weights := l.Weights[3*(from+c):][:3*Group]
		bias, m := (*[Group]int32)(l.Bias[from+c:]), (*[Group]float32)(l.Multiplier[from+c:])
		for y := range dst {
			out := dst[y].At(c, 0).Data[:n*Group]
			for p := 0; p < n; p += 3 {
				p := max(0, min(p, n-3))
				var acc [Group]int64
				for i := range 3 {
					var columns [7]*[Group]int8
					row := src[y+i].At(c, 0).Data[:(last+1)*Group]
					for x := range columns {
						// What lies beyond the last column is for pixels that are not kept.
						columns[x] = (*[Group]int8)(row[min(p*stride+x, last)*Group:])
					}
					if w := (*[Group][4]int8)(weights[i*Group:]); stride == 1 {
						depthwise3(&acc, &columns, w)
					} else {
						depthwise3Stride2(&acc, &columns, w)
					}
				}
				var out3 [3]*[Group]int8
				for i := range out3 {
					out3[i] = (*[Group]int8)(out[min(p+i, n-1)*Group:])
				}
				r.finish(&out3, &acc, bias, m, min(3, n))
			}
		}
	}
}

// depthwise3 adds one kernel row to three neighbouring pixels.
func depthwise3(acc *[Group]int64, columns *[7]*[Group]int8, weights *[Group][4]int8) {
	x0, x1, x2, x3, x4 := columns[0], columns[1], columns[2], columns[3], columns[4]
	for c := range acc {
		w := &weights[c]
		v2 := int64(x2[c])
		v1 := int64(x1[c]) + v2<<laneBits
		v3 := int64(x3[c])
		a := (int64(x0[c]) + v1<<laneBits) * int64(w[0])
		a += (v1 + v3<<(2*laneBits)) * int64(w[1])
		a += (v2 + (v3+int64(x4[c])<<laneBits)<<laneBits) * int64(w[2])
		acc[c] += a
	}
}

// depthwise3Stride2 is depthwise3 for pixels two columns apart.
func depthwise3Stride2(acc *[Group]int64, columns *[7]*[Group]int8, weights *[Group][4]int8) {
	x0, x1, x2, x3 := columns[0], columns[1], columns[2], columns[3]
	x4, x5, x6 := columns[4], columns[5], columns[6]
	for c := range acc {
		w := &weights[c]
		v2 := int64(x2[c])
		v4 := int64(x4[c])
		a := (int64(x0[c]) + v2<<laneBits + v4<<(2*laneBits)) * int64(w[0])
		a += (int64(x1[c]) + int64(x3[c])<<laneBits + int64(x5[c])<<(2*laneBits)) * int64(w[1])
		a += (v2 + v4<<laneBits + int64(x6[c])<<(2*laneBits)) * int64(w[2])
		acc[c] += a
	}
}
