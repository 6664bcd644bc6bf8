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
			src := randomInt8s(rng, shape.pixels*l.In)
			dst := [][]int8{make([]int8, shape.pixels*l.Out)}
			scratch := NewScratch(l.In)
			for b.Loop() {
				s.Pointwise(dst, src, l, scratch)
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
			rows := make([][]int8, 3)
			for i := range rows {
				rows[i] = randomInt8s(rng, (shape.width*shape.stride+2)*l.Out)
			}
			dst := make([]int8, shape.width*l.Out)
			for b.Loop() {
				s.Depthwise(dst, rows, l, shape.stride)
			}
			reportMACs(b, shape.width*shape.channels*9)
		})
	}
}

func BenchmarkFirst(b *testing.B) {
	forEachSet(b, "112x32", func(b *testing.B, s *Set) {
		rng := newRand(3)
		l := s.NewFirst(randomConv(rng, 3, 32, 27))
		var rows [3][]int8
		for i := range rows {
			rows[i] = randomInt8s(rng, 225*3)
		}
		dst := make([]int8, 112*l.Out)
		scratch := NewScratch(27)
		for b.Loop() {
			s.First(dst, &rows, l, scratch)
		}
		reportMACs(b, 112*32*27)
	})
}

func BenchmarkAdd(b *testing.B) {
	forEachSet(b, "56x24", func(b *testing.B, s *Set) {
		rng := newRand(4)
		x, y := randomInt8s(rng, 56*24), randomInt8s(rng, 56*24)
		a := NewAdd(Quantization{0.1, 3}, Quantization{0.2, -4}, Quantization{0.21, 5}, -128, 127)
		for b.Loop() {
			s.Add(y, x, y, a)
		}
		b.SetBytes(56 * 24)
	})
}

func reportMACs(b *testing.B, macs int) {
	b.ReportMetric(float64(macs)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
}
