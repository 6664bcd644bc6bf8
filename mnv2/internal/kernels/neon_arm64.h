// What the kernels without dot products have in common: requantization of
// sums, four in a vector, to numbers of 16 bits, which SQXTN narrows.

// A 32-bit field of the arguments, at R0, in all lanes.
#define DUP_FIELD(field, DUP, v) MOVW field(R0), R(T); DUP(T, v)

// Sums start at the bits of the float 1.5*2^23, plus the bias, so that their
// bits are those of 1.5*2^23 + sum. They become
//
//	bits(fma(sum, factor, offset))
//
// whose low 16 bits are the number, the zero point included; result holds the
// offset before. See exact.go.
#define FUSED(sum, factor, result) FMLA_4S(sum, factor, result)

// Where that is not exact, the definition is computed step by step. Integer
// sums, in four vectors, and as many of factors, become numbers in the high 16
// bits, to which the zero point is to be added:
//
//	clamp(rint(float32(sum) * factor), 16 bits) << 16
#define STEPWISE(sum, factor) \
	SCVTF_4S(sum, sum); \
	SCVTF_4S(sum+1, sum+1); \
	SCVTF_4S(sum+2, sum+2); \
	SCVTF_4S(sum+3, sum+3); \
	FMUL_4S(sum, factor, sum); \
	FMUL_4S(sum+1, factor+1, sum+1); \
	FMUL_4S(sum+2, factor+2, sum+2); \
	FMUL_4S(sum+3, factor+3, sum+3); \
	FCVTNS_4S(sum, sum); \
	FCVTNS_4S(sum+1, sum+1); \
	FCVTNS_4S(sum+2, sum+2); \
	FCVTNS_4S(sum+3, sum+3); \
	SQSHL_4S(16, sum, sum); \
	SQSHL_4S(16, sum+1, sum+1); \
	SQSHL_4S(16, sum+2, sum+2); \
	SQSHL_4S(16, sum+3, sum+3)
