//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "instructions_arm64.h"
#include "sdot_arm64.h"

// The 1x1 convolution, by tiles of 7 pixels and 8 output channels:
//
//	sum[p][c] = bias[c] + sum over k of x[p][k] * w[c][k]
//
// Pixels are read 16 bytes, a group of input channels, at a time; the weights
// of a group are 4 quads of 4 input channels by 8 output channels. A SDOT_LANE
// adds a quad of one pixel to 4 channels. All pixels of some channels come
// before the next channels, so that their weights stay in the cache. What the
// next tile starts with, pixels, weights and biases, is loaded while this one
// is computed and requantized; after the last tile, that is up to sdotSlack
// bytes behind the weights, in vain. There must be 7 pixels: fewer are for
// sdotPointwise1.

// Sums: pixel, half of the 8 channels.
#define A00 0
#define A01 1
#define A10 2
#define A11 3
#define A20 4
#define A21 5
#define A30 6
#define A31 7
#define A40 8
#define A41 9
#define A50 10
#define A51 11
#define A60 12
#define A61 13

// A group of input channels of each pixel.
#define X0 14
#define X1 15
#define X2 16
#define X3 17
#define X4 18
#define X5 19
#define X6 20

// Weights of quads 0 to 3, for either half of the channels.
#define W00 21
#define W01 22
#define W10 23
#define W11 24
#define W20 25
#define W21 26
#define W30 27
#define W31 28

// Requantization: between tiles registers from 25 on are free.
#define T0 25
#define T1 26
#define T2 27
#define T3 28
#define FACTOR0 29
#define FACTOR1 30
#define MAGIC 31

#define ARGS 0
#define X 1       // the next group of pixels to be loaded
#define W 2       // the weights of this group
#define NEXTW 3   // and of the next tile's first
#define STRIDE 4  // of the source
#define SRC 5
#define POS 6     // of this tile's first pixel: 16 bytes each
#define NEXTPOS 7
#define LASTPOS 8
#define OUT 9     // of this tile
#define DST 10    // of pixel 0
#define HEAD 11   // of this tile's channels
#define NEXT 12   // head of the next tile's
#define SIZE 13   // of a head with its weights
#define BLOCKS 14 // of 8 channels that are left
#define GROUPS 15 // of 16 input channels, before the last, which has 1 to 4 quads
#define COUNT 16
#define LAST 17   // the code for the last group
#define DOWN 19   // from 8 channels of the output to the next 8: 8, the other half, or DSTSTRIDE-8
#define DSTSTRIDE 20
#define MODE 21
#define TMP0 22
#define TMP1 23
#define TMP2 24

// a += w0*x, b += w1*x, for quad i.
#define PIXEL(i, w0, w1, x, a, b) \
	SDOT_LANE(w0, x, i, a); \
	SDOT_LANE(w1, x, i, b)

// Quad i, while two more registers of weights are loaded.
#define QUAD(i, w0, w1, from, at, v0, v1) \
	PIXEL(i, w0, w1, X0, A00, A01); \
	LDR_Q(from, at, v0); \
	PIXEL(i, w0, w1, X1, A10, A11); \
	LDR_Q(from, at+16, v1); \
	PIXEL(i, w0, w1, X2, A20, A21); \
	PIXEL(i, w0, w1, X3, A30, A31); \
	PIXEL(i, w0, w1, X4, A40, A41); \
	PIXEL(i, w0, w1, X5, A50, A51); \
	PIXEL(i, w0, w1, X6, A60, A61)

// The last quad of a group, or of all, while the next group of pixels is
// loaded, and then the weights of its quad 1.
#define LASTQUAD(i, w0, w1, from, at) \
	PIXEL(i, w0, w1, X0, A00, A01); \
	LDR_Q(X, 0, X0); \
	PIXEL(i, w0, w1, X1, A10, A11); \
	LDR_Q(X, 16, X1); \
	PIXEL(i, w0, w1, X2, A20, A21); \
	LDR_Q(X, 32, X2); \
	PIXEL(i, w0, w1, X3, A30, A31); \
	LDR_Q(X, 48, X3); \
	PIXEL(i, w0, w1, X4, A40, A41); \
	LDR_Q(X, 64, X4); \
	PIXEL(i, w0, w1, X5, A50, A51); \
	LDR_Q(X, 80, X5); \
	PIXEL(i, w0, w1, X6, A60, A61); \
	LDR_Q(X, 96, X6); \
	LDR_Q(from, at, W10); \
	LDR_Q(from, at+16, W11)

// A whole group; the next group's weights are at from.
#define GROUP(from, at) \
	QUAD(0, W00, W01, W, 64, W20, W21); \
	QUAD(1, W10, W11, W, 96, W30, W31); \
	QUAD(2, W20, W21, from, at, W00, W01); \
	LASTQUAD(3, W30, W31, from, at+32)

