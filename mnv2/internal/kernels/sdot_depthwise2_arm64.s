//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "instructions_arm64.h"
#include "sdot_arm64.h"

// A row of the 3x3 depthwise convolution with stride 2, 8 channels at a time.
// A pixel has an odd column of the source in the middle, and the even one
// after it is the next pixel's first. Rows have 2*n+1 columns, padding included:
//
//	sum[x][c] = bias[c] + sum over i, j of row i, column 2*x+j * w[i][j][c]
//
// Columns become lanes of 32 bits, one a channel, of these bytes, r being the
// rows:
//
//	even column: r0 r1 r2, and row 2 of the odd one, whose weight is 0
//	odd column:  row 2 of the even one, whose weight is 0, and r2 r1 r0
//
// The sum of a pixel starts with the even column before it. A pixel is
// requantized while the next is computed.

// Weights of the three columns, halves of the 8 channels.
#define W00 0
#define W01 1
#define W10 2
#define W11 3
#define W20 4
#define W21 5

// Rows of an odd and an even column to come, and their lanes.
#define ODD0 6
#define ODD1 7
#define ODD2 16
#define EVEN0 17
#define EVEN1 18
#define EVEN2 19
#define O0 20
#define O1 21
#define E0 22
#define E1 23

#define A0 24
#define A1 25
#define T0 26
#define T1 27
#define FACTOR0 28
#define FACTOR1 29
#define M0 30
#define M1 31

#define ARGS 0
#define SRC0 1
#define SRC1 2
#define SRC2 3
#define COLUMN 4 // the next odd one to be loaded, times 16
#define EVEN 5   // and the even one after it
#define DST 6
#define LAST 8   // odd column
#define OUT 9    // the pixel before, times 16
#define NEXTOUT 10
#define HEAD 11
#define BLOCKS 12
#define COUNT 13
#define DOWN 15 // from 8 channels to the next 8: 8, or stride minus 8
#define STRIDE 16
#define DSTDOWN 17
#define DSTSTRIDE 19
#define MODE 20

#define LOADEVEN(at) \
	LDR_DX(SRC0, at, EVEN0); \
	LDR_DX(SRC1, at, EVEN1); \
	LDR_DX(SRC2, at, EVEN2)
#define LOADODD(at) \
	LDR_DX(SRC0, at, ODD0); \
	LDR_DX(SRC1, at, ODD1); \
	LDR_DX(SRC2, at, ODD2)
#define NEXTCOLUMNS \
	ADD $32, R(COLUMN); \
	CMP R(LAST), R(COLUMN); \
	CSEL HI, R(LAST), R(COLUMN), R(COLUMN); \
	ADD $16, R(COLUMN), R(EVEN)
#define TAP(c0, c1, w0, w1) \
	SDOT(c0, w0, A0); \
	SDOT(c1, w1, A1)

#define START(a, at) LDR_Q(HEAD, sdotHead_bias+at, a)
#define OFFSET(a, at) LDR_Q(HEAD, sdotHead_offset+at, a)

// A pixel, whose two later columns were loaded; the pixel before is
// requantized and stored.
#define STEP \
	FUSE(A0, FACTOR0, T0); \
	START(A0, 0); \
	FUSE(A1, FACTOR1, T1); \
	START(A1, 16); \
	ZIP1_16B(ODD1, ODD0, ODD0); \
	ZIP1_16B(EVEN2, ODD2, EVEN2); \
	ZIP1_16B(EVEN0, EVEN1, EVEN0); \
	TAP(E0, E1, W00, W01); \
	PACK(T0, T1); \
	OFFSET(T1, 16); \
	ZIP1_8H(EVEN2, ODD0, O0); \
	ZIP2_8H(EVEN2, ODD0, O1); \
	ZIP1_8H(EVEN0, EVEN2, E0); \
	ZIP2_8H(EVEN0, EVEN2, E1); \
	NARROW(T0); \
	TAP(O0, O1, W10, W11); \
	LOADODD(COLUMN); \
	LOADEVEN(EVEN); \
	STR_DX(T0, DST, OUT); \
	TAP(E0, E1, W20, W21); \
	OFFSET(T0, 0); \
	NEXTCOLUMNS; \
	MOVD R(NEXTOUT), R(OUT); \
	ADD $16, R(NEXTOUT); \
	SUBS $1, R(COUNT), R(COUNT)

// What comes before requantization by fma alone, where that is not exact: see
// sdot_arm64.h.
#define BOUNDSUMS \
	LDR_Q(HEAD, sdotHead_low, T0); \
	LDR_Q(HEAD, sdotHead_low+16, T1); \
	LDR_Q(HEAD, sdotHead_high, O0); \
	LDR_Q(HEAD, sdotHead_high+16, O1); \
	BOUND(EACH0, T0, O0); \
	BOUND(EACH1, T1, O1); \
	OFFSET(T0, 0); \
	OFFSET(T1, 16)
