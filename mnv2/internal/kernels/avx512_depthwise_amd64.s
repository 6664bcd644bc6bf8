//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx512_amd64.h"

// A column is the 16 channels of one pixel, a dword each, the bytes of which
// are the pixel in three or four rows. So a convolution is three dot products
// of columns with weights: of the rows (0 1 2 3) the upper output's weights
// are (w0 w1 w2 0), and the lower one's (0 w0 w1 w2).

#define ROW0 R8 // pixels AT bytes, or twice that with stride 2, are behind us
#define ROW1 R9
#define ROW2 R10
#define ROW3 R11
#define OUT0 DI // pixels AT bytes are behind us
#define OUT1 SI
#define AT R13
#define PIXELS R12 // ahead of us
#define WEIGHTS DX
#define OUTPUTS CX

// The dwords of the pixels that are left at the end: of the input, eight of
// them in two vectors, and of the output.
#define IN_MASK K4
#define IN_MASK2 K5
#define OUT_MASK K6

#define B0 Z9 // bytes of four pixels of each row
#define B1 Z10
#define B2 Z11
#define B3 Z20
#define UPPER_W0 Z21
#define UPPER_W1 Z22
#define UPPER_W2 Z23
#define LOWER_W0 Z24
#define LOWER_W1 Z25
#define LOWER_W2 Z26
#define BIAS Z27

// bytes = four pixels, or those in the mask. Dwords 4*i+j of them are now four
// channels, from 4*i on, of pixel j.
#define LOAD(row, bytes) VPERMD row, ORDER, bytes
#define LOAD_MASKED(row, mask, bytes) \
	VMOVDQU32.Z row, mask, bytes    \
	VPERMD      bytes, ORDER, bytes

// Columns of the first two or of four pixels: bytes of rows 0 and 1 side by side, and of rows 2
// and 3, then words of both.
#define COLUMNS_TWO(b0, b1, b2, b3, a, b) \
	VPUNPCKLBW b1, b0, b  \
	VPUNPCKLBW b3, b2, b2 \
	VPUNPCKLWD b2, b, a   \
	VPUNPCKHWD b2, b, b

#define COLUMNS(b0, b1, b2, b3, a, b, c, d) \
	VPUNPCKHBW b1, b0, d  \
	VPUNPCKLBW b1, b0, b  \
	VPUNPCKHBW b3, b2, b0 \
	VPUNPCKLBW b3, b2, b2 \
	VPUNPCKLWD b2, b, a   \
	VPUNPCKHWD b2, b, b   \
	VPUNPCKLWD b0, d, c   \
	VPUNPCKHWD b0, d, d

// Of three rows the last stands in for the fourth, whose weight is zero.
#define COLUMNS3(from, scale, a, b, c, d) \
	LOAD(from(ROW0)(AT*scale), B0)      \
	LOAD(from(ROW1)(AT*scale), B1)      \
	LOAD(from(ROW2)(AT*scale), B2)      \
	COLUMNS(B0, B1, B2, B2, a, b, c, d)
#define COLUMNS4(from, scale, a, b, c, d) \
	LOAD(from(ROW0)(AT*scale), B0)      \
	LOAD(from(ROW1)(AT*scale), B1)      \
	LOAD(from(ROW2)(AT*scale), B2)      \
	LOAD(from(ROW3)(AT*scale), B3)      \
	COLUMNS(B0, B1, B2, B3, a, b, c, d)
#define COLUMNS3_MASKED(from, scale, mask, a, b, c, d) \
	LOAD_MASKED(from(ROW0)(AT*scale), mask, B0) \
	LOAD_MASKED(from(ROW1)(AT*scale), mask, B1) \
	LOAD_MASKED(from(ROW2)(AT*scale), mask, B2) \
	COLUMNS(B0, B1, B2, B2, a, b, c, d)
#define COLUMNS4_MASKED(from, scale, mask, a, b, c, d) \
	LOAD_MASKED(from(ROW0)(AT*scale), mask, B0) \
	LOAD_MASKED(from(ROW1)(AT*scale), mask, B1) \
	LOAD_MASKED(from(ROW2)(AT*scale), mask, B2) \
	LOAD_MASKED(from(ROW3)(AT*scale), mask, B3) \
	COLUMNS(B0, B1, B2, B3, a, b, c, d)

// sum = bias + a*w0 + b*w1 + c*w2
#define SUM(w0, w1, w2, a, b, c, sum) \
	VMOVDQA32 BIAS, sum  \
	VPDPBUSD  w0, a, sum \
	VPDPBUSD  w1, b, sum \
	VPDPBUSD  w2, c, sum

