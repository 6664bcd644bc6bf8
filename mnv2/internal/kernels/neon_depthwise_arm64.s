//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "instructions_arm64.h"
#include "neon_arm64.h"

// The 3x3 depthwise convolution of 16 channels, pixel by pixel:
//
//	sum[channel] = start[channel] + sum over taps of x[tap][channel] * w[tap][channel]
//
// Products of bytes are 16 bits wide, which hold two of them added up (the packer
// leaves layers where two weights of -128 would meet to portable Go): those of
// the kernel's rows 0 and 1 in each column, those of columns 0 and 1 in row 2,
// and the last. Rows of pixels are A to D, and have padding on both sides;
// output row 0 is made of A, B and C, output row 1 of B, C and D.
//
// A group's stream is its neonHead, 9 vectors of weights, tap by tap, and zeros
// that make it whole lines of 64 bytes.
//
// What takes long is done while the next pixel begins: its first products come
// between the steps that narrow this one's results. The first pixel has none
// before it, and stores what happens to be there where pixel 0 will follow. A
// group that needs more than fma stores each pixel at once.

// General registers, by number.
#define DST0   1 // the group's first pixel, of each row
#define DST1   2
#define SRCA   3
#define SRCB   4
#define SRCC   5
#define SRCD   6
#define STREAM 7
#define DNEXT  8 // from a group to the next
#define SNEXT  9
#define GROUPS 10 // still to do
#define COUNT  11 // of pixels
#define STARTS 12 // the constants of the group
#define FACTOR 13
#define OFFSET 14
#define MOVE   15 // from a pixel's first column to the next pixel's
#define STEP   16 // the same, but 0 where there is no next pixel
#define ROWA   17 // the first columns of the pixel; of the next one after MEANWHILE
#define ROWB   19
#define ROWC   20
#define ROWD   21 // the first column of the pixel, to its end
#define OUT0   22 // the pixel before
#define OUT1   23
#define STEPWISE_SUMS 24 // whether the group is to be requantized step by step
#define SLOW   25 // that, or low or high is not that of a byte
#define MOVEOUT 26 // from the pixel before to the next: 0 before the first
#define T      26 // in between

// Vectors: weights 0-8, by tap; the sums of two rows of output; products;
// three columns of rows A, B and C. D takes A's place.
#define S0 9
#define S1 13
#define P0 17
#define P1 19
#define P2 21
#define XA 23
#define XB 26
#define XC 29

// Requantization: the factors, and the results of both rows, which hold the
// offsets before; those of the pixel before, 16 bits wide, until S1 is needed.
#define FACTORS 23
#define R0_ 27
#define R1_ 19
#define BEFORE0 13
#define BEFORE1 15
#define LOW  17
#define HIGH 18

// The products of 16 channels, and their sum with what is there.
#define TAP(x, w, p) SMULL_8H(x, w, p); SMULL2_8H(x, w, p+1)
#define AND_TAP(x, w, p) SMLAL_8H(x, w, p); SMLAL2_8H(x, w, p+1)

// sum += products
#define SUM(p, s) \
	SADDW_4S(s, p, s); \
	SADDW2_4S(s+1, p, s+1); \
	SADDW_4S(s+2, p+1, s+2); \
	SADDW2_4S(s+3, p+1, s+3)

// The same while the next products are made, since an A72 multiplies with one
// of its two vector pipes.
#define SUM_WHILE(p, s, OP, OP2, x, w, q) \
	SADDW_4S(s, p, s); \
	SADDW2_4S(s+1, p, s+1); \
	OP(x, w, q); \
	SADDW_4S(s+2, p+1, s+2); \
	SADDW2_4S(s+3, p+1, s+3); \
	OP2(x, w, q+1)
#define SUM_WHILE_TAP(p, s, x, w, q) SUM_WHILE(p, s, SMULL_8H, SMULL2_8H, x, w, q)
#define SUM_WHILE_AND_TAP(p, s, x, w, q) SUM_WHILE(p, s, SMLAL_8H, SMLAL2_8H, x, w, q)

