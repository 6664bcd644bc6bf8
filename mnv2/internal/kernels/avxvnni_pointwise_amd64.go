//go:build !purego

package kernels

// avxvnniPack orders weights by steps of four inputs: group, step, even then
// odd output channels, input.
func avxvnniPack(l *Layer, weights []int8, in int) {
	l.Weights = make([][4]int8, 0, l.Out*in/4)
	for o := 0; o < l.Out; o += Group {
		for i := 0; i < in; i += 4 {
			for c := range Group {
				l.Weights = append(l.Weights, [4]int8(weights[(o+evenOdd(c))*in+i:]))
			}
		}
	}
	l.outputs = avx2Outputs(l, weights, in, evenOdd)
}

// avxvnniPackFirst pads each of the three rows of 9 weights to three steps.
func avxvnniPackFirst(l *Layer, weights []int8) {
	avxvnniPack(l, padRows(weights), 3*12)
}

func padRows(weights []int8) []int8 {
	padded := make([]int8, len(weights)/9*12)
	for y := range len(weights) / 9 {
		copy(padded[y*12:], weights[y*9:][:9])
	}
	return padded
}

// An avxvnniTile is what the kernels of tiles are to do.
type avxvnniTile struct {
	dst, src  *int8
	weights   *[4]int8
	outputs   *int32
	stride    int   // from a group of dst to the next
	pitch     int   // from a group, or row, of src to the next
	tiles     int   // of pixels
	groups    int   // of output channels
	steps     int   // groups of input channels
	half      int   // whether half a group follows
	low, high uint8 // the clamp
}

//go:noescape
func avxvnniPixels7(a *avxvnniTile)

//go:noescape
func avxvnniPixels3(a *avxvnniTile)

//go:noescape
func avxvnniPixels1(a *avxvnniTile)

//go:noescape
func avxvnniFirst7(a *avxvnniTile)

//go:noescape
func avxvnniFirst1(a *avxvnniTile)

func newAVXVNNITile(dst Pixels, n int, l *Layer, from, to int) avxvnniTile {
	_ = dst.Data[(to-from-1)/Group*dst.Stride:][:n*Group]
	return avxvnniTile{
		weights: &l.Weights[from*len(l.Weights)/l.Out],
		outputs: &l.outputs[3*from],
		stride:  dst.Stride,
		groups:  (to - from) / Group,
		low:     uint8(l.Min + 128), high: uint8(l.Max + 128),
	}
}

func avxvnniPointwise(dst, src Pixels, n int, l *Layer, from, to int, s *Scratch) {
	_ = src.Data[(l.In-1)/Group*src.Stride:][:n*Group]
	a := newAVXVNNITile(dst, n, l, from, to)
	a.pitch, a.steps, a.half = src.Stride, l.In/Group, l.In%Group
	for p := 0; p < n; {
		at, tiles, size := nextTiles(p, n)
		a.dst, a.src, a.tiles = &dst.Data[at*Group], &src.Data[at*Group], tiles
		switch size {
		case 7:
			avxvnniPixels7(&a)
		case 3:
			avxvnniPixels3(&a)
		default:
			avxvnniPixels1(&a)
		}
		p = at + tiles*size
	}
}

func avxvnniFirst(dst Pixels, rows *[3][]int8, n int, l *Layer, s *Scratch) {
	a := newAVXVNNITile(dst, n, l, 0, l.Out)
	a.pitch = 6*n + FirstSlack
	x := s.copies[:3*a.pitch]
	for y := range rows {
		copy(x[y*a.pitch:], rows[y][:a.pitch])
	}
	for p := 0; p < n; {
		at, tiles, size := nextTiles(p, n)
		a.dst, a.src, a.tiles = &dst.Data[at*Group], &x[6*at], tiles*size
		if size < 7 {
			avxvnniFirst1(&a)
		} else {
			a.tiles = tiles
			avxvnniFirst7(&a)
		}
		p = at + tiles*size
	}
}
