//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "instructions_arm64.h"
#include "sdot_arm64.h"

// Two rows of the 3x3 depthwise convolution with stride 1, 8 channels at a
// time:
//
//	upper[x][c] = bias[c] + sum over i, j of row i, column x+j * w[i][j][c]
//	lower[x][c] = bias[c] + sum over i, j of row i+1, column x+j * w[i][j][c]
//
// A column of four source rows becomes lanes of 32 bits, one a channel,
// whose bytes are the rows. Of it the weights (w0 w1 w2 0) make a tap of the
// upper output row, and (0 w0 w1 w2) of the lower. A pixel is requantized
// while the next is computed. Rows have n+2 columns, padding included. A row
// alone is made twice, in the same place, of three source rows and the last
// one again.

// Weights: tap, half of the 8 channels, of the upper row (U) and the lower (L).
#define U00 0
#define U01 1
#define U10 2
#define U11 3
#define U20 4
#define U21 5
#define L00 6
#define L01 7
#define L10 8
#define L11 9
#define L20 10
#define L21 11

// Three columns, halves of the channels, and the rows of one to come.
#define C00 12
#define C01 13
#define C10 14
#define C11 15
#define C20 16
#define C21 17
#define ROW0 18
#define ROW1 19
#define ROW2 20
#define ROW3 21

// Sums of the upper and the lower row, and results of the pixel before.
#define AU0 22
#define AU1 23
#define AL0 24
#define AL1 25
#define TU0 26
#define TU1 27
#define TL0 28
#define TL1 29
#define FACTOR0 30
#define FACTOR1 31

#define ARGS 0
#define SRC0 1
#define SRC1 2
#define SRC2 3
#define SRC3 4
#define UPPER 5
#define LOWER 6
#define COLUMN 7  // the next to be loaded, times 16
#define LAST 8    // column
#define OUT 9     // the pixel before, times 16
#define NEXTOUT 10
#define HEAD 11
#define BLOCKS 12
#define COUNT 13
#define DOWN 15 // from 8 channels to the next 8: 8, or stride minus 8
#define STRIDE 16
#define DSTDOWN 17
#define DSTSTRIDE 19
#define MODE 20

#define LOADCOLUMN \
	LDR_DX(SRC0, COLUMN, ROW0); \
	LDR_DX(SRC1, COLUMN, ROW1); \
	LDR_DX(SRC2, COLUMN, ROW2); \
	LDR_DX(SRC3, COLUMN, ROW3)
#define NEXTCOLUMN \
	ADD $16, R(COLUMN); \
	CMP R(LAST), R(COLUMN); \
	CSEL HI, R(LAST), R(COLUMN), R(COLUMN)

// Rows to lanes: first pairs of rows, then pairs of pairs.
#define PAIRS \
	ZIP1_16B(ROW0, ROW1, ROW0); \
	ZIP1_16B(ROW2, ROW3, ROW2)
#define LANES(c0, c1) \
	ZIP1_8H(ROW0, ROW2, c0); \
	ZIP2_8H(ROW0, ROW2, c1)

#define UPPERTAP(c0, c1, w0, w1) \
	SDOT(c0, w0, AU0); \
	SDOT(c1, w1, AU1)
#define LOWERTAP(c0, c1, w0, w1) \
	SDOT(c0, w0, AL0); \
	SDOT(c1, w1, AL1)

#define START(a, at) LDR_Q(HEAD, sdotHead_bias+at, a)
#define OFFSET(a, at) LDR_Q(HEAD, sdotHead_offset+at, a)