#define ALL_FUSED(s, r) \
	FUSED(s, FACTORS, r); \
	FUSED(s+1, FACTORS+1, r+1); \
	FUSED(s+2, FACTORS+2, r+2); \
	FUSED(s+3, FACTORS+3, r+3)

#define STEPWISE_PAIRS(s, zero, r) \
	UZP2_8H(s, s+1, r); \
	UZP2_8H(s+2, s+3, r+2); \
	SQADD_8H(r, zero, r); \
	SQADD_8H(r+2, zero, r+2)

#define CLAMP(r) \
	SMAX_16B(r, LOW, r); \
	SMIN_16B(r, HIGH, r)

#define ARGUMENTS \
	MOVD  r+0(FP), R0; \
	MOVD  neonRows_dst(R0), R(DST0); \
	MOVD  neonRows_src(R0), R(SRCA); \
	MOVD  neonRows_src+8(R0), R(SRCB); \
	MOVD  neonRows_src+16(R0), R(SRCC); \
	MOVD  neonRows_stream(R0), R(STREAM); \
	MOVD  neonRows_dstNext(R0), R(DNEXT); \
	MOVD  neonRows_srcNext(R0), R(SNEXT); \
	MOVD  neonRows_groups(R0), R(GROUPS); \
	MOVD  neonRows_move(R0), R(MOVE)

// A group's pointers, constants and weights, and its first columns.
#define GROUP \
	MOVD  R(DST0), R(OUT0); \
	MOVD  R(SRCA), R(ROWA); \
	MOVD  R(SRCB), R(ROWB); \
	MOVD  R(SRCC), R(ROWC); \
	MOVD  neonRows_pixels(R0), R(COUNT); \
	MOVWU neonHead_stepwise(R(STREAM)), R(STEPWISE_SUMS); \
	MOVWU neonRows_requantized+requantized_clamped(R0), R(SLOW); \
	ORR   R(STEPWISE_SUMS), R(SLOW); \
	ADD   $neonHead_starts, R(STREAM), R(STARTS); \
	ADD   $neonHead_factors, R(STREAM), R(FACTOR); \
	ADD   $neonHead_offsets, R(STREAM), R(OFFSET); \
	ADD   $neonHead__size, R(STREAM), R(T); \
	LD1_4(T, 0); \
	ADD   $64, R(T), R(T); \
	LD1_4(T, 4); \
	LDR_Q(T, 64, 8); \
	ADD   $96, R(T), R(STREAM); \
	LD1_3(ROWA, XA); \
	LD1_3(ROWB, XB); \
	CMP   $1, R(COUNT); \
	CSEL  HI, R(MOVE), ZR, R(STEP); \
	MOVD  ZR, R(MOVEOUT)

// A pixel further: no further than the last pixel's columns, as the next
// pixel's are loaded always.
#define ADVANCE \
	ADD  R(MOVEOUT), R(OUT0); \
	ADD  R(STEP), R(ROWA); \
	ADD  R(STEP), R(ROWB); \
	ADD  R(STEP), R(ROWC); \
	SUB  $1, R(COUNT); \
	CMP  $1, R(COUNT); \
	MOVD $16, R(MOVEOUT); \
	CSEL HI, R(MOVE), ZR, R(STEP)

#define NEXT_GROUP \
	ADD R(DNEXT), R(DST0); \
	ADD R(SNEXT), R(SRCA); \
	ADD R(SNEXT), R(SRCB); \
	ADD R(SNEXT), R(SRCC)

#define LOAD_ZERO(v) DUP_FIELD(neonRows_requantized+requantized_zero, DUP_8H, v)
#define LOAD_RANGE \
	DUP_FIELD(neonRows_requantized+requantized_low, DUP_16B, LOW); \
	DUP_FIELD(neonRows_requantized+requantized_high, DUP_16B, HIGH)

