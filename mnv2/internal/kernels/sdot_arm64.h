// What the kernels with SDOT have in common: requantization of sums, in lanes
// of 32 bits, to bytes. The constants of 8 channels are in an sdotHead, which
// HEAD points to; see sdot_arm64.go for its formula.

// fma(sum, factor, offset), where the sum's bits are those of a float near
// 1.5*2^23: result holds the offset before.
#define FUSE(sum, factor, result) FMLA_4S(sum, factor, result)

// Eight numbers, the low halves of 4 and 4 results, are brought together in
// the first of them, and narrowed to bytes.
#define PACK(a, b) UZP1_8H(a, b, a)
#define NARROW(a) SQXTN_8B(a, a)

// What comes before that in other modes, for all sums of a kernel: EACH(f, x,
// y) is f(sum, x, sum) for those of the first 4 channels, and f(sum, y, sum)
// for those of the other 4.

// Sums that go too far are bounded; being positive floats, they compare as
// integers do.
#define BOUND(low0, low1, high0, high1) \
	EACH(SMAX_4S, low0, low1); \
	EACH(SMIN_4S, high0, high1)

// Where fma is not exact, it has a factor of 1, and the definition's product
// and rounding come before it:
//
//	rint((sum - 1.5*2^23) * multiplier) + 1.5*2^23
#define ROUND(multiplier0, multiplier1, magic) \
	EACH(FSUB_4S, magic, magic); \
	EACH(FMUL_4S, multiplier0, multiplier1); \
	EACH(FADD_4S, magic, magic)

// Sums that can be any integer:
//
//	bits(1.5*2^23 + clamp(rint(float32(sum) * multiplier), low, high))
#define EXACT(multiplier0, multiplier1, low, high, magic) \
	EACH(TOFLOAT, 0, 0); \
	EACH(FMUL_4S, multiplier0, multiplier1); \
	EACH(TOINT, 0, 0); \
	EACH(SMAX_4S, low, low); \
	EACH(SMIN_4S, high, high); \
	EACH(ADD_4S, magic, magic)
#define TOFLOAT(n, m, d) SCVTF_4S(n, d)
#define TOINT(n, m, d) FCVTNS_4S(n, d)