#define ROUNDSUMS \
	BOUNDSUMS; \
	LDR_Q(ARGS, sdotDepthwiseArgs_magic, T0); \
	ROUND(EACH0, M0, T0); \
	ROUND(EACH1, M1, T0); \
	OFFSET(T0, 0)
#define EXACTSUMS \
	LDR_Q(ARGS, sdotDepthwiseArgs_magic, T0); \
	LDR_Q(ARGS, sdotDepthwiseArgs_low, O0); \
	LDR_Q(ARGS, sdotDepthwiseArgs_high, O1); \
	EXACT(EACH0, M0, O0, O1, T0); \
	EXACT(EACH1, M1, O0, O1, T0); \
	OFFSET(T0, 0)
#define NOTHING
#define EACH0(f, x) f(A0, x, A0)
#define EACH1(f, x) f(A1, x, A1)

// All pixels of a row.
#define PIXELS(before, loop) \
loop: \
	before; \
	STEP; \
	BNE loop; \
	before

// func sdotDepthwise2(a *sdotDepthwiseArgs)
TEXT ·sdotDepthwise2(SB), NOSPLIT, $0-8
	MOVD a+0(FP), R(ARGS)
	MOVD sdotDepthwiseArgs_src(R(ARGS)), R(SRC0)
	MOVD sdotDepthwiseArgs_src+8(R(ARGS)), R(SRC1)
	MOVD sdotDepthwiseArgs_src+16(R(ARGS)), R(SRC2)
	MOVD sdotDepthwiseArgs_dst(R(ARGS)), R(DST)
	MOVD sdotDepthwiseArgs_head(R(ARGS)), R(HEAD)
	MOVD sdotDepthwiseArgs_blocks(R(ARGS)), R(BLOCKS)
	MOVD sdotDepthwiseArgs_last(R(ARGS)), R(LAST)
	MOVD sdotDepthwiseArgs_srcStride(R(ARGS)), R(STRIDE)
	MOVD sdotDepthwiseArgs_dstStride(R(ARGS)), R(DSTSTRIDE)
	MOVD $8, R(DOWN)
	MOVD $8, R(DSTDOWN)

block:
	LDR_Q(HEAD, sdotHead__size, W00)
	LDR_Q(HEAD, sdotHead__size+16, W01)
	LDR_Q(HEAD, sdotHead__size+32, W10)
	LDR_Q(HEAD, sdotHead__size+48, W11)
	LDR_Q(HEAD, sdotHead__size+64, W20)
	LDR_Q(HEAD, sdotHead__size+80, W21)
	REV32_16B(W10, W10)
	REV32_16B(W11, W11)
	LDR_Q(HEAD, sdotHead_factor, FACTOR0)
	LDR_Q(HEAD, sdotHead_factor+16, FACTOR1)
	LDR_Q(HEAD, sdotHead_multiplier, M0)
	LDR_Q(HEAD, sdotHead_multiplier+16, M1)

	MOVD $0, R(COLUMN)
	LOADEVEN(COLUMN)
	ZIP1_16B(EVEN0, EVEN1, EVEN0)
	ZIP1_16B(EVEN2, EVEN2, EVEN2)
	ZIP1_8H(EVEN0, EVEN2, E0)
	ZIP2_8H(EVEN0, EVEN2, E1)
	MOVD $16, R(COLUMN)
	MOVD $32, R(EVEN)
	LOADODD(COLUMN)
	LOADEVEN(EVEN)
	NEXTCOLUMNS

	// There is no pixel before the first: what is stored in its place is
	// overwritten.
	MOVD $0, R(OUT)
	MOVD $0, R(NEXTOUT)
	MOVD sdotDepthwiseArgs_n(R(ARGS)), R(COUNT)
	MOVWU sdotHead_mode(R(HEAD)), R(MODE)
	CBZ R(MODE), fused
	TBNZ $const_sdotExact, R(MODE), exact
	TBNZ $const_sdotRound0, R(MODE), round
	PIXELS(BOUNDSUMS, bound)
	B last
	PIXELS(ROUNDSUMS, round)
	B last
	PIXELS(EXACTSUMS, exact)
	B last
	PIXELS(NOTHING, fused)

last:
	// The last pixel.
	FUSE(A0, FACTOR0, T0)
	FUSE(A1, FACTOR1, T1)
	PACK(T0, T1)
	NARROW(T0)
	STR_DX(T0, DST, OUT)

	// The next 8 channels: the other half of the group, or the next group.
	ADD $(sdotHead__size+6*16), R(HEAD)
	ADD R(DOWN), R(SRC0)
	ADD R(DOWN), R(SRC1)
	ADD R(DOWN), R(SRC2)
	ADD R(DSTDOWN), R(DST)
	SUB R(DOWN), R(STRIDE), R(DOWN)
	SUB R(DSTDOWN), R(DSTSTRIDE), R(DSTDOWN)
	SUBS $1, R(BLOCKS), R(BLOCKS)
	BNE block
	RET
