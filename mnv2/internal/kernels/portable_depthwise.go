package kernels

// portablePackDepthwise orders weights by kernel row: y, channel, x and a zero.
func portablePackDepthwise(l *Layer, weights []int8) {
	l.Weights = make([][4]int8, 3*l.Out)
	for y := range 3 {
		for c := range l.Out {
			for x := range 3 {
				l.Weights[y*l.Out+c][x] = weights[(3*y+x)*l.Out+c]
			}
		}
	}
}

func portableDepthwise(dst []int8, rows [][]int8, l *Layer, stride int) {
	n := (len(rows)-3)/stride + 1
	width := len(dst) / n
	for y := range n {
		depthwiseRow(dst[y*width:(y+1)*width], (*[3][]int8)(rows[y*stride:]), l, stride)
	}
}

// depthwiseBlock is how many channels are summed at a time.
const depthwiseBlock = 128

// depthwiseRow makes three pixels at a time, packed as lanes describes: nine
// products of 128 * 128 fit a lane. The last three may overlap those before.
func depthwiseRow(dst []int8, rows *[3][]int8, l *Layer, stride int) {
	r := newRequantizer(l.Zero, l.Min, l.Max)
	var sums [depthwiseBlock]int64
	pixels := len(dst) / l.Out
	for p := 0; p < pixels; p += 3 {
		p := max(0, min(p, pixels-3))
		for c := 0; c < l.Out; c += depthwiseBlock {
			acc := sums[:min(depthwiseBlock, l.Out-c)]
			clear(acc)
			for y, row := range rows {
				w := l.Weights[y*l.Out+c:][:len(acc)]
				columns := window(row, stride*p, c, l.Out)
				if stride == 1 {
					depthwise3(acc, &columns, w)
				} else {
					depthwise3Stride2(acc, &columns, w)
				}
			}
			n := len(acc)
			out0 := dst[p*l.Out+c:][:n]
			out1, out2 := out0, out0 // see finish
			if pixels > 1 {
				out1 = dst[(p+1)*l.Out+c:][:n]
			}
			if pixels > 2 {
				out2 = dst[(p+2)*l.Out+c:][:n]
			}
			r.finish(out0, out1, out2, acc, l.Bias[c:][:n], l.Multiplier[c:][:n])
		}
	}
}

// window slices the seven columns from x on, at channel c. Beyond the row's
// end it repeats the last one: no pixel that is kept comes from there.
func window(row []int8, x, c, channels int) (columns [7][]int8) {
	last := len(row)/channels - 1
	for i := range columns {
		columns[i] = row[min(x+i, last)*channels+c:]
	}
	return
}

// depthwise3 adds one kernel row to three neighbouring pixels.
func depthwise3(acc []int64, columns *[7][]int8, weights [][4]int8) {
	n := len(acc)
	x0, x1, x2 := columns[0][:n], columns[1][:n], columns[2][:n]
	x3, x4 := columns[3][:n], columns[4][:n]
	weights = weights[:n]
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
func depthwise3Stride2(acc []int64, columns *[7][]int8, weights [][4]int8) {
	n := len(acc)
	x0, x1, x2, x3 := columns[0][:n], columns[1][:n], columns[2][:n], columns[3][:n]
	x4, x5, x6 := columns[4][:n], columns[5][:n], columns[6][:n]
	weights = weights[:n]
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