// A pixel, from columns p, q, and r, which is made here; the pixel before is
// requantized and stored. The lower row is stored first: where only one row
// is wanted both have the same place.
#define STEP(p0, p1, q0, q1, r0, r1) \
	FUSE(AU0, FACTOR0, TU0); \
	START(AU0, 0); \
	FUSE(AU1, FACTOR1, TU1); \
	START(AU1, 16); \
	FUSE(AL0, FACTOR0, TL0); \
	START(AL0, 0); \
	FUSE(AL1, FACTOR1, TL1); \
	START(AL1, 16); \
	PAIRS; \
	UPPERTAP(p0, p1, U00, U01); \
	LOWERTAP(p0, p1, L00, L01); \
	LANES(r0, r1); \
	PACK(TU0, TU1); \
	PACK(TL0, TL1); \
	LOADCOLUMN; \
	UPPERTAP(q0, q1, U10, U11); \
	LOWERTAP(q0, q1, L10, L11); \
	NARROW(TU0); \
	NARROW(TL0); \
	OFFSET(TU1, 16); \
	OFFSET(TL1, 16); \
	UPPERTAP(r0, r1, U20, U21); \
	STR_DX(TL0, LOWER, OUT); \
	STR_DX(TU0, UPPER, OUT); \
	LOWERTAP(r0, r1, L20, L21); \
	OFFSET(TU0, 0); \
	OFFSET(TL0, 0); \
	NEXTCOLUMN; \
	MOVD R(NEXTOUT), R(OUT); \
	ADD $16, R(NEXTOUT); \
	SUBS $1, R(COUNT), R(COUNT)

// What comes before requantization by fma alone, where that is not exact: see
// sdot_arm64.h. The registers of the results, TU and TL, are free to be used,
// and to be loaded with the offset in the end; so are those of the column that
// the next STEP makes, free0 and free1. Both bits of rounding are set together,
// and all sums have bounds then.
#define OFFSETS \
	OFFSET(TU0, 0); \
	OFFSET(TU1, 16); \
	OFFSET(TL0, 0); \
	OFFSET(TL1, 16)
#define BOUNDSUMS(free0, free1) \
	LDR_Q(HEAD, sdotHead_low, TU0); \
	LDR_Q(HEAD, sdotHead_low+16, TU1); \
	LDR_Q(HEAD, sdotHead_high, TL0); \
	LDR_Q(HEAD, sdotHead_high+16, TL1); \
	BOUND(EACH0, TU0, TL0); \
	BOUND(EACH1, TU1, TL1); \
	OFFSETS
#define ROUNDSUMS(free0, free1) \
	BOUNDSUMS(free0, free1); \
	LDR_Q(ARGS, sdotDepthwiseArgs_magic, TL1); \
	LDR_Q(HEAD, sdotHead_multiplier, TU0); \
	LDR_Q(HEAD, sdotHead_multiplier+16, TU1); \
	ROUND(EACH0, TU0, TL1); \
	ROUND(EACH1, TU1, TL1); \
	OFFSETS
#define EXACTSUMS(free0, free1) \
	LDR_Q(ARGS, sdotDepthwiseArgs_magic, TL1); \
	LDR_Q(ARGS, sdotDepthwiseArgs_low, free0); \
	LDR_Q(ARGS, sdotDepthwiseArgs_high, free1); \
	LDR_Q(HEAD, sdotHead_multiplier, TU0); \
	LDR_Q(HEAD, sdotHead_multiplier+16, TU1); \
	EXACT(EACH0, TU0, free0, free1, TL1); \
	EXACT(EACH1, TU1, free0, free1, TL1); \
	OFFSETS
#define NOTHING(free0, free1)
#define EACH0(f, x) \
	f(AU0, x, AU0); \
	f(AL0, x, AL0)
#define EACH1(f, x) \
	f(AU1, x, AU1); \
	f(AL1, x, AL1)

// All pixels of a row. A column is made from the same registers in every third
// step.
#define PIXELS(before, loop, end) \
loop: \
	before(C20, C21); \
	STEP(C00, C01, C10, C11, C20, C21); \
	BEQ end; \
	before(C00, C01); \
	STEP(C10, C11, C20, C21, C00, C01); \
	BEQ end; \
	before(C10, C11); \
	STEP(C20, C21, C00, C01, C10, C11); \
	BNE loop; \
end: \
	before(C00, C01)

