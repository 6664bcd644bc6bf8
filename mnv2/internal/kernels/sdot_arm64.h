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

// Sums that go too far are bounded before that; being positive floats, they
// compare as integers do.
#define BOUND(sum, low, high) \
	SMAX_4S(sum, low, sum); \
	SMIN_4S(sum, high, sum)

// Where fma is not exact, it has a factor of 1, and the definition's product
// and rounding come before it:
//
//	rint((sum - 1.5*2^23) * multiplier) + 1.5*2^23
#define ROUND(sum, multiplier, magic) \
	FSUB_4S(sum, magic, sum); \
	FMUL_4S(sum, multiplier, sum); \
	FADD_4S(sum, magic, sum)

// Sums that can be any integer:
//
//	bits(1.5*2^23 + clamp(rint(float32(sum) * multiplier), low, high))
#define EXACT(sum, multiplier, low, high, magic) \
	SCVTF_4S(sum, sum); \
	FMUL_4S(sum, multiplier, sum); \
	FCVTNS_4S(sum, sum); \
	SMAX_4S(sum, low, sum); \
	SMIN_4S(sum, high, sum); \
	ADD_4S(sum, magic, sum)
