//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "instructions_arm64.h"
#include "sdot_arm64.h"

// The 1x1 convolution of a single pixel, which is a matrix times a vector: two
// pairs of sums for 8 channels, of even and odd quads of a group of 16 input
// channels. Quads behind the last whole group are added to the first pair.

#define A0 0
#define A1 1
#define B0 2
#define B1 3
#define X0 4
#define W0 5
#define W1 6
#define W2 7
#define W3 16
#define W4 17
#define W5 18
#define W6 19
#define W7 20
#define T0 21
#define T1 22
#define FACTOR0 23
#define FACTOR1 24
#define MAGIC 25
#define LOW 26
#define HIGH 27
#define M0 28
#define M1 29

#define ARGS 0
#define X 1
#define W 2
#define STRIDE 4
#define SRC 5
#define OUT 9
#define HEAD 11
#define BLOCKS 14
#define GROUPS 15 // whole ones
#define QUADS 16  // after them
#define DOWN 17 // from 8 channels of the output to the next 8: 8, the other half, or DSTSTRIDE-8
#define DSTSTRIDE 19
#define COUNT 20
#define TMP 21

#define EACH0(f, x) f(A0, x, A0)
#define EACH1(f, x) f(A1, x, A1)

// func sdotPointwise1(a *sdotPointwiseArgs)
TEXT ·sdotPointwise1(SB), NOSPLIT, $0-8
	MOVD a+0(FP), R(ARGS)
	MOVD sdotPointwiseArgs_src(R(ARGS)), R(SRC)
	MOVD sdotPointwiseArgs_srcStride(R(ARGS)), R(STRIDE)
	MOVD sdotPointwiseArgs_dst(R(ARGS)), R(OUT)
	MOVD sdotPointwiseArgs_dstStride(R(ARGS)), R(DSTSTRIDE)
	MOVD $8, R(DOWN)
	MOVD sdotPointwiseArgs_head(R(ARGS)), R(HEAD)
	MOVD sdotPointwiseArgs_blocks(R(ARGS)), R(BLOCKS)
	MOVD sdotPointwiseArgs_groups(R(ARGS)), R(GROUPS)
	MOVD sdotPointwiseArgs_quads(R(ARGS)), R(QUADS)
	MOVWU sdotPointwiseArgs_low(R(ARGS)), R(TMP)
	DUP_4S(TMP, LOW)
	MOVWU sdotPointwiseArgs_high(R(ARGS)), R(TMP)
	DUP_4S(TMP, HIGH)
	MOVW $0x4B400000, R(TMP)
	DUP_4S(TMP, MAGIC)

block:
	LDR_Q(HEAD, sdotHead_bias, A0)
	LDR_Q(HEAD, sdotHead_bias+16, A1)
	ZERO_16B(B0)
	ZERO_16B(B1)
	ADD $sdotHead__size, R(HEAD), R(W)
	MOVD R(SRC), R(X)
	MOVD R(GROUPS), R(COUNT)
	CBZ R(COUNT), rest

group:
	LDR_Q(X, 0, X0)
	LDR_Q(W, 0, W0)
	LDR_Q(W, 16, W1)
	LDR_Q(W, 32, W2)
	LDR_Q(W, 48, W3)
	SDOT_LANE(W0, X0, 0, A0)
	LDR_Q(W, 64, W4)
	SDOT_LANE(W1, X0, 0, A1)
	LDR_Q(W, 80, W5)
	SDOT_LANE(W2, X0, 1, B0)
	LDR_Q(W, 96, W6)
	SDOT_LANE(W3, X0, 1, B1)
	LDR_Q(W, 112, W7)
	SDOT_LANE(W4, X0, 2, A0)
	ADD $128, R(W)
	SDOT_LANE(W5, X0, 2, A1)
	ADD R(STRIDE), R(X)
	SDOT_LANE(W6, X0, 3, B0)
	SUBS $1, R(COUNT), R(COUNT)
	SDOT_LANE(W7, X0, 3, B1)
	BNE group

rest:
	MOVD R(QUADS), R(COUNT)
	CBZ R(COUNT), sums

quad:
	LD1R_4S(X, X0)
	LDR_Q(W, 0, W0)
	LDR_Q(W, 16, W1)
	SDOT(W0, X0, A0)
	SDOT(W1, X0, A1)
	ADD $32, R(W)
	SUBS $1, R(COUNT), R(COUNT)
	BNE quad

sums:
	ADD_4S(A0, B0, A0)
	ADD_4S(A1, B1, A1)
	MOVWU sdotHead_mode(R(HEAD)), R(TMP)
	CBZ R(TMP), requantize
	LDR_Q(HEAD, sdotHead_multiplier, M0)
	LDR_Q(HEAD, sdotHead_multiplier+16, M1)
	TBNZ $const_sdotExact, R(TMP), exact
	TBZ $const_sdotBound, R(TMP), bounded
	LDR_Q(HEAD, sdotHead_low, T0)
	LDR_Q(HEAD, sdotHead_low+16, T1)
	LDR_Q(HEAD, sdotHead_high, FACTOR0)
	LDR_Q(HEAD, sdotHead_high+16, FACTOR1)
	BOUND(EACH0, T0, FACTOR0)
	BOUND(EACH1, T1, FACTOR1)

bounded:
	TBZ $const_sdotRound0, R(TMP), rounded0
	ROUND(EACH0, M0, MAGIC)

rounded0:
	TBZ $const_sdotRound1, R(TMP), requantize
	ROUND(EACH1, M1, MAGIC)
	B requantize

exact:
	EXACT(EACH0, M0, LOW, HIGH, MAGIC)
	EXACT(EACH1, M1, LOW, HIGH, MAGIC)

requantize:
	LDR_Q(HEAD, sdotHead_factor, FACTOR0)
	LDR_Q(HEAD, sdotHead_factor+16, FACTOR1)
	LDR_Q(HEAD, sdotHead_offset, T0)
	LDR_Q(HEAD, sdotHead_offset+16, T1)
	FUSE(A0, FACTOR0, T0)
	FUSE(A1, FACTOR1, T1)
	PACK(T0, T1)
	NARROW(T0)
	STR_D(T0, OUT, 0)
	MOVD R(W), R(HEAD) // the next head follows the weights
	ADD R(DOWN), R(OUT)
	SUB R(DOWN), R(DSTSTRIDE), R(DOWN)
	SUBS $1, R(BLOCKS), R(BLOCKS)
	BNE block
	RET
