//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "instructions_arm64.h"

// The residual addition, 16 bytes at a time:
//
//	clamp(((X*x + Y*y + rest) >> shift) + zero)
//
// where rest is what rounds, a half, less what the zero points add. The larger
// factor has 21 bits. They and rest are numbers of signed digits, bytes, to the
// base of 256:
//
//	X*x + Y*y + rest = ((x2 y2 0 0)*lane + rest2)<<16 + ((x1 y1 r1 0)*lane)<<8 + (x0 y0 r0 0)*lane
//
// where the bytes of a lane are (x y 1 1). What is left after the shift fits
// 16 bits; it is done by taking the upper halves, 16, and then by SSHL, which
// shifts right where SHIFT, 16 minus the shift, is negative.

#define A0 0
#define A1 1
#define A2 2
#define A3 3
#define D0 4
#define D1 5
#define D2 6
#define ONES 7
#define X0 16
#define Y0 17
#define L0 18
#define L1 19
#define L2 20
#define L3 21
#define SHIFT 22
#define ZERO 23
#define LOW 24
#define HIGH 25

#define ARGS 0
#define DST 1
#define X 2
#define Y 3
#define COUNT 4 // of 16 bytes
#define TMP 5

#define REST(a) LDR_Q(ARGS, sdotAddArgs_rest, a)
#define DIGIT(d) \
	SDOT(L0, d, A0); \
	SDOT(L1, d, A1); \
	SDOT(L2, d, A2); \
	SDOT(L3, d, A3)
#define TIMES256 \
	SHL_4S(8, A0, A0); \
	SHL_4S(8, A1, A1); \
	SHL_4S(8, A2, A2); \
	SHL_4S(8, A3, A3)

// func sdotAdd16(a *sdotAddArgs)
TEXT ·sdotAdd16(SB), NOSPLIT, $0-8
	MOVD a+0(FP), R(ARGS)
	MOVD sdotAddArgs_dst(R(ARGS)), R(DST)
	MOVD sdotAddArgs_x(R(ARGS)), R(X)
	MOVD sdotAddArgs_y(R(ARGS)), R(Y)
	MOVD sdotAddArgs_n(R(ARGS)), R(COUNT)
	LDR_Q(ARGS, sdotAddArgs_digits, D0)
	LDR_Q(ARGS, sdotAddArgs_digits+16, D1)
	LDR_Q(ARGS, sdotAddArgs_digits+32, D2)
	MOVWU sdotAddArgs_shift(R(ARGS)), R(TMP)
	DUP_8H(TMP, SHIFT)
	MOVWU sdotAddArgs_zero(R(ARGS)), R(TMP)
	DUP_8H(TMP, ZERO)
	MOVWU sdotAddArgs_low(R(ARGS)), R(TMP)
	DUP_16B(TMP, LOW)
	MOVWU sdotAddArgs_high(R(ARGS)), R(TMP)
	DUP_16B(TMP, HIGH)
	MOVW $1, R(TMP)
	DUP_16B(TMP, ONES)

next:
	LDR_Q(X, 0, X0)
	LDR_Q(Y, 0, Y0)
	REST(A0)
	REST(A1)
	REST(A2)
	REST(A3)
	ZIP1_16B(X0, Y0, L0)
	ZIP2_16B(X0, Y0, L2)
	ZIP2_8H(L0, ONES, L1)
	ZIP2_8H(L2, ONES, L3)
	ZIP1_8H(L0, ONES, L0)
	ZIP1_8H(L2, ONES, L2)
	ADD $16, R(X)
	ADD $16, R(Y)
	DIGIT(D2)
	TIMES256
	DIGIT(D1)
	TIMES256
	DIGIT(D0)
	UZP2_8H(A0, A1, A0)
	UZP2_8H(A2, A3, A2)
	SSHL_8H(A0, SHIFT, A0)
	SSHL_8H(A2, SHIFT, A2)
	SQADD_8H(A0, ZERO, A0)
	SQADD_8H(A2, ZERO, A2)
	SQXTN_8B(A0, A0)
	SQXTN2_16B(A2, A0)
	SMAX_16B(A0, LOW, A0)
	SMIN_16B(A0, HIGH, A0)
	ST1_1(A0, DST)
	ADD $16, R(DST)
	SUBS $1, R(COUNT), R(COUNT)
	BNE next
	RET