// Z12 = four pixels of the upper output, of columns Z0 to Z5.
#define UPPER(TO4) \
	SUM(UPPER_W0, UPPER_W1, UPPER_W2, Z0, Z1, Z2, Z12) \
	SUM(UPPER_W0, UPPER_W1, UPPER_W2, Z1, Z2, Z3, Z13) \
	SUM(UPPER_W0, UPPER_W1, UPPER_W2, Z2, Z3, Z4, Z14) \
	SUM(UPPER_W0, UPPER_W1, UPPER_W2, Z3, Z4, Z5, Z15) \
	TO4(Z12, Z13, Z14, Z15)

// Z16 = four pixels of the lower output, of columns Z0 to Z5.
#define LOWER(TO4) \
	SUM(LOWER_W0, LOWER_W1, LOWER_W2, Z0, Z1, Z2, Z16) \
	SUM(LOWER_W0, LOWER_W1, LOWER_W2, Z1, Z2, Z3, Z17) \
	SUM(LOWER_W0, LOWER_W1, LOWER_W2, Z2, Z3, Z4, Z18) \
	SUM(LOWER_W0, LOWER_W1, LOWER_W2, Z3, Z4, Z5, Z19) \
	TO4(Z16, Z17, Z18, Z19)

// Z12 = four pixels, two columns apart, of columns Z0 to Z8.
#define STRIDE2(TO4) \
	SUM(UPPER_W0, UPPER_W1, UPPER_W2, Z0, Z1, Z2, Z12) \
	SUM(UPPER_W0, UPPER_W1, UPPER_W2, Z2, Z3, Z4, Z13) \
	SUM(UPPER_W0, UPPER_W1, UPPER_W2, Z4, Z5, Z6, Z14) \
	SUM(UPPER_W0, UPPER_W1, UPPER_W2, Z6, Z7, Z8, Z15) \
	TO4(Z12, Z13, Z14, Z15)

// One row of output: the columns that pixel 0 shares with those before it,
// then four pixels at a time, then those that are left.
#define START_ONE \
	LOAD_MASKED((ROW0), TWO, B0)        \
	LOAD_MASKED((ROW1), TWO, B1)        \
	LOAD_MASKED((ROW2), TWO, B2)        \
	COLUMNS_TWO(B0, B1, B2, B2, Z0, Z1)
#define FOUR_ONE(TO4) \
	COLUMNS3(32, 1, Z2, Z3, Z4, Z5) \
	UPPER(TO4)                      \
	VMOVDQU32 Z12, (OUT0)(AT*1)     \
	VMOVDQA32 Z4, Z0                \
	VMOVDQA32 Z5, Z1
#define LAST_ONE(TO4) \
	COLUMNS3_MASKED(32, 1, OUT_MASK, Z2, Z3, Z4, Z5) \
	UPPER(TO4)                                       \
	VMOVDQU32 Z12, OUT_MASK, (OUT0)(AT*1)

// Two rows of output.
#define START_TWO \
	LOAD_MASKED((ROW0), TWO, B0)        \
	LOAD_MASKED((ROW1), TWO, B1)        \
	LOAD_MASKED((ROW2), TWO, B2)        \
	LOAD_MASKED((ROW3), TWO, B3)        \
	COLUMNS_TWO(B0, B1, B2, B3, Z0, Z1)
#define FOUR_TWO(TO4) \
	COLUMNS4(32, 1, Z2, Z3, Z4, Z5) \
	UPPER(TO4)                      \
	VMOVDQU32 Z12, (OUT0)(AT*1)     \
	LOWER(TO4)                      \
	VMOVDQU32 Z16, (OUT1)(AT*1)     \
	VMOVDQA32 Z4, Z0                \
	VMOVDQA32 Z5, Z1
#define LAST_TWO(TO4) \
	COLUMNS4_MASKED(32, 1, OUT_MASK, Z2, Z3, Z4, Z5) \
	UPPER(TO4)                                       \
	VMOVDQU32 Z12, OUT_MASK, (OUT0)(AT*1)            \
	LOWER(TO4)                                       \
	VMOVDQU32 Z16, OUT_MASK, (OUT1)(AT*1)

// One row of output, stride 2.
#define START_STRIDE2 \
	LOAD_MASKED((ROW0), ONE, B0)        \
	LOAD_MASKED((ROW1), ONE, B1)        \
	LOAD_MASKED((ROW2), ONE, B2)        \
	COLUMNS_TWO(B0, B1, B2, B2, Z0, Z1)
#define FOUR_STRIDE2(TO4) \
	COLUMNS3(16, 2, Z1, Z2, Z3, Z4) \
	COLUMNS3(80, 2, Z5, Z6, Z7, Z8) \
	STRIDE2(TO4)                    \
	VMOVDQU32 Z12, (OUT0)(AT*1)     \
	VMOVDQA32 Z8, Z0
#define LAST_STRIDE2(TO4) \
	COLUMNS3_MASKED(16, 2, IN_MASK, Z1, Z2, Z3, Z4)  \
	COLUMNS3_MASKED(80, 2, IN_MASK2, Z5, Z6, Z7, Z8) \
	STRIDE2(TO4)                                     \
	VMOVDQU32 Z12, OUT_MASK, (OUT0)(AT*1)