// Rows A and B, which are there; C is loaded.
#define BEGIN \
	LD1_4(STARTS, S0); \
	TAP(XA, 0, P0); \
	TAP(XA+1, 1, P1); \
	LD1_3(ROWC, XC); \
	TAP(XA+2, 2, P2); \
	AND_TAP(XB, 3, P0); \
	AND_TAP(XB+1, 4, P1); \
	AND_TAP(XB+2, 5, P2)

// The rest of the sums of a pixel in two rows. MEANWHILE deals with the pixel
// before.
#define TWO_ROWS(MEANWHILE) \
	LD1_3(ROWD, XA); \
	SUM_WHILE_TAP(P0, S0, XB, 0, P0); \
	MEANWHILE; \
	SUM_WHILE_TAP(P1, S0, XB+1, 1, P1); \
	LD1_4(STARTS, S1); \
	SUM_WHILE_TAP(P2, S0, XB+2, 2, P2); \
	AND_TAP(XC, 3, P0); \
	AND_TAP(XC+1, 4, P1); \
	AND_TAP(XC+2, 5, P2); \
	SUM_WHILE_TAP(P0, S1, XC, 6, P0); \
	SUM_WHILE_TAP(P1, S1, XC+2, 8, P1); \
	SUM_WHILE_AND_TAP(P2, S1, XC+1, 7, P0); \
	TAP(XA, 6, P2); \
	SUM(P1, S0); \
	AND_TAP(XA+1, 7, P2); \
	SUM_WHILE_TAP(P0, S0, XA+2, 8, P1); \
	LD1_4(FACTOR, FACTORS); \
	SUM(P2, S1); \
	LD1_4(OFFSET, R0_); \
	SUM(P1, S1)

// The same for one row.
#define ONE_ROW(MEANWHILE) \
	SUM_WHILE_TAP(P0, S0, XC, 6, P0); \
	MEANWHILE; \
	SUM_WHILE_TAP(P1, S0, XC+2, 8, P1); \
	LD1_4(FACTOR, FACTORS); \
	SUM_WHILE_AND_TAP(P2, S0, XC+1, 7, P0); \
	LD1_4(OFFSET, R0_); \
	SUM(P1, S0); \
	SUM(P0, S0)

#define NOTHING
#define STORE_ONE \
	STR_Q(BEFORE0, OUT0, 0); \
	ADVANCE
#define STORE_TWO \
	STR_Q(BEFORE0, OUT0, 0); \
	STR_Q(BEFORE1, OUT1, 0); \
	ADD  R(MOVE), R(ROWD); \
	ADD  R(MOVEOUT), R(OUT1); \
	ADVANCE

// Two rows, stride 1.
//
// func neonDepthwise2(r *neonRows)
TEXT ·neonDepthwise2(SB), NOSPLIT, $0-8
	ARGUMENTS
	MOVD neonRows_dst+8(R0), R(DST1)
	MOVD neonRows_src+24(R0), R(SRCD)

group:
	GROUP
	MOVD R(DST1), R(OUT1)
	MOVD R(SRCD), R(ROWD)
	CBNZ R(SLOW), slow

pixel:
	SQXTN_8B(BEFORE0, BEFORE0)
	SQXTN_8B(BEFORE1, BEFORE1)
	BEGIN
	SQXTN2_16B(BEFORE0+1, BEFORE0)
	SQXTN2_16B(BEFORE1+1, BEFORE1)
	TWO_ROWS(STORE_TWO)
	LD1_4(OFFSET, R1_)
	ALL_FUSED(S0, R0_)
	ALL_FUSED(S1, R1_)
	UZP1_8H(R0_, R0_+1, BEFORE0)
	LD1_3(ROWA, XA)
	UZP1_8H(R0_+2, R0_+3, BEFORE0+1)
	UZP1_8H(R1_, R1_+1, BEFORE1)
	LD1_3(ROWB, XB)
	UZP1_8H(R1_+2, R1_+3, BEFORE1+1)
	CBNZ R(COUNT), pixel
	SQXTN_8B(BEFORE0, BEFORE0)
	SQXTN_8B(BEFORE1, BEFORE1)
	SQXTN2_16B(BEFORE0+1, BEFORE0)
	SQXTN2_16B(BEFORE1+1, BEFORE1)
	STR_Q(BEFORE0, OUT0, 0)
	STR_Q(BEFORE1, OUT1, 0)

