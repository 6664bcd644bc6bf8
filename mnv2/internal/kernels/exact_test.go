package kernels

import (
	"math"
	"testing"
)

// TestFuse compares fused requantizations with the definition for every sum.
func TestFuse(t *testing.T) {
	rng := newRand(20)
	found := 0
	const tries = 100
	for i := range tries {
		m := float32(math.Exp(-rng.Float64() * 7))
		if i%10 == 0 {
			m = 1 / float32(1+rng.IntN(1000)) // many products near a tie
		}
		zero := int32(rng.IntN(256) - 128)
		reach := int64(300/m) + 10
		low, high := -rng.Int64N(reach), rng.Int64N(reach)
		minimum, maximum := int32(-128), int32(127)
		if i%3 == 0 {
			minimum, maximum = -100+int32(rng.IntN(50)), 50+int32(rng.IntN(50))
		}
		if i%5 == 0 {
			low, high = 30*low, 30*high
		}
		f, ok, _ := fuse(m, zero, minimum, maximum, low, high)
		if !ok {
			continue
		}
		found++
		for sum := low; sum <= high; sum += 1 + rng.Int64N(3) {
			bounded := sum
			if f.bound {
				bounded = min(max(sum, f.low), f.high)
			}
			x := math.Float32frombits(uint32(magicBits + f.start + int32(bounded)))
			// The product is exact in float64. The offset, a whole number, is added
			// to its whole part.
			whole, fraction := math.Modf(float64(x) * float64(f.factor))
			fma := int64(whole) + int64(f.offset) + int64(math.Floor(fraction+0.5))
			if fraction == 0.5 {
				t.Fatalf("m %v, zero %d, sums %d to %d: %+v: %d gives a tie", m, zero, low, high, f, sum)
			}
			got := int8(min(max(int16(fma-magic), -128), 127))
			if want := requantize(int32(sum), m, zero, int8(minimum), int8(maximum)); got != want {
				t.Fatalf("m %v, zero %d, sums %d to %d: %+v: %d gives %d, want %d", m, zero, low, high, f, sum, got, want)
			}
		}
	}
	t.Logf("%d of %d found", found, tries)
	if found < tries/2 {
		t.Errorf("%d of %d found", found, tries)
	}
}

func TestSumRange(t *testing.T) {
	rng := newRand(21)
	for range 100 {
		weights := randomInt8s(rng, 1+rng.IntN(50))
		bias := int32(rng.Uint32())
		low, high := int64(bias), int64(bias)
		for _, w := range weights {
			low += min(-128*int64(w), 127*int64(w))
			high += max(-128*int64(w), 127*int64(w))
		}
		if l, h := sumRange(bias, weights); l != low || h != high {
			t.Fatalf("%v: %d to %d, want %d to %d", weights, l, h, low, high)
		}
	}
}

func BenchmarkFuse(b *testing.B) {
	rng := newRand(22)
	found := 0
	for i := 0; b.Loop(); i++ {
		m := float32(0.001 + 0.02*rng.Float64())
		if _, ok, _ := fuse(m, -128, -128, 127, -60000, 60000); ok {
			found++
		}
	}
	b.ReportMetric(float64(found)/float64(b.N), "found")
}