// Sums start with the next tile's bias, results with the offset.
#define START(a, b) \
	LDR_Q(NEXT, sdotHead_bias, a); \
	LDR_Q(NEXT, sdotHead_bias+16, b)
#define OFFSET(a, b) \
	LDR_Q(HEAD, sdotHead_offset, a); \
	LDR_Q(HEAD, sdotHead_offset+16, b)
#define FUSE8(a, b, ra, rb) \
	FUSE(a, FACTOR0, ra); \
	FUSE(b, FACTOR1, rb)
#define STORE(a, at) STR_D(a, OUT, at)

#define EACHPIXEL(f) \
	f(A00, A01); \
	f(A10, A11); \
	f(A20, A21); \
	f(A30, A31); \
	f(A40, A41); \
	f(A50, A51); \
	f(A60, A61)
#define EACH0(f, x) \
	f(A00, x, A00); \
	f(A10, x, A10); \
	f(A20, x, A20); \
	f(A30, x, A30); \
	f(A40, x, A40); \
	f(A50, x, A50); \
	f(A60, x, A60)
#define EACH1(f, x) \
	f(A01, x, A01); \
	f(A11, x, A11); \
	f(A21, x, A21); \
	f(A31, x, A31); \
	f(A41, x, A41); \
	f(A51, x, A51); \
	f(A61, x, A61)

// The next tile is the next 7 pixels, or the last 7, which may overlap these.
// After those it is the first 7 of the next 8 channels. What this tile's
// requantization needs is loaded too.
#define NEXTTILE \
	ADD R(DST), R(POS), R(OUT); \
	ADD $(7*16), R(POS), R(NEXTPOS); \
	ADD R(SIZE), R(HEAD), R(NEXT); \
	ADD R(DOWN), R(DST), R(TMP0); \
	SUB R(DOWN), R(DSTSTRIDE), R(TMP1); \
	SUB $1, R(BLOCKS), R(TMP2); \
	CMP R(LASTPOS), R(NEXTPOS); \
	CSEL HI, R(LASTPOS), R(NEXTPOS), R(NEXTPOS); \
	CMP R(LASTPOS), R(POS); \
	CSEL EQ, ZR, R(NEXTPOS), R(NEXTPOS); \
	CSEL EQ, R(NEXT), R(HEAD), R(NEXT); \
	CSEL EQ, R(TMP0), R(DST), R(DST); \
	CSEL EQ, R(TMP1), R(DOWN), R(DOWN); \
	CSEL EQ, R(TMP2), R(BLOCKS), R(BLOCKS); \
	ADD R(SRC), R(NEXTPOS), R(X); \
	ADD $sdotHead__size, R(NEXT), R(NEXTW); \
	LDR_Q(HEAD, sdotHead_factor, FACTOR0); \
	LDR_Q(HEAD, sdotHead_factor+16, FACTOR1); \
	MOVWU sdotHead_mode(R(HEAD)), R(MODE)

// func sdotPointwise7(a *sdotPointwiseArgs)
TEXT ·sdotPointwise7(SB), NOSPLIT, $0-8
	PCALIGN $2048 // all that every tile runs is 2 KiB, and in one page of memory
	MOVD a+0(FP), R(ARGS)
	MOVD sdotPointwiseArgs_src(R(ARGS)), R(SRC)
	MOVD sdotPointwiseArgs_srcStride(R(ARGS)), R(STRIDE)
	MOVD sdotPointwiseArgs_dst(R(ARGS)), R(DST)
	MOVD sdotPointwiseArgs_dstStride(R(ARGS)), R(DSTSTRIDE)
	MOVD $8, R(DOWN)
	MOVD sdotPointwiseArgs_head(R(ARGS)), R(HEAD)
	MOVD sdotPointwiseArgs_size(R(ARGS)), R(SIZE)
	MOVD sdotPointwiseArgs_blocks(R(ARGS)), R(BLOCKS)
	MOVD sdotPointwiseArgs_groups(R(ARGS)), R(GROUPS)
	ADR quads4, R(LAST)
	MOVD sdotPointwiseArgs_quads(R(ARGS)), R(TMP0)
	CMP $3, R(TMP0)
	BHI start
	ADR quads3, R(LAST)
	BEQ start
	ADR quads2, R(LAST)
	CMP $2, R(TMP0)
	BEQ start
	ADR quads1, R(LAST)

start:
	MOVD sdotPointwiseArgs_last(R(ARGS)), R(LASTPOS)
	MOVD $0, R(POS)
	MOVD R(SRC), R(X)
	MOVD R(HEAD), R(NEXT)
	MOVW $0x4B400000, R(TMP0)
	DUP_4S(TMP0, MAGIC)
	LDR_Q(X, 0, X0)
	LDR_Q(X, 16, X1)
	LDR_Q(X, 32, X2)
	LDR_Q(X, 48, X3)
	LDR_Q(X, 64, X4)
	LDR_Q(X, 80, X5)
	LDR_Q(X, 96, X6)
	LDR_Q(HEAD, sdotHead__size, W00)
	LDR_Q(HEAD, sdotHead__size+16, W01)
	LDR_Q(HEAD, sdotHead__size+32, W10)
	LDR_Q(HEAD, sdotHead__size+48, W11)
	EACHPIXEL(START)
	ADD $sdotHead__size, R(HEAD), R(W)
	MOVD R(GROUPS), R(COUNT)

