// What the kernels without dot products have in common: requantization of
// sums, four in a vector, to numbers of 16 bits, which SQXTN narrows.

// Sums whose bits are those of floats near 1.5*2^23 become
//
//	bits(fma(sum, factor, offset))
//
// whose low 16 bits are the number; result holds the offset before. See
// exact.go.
#define FUSED(sum, factor, result) FMLA_4S(sum, factor, result)

// Where that is not exact, the definition is computed step by step. Integer
// sums, in four vectors, become numbers in the high 16 bits, to which the zero
// point is to be added:
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