// All pixels of a group of channels.
#define ROW(TO4, START, FOUR, LAST, four, last, end) \
	XORL    AT, AT                          \
	MOVQ    avx512Rows_pixels(ARGS), PIXELS \
	START                                   \
	SUBQ    $4, PIXELS                      \
	JLT     last                            \
	PCALIGN $64                             \
four:                                           \
	FOUR(TO4)                               \
	ADDQ    $64, AT                         \
	SUBQ    $4, PIXELS                      \
	JGE     four                            \
last:                                           \
	ADDQ    $4, PIXELS                      \
	JEQ     end                             \
	LAST(TO4)                               \
end:

// A function's body: all groups.
#define GROUPS(START, FOUR, LAST) \
	MOVQ      rows+0(FP), ARGS                                     \
	CONSTANTS                                                      \
	MOVQ      avx512Rows_pixels(ARGS), CX                          \
	ANDL      $3, CX                                               \
	SHLL      $2, CX                                               \
	MOVL      $-1, PIXELS                                          \
	SHLL      CX, PIXELS                                           \
	NOTL      PIXELS                                               \
	KMOVW     PIXELS, OUT_MASK                                     \
	SHLL      $1, CX                                               \
	MOVL      $-1, PIXELS                                          \
	SHLL      CX, PIXELS                                           \
	NOTL      PIXELS                                               \
	KMOVW     PIXELS, IN_MASK                                      \
	SHRL      $16, PIXELS                                          \
	KMOVW     PIXELS, IN_MASK2                                     \
	MOVQ      avx512Rows_in(ARGS), ROW0                            \
	MOVQ      avx512Rows_in+8(ARGS), ROW1                          \
	MOVQ      avx512Rows_in+16(ARGS), ROW2                         \
	MOVQ      avx512Rows_in+24(ARGS), ROW3                         \
	MOVQ      avx512Rows_out(ARGS), OUT0                           \
	MOVQ      avx512Rows_out+8(ARGS), OUT1                         \
	MOVQ      avx512Rows_weights(ARGS), WEIGHTS                    \
group:                                                                 \
	VMOVDQU32 (WEIGHTS), UPPER_W0                                  \
	VMOVDQU32 64(WEIGHTS), UPPER_W1                                \
	VMOVDQU32 128(WEIGHTS), UPPER_W2                               \
	VPSLLD    $8, UPPER_W0, LOWER_W0                               \
	VPSLLD    $8, UPPER_W1, LOWER_W1                               \
	VPSLLD    $8, UPPER_W2, LOWER_W2                               \
	MOVQ      avx512Rows_outputs(ARGS), OUTPUTS                    \
	VMOVDQU32 BIASES(OUTPUTS), BIAS                                \
	VMOVUPS   MULTIPLIERS(OUTPUTS), MULTIPLIER                     \
	VMOVUPS   OFFSETS(OUTPUTS), OFFSET                             \
	CMPL      OFFSETS(OUTPUTS), $const_avx512NoOffset              \
	JEQ       exact                                                \
	ROW(FUSED4, START, FOUR, LAST, fusedFour, fusedLast, fusedEnd) \
	JMP       next                                                 \
exact:                                                                 \
	ROW(EXACT4, START, FOUR, LAST, exactFour, exactLast, exactEnd) \
next:                                                                  \
	ADDQ      $192, WEIGHTS                                        \
	ADDQ      $192, avx512Rows_outputs(ARGS)                       \
	MOVQ      avx512Rows_inStride(ARGS), CX                        \
	ADDQ      CX, ROW0                                             \
	ADDQ      CX, ROW1                                             \
	ADDQ      CX, ROW2                                             \
	ADDQ      CX, ROW3                                             \
	MOVQ      avx512Rows_outStride(ARGS), CX                       \
	ADDQ      CX, OUT0                                             \
	ADDQ      CX, OUT1                                             \
	DECQ      avx512Rows_groups(ARGS)                              \
	JNE       group                                                \
	VZEROUPPER                                                     \
	RET

// func avx512DepthwiseOne(rows *avx512Rows)
TEXT ·avx512DepthwiseOne(SB), NOSPLIT, $0-8
	GROUPS(START_ONE, FOUR_ONE, LAST_ONE)

// func avx512DepthwiseTwo(rows *avx512Rows)
TEXT ·avx512DepthwiseTwo(SB), NOSPLIT, $0-8
	GROUPS(START_TWO, FOUR_TWO, LAST_TWO)

// func avx512DepthwiseStride2(rows *avx512Rows)
TEXT ·avx512DepthwiseStride2(SB), NOSPLIT, $0-8
	GROUPS(START_STRIDE2, FOUR_STRIDE2, LAST_STRIDE2)