tile:
	CBNZ R(COUNT), group
	JMP 0(R(LAST))

group:
	ADD R(STRIDE), R(X)
	GROUP(W, 128)
	ADD $128, R(W)
	SUBS $1, R(COUNT), R(COUNT)
	BNE group
	JMP 0(R(LAST))

quads1:
	NEXTTILE
	LASTQUAD(0, W00, W01, NEXTW, 32)
	LDR_Q(NEXTW, 0, W00)
	LDR_Q(NEXTW, 16, W01)
	CBZ R(MODE), requantize
	B slow

quads2:
	NEXTTILE
	QUAD(0, W00, W01, W, 64, W20, W21) // which are loaded in vain
	LASTQUAD(1, W10, W11, NEXTW, 32)
	LDR_Q(NEXTW, 0, W00)
	LDR_Q(NEXTW, 16, W01)
	CBZ R(MODE), requantize
	B slow

quads3:
	NEXTTILE
	QUAD(0, W00, W01, W, 64, W20, W21)
	QUAD(1, W10, W11, NEXTW, 0, W00, W01)
	LASTQUAD(2, W20, W21, NEXTW, 32)
	CBZ R(MODE), requantize
	B slow

quads4:
	NEXTTILE
	GROUP(NEXTW, 0)
	CBNZ R(MODE), slow

	// Four stages side by side: while a pixel is fused, the one before is packed,
	// the one before that narrowed, and so on. A pixel's results go where the
	// sums of two pixels before were; sums that are done with start anew.
requantize:
	OFFSET(T0, T1)
	OFFSET(T2, T3)
	FUSE8(A00, A01, T0, T1); OFFSET(A00, A01)
	FUSE8(A10, A11, T2, T3); OFFSET(A10, A11); PACK(T0, T1)
	FUSE8(A20, A21, A00, A01); OFFSET(A20, A21); PACK(T2, T3); NARROW(T0)
	FUSE8(A30, A31, A10, A11); OFFSET(A30, A31); PACK(A00, A01); NARROW(T2); STORE(T0, 0)
	FUSE8(A40, A41, A20, A21); OFFSET(A40, A41); PACK(A10, A11); NARROW(A00); STORE(T2, 16)
	FUSE8(A50, A51, A30, A31); START(A50, A51); PACK(A20, A21); NARROW(A10); STORE(A00, 32); START(A00, A01)
	FUSE8(A60, A61, A40, A41); START(A60, A61); PACK(A30, A31); NARROW(A20); STORE(A10, 48); START(A10, A11)
	PACK(A40, A41); NARROW(A30); STORE(A20, 64); START(A20, A21)
	NARROW(A40); STORE(A30, 80); START(A30, A31)
	STORE(A40, 96); START(A40, A41)
	MOVD R(NEXT), R(HEAD)
	MOVD R(NEXTPOS), R(POS)
	MOVD R(NEXTW), R(W)
	MOVD R(GROUPS), R(COUNT)
	CBNZ R(BLOCKS), tile
	RET

	// The results' low and high are of all channels, the sums' of each.
slow:
	LDR_Q(HEAD, sdotHead_multiplier, T0)
	LDR_Q(HEAD, sdotHead_multiplier+16, T1)
	TBNZ $const_sdotExact, R(MODE), exact
	TBZ $const_sdotBound, R(MODE), bounded
	LDR_Q(HEAD, sdotHead_low, T2)
	LDR_Q(HEAD, sdotHead_high, T3)
	BOUND(EACH0, T2, T3)
	LDR_Q(HEAD, sdotHead_low+16, T2)
	LDR_Q(HEAD, sdotHead_high+16, T3)
	BOUND(EACH1, T2, T3)

bounded:
	TBZ $const_sdotRound0, R(MODE), rounded0
	ROUND(EACH0, T0, MAGIC)

rounded0:
	TBZ $const_sdotRound1, R(MODE), requantize
	ROUND(EACH1, T1, MAGIC)
	B requantize

exact:
	MOVWU sdotPointwiseArgs_low(R(ARGS)), R(TMP0)
	DUP_4S(TMP0, T2)
	MOVWU sdotPointwiseArgs_high(R(ARGS)), R(TMP0)
	DUP_4S(TMP0, T3)
	EXACT(EACH0, T0, T2, T3, MAGIC)
	EXACT(EACH1, T1, T2, T3, MAGIC)
	B requantize
