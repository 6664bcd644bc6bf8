//go:build !purego

package kernels

// An avx2Sum is a residual addition.
type avx2Sum struct {
	low, high [2]int16 // of the factors of x and y
	rest      int32
	shift     uint64
	zero      int16
	min, max  uint8
}

//go:noescape
func avx2Add32(dst, x, y *int8, n int, a *avx2Sum)

func avx2Add(dst, x, y []int8, a *Add) {
	const size = 32
	sum := avx2Sum{
		low:   [2]int16{int16(a.X & 0xFF), int16(a.Y & 0xFF)},
		high:  [2]int16{int16(a.X >> 8), int16(a.Y >> 8)},
		rest:  int32(1)<<(a.Shift-1) - a.X*(a.ZeroX+128) - a.Y*(a.ZeroY+128),
		shift: uint64(a.Shift),
		zero:  int16(a.Zero + 128),
		min:   uint8(a.Min + 128), max: uint8(a.Max + 128),
	}
	n := len(dst)
	x, y = x[:n], y[:n]
	whole := n / size * size
	if whole > 0 {
		avx2Add32(&dst[0], &x[0], &y[0], n/size, &sum)
	}
	if whole < n {
		var rest [2][size]int8
		copy(rest[0][:], x[whole:])
		copy(rest[1][:], y[whole:])
		avx2Add32(&rest[0][0], &rest[0][0], &rest[1][0], 1, &sum)
		copy(dst[whole:], rest[0][:])
	}
}

// An avx2Average is a mean over some pixels.
type avx2Average struct {
	bias       int32
	multiplier float32
	zero       int32
}

//go:noescape
func avx2MeanGroup(dst, src *int8, n int, m *avx2Average)

func avx2Mean(dst []int8, src Pixels, n int, m *Mean) {
	of := avx2Average{m.Bias - 128*int32(n), m.Multiplier, m.Zero + 128}
	for c := 0; c < len(dst); c += Group {
		avx2MeanGroup(&dst[c:][:Group][0], &src.Data[c/Group*src.Stride:][:n*Group][0], n, &of)
	}
}
