package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// Every kernel of every set is compared with the formulas of TensorFlow Lite's
// specification, written down here without packing, folding or padding.

func TestFirst(t *testing.T) {
	forEachSet(t, "", func(t *testing.T, s *Set) {
		rng := newRand(1)
		m := newMemory(t)
		for width := 1; width <= 36; width++ {
			c := randomConv(rng, 3, 1+rng.IntN(40), 27)
			rows := [3][]int8{}
			for i := range rows {
				rows[i] = m.random(rng, 6*width+FirstSlack)
			}
			l := s.NewFirst(c)
			got := m.pixels(rng, l.Out, width)
			s.First(got, &rows, width, l, NewScratch(3, width))
			for x := range width {
				for o := range c.Out {
					var acc int32
					for i := range 27 {
						acc += c.product(rows[i/9][6*x+i%9]^s.Flip, c.Weights[27*o+i])
					}
					mustEqual(t, got.value(s, o, x), c.requantize(acc, o), "width %d: pixel %d, channel %d", width, x, o)
				}
			}
			m.free()
		}
	})
}

func TestPointwise(t *testing.T) {
	test := func(t *testing.T, s *Set, rng *rand.Rand, c *Conv, n int) {
		l := s.NewPointwise(c)
		m := newMemory(t)
		defer m.free()
		src := m.pixels(rng, l.In, n) // what the channels' padding holds must not matter
		if rng.IntN(4) == 0 {
			for i := range src.Data {
				src.Data[i] = -128 ^ s.Flip
			}
		}
		from := rng.IntN((l.Out+s.Step-1)/s.Step) * s.Step
		to := min(from+(1+rng.IntN(7))*s.Step, l.Out)
		dst := m.pixels(rng, to-from, n)
		before := dst.clone()
		s.Pointwise(dst, src, n, l, from, to, NewScratch(c.In, n))
		for p := range n {
			for o := from; o < min(to, c.Out); o++ {
				var acc int32
				for i := range c.In {
					acc += c.product(src.value(s, i, p), c.Weights[o*c.In+i])
				}
				mustEqual(t, dst.value(s, o-from, p), c.requantize(acc, o),
					"%d pixels, %d to %d channels, %d to %d: pixel %d, channel %d", n, c.In, c.Out, from, to, p, o)
			}
		}
		dst.mustKeep(t, before, n)
	}
	forEachSet(t, "", func(t *testing.T, s *Set) {
		rng := newRand(2)
		for n := 1; n <= 40; n++ {
			for range 8 {
				in, out := 1+rng.IntN(100), 1+rng.IntN(150)
				test(t, s, rng, randomConv(rng, in, out, in), n)
			}
		}
		for in := 1; in <= 40; in++ {
			test(t, s, rng, randomConv(rng, in, 40, in), 1+rng.IntN(9))
		}
		for out := 1; out <= 3*s.Step+Group; out += 1 + out/8 {
			test(t, s, rng, randomConv(rng, 5, out, 5), 1+rng.IntN(9))
		}
		for _, in := range []int{63, 64, 65, 144, 320, 960, 1792} {
			test(t, s, rng, randomConv(rng, in, 21, in), 15)
			// The largest sums there are.
			for _, w := range []int8{-128, 127} {
				c := randomConv(rng, in, 21, in)
				for i := range c.Weights {
					c.Weights[i] = w
				}
				test(t, s, rng, c, 15)
			}
		}
		test(t, s, rng, randomConv(rng, 1280, 1000, 1280), 1)
	})
}

func TestDepthwise(t *testing.T) {
	forEachSet(t, "", func(t *testing.T, s *Set) {
		rng := newRand(3)
		for i := range 240 {
			n := 1 + i/6
			stride := 1 + i%2
			rows := 1
			if stride == 1 {
				rows += rng.IntN(2)
			}
			c := randomConv(rng, 1, 1+rng.IntN(200), 9)
			c.In = c.Out
			if rng.IntN(4) == 0 {
				for i := range c.Weights {
					c.Weights[i] = -128
				}
			}
			l := s.NewDepthwise(c)
			from := rng.IntN((l.Out+s.Step-1)/s.Step) * s.Step
			to := min(from+(1+rng.IntN(7))*s.Step, l.Out)
			m := newMemory(t)
			var src, dst, before []Pixels
			gap, gapOut := rng.IntN(9), rng.IntN(9)
			for range rows + 2 {
				src = append(src, m.strided(rng, to-from, (n-1)*stride+3, gap))
			}
			for range rows {
				dst = append(dst, m.strided(rng, to-from, n, gapOut))
				before = append(before, dst[len(dst)-1].clone())
			}
			s.Depthwise(dst, src, n, l, stride, from, to)
			for y := range rows {
				for x := range n {
					for o := from; o < min(to, c.Out); o++ {
						var acc int32
						for i := range 9 {
							acc += c.product(src[y+i/3].value(s, o-from, x*stride+i%3), c.Weights[i*c.Out+o])
						}
						mustEqual(t, dst[y].value(s, o-from, x), c.requantize(acc, o),
							"%d rows of %d pixels, stride %d, channels %d to %d of %d: row %d, pixel %d, channel %d",
							rows, n, stride, from, to, c.Out, y, x, o)
					}
				}
				dst[y].mustKeep(t, before[y], n)
			}
			m.free()
		}
	})
}

