// What the kernels with SDOT have in common: requantization of sums, in lanes
// of 32 bits, to bytes. The constants of 8 channels are in an sdotHead, before
// their weights.
//
// Sums start at the bits of the float 1.5*2^23, plus the bias: then their bits
// are those of the float 1.5*2^23 + sum, and the low 16 bits of the bits of
//
//	fma(sum, factor, offset)
//
// are the number wanted, which is saturated to a byte. exact.go proves, for the
// sums that can be, that this is the definition's; where it is not, the head's
// mode says what comes before. A mode is a set of bits, whose numbers are
// sdotBound, sdotRound0, sdotRound1 and sdotExact. Padding is in the sources:
// no kernel has borders. Tensors lie as [group of 16 channels][pixel][16], and
// 8 channels are one half of each 16 bytes.

// The sum, as a float: result holds the offset before.
#define FUSE(sum, factor, result) FMLA_4S(sum, factor, result)

// Eight numbers, the low halves of 4 and 4 results, are brought together in
// the first of them, and narrowed to bytes. They fit 16 bits.
#define PACK(a, b) UZP1_8H(a, b, a)
#define NARROW(a) SQXTN_8B(a, a)

// What comes before that in modes other than 0, for the sums of the first 4
// channels, or the last: EACH0(f, x) and EACH1(f, x) are f(sum, x, sum) for all
// of them.

// Sums that go too far for the numbers to fit are bounded, as integers.
#define BOUND(each, low, high) \
	each(SMAX_4S, low); \
	each(SMIN_4S, high)

// Where fma is not exact, it has a factor of 1, and the definition's product
// and rounding come before it:
//
//	rint((sum - 1.5*2^23) * multiplier) + 1.5*2^23
#define ROUND(each, multiplier, magic) \
	each(FSUB_4S, magic); \
	each(FMUL_4S, multiplier); \
	each(FADD_4S, magic)

// Sums that can be any integer start with the bias alone, and then the factor
// is 1 and the offset the zero point:
//
//	bits(1.5*2^23 + clamp(rint(float32(sum) * multiplier), low, high))
#define EXACT(each, multiplier, low, high, magic) \
	each(TOFLOAT, 0); \
	each(FMUL_4S, multiplier); \
	each(TOINT, 0); \
	each(SMAX_4S, low); \
	each(SMIN_4S, high); \
	each(ADD_4S, magic)
// Conversions have one operand; each gives them two.
#define TOFLOAT(n, m, d) SCVTF_4S(n, d)
#define TOINT(n, m, d) FCVTNS_4S(n, d)
