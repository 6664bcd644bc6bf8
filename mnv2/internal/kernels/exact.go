package kernels

import (
	"math"
	"math/bits"
)

// Requantization with one fused multiply-add, and the proof that it is exact.
//
// A sum that starts at the bits of the float 1.5 * 2^23 *is*, as float32, 1.5 *
// 2^23 + sum, and a float32 result near 1.5 * 2^23 is rounded to a whole
// number, whose low 16 bits are the number. So
//
//	fma(1.5*2^23 + start + sum, factor, offset)
//
// rounds once where the definition, rint(float32(sum) * multiplier) + zero,
// rounds twice. Both grow with the sum. So they are equal everywhere if each
// number up to the largest is reached by the same smallest sum in both, and the
// smallest and the largest sum give no number beyond those; and start and offset
// are found such that this is so.

// magic is 1.5 * 2^23, where float32 counts in ones, and magicBits are its bits.
const (
	magic     = 3 << 22
	magicBits = 0x4B400000
)

// A fused requantization of a channel.
//
// Where sums go so far that their floats, or the results, would leave their
// range, or that a clamp narrower than a byte is due, they are bounded first,
// which changes nothing: beyond low and high all sums give the same number.
type fused struct {
	start          int32 // added to the sum
	factor, offset float32
	constant       bool  // factor is 0, all sums give one number
	low, high      int64 // bounds of the sum
	bound          bool  // whether they are needed for fma,
	boundRounding  bool  // or for the definition's steps in float32 before it
}

// sumRange bounds a channel's sum whatever its inputs are.
func sumRange(bias int32, weights []int8) (low, high int64) {
	var sum, size int32 // of the weights, and of their absolute values
	for _, w := range weights {
		sign := int32(w) >> 7
		sum += int32(w)
		size += int32(w) ^ sign - sign
	}
	positive, negative := int64(size+sum)/2, int64(size-sum)/2
	return int64(bias) - 128*positive - 127*negative, int64(bias) + 127*positive + 128*negative
}

// fuse looks for the fused requantization of a channel whose sums are low to
// high. If it finds none, rounds says whether the sums, bounded if need be, can
// be requantized in float32: rint((1.5*2^23 + sum - 1.5*2^23) * m).
func fuse(m float32, zero, minimum, maximum int32, low, high int64) (f fused, found, rounds bool) {
	if low < math.MinInt32 || high > math.MaxInt32 {
		return f, false, false // sums wrap
	}
	minimum, maximum = minimum-zero, maximum-zero
	least, most := reached(low, m, minimum, maximum), reached(high, m, minimum, maximum)
	if least == most && high-low < 1<<23 {
		f = fused{start: int32(-1<<22 - low), offset: float32(magic + int64(zero) + least), constant: true}
		return f, true, true
	}
	// In units of 2^-s the multiplier is mantissa.
	mantissa, s, ok := units(m)
	if !ok || least == most || low < -1<<29 || high > 1<<29 {
		return f, false, false
	}
	t := thresholds{mantissa: mantissa, s: s}
	t.find(least, most)
	f.low, f.high = t.sums[0]-1, t.sums[t.n-1]
	clamped := minimum+zero > -128 || maximum+zero < 127
	f.bound = clamped || high-low >= 1<<23 || !short(low, high, m)
	f.boundRounding = clamped || max(high, -low) >= 1<<22 || !short(low, high, m)
	// With multipliers beyond one, numbers are left out, perhaps the clamp's.
	rounds = max(f.high, -f.low) < 1<<22 &&
		(!clamped || unclamped(f.low, m) == least && unclamped(f.high, m) == most)
	if f.bound {
		low, high = f.low, f.high
	}
	t.lowest, t.low = low, f.bound || unclamped(low, m) >= int64(minimum)
	t.highest, t.high = high, f.bound || unclamped(high, m) <= int64(maximum)
	return f, f.search(&t, int64(zero), low, high), rounds
}

// short says whether results are well within 16 bits.
func short(low, high int64, m float32) bool {
	return float64(max(high, -low))*float64(m) < 1<<15-256
}

// reached is the definition's number, without the zero point.
func reached(sum int64, m float32, minimum, maximum int32) int64 {
	return min(max(unclamped(sum, m), int64(minimum)), int64(maximum))
}

func unclamped(sum int64, m float32) int64 {
	const most = 1 << 40 // far beyond any clamp
	q := math.RoundToEven(float64(float32(sum) * m))
	return int64(min(max(q, -most), most))
}

// units gives m as mantissa * 2^-s, where products with sums fit an int64.
func units(m float32) (mantissa int64, s int, ok bool) {
	fraction, exp := math.Frexp(float64(m))
	s = 24 - exp
	return int64(fraction * (1 << 24)), s, m > 0 && s >= 18 && s <= 38
}

