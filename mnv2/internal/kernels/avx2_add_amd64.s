//go:build !purego

#include "textflag.h"
#include "go_asm.h"

// A factor is its low eight bits and what is above them, H*256 + L, so that
// both fit 16 bits. Rest is what rounds, a half, less what the zero points add.
// Eight sums at a time, of x and y, unsigned bytes, in turns as 16 bits:
//
//	sums = ((x*Hx + y*Hy) << 8 + x*Lx + y*Ly + rest) >> shift
#define SUMS(UNPACK, xy, sums) \
	UNPACK   Y15, xy, sums     \
	VPMADDWD Y8, sums, Y7      \
	VPMADDWD Y9, sums, sums    \
	VPSLLD   $8, Y7, Y7        \
	VPADDD   Y10, sums, sums   \
	VPADDD   Y7, sums, sums    \
	VPSRAD   X11, sums, sums

// func avx2Add32(dst, x, y *int8, n int, a *avx2Sum)
//
// Adds n times 32 bytes: dst = clamp(sums + zero, low, high).
TEXT ·avx2Add32(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	MOVQ n+24(FP), CX
	MOVQ a+32(FP), AX
	VPBROADCASTD avx2Sum_high(AX), Y8
	VPBROADCASTD avx2Sum_low(AX), Y9
	VPBROADCASTD avx2Sum_rest(AX), Y10
	VMOVQ        avx2Sum_shift(AX), X11
	VPBROADCASTW avx2Sum_zero(AX), Y12
	VPBROADCASTB avx2Sum_min(AX), Y13
	VPBROADCASTB avx2Sum_max(AX), Y14
	VPXOR        Y15, Y15, Y15

next:
	VMOVDQU    (SI), Y0
	VMOVDQU    (DX), Y1
	VPUNPCKLBW Y1, Y0, Y4
	VPUNPCKHBW Y1, Y0, Y5
	SUMS(VPUNPCKLBW, Y4, Y0)
	SUMS(VPUNPCKHBW, Y4, Y1)
	SUMS(VPUNPCKLBW, Y5, Y2)
	SUMS(VPUNPCKHBW, Y5, Y3)
	VPACKSSDW  Y1, Y0, Y0
	VPACKSSDW  Y3, Y2, Y2
	VPADDSW    Y12, Y0, Y0
	VPADDSW    Y12, Y2, Y2
	VPACKUSWB  Y2, Y0, Y0
	VPMAXUB    Y13, Y0, Y0
	VPMINUB    Y14, Y0, Y0
	VMOVDQU    Y0, (DI)
	ADDQ       $32, SI
	ADDQ       $32, DX
	ADDQ       $32, DI
	DECQ       CX
	JNZ        next
	VZEROUPPER
	RET
