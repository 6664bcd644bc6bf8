//go:build !purego

package kernels

// avx2PackDepthwise orders weights as the kernels read them: group, column of
// the window, row of output, four channels, and for avx2 the first and the
// second two of the four rows of the source; each for both pixels.
func avx2PackDepthwise(l *Layer, weights []int8, step int) {
	perChannel := make([]int8, 9*l.Out) // channel, tap
	for c := range l.Out {
		for t := range 9 {
			perChannel[9*c+t] = weights[t*l.Out+c]
		}
	}
	l.Weights = make([][4]int8, 0, l.Out*3*4*8/step)
	for o := 0; o < l.Out; o += Group {
		for x := range 3 {
			for y := range 2 {
				for four := 0; four < Group; four += 4 {
					for i := 0; i < 4; i += step {
						for c := range 8 {
							var rows [4]int8
							for j := range 3 {
								rows[y+j] = perChannel[(o+four+c%4)*9+3*j+x]
							}
							if step == 2 {
								l.Weights = append(l.Weights, words(rows[i], rows[i+1]))
							} else {
								l.Weights = append(l.Weights, rows)
							}
						}
					}
				}
			}
		}
	}
	l.outputs = avx2Outputs(l, perChannel, 9, inOrder)
	// Both pixels have the same parameters.
	both := make([]int32, 0, 2*len(l.outputs))
	for i := 0; i < len(l.outputs); i += 4 {
		four := l.outputs[i:][:4]
		both = append(append(both, four...), four...)
	}
	l.outputs = both
}

// An avx2Rows is what the depthwise kernels are to do. They change it.
type avx2Rows struct {
	src                  [4]*int8
	dst                  [2]*int8
	weights              *[4]int8
	outputs              *int32
	srcStride, dstStride int // from a group to the next
	pairs                int // of pixels
	groups               int
	low, high            uint8 // the clamp
}

//go:noescape
func avx2Rows2(a *avx2Rows)

//go:noescape
func avx2Stride2(a *avx2Rows)

//go:noescape
func avxvnniRows2(a *avx2Rows)

//go:noescape
func avxvnniStride2(a *avx2Rows)

func avx2Depthwise(dst, src []Pixels, n int, l *Layer, stride, from, to int) {
	avx2Windows(dst, src, n, l, stride, from, to, false)
}

func avxvnniDepthwise(dst, src []Pixels, n int, l *Layer, stride, from, to int) {
	avx2Windows(dst, src, n, l, stride, from, to, true)
}

// avx2Windows makes pixels in pairs; the last of an odd number overlaps the
// one before. A single row of output is made twice if the stride is 1.
func avx2Windows(dst, src []Pixels, n int, l *Layer, stride, from, to int, vnni bool) {
	if n == 1 {
		avx2WindowsOne(dst, src, l, stride, from, to, vnni)
		return
	}
	last := len(src) - 1
	groups := (to - from) / Group
	columns := (n-1)*stride + 3
	a := avx2Rows{
		weights:   &l.Weights[from*len(l.Weights)/l.Out],
		outputs:   &l.outputs[6*from],
		srcStride: src[0].Stride, dstStride: dst[0].Stride,
		low: uint8(l.Min + 128), high: uint8(l.Max + 128),
	}
	for _, s := range src {
		_ = s.Data[(groups-1)*a.srcStride:][:columns*Group]
	}
	for _, d := range dst {
		_ = d.Data[(groups-1)*a.dstStride:][:n*Group]
	}
	for p := 0; p < n; p += 2 * a.pairs {
		a.pairs, a.groups = (n-p)/2, groups
		if a.pairs == 0 {
			p, a.pairs = n-2, 1
		}
		for i := range a.src {
			a.src[i] = &src[min(i, last)].Data[p*stride*Group]
		}
		for i := range a.dst {
			a.dst[i] = &dst[min(i, len(dst)-1)].Data[p*Group]
		}
		switch {
		case vnni && stride == 1:
			avxvnniRows2(&a)
		case vnni:
			avxvnniStride2(&a)
		case stride == 1:
			avx2Rows2(&a)
		default:
			avx2Stride2(&a)
		}
	}
}

// avx2WindowsOne makes one pixel of each row, as the first of two.
func avx2WindowsOne(dst, src []Pixels, l *Layer, stride, from, to int, vnni bool) {
	var window [4][5 * Group]int8
	var out [2][2 * Group]int8
	var rows, outs [4]Pixels
	for c := from; c < to; c += Group {
		for i := range src {
			copy(window[i][:3*Group], src[i].At(c-from, 0).Data)
			rows[i] = Pixels{window[i][:], 0}
		}
		for i := range dst {
			outs[i] = Pixels{out[i][:], 0}
		}
		avx2Windows(outs[:len(dst)], rows[:len(src)], 2, l, stride, c, c+Group, vnni)
		for i := range dst {
			copy(dst[i].At(c-from, 0).Data[:Group], out[i][:])
		}
	}
}
