package quantize

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestHistogram has values counted in any order, and in parts, come to the same.
func TestHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var parts [][]float32
	for i := range 6 {
		var part []float32
		for range 100 {
			part = append(part, float32(rng.NormFloat64()*math.Pow(3, float64(i))))
		}
		parts = append(parts, part)
	}
	parts = append(parts, []float32{0, 0}, nil)
	var up, down, joined histogram
	for i := range parts {
		up.see(parts[i], largest(parts[i]))
		down.see(parts[len(parts)-1-i], largest(parts[len(parts)-1-i]))
		var one histogram
		one.see(parts[i], largest(parts[i]))
		joined.add(&one)
	}
	if up != down || up != joined {
		t.Error("the order of what is seen matters")
	}
	var n int64
	for _, c := range up.counts {
		n += c
	}
	if n != 600 {
		t.Errorf("%d values counted: want 600, without those that are 0", n)
	}
}

// TestLeastError compares the range with that of a plain search over the values.
func TestLeastError(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, draw := range []func() float64{
		rng.NormFloat64,
		func() float64 { return math.Pow(rng.NormFloat64(), 5) }, // heavy tails
		func() float64 { return rng.Float64() - 0.2 },
		rng.ExpFloat64,
		func() float64 { return -rng.ExpFloat64() },
	} {
		var values []float32
		for range 5000 {
			values = append(values, float32(draw()))
		}
		var h histogram
		h.see(values, largest(values))
		cost := func(low, high float64) (sum float64) {
			q := quantization(low, high)
			step := float64(q.Scale)
			low, high = step*float64(-128-q.Zero), step*float64(127-q.Zero)
			for _, v := range values {
				d := max(low-float64(v), float64(v)-high, 0)
				sum += clipped*d*d + step*step/12
			}
			return sum
		}
		low, high := h.span()
		least := math.Inf(1)
		for i := range 50 {
			for j := range 50 {
				if l, r := low*float64(50-i)/50, high*float64(50-j)/50; l < r {
					least = min(least, cost(l, r))
				}
			}
		}
		q := h.leastError(low, high)
		step := float64(q.Scale)
		if got := cost(step*float64(-128-q.Zero), step*float64(127-q.Zero)); got > 1.05*least {
			t.Errorf("range of %v costs %g: the best costs %g", q, got, least)
		}
	}
}

func largest(values []float32) (most float32) {
	for _, v := range values {
		most = max(most, v, -v)
	}
	return most
}
