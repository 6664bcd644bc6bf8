//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "instructions_arm64.h"

// The mean over pixels, of which there is one at least, of 16 channels at a time:
//
//	clamp(rint(float32(bias + sum over p of x[p]) * multiplier) + zero)
//
// Sums of up to 256 pixels fit 16 bits.

#define A0 0 // sums of 32 bits
#define A1 1
#define A2 2
#define A3 3
#define B0 4 // sums of 16 bits
#define B1 5
#define X0 6
#define M 7
#define ZERO 16
#define BIAS 17

#define ARGS 0
#define DST 1
#define SRC 2
#define STRIDE 3
#define GROUPS 4
#define LEFT 5 // pixels
#define COUNT 6
#define X 7
#define TMP 8
#define PIXELS 9

// float32(sum) * multiplier, rounded.
#define SCALE(a) \
	SCVTF_4S(a, a); \
	FMUL_4S(a, M, a); \
	FCVTNS_4S(a, a)

// func sdotMean16(a *sdotMeanArgs)
TEXT ·sdotMean16(SB), NOSPLIT, $0-8
	MOVD a+0(FP), R(ARGS)
	MOVD sdotMeanArgs_dst(R(ARGS)), R(DST)
	MOVD sdotMeanArgs_src(R(ARGS)), R(SRC)
	MOVD sdotMeanArgs_srcStride(R(ARGS)), R(STRIDE)
	MOVD sdotMeanArgs_groups(R(ARGS)), R(GROUPS)
	MOVD sdotMeanArgs_n(R(ARGS)), R(PIXELS)
	MOVWU sdotMeanArgs_multiplier(R(ARGS)), R(TMP)
	DUP_4S(TMP, M)
	MOVWU sdotMeanArgs_bias(R(ARGS)), R(TMP)
	DUP_4S(TMP, BIAS)
	MOVWU sdotMeanArgs_zero(R(ARGS)), R(TMP)
	DUP_8H(TMP, ZERO)

group:
	MOV_16B(BIAS, A0)
	MOV_16B(BIAS, A1)
	MOV_16B(BIAS, A2)
	MOV_16B(BIAS, A3)
	MOVD R(SRC), R(X)
	MOVD R(PIXELS), R(LEFT)

part:
	MOVD $256, R(COUNT)
	CMP R(COUNT), R(LEFT)
	CSEL LO, R(LEFT), R(COUNT), R(COUNT)
	SUB R(COUNT), R(LEFT)
	ZERO_16B(B0)
	ZERO_16B(B1)

pixel:
	LDR_Q(X, 0, X0)
	ADD $16, R(X)
	SADDW_8H(B0, X0, B0)
	SADDW2_8H(B1, X0, B1)
	SUBS $1, R(COUNT), R(COUNT)
	BNE pixel
	SADDW_4S(A0, B0, A0)
	SADDW2_4S(A1, B0, A1)
	SADDW_4S(A2, B1, A2)
	SADDW2_4S(A3, B1, A3)
	CBNZ R(LEFT), part

	SCALE(A0)
	SCALE(A1)
	SCALE(A2)
	SCALE(A3)
	SQXTN_4H(A0, A0)
	SQXTN2_8H(A1, A0)
	SQXTN_4H(A2, A2)
	SQXTN2_8H(A3, A2)
	SQADD_8H(A0, ZERO, A0)
	SQADD_8H(A2, ZERO, A2)
	SQXTN_8B(A0, A0)
	SQXTN2_16B(A2, A0)
	ST1_1(A0, DST)
	ADD $16, R(DST)
	ADD R(STRIDE), R(SRC)
	SUBS $1, R(GROUPS), R(GROUPS)
	BNE group
	RET
