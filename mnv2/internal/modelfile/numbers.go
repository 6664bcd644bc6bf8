package modelfile

import (
	"encoding/binary"
	"math"

	"tarsier/mnv2/float"
)

// Float32s gives the numbers in little-endian bytes.
func Float32s(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

// Float64s gives little-endian doubles, rounded to float32.
func Float64s(b []byte) []float32 {
	v := make([]float32, len(b)/8)
	for i := range v {
		v[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
	}
	return v
}

// BFloat16s gives little-endian bfloat16 numbers: the upper halves of float32.
func BFloat16s(b []byte) []float32 {
	v := make([]float32, len(b)/2)
	for i := range v {
		v[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
	}
	return v
}

// Float16s gives little-endian IEEE 754 binary16 numbers.
func Float16s(b []byte) []float32 {
	v := make([]float32, len(b)/2)
	for i := range v {
		v[i] = float16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return v
}

// float16: 1 bit of sign, 5 of exponent, 10 of fraction.
func float16(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&0x3ff
	switch exponent {
	case 0: // zero and subnormal numbers, in units of 2^-24
		f := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31: // infinity and NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// ChannelsLast gives the weights of c in the order of float.Conv: out, y, x, in,
// or y, x, channel. PyTorch and ONNX have out, in, y, x.
func ChannelsLast(c *float.Conv, weights []float32) []float32 {
	taps := c.Kernel * c.Kernel
	if taps == 1 {
		return weights
	}
	v := make([]float32, len(weights))
	in := len(weights) / (c.Out * taps)
	for o := range c.Out {
		for i := range in {
			for k := range taps {
				at := (o*taps+k)*in + i
				if c.Depthwise {
					at = k*c.Out + o
				}
				v[at] = weights[(o*in+i)*taps+k]
			}
		}
	}
	return v
}
