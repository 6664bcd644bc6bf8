//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "instructions_arm64.h"
#include "neon_arm64.h"

// The residual addition of 16 bytes at a time, four in a vector:
//
//	clamp((fx*x + fy*y + rest) >> shift + zero, low, high)
//
// where rest is what rounds, a half, less what the zero points add. What is
// left after the shift fits 16 bits.

#define SUMS 0 // 4 vectors
#define X 4
#define Y 8
#define FX 16
#define FY 17
#define REST 18
#define SHIFT 19 // negative: SSHL shifts right
#define ZERO 20
#define LOW 21
#define HIGH 22

#define DST 1
#define XIN 2
#define YIN 3
#define COUNT 4 // of 16 bytes
#define T 5

// Something for each of four vectors: they hide each other's latency.
#define EACH(F) F(0); F(1); F(2); F(3)
#define START(i) MOV_16B(REST, SUMS+i)
#define ADD_X(i) MLA_4S(X+i, FX, SUMS+i)
#define ADD_Y(i) MLA_4S(Y+i, FY, SUMS+i)
#define SCALE(i) SSHL_4S(SUMS+i, SHIFT, SUMS+i)

// func neonAdd16(s *neonSum)
TEXT ·neonAdd16(SB), NOSPLIT, $0-8
	MOVD s+0(FP), R0
	MOVD neonSum_dst(R0), R(DST)
	MOVD neonSum_x(R0), R(XIN)
	MOVD neonSum_y(R0), R(YIN)
	MOVD neonSum_n(R0), R(COUNT)
	DUP_FIELD(neonSum_fx, DUP_4S, FX)
	DUP_FIELD(neonSum_fy, DUP_4S, FY)
	DUP_FIELD(neonSum_rest, DUP_4S, REST)
	DUP_FIELD(neonSum_shift, DUP_4S, SHIFT)
	DUP_FIELD(neonSum_zero, DUP_8H, ZERO)
	DUP_FIELD(neonSum_low, DUP_16B, LOW)
	DUP_FIELD(neonSum_high, DUP_16B, HIGH)

next:
	LDR_Q(XIN, 0, X)
	LDR_Q(YIN, 0, Y)
	EACH(START)

	// 16 bytes become four vectors, X to X+3, and Y to Y+3.
	SSHLL2_8H(0, X, X+2)
	SSHLL_8H(0, X, X)
	SSHLL2_8H(0, Y, Y+2)
	SSHLL_8H(0, Y, Y)
	ADD  $16, R(XIN), R(XIN)
	ADD  $16, R(YIN), R(YIN)
	SSHLL2_4S(0, X+2, X+3)
	SSHLL2_4S(0, X, X+1)
	SSHLL_4S(0, X+2, X+2)
	SSHLL_4S(0, X, X)
	SSHLL2_4S(0, Y+2, Y+3)
	SSHLL2_4S(0, Y, Y+1)
	SSHLL_4S(0, Y+2, Y+2)
	SSHLL_4S(0, Y, Y)
	EACH(ADD_X)
	EACH(ADD_Y)
	EACH(SCALE)
	SUB  $1, R(COUNT), R(COUNT)
	SQXTN_4H(SUMS, SUMS)
	SQXTN_4H(SUMS+2, SUMS+2)
	SQXTN2_8H(SUMS+1, SUMS)
	SQXTN2_8H(SUMS+3, SUMS+2)
	SQADD_8H(SUMS, ZERO, SUMS)
	SQADD_8H(SUMS+2, ZERO, SUMS+2)
	SQXTN_8B(SUMS, SUMS)
	SQXTN2_16B(SUMS+2, SUMS)
	SMAX_16B(SUMS, LOW, SUMS)
	SMIN_16B(SUMS, HIGH, SUMS)
	STR_Q(SUMS, DST, 0)
	ADD  $16, R(DST), R(DST)
	CBNZ R(COUNT), next
	RET
