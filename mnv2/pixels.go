package mnv2

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// A pixelTable says how each byte of a picture is stored as an int8.
type pixelTable struct {
	values [256]int8
	// With the usual normalization the values are the bytes with some bits
	// turned over: flip, eight times. ok says so.
	flip uint64
	ok   bool
}

// newPixelTable is, for each byte p, floor((p-mean)/(std*scale) + 0.5) + zero.
// With the usual normalization and scale 1/127.5 the divisor is 1 in float32,
// and the result p - 128.
func newPixelTable(p Normalization, q Quantization, flip int8) *pixelTable {
	var values [256]int8
	step := float64(float32(p.Std * q.Scale))
	for i := range values {
		v := math.Floor((float64(i)-float64(p.Mean))/step+0.5) + float64(q.Zero)
		values[i] = int8(min(max(v, -128), 127)) ^ flip
	}
	return tableOf(values)
}

func tableOf(values [256]int8) *pixelTable {
	t := &pixelTable{values: values, ok: true}
	for i, v := range values {
		t.ok = t.ok && byte(v) == byte(i)^byte(values[0])
	}
	t.flip = uint64(byte(values[0])) * 0x0101010101010101
	return t
}

func (t *pixelTable) quantize(dst []int8, src []byte) {
	if t.ok {
		dst := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), len(dst))
		for len(src) >= 8 {
			binary.NativeEndian.PutUint64(dst, binary.NativeEndian.Uint64(src)^t.flip)
			dst, src = dst[8:], src[8:]
		}
		for i, p := range src {
			dst[i] = p ^ byte(t.flip)
		}
		return
	}
	dst = dst[:len(src)]
	for i, p := range src {
		dst[i] = t.values[p]
	}
}