next:
	NEXT_GROUP
	ADD  R(DNEXT), R(DST1)
	ADD  R(SNEXT), R(SRCD)
	SUB  $1, R(GROUPS), R(GROUPS)
	CBNZ R(GROUPS), group
	RET

slow:
	BEGIN
	TWO_ROWS(NOTHING)
	CBNZ R(STEPWISE_SUMS), stepwise
	LD1_4(OFFSET, R1_)
	ALL_FUSED(S0, R0_)
	ALL_FUSED(S1, R1_)
	UZP1_8H(R0_, R0_+1, R0_)
	UZP1_8H(R0_+2, R0_+3, R0_+2)
	UZP1_8H(R1_, R1_+1, R1_)
	UZP1_8H(R1_+2, R1_+3, R1_+2)

narrow:
	LOAD_RANGE
	SQXTN_8B(R0_, R0_)
	SQXTN_8B(R1_, R1_)
	SQXTN2_16B(R0_+2, R0_)
	SQXTN2_16B(R1_+2, R1_)
	CLAMP(R0_)
	CLAMP(R1_)
	STR_Q(R0_, OUT0, 0)
	STR_Q(R1_, OUT1, 0)
	MOVD $16, R(MOVEOUT)
	ADD  R(MOVEOUT), R(OUT1)
	ADD  R(MOVE), R(ROWD)
	ADVANCE
	LD1_3(ROWA, XA)
	LD1_3(ROWB, XB)
	CBNZ R(COUNT), slow
	B    next

stepwise:
	LOAD_ZERO(P0)
	STEPWISE(S0, FACTORS)
	STEPWISE(S1, FACTORS)
	STEPWISE_PAIRS(S0, P0, R0_)
	STEPWISE_PAIRS(S1, P0, R1_)
	B    narrow

// One row, stride 1 or 2.
//
// func neonDepthwise1(r *neonRows)
TEXT ·neonDepthwise1(SB), NOSPLIT, $0-8
	ARGUMENTS

group:
	GROUP
	CBNZ R(SLOW), slow

pixel:
	SQXTN_8B(BEFORE0, BEFORE0)
	BEGIN
	SQXTN2_16B(BEFORE0+1, BEFORE0)
	ONE_ROW(STORE_ONE)
	ALL_FUSED(S0, R0_)
	UZP1_8H(R0_, R0_+1, BEFORE0)
	LD1_3(ROWA, XA)
	UZP1_8H(R0_+2, R0_+3, BEFORE0+1)
	LD1_3(ROWB, XB)
	CBNZ R(COUNT), pixel
	SQXTN_8B(BEFORE0, BEFORE0)
	SQXTN2_16B(BEFORE0+1, BEFORE0)
	STR_Q(BEFORE0, OUT0, 0)

next:
	NEXT_GROUP
	SUB  $1, R(GROUPS), R(GROUPS)
	CBNZ R(GROUPS), group
	RET

slow:
	BEGIN
	ONE_ROW(NOTHING)
	CBNZ R(STEPWISE_SUMS), stepwise
	ALL_FUSED(S0, R0_)
	UZP1_8H(R0_, R0_+1, R0_)
	UZP1_8H(R0_+2, R0_+3, R0_+2)

narrow:
	LOAD_RANGE
	SQXTN_8B(R0_, R0_)
	SQXTN2_16B(R0_+2, R0_)
	CLAMP(R0_)
	STR_Q(R0_, OUT0, 0)
	MOVD $16, R(MOVEOUT)
	ADVANCE
	LD1_3(ROWA, XA)
	LD1_3(ROWB, XB)
	CBNZ R(COUNT), slow
	B    next

stepwise:
	LOAD_ZERO(P0)
	STEPWISE(S0, FACTORS)
	STEPWISE_PAIRS(S0, P0, R0_)
	B    narrow