// search finds start, factor and offset.
func (f *fused) search(t *thresholds, zero, low, high int64) bool {
	// 1.5 * 2^23 + start + sum has to be between 2^23 and 2^24.
	first, last := int64(-1<<22)-low, int64(1<<22-1)-high
	one := int64(1) << t.s
	for _, d := range [...]int64{0, 1, -1, 2, -2, 3, -3} {
		m := t.mantissa + d
		// fma is the nearest whole number to (sum*m + excess) * 2^-s + zero,
		// where excess is what (1.5*2^23 + start)*m is beyond a whole number.
		low, high := t.excess(m)
		if low > high {
			continue
		}
		beyond := ((magic+first)*m - low) & (one - 1)
		steps := firstBetween(m&(one-1), one, (one-beyond)&(one-1), high-low)
		if steps < 0 || first+steps > last {
			continue
		}
		start := first + steps
		offset := magic + zero - ((magic+start)*m-low)>>t.s
		f.start, f.factor, f.offset = int32(start), float32(math.Ldexp(float64(m), -t.s)), float32(offset)
		if int64(f.offset) == offset {
			return true
		}
	}
	return false
}

// thresholds are the smallest sums that reach each of some numbers.
type thresholds struct {
	mantissa int64
	s        int
	first    int64      // the first number
	sums     [256]int64 // by number
	n        int

	// The ends of the range of sums, and whether they give numbers that no clamp
	// makes right: not below the first but one, and not beyond the last.
	lowest, highest int64
	low, high       bool
}

// find fills in the sums that reach each number after from, up to to.
//
// The definition reaches number q at half = q - 1/2 if q is even, beyond it if
// q is odd. The product before is rounded to float32 though, to a 2^-24th:
// what rounds to half counts as half.
func (t *thresholds) find(from, to int64) {
	t.first, t.n = from+1, int(to-from)
	one := int64(1) << t.s
	half := one/2 + from*one // of the first number
	sum := ceilDiv(half, t.mantissa)
	excess := sum*t.mantissa - half // of the sum's product over half
	step, rest := one/t.mantissa, one%t.mantissa
	widest := shift(t.s - 16) // of slacks: twice a number has 10 bits
	for i := range t.sums[:t.n] {
		t.sums[i] = sum
		if excess <= widest || t.mantissa-excess <= widest {
			q := t.first + int64(i)
			if below, above := t.slack(q); q&1 == 0 && t.mantissa-excess <= below {
				t.sums[i]--
			} else if q&1 != 0 && excess <= above {
				t.sums[i]++
			}
		}
		sum, excess = sum+step, excess-rest
		if excess < 0 {
			sum, excess = sum+1, excess+t.mantissa
		}
	}
}

// slack gives how far below and above q - 1/2 a product still rounds to it.
func (t *thresholds) slack(q int64) (below, above int64) {
	twice := 2*q - 1
	size := max(twice, -twice)
	ulp := t.s + bits.Len64(uint64(size)) - 26 // half a unit in the last place
	outer := shift(ulp)
	inner := outer
	if size == 1 { // a power of 2: floats are denser towards zero
		inner = shift(ulp - 1)
	}
	if q > 0 {
		return inner, outer
	}
	return outer, inner
}

func shift(n int) int64 {
	if n < 0 {
		return 0
	}
	return 1 << n
}

// excess gives the range of what may be added to every sum's product with m,
// such that each number is still reached by the same sum, and not by a tie.
func (t *thresholds) excess(m int64) (low, high int64) {
	one := int64(1) << t.s
	half := (2*t.first - 1) * (one / 2)
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	for _, sum := range t.sums[:t.n] {
		e := sum*m - half
		least, most = min(least, e), max(most, e)
		half += one
	}
	low, high = 1-least, m-1-most
	if t.low {
		low = max(low, 1-(t.lowest*m-(2*t.first-3)*(one/2)))
	}
	if t.high {
		high = min(high, half-1-t.highest*m)
	}
	return low, high
}

func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}

// firstBetween is the smallest j >= 0 such that (a*j - low) mod n <= width,
// or -1: Euclid's algorithm, as each step asks the same of a smaller modulus.
func firstBetween(a, n, low, width int64) int64 {
	if low == 0 || low+width >= n {
		return 0
	}
	if a == 0 {
		return -1
	}
	j := ceilDiv(low, a)
	if a*j <= low+width {
		return j
	}
	// No multiple of a lies between: so low and low+width leave the same
	// quotient, and n*k is wanted between them, modulo a, negated.
	k := firstBetween(n%a, a, a-(low+width)%a, width)
	if k < 0 {
		return -1
	}
	return ceilDiv(low+n*k, a)
}