func TestAdd(t *testing.T) {
	var x, y []int8 // all pairs
	for i := range 1 << 16 {
		x, y = append(x, int8(i)), append(y, int8(i>>8))
	}
	forEachSet(t, "", func(t *testing.T, s *Set) {
		rng := newRand(4)
		for i := range 60 {
			random := func() Quantization {
				return Quantization{float32(math.Exp(6*rng.Float64() - 6)), int32(rng.IntN(256) - 128)}
			}
			qx, qy, qo := random(), random(), random()
			switch i { // the limits
			case 0:
				qx.Scale, qy.Scale, qo.Scale = MinRatio, 1e-9, 1
			case 1:
				qx.Scale, qy.Scale, qo.Scale = math.Nextafter32(MaxRatio, 0), math.Nextafter32(MaxRatio, 0), 1
			case 2:
				qx.Scale, qy.Scale, qo.Scale = 1, 1, 1
			}
			low, high := int8(-128), int8(127)
			if i%3 == 0 {
				low, high = -100, 90
			}
			a := NewAdd(qx, qy, qo, low, high)
			want := func(x, y int8) int8 {
				rx, ry := qx.Scale/qo.Scale, qy.Scale/qo.Scale
				shift := 20 - math.Floor(math.Log2(float64(max(rx, ry))))
				mx := int64(math.RoundToEven(float64(rx) * math.Exp2(shift)))
				my := int64(math.RoundToEven(float64(ry) * math.Exp2(shift)))
				v := mx*(int64(x)-int64(qx.Zero)) + my*(int64(y)-int64(qy.Zero))
				v = (v+1<<(int(shift)-1))>>int(shift) + int64(qo.Zero)
				return int8(min(max(v, int64(low)), int64(high)))
			}
			got := append([]int8(nil), y...)
			s.Add(got, x, got, a) // in place
			step := 1 + rng.IntN(37)
			for j := 0; j < len(x); j += step {
				x, y := x[j]^s.Flip, y[j]^s.Flip
				mustEqual(t, got[j]^s.Flip, want(x, y), "%v + %v = %v: %d + %d", qx, qy, qo, x, y)
			}
			n := 1 + rng.IntN(200)
			m := newMemory(t)
			odd, oddX, oddY := m.random(rng, n), m.take(n), m.take(n)
			copy(oddX, x[300:])
			copy(oddY, y[300:])
			s.Add(odd, oddX, oddY, a)
			for j := range odd {
				mustEqual(t, odd[j], got[300+j], "%d values: value %d", n, j)
			}
			m.free()
		}
	})
}

func TestMean(t *testing.T) {
	forEachSet(t, "", func(t *testing.T, s *Set) {
		rng := newRand(5)
		for n := 1; n <= 100; n++ {
			m := newMemory(t)
			in := Quantization{0.0235, int32(rng.IntN(256) - 128)}
			out := Quantization{0.003 + 0.03*rng.Float32(), int32(rng.IntN(256) - 128)}
			dst := m.take(Pad(1 + rng.IntN(100)))
			src := m.pixels(rng, len(dst), n)
			s.Mean(dst, src, n, NewMean(in, out, n))
			for c := range dst {
				var acc int32
				for p := range n {
					acc += int32(src.value(s, c, p)) - in.Zero
				}
				m := in.Scale / (out.Scale * float32(n))
				mustEqual(t, dst[c]^s.Flip, requantize(acc, m, out.Zero, -128, 127), "%d pixels: channel %d", n, c)
			}
			m.free()
		}
	})
}

