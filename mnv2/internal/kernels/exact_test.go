package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestFuse compares fused requantizations with the definition for every sum.
func TestFuse(t *testing.T) {
	rng := newRand(20)
	found := 0
	const tries = 300
	for i := range tries {
		m := float32(math.Exp(1 - rng.Float64()*8))
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
		for range 40 { // few sums, that reach few numbers
			low := rng.Int64N(2*reach) - reach
			mustFuse(t, rng, m, zero, minimum, maximum, low, low+rng.Int64N(reach/4))
		}
		if mustFuse(t, rng, m, zero, minimum, maximum, low, high) {
			found++
		}
	}
	t.Logf("%d of %d found", found, tries)
	if found < tries/2 {
		t.Errorf("%d of %d found", found, tries)
	}
}

// mustFuse has a fused requantization, if there is one, give what the definition
// does.
func mustFuse(t *testing.T, rng *rand.Rand, m float32, zero, minimum, maximum int32, low, high int64) (found bool) {
	t.Helper()
	f, found, _ := fuse(m, zero, minimum, maximum, low, high)
	if !found {
		return false
	}
	next := low
	for sum := low; sum <= high; sum = next {
		next = min(high, sum+1+rng.Int64N(3))
		if sum == high {
			next++
		}
		bounded := sum
		if f.bound {
			bounded = min(max(sum, f.low), f.high)
		}
		x := math.Float32frombits(uint32(magicBits + f.start + int32(bounded)))
		// The product is exact in float64. The offset, a whole number, is added
		// to its whole part.
		whole, fraction := math.Modf(float64(x) * float64(f.factor))
		fma := int64(whole) + int64(f.offset) + int64(math.Floor(fraction+0.5))
		if number := fma - magic; fraction == 0.5 && -128 < number && number <= 127 {
			t.Fatalf("m %v, zero %d, sums %d to %d: %+v: %d gives a tie", m, zero, low, high, f, sum)
		}
		got := int8(min(max(int16(fma-magic), -128), 127))
		if want := requantize(int32(sum), m, zero, int8(minimum), int8(maximum)); got != want {
			t.Fatalf("m %v, zero %d, %d to %d, sums %d to %d: %+v: %d gives %d, want %d", m, zero, minimum, maximum, low, high, f, sum, got, want)
		}
	}
	return true
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
