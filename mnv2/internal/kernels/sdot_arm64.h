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

// What comes before that in other modes, for the sums of the first 4 channels,
// or the last: EACH0(f, x) and EACH1(f, x) are f(sum, x, sum) for all of them.

// Sums that go too far are bounded; being positive floats, they compare as
// integers do.
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

// Sums that can be any integer:
//
//	bits(1.5*2^23 + clamp(rint(float32(sum) * multiplier), low, high))
#define EXACT(each, multiplier, low, high, magic) \
	each(TOFLOAT, 0); \
	each(FMUL_4S, multiplier); \
	each(TOINT, 0); \
	each(SMAX_4S, low); \
	each(SMIN_4S, high); \
	each(ADD_4S, magic)
#define TOFLOAT(n, m, d) SCVTF_4S(n, d)
#define TOINT(n, m, d) FCVTNS_4S(n, d)
