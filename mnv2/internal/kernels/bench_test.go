package kernels

import (
	"fmt"
	"testing"
)

// The layers of MobileNetV2 1.0 at 224x224 where most of the time goes, one
// pass of each. Every benchmark reports multiply-adds a second.

func BenchmarkPointwise(b *testing.B) {
	for _, shape := range []struct{ pixels, in, out int }{
		{112, 16, 96},
		{56, 144, 24},
		{28, 32, 192},
		{14, 64, 384},
		{56, 384, 64},
		{49, 160, 960},
		{49, 960, 160},
		{49, 320, 256},
		{1, 1280, 1000},
	} {
		name := fmt.Sprintf("%dx%dx%d", shape.pixels, shape.in, shape.out)
		forEachSet(b, name, func(b *testing.B, s *Set) {
			rng := newRand(1)
			l := s.NewPointwise(randomConv(rng, shape.in, shape.out, shape.in))
			src, dst := newPixels(l.In, shape.pixels), newPixels(l.Out, shape.pixels)
			scratch := NewScratch(l.In, 0)
			for b.Loop() {
				s.Pointwise(dst, src, shape.pixels, l, 0, l.Out, scratch)
			}
			reportMACs(b, shape.pixels*shape.in*shape.out)
		})
	}
}

func BenchmarkDepthwise(b *testing.B) {
	for _, shape := range []struct{ width, channels, stride int }{
		{112, 32, 1}, {56, 96, 2}, {56, 144, 1}, {14, 384, 1}, {7, 960, 1},
	} {
		name := fmt.Sprintf("%dx%ds%d", shape.width, shape.channels, shape.stride)
		forEachSet(b, name, func(b *testing.B, s *Set) {
			rng := newRand(2)
			c := randomConv(rng, shape.channels, shape.channels, 9)
			l := s.NewDepthwise(c)
			src, dst := make([]Pixels, 5-shape.stride), make([]Pixels, 3-shape.stride)
			for i := range src {
				src[i] = newPixels(l.Out, shape.width*shape.stride+2)
			}
			for i := range dst {
				dst[i] = newPixels(l.Out, shape.width)
			}
			for b.Loop() {
				s.Depthwise(dst, src, shape.width, l, shape.stride, 0, l.Out)
			}
			reportMACs(b, len(dst)*shape.width*shape.channels*9)
		})
	}
}

func BenchmarkFirst(b *testing.B) {
	forEachSet(b, "112x32", func(b *testing.B, s *Set) {
		rng := newRand(3)
		l := s.NewFirst(randomConv(rng, 3, 32, 27))
		var rows [3][]int8
		for i := range rows {
			rows[i] = make([]int8, 6*112+FirstSlack)
		}
		dst := newPixels(l.Out, 112)
		scratch := NewScratch(3, 112)
		for b.Loop() {
			s.First(dst, &rows, 112, l, scratch)
		}
		reportMACs(b, 112*32*27)
	})
}

func BenchmarkAdd(b *testing.B) {
	forEachSet(b, "56x32", func(b *testing.B, s *Set) {
		x, y := make([]int8, 56*32), make([]int8, 56*32)
		a := NewAdd(Quantization{0.1, 3}, Quantization{0.2, -4}, Quantization{0.21, 5}, -128, 127)
		for b.Loop() {
			s.Add(y, x, y, a)
		}
		b.SetBytes(56 * 32)
	})
}

func BenchmarkMean(b *testing.B) {
	forEachSet(b, "49x1280", func(b *testing.B, s *Set) {
		src, dst := newPixels(1280, 49), make([]int8, 1280)
		m := NewMean(Quantization{0.02, -128}, Quantization{0.01, -128}, 49)
		for b.Loop() {
			s.Mean(dst, src, 49, m)
		}
		b.SetBytes(49 * 1280)
	})
}

func reportMACs(b *testing.B, macs int) {
	b.ReportMetric(float64(macs)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
}