// TestRequantize has the cases that are easily wrong, through a pointwise
// convolution of one weight: ties, zero points that are odd, sums that float32
// rounds, and products far outside the range.
func TestRequantize(t *testing.T) {
	for _, c := range []struct {
		acc  int32
		m    float32
		zero int32
		want int8
	}{
		{1, 0.5, 0, 0},
		{3, 0.5, 0, 2},
		{-1, 0.5, 0, 0},
		{-3, 0.5, 0, -2},
		{1, 0.5, 1, 1},
		{3, 0.5, 1, 3},
		{-1, 0.5, 1, 1},
		{5, 0.5, -3, -1},
		{254, 0.5, 1, 127},
		{255, 0.5, 0, 127},
		{255, 0.5, -1, 127},
		{-257, 0.5, 0, -128},
		{0, 0, 5, 5},
		{1 << 30, 0, 5, 5},
		{7, 1e-45, 5, 5},
		{math.MaxInt32, 255.99, 0, 127},
		{math.MinInt32, 255.99, 0, -128},
		{math.MaxInt32, 255.99, -128, 127},
		{math.MinInt32, 255.99, 127, -128},
		{1<<24 + 1, 0x1p-24 * 2.5, 0, 2},
		{1<<24 + 3, 0x1p-24 * 2.5, 0, 3},
		{math.MaxInt32, 0x1p-31 * 0.5, 0, 0},
		{math.MaxInt32, 0x1p-31 * 1.5, 0, 2},
	} {
		conv := &Conv{
			In: 1, Out: 1, Weights: []int8{0}, Bias: []int32{c.acc}, Scales: []float32{c.m},
			Input: Quantization{1, 0}, Output: Quantization{1, c.zero}, Min: -128, Max: 127,
		}
		if got := conv.requantize(0, 0); got != c.want {
			t.Fatalf("%+v: the formula says %d", c, got)
		}
		forEachSet(t, fmt.Sprintf("%+v", c), func(t *testing.T, s *Set) {
			l := s.NewPointwise(conv)
			for n := 1; n <= 20; n++ {
				dst, src := newPixels(Group, n), newPixels(Group, n)
				s.Pointwise(dst, src, n, l, 0, l.Out, NewScratch(l.In, 0))
				for p := range n {
					mustEqual(t, dst.value(s, 0, p), c.want, "%+v, pixel %d of %d", c, p, n)
				}
			}
		})
	}
}

// TestPeak has every set make multiply-adds, more of them in more rounds.
func TestPeak(t *testing.T) {
	for _, s := range sets {
		if few, more := s.Peak(1000), s.Peak(2000); few <= 0 || more <= few {
			t.Errorf("%s: %d multiply-adds in 1000 rounds, %d in 2000", s.Name, few, more)
		}
	}
}

func TestSelect(t *testing.T) {
	if s, err := Select(""); err != nil || s != sets[0] {
		t.Errorf("the fastest: %v, %v", s, err)
	}
	for _, name := range Names() {
		if s, err := Select(name); err != nil || s.Name != name {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if _, err := Select("abacus"); err == nil || !strings.Contains(err.Error(), strings.Join(Names(), ", ")) {
		t.Errorf("an unknown name: %v", err)
	}
}

// product is what one weight adds to the sum; sums wrap as int32 do.
func (c *Conv) product(x, w int8) int32 {
	return (int32(x) - c.Input.Zero) * int32(w)
}

// requantize is channel o of the output, from the sum of the products.
func (c *Conv) requantize(acc int32, o int) int8 {
	m := float32(c.Input.Scale*c.Scales[o]) / c.Output.Scale
	return requantize(acc+c.Bias[o], m, c.Output.Zero, c.Min, c.Max)
}

func requantize(acc int32, m float32, zero int32, low, high int8) int8 {
	q := math.RoundToEven(float64(float32(acc)*m)) + float64(zero)
	return int8(min(max(q, float64(low)), float64(high)))
}

func mustEqual(t *testing.T, got, want int8, format string, args ...any) {
	if got != want {
		t.Helper()
		t.Fatalf("%s: %d: want %d", fmt.Sprintf(format, args...), got, want)
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

type runner[T any] interface {
	testing.TB
	Run(name string, f func(T)) bool
}

// forEachSet runs f with every set that this CPU runs.
func forEachSet[T runner[T]](t T, name string, f func(T, *Set)) {
	if name != "" {
		name += "/"
	}
	for _, s := range sets {
		t.Run(name+s.Name, func(t T) { f(t, s) })
	}
}

// randomConv has taps weights for each output, results that fill the range and
// are clipped now and then, and sometimes a narrow clamp or sums that wrap.
// Some have small weights, and multipliers from 0 to 5.
func randomConv(rng *rand.Rand, in, out, taps int) *Conv {
	c := &Conv{
		In: in, Out: out,
		Weights: randomInt8s(rng, out*taps),
		Bias:    make([]int32, out),
		Scales:  make([]float32, out),
		Input:   Quantization{0.02, int32(rng.IntN(256) - 128)},
		Output:  Quantization{0.03, int32(rng.IntN(256) - 128)},
		Min:     -128, Max: 127,
	}
	if rng.IntN(3) == 0 {
		c.Min, c.Max = int8(-100+rng.IntN(50)), int8(50+rng.IntN(50))
	}
	for o := range out {
		c.Bias[o] = int32(rng.IntN(20001) - 10000)
		if rng.IntN(20) == 0 {
			c.Bias[o] = int32(rng.Uint32())
		}
		// The root mean square of the sums is about 74 * 74 * sqrt(taps).
		c.Scales[o] = (0.5 + rng.Float32()) * 90 / 5500 / float32(math.Sqrt(float64(taps)))
	}
	if rng.IntN(6) == 0 {
		most := 8 * rng.Float32()
		for i := range c.Weights {
			c.Weights[i] = int8(rng.IntN(5) - 2)
		}
		for o := range out {
			c.Bias[o] = int32(rng.IntN(201) - 100)
			c.Scales[o] = most * rng.Float32()
		}
	}
	return c
}
