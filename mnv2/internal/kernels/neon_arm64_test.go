//go:build !purego

package kernels

import "testing"

// TestNeonSteps has weights of every size, and inputs that make the sums of
// their products as large as they can be: light and heavy steps, tails, and
// steps that are split, each of whose sums must fit 16 bits.
func TestNeonSteps(t *testing.T) {
	rng := newRand(30)
	var light, heavy, split int
	for i := range 400 {
		size := []int{1, 31, 63, 64, 90, 127, 128}[i%7]
		in, out, n := 8*(1+rng.IntN(9)), 1+rng.IntN(40), 1+rng.IntN(8)
		c := randomConv(rng, in, out, in)
		for j := range c.Weights {
			switch w := rng.IntN(2*size) - size; {
			case i%2 == 0:
				c.Weights[j] = int8(w)
			case rng.IntN(50) == 0:
				c.Weights[j] = -128
			default:
				c.Weights[j] = int8(-size)
			}
		}
		l, want := neon.NewPointwise(c), portable.NewPointwise(c)
		for g, start := range l.starts {
			head := l.Weights[start:]
			light, heavy = light+int(head[0][0]), heavy+int(head[1][0])
			if g == 0 && int(head[0][0])+int(head[1][0])+int(head[2][0]) > (in+Group-1)/Group {
				split++
			}
		}
		src := newPixels(l.In, n)
		for j := range src.Data {
			src.Data[j] = []int8{-128, 127, int8(rng.IntN(256) - 128)}[rng.IntN(3)]
			if i%4 == 1 {
				src.Data[j] = -128
			}
		}
		got, expected := newPixels(l.Out, n), newPixels(want.Out, n)
		neon.Pointwise(got, src, n, l, 0, l.Out, nil)
		portable.Pointwise(expected, src, n, want, 0, want.Out, NewScratch(in, n))
		for p := range n {
			for o := range out {
				mustEqual(t, got.value(&neon, o, p), expected.value(&portable, o, p),
					"weights up to %d, %d to %d channels: pixel %d, channel %d", size, in, out, p, o)
			}
		}
	}
	if light == 0 || heavy == 0 || split == 0 {
		t.Errorf("%d light steps, %d heavy, %d layers with split ones: want some of each", light, heavy, split)
	}
}