// func sdotDepthwise(a *sdotDepthwiseArgs)
TEXT ·sdotDepthwise(SB), NOSPLIT, $0-8
	MOVD a+0(FP), R(ARGS)
	MOVD sdotDepthwiseArgs_src(R(ARGS)), R(SRC0)
	MOVD sdotDepthwiseArgs_src+8(R(ARGS)), R(SRC1)
	MOVD sdotDepthwiseArgs_src+16(R(ARGS)), R(SRC2)
	MOVD sdotDepthwiseArgs_src+24(R(ARGS)), R(SRC3)
	MOVD sdotDepthwiseArgs_dst(R(ARGS)), R(UPPER)
	MOVD sdotDepthwiseArgs_dst+8(R(ARGS)), R(LOWER)
	MOVD sdotDepthwiseArgs_head(R(ARGS)), R(HEAD)
	MOVD sdotDepthwiseArgs_blocks(R(ARGS)), R(BLOCKS)
	MOVD sdotDepthwiseArgs_last(R(ARGS)), R(LAST)
	MOVD sdotDepthwiseArgs_srcStride(R(ARGS)), R(STRIDE)
	MOVD sdotDepthwiseArgs_dstStride(R(ARGS)), R(DSTSTRIDE)
	MOVD $8, R(DOWN)
	MOVD $8, R(DSTDOWN)

block:
	LDR_Q(HEAD, sdotHead__size, U00)
	LDR_Q(HEAD, sdotHead__size+16, U01)
	LDR_Q(HEAD, sdotHead__size+32, U10)
	LDR_Q(HEAD, sdotHead__size+48, U11)
	LDR_Q(HEAD, sdotHead__size+64, U20)
	LDR_Q(HEAD, sdotHead__size+80, U21)
	SHL_4S(8, U00, L00)
	SHL_4S(8, U01, L01)
	SHL_4S(8, U10, L10)
	SHL_4S(8, U11, L11)
	SHL_4S(8, U20, L20)
	SHL_4S(8, U21, L21)
	LDR_Q(HEAD, sdotHead_factor, FACTOR0)
	LDR_Q(HEAD, sdotHead_factor+16, FACTOR1)

	MOVD $0, R(COLUMN)
	LOADCOLUMN
	NEXTCOLUMN
	PAIRS
	LANES(C00, C01)
	LOADCOLUMN
	NEXTCOLUMN
	PAIRS
	LANES(C10, C11)
	LOADCOLUMN
	NEXTCOLUMN

	// There is no pixel before the first: what is stored in its place is
	// overwritten.
	MOVD $0, R(OUT)
	MOVD $0, R(NEXTOUT)
	MOVD sdotDepthwiseArgs_n(R(ARGS)), R(COUNT)
	MOVWU sdotHead_mode(R(HEAD)), R(MODE)
	CBZ R(MODE), fused
	TBNZ $const_sdotExact, R(MODE), exact
	TBNZ $const_sdotRound0, R(MODE), round
	PIXELS(BOUNDSUMS, bound, bounded)
	B last
	PIXELS(ROUNDSUMS, round, rounded)
	B last
	PIXELS(EXACTSUMS, exact, done)
	B last
	PIXELS(NOTHING, fused, last)
	// The last pixel.
	FUSE(AU0, FACTOR0, TU0)
	FUSE(AU1, FACTOR1, TU1)
	FUSE(AL0, FACTOR0, TL0)
	FUSE(AL1, FACTOR1, TL1)
	PACK(TU0, TU1)
	PACK(TL0, TL1)
	NARROW(TU0)
	NARROW(TL0)
	STR_DX(TL0, LOWER, OUT)
	STR_DX(TU0, UPPER, OUT)

	// The next 8 channels: the other half of the group, or the next group.
	ADD $(sdotHead__size+6*16), R(HEAD)
	ADD R(DOWN), R(SRC0)
	ADD R(DOWN), R(SRC1)
	ADD R(DOWN), R(SRC2)
	ADD R(DOWN), R(SRC3)
	ADD R(DSTDOWN), R(UPPER)
	ADD R(DSTDOWN), R(LOWER)
	SUB R(DOWN), R(STRIDE), R(DOWN)
	SUB R(DSTDOWN), R(DSTSTRIDE), R(DSTDOWN)
	SUBS $1, R(BLOCKS), R(BLOCKS)
	BNE block
	RET
