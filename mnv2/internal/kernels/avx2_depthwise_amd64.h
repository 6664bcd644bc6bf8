// The 3x3 depthwise convolution, two neighbouring pixels by sixteen channels at
// a time, for each group of channels. The halves of a vector are the pixels.
// Y0 to Y3 are the sums of channels 0 to 3, 4 to 7, 8 to 11 and 12 to 15; where
// two rows are made at once, Y4 to Y7 are those of the second. Parameters, four
// channels at a time, and weights stand there twice, once for each pixel.
//
// Who includes this defines NAME, ADVANCE, from a pair of source pixels to the
// next, WINDOW, which adds the products of a pair's windows to the sums, FIRST,
// what WINDOW wants done before the first pair of a row, WEIGHTS, the bytes of
// weights of a group, FOR_EACH(F, G, a), which is F(a, i), where i is 0 to 3, and
// then G(a, i, sum) for the sums of that number, and FOR_ROWS(F), which is
// F(sums, dst) for each row. FACTOR and OFFSET are registers that WINDOW keeps
// nothing in from one pair to the next.

#define args AX   // *avx2Rows
#define out BX    // parameters of the group: start, factor, offset
#define w DX      // its weights
#define row0 R8   // of the source: the window's first column
#define row1 R9
#define row2 R10
#define row3 R11
#define to0 R12   // rows of dst
#define to1 R13
#define step CX   // from a group to the next
#define pairs SI  // to do
#define groups DI // to do

#define NOTHING(a, i)
#define START(a, i, sum) VMOVDQU (32*i)(out), sum

#define PARAMETERS(F, i) \
	VMOVDQU (128+32*i)(out), FACTOR \
	VMOVDQU (256+32*i)(out), OFFSET
#define REQUANTIZE(F, i, sum) F(FACTOR, OFFSET, sum)

// a0 = the bytes of a row. Joining leaves its channels in the order 0 4 1 5 2 6
// 3 7, 8 12 9 13 and so on.
#define PACK(a0, a1, a2, a3, to) \
	JOIN(a0, a1, a0)     \
	JOIN(a2, a3, a2)     \
	VPACKUSWB a2, a0, a0
#define CLAMP(a0, a1, a2, a3, to) \
	VPMAXUB FACTOR, a0, a0 \
	VPMINUB OFFSET, a0, a0
#define WRITE(a0, a1, a2, a3, to) \
	VPSHUFB avx2Channels<>(SB), a0, a0 \
	VMOVDQU a0, (to)

TEXT NAME(SB), NOSPLIT, $0-8
	MOVQ a+0(FP), args
	MOVQ avx2Rows_weights(args), w
	MOVQ avx2Rows_outputs(args), out
	MOVQ avx2Rows_groups(args), groups

group:
	MOVQ (avx2Rows_src+0)(args), row0
	MOVQ (avx2Rows_src+8)(args), row1
	MOVQ (avx2Rows_src+16)(args), row2
	MOVQ (avx2Rows_src+24)(args), row3
	MOVQ (avx2Rows_dst+0)(args), to0
	MOVQ (avx2Rows_dst+8)(args), to1
	MOVQ avx2Rows_pairs(args), pairs
	FIRST

pair:
	FOR_EACH(NOTHING, START, 0)
	WINDOW
	CMPL 256(out), $const_avx2LeastFused
	JLT  exact
	FOR_EACH(PARAMETERS, REQUANTIZE, FUSED)

pack:
	FOR_ROWS(PACK)
	CMPW avx2Rows_low(args), BYTE_RANGE
	JNE  clamp

write:
	FOR_ROWS(WRITE)
	ADDQ $ADVANCE, row0
	ADDQ $ADVANCE, row1
	ADDQ $ADVANCE, row2
	ADDQ $ADVANCE, row3
	ADDQ $32, to0
	ADDQ $32, to1
	DECQ pairs
	JNZ  pair

	MOVQ avx2Rows_srcStride(args), step
	ADDQ step, (avx2Rows_src+0)(args)
	ADDQ step, (avx2Rows_src+8)(args)
	ADDQ step, (avx2Rows_src+16)(args)
	ADDQ step, (avx2Rows_src+24)(args)
	MOVQ avx2Rows_dstStride(args), step
	ADDQ step, (avx2Rows_dst+0)(args)
	ADDQ step, (avx2Rows_dst+8)(args)
	ADDQ $WEIGHTS, w
	ADDQ $384, out
	DECQ groups
	JNZ  group
	VZEROUPPER
	RET

exact:
	FOR_EACH(PARAMETERS, REQUANTIZE, EXACT)
	JMP pack

clamp:
	VPBROADCASTB avx2Rows_low(args), FACTOR
	VPBROADCASTB avx2Rows_high(args), OFFSET
	FOR_ROWS(CLAMP)
	JMP write

#undef NAME
#undef FOR_EACH
#undef FIRST
#undef WINDOW
#undef ADVANCE
#undef FOR_ROWS
#undef NOTHING
#undef START
#undef PARAMETERS
#undef REQUANTIZE
#undef PACK
#undef CLAMP
#undef WRITE
#undef args
#undef out
#undef w
#undef row0
#undef row1
#undef row2
#undef row3
#undef to0
#undef to1
#undef step
#undef pairs
#undef groups
