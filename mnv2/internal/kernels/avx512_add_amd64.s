//go:build !purego

#include "textflag.h"
#include "go_asm.h"

#define ARGS AX
#define X SI // X, Y and OUT: AT bytes are behind us
#define Y BX
#define OUT DI
#define AT DX
#define BYTES R8 // ahead of us
#define LAST K1 // those that are left at the end

#define BIAS Z16
#define HIGH_XY Z17 // pairs of words: what multiplies x and y
#define LOW_XY Z18
#define SHIFT Z19
#define ZERO Z20 // words
#define LOW Z21 // bytes
#define HIGH Z22
#define NIL Z23

// sum = (bias + 256*(x*highX + y*highY) + x*lowX + y*lowY) >> shift, of pairs
// of words
#define SUM(xy, sum) \
	VPMADDWD HIGH_XY, xy, sum \
	VPSLLD   $8, sum, sum     \
	VPDPWSSD LOW_XY, xy, sum  \
	VPADDD   BIAS, sum, sum   \
	VPSRAVD  SHIFT, sum, sum

// Z0 = clamp(sum(Z0, Z1) + zero), 64 bytes. What unpacking does to the order
// packing undoes.
#define ADD \
	VPUNPCKHBW Z1, Z0, Z4   \
	VPUNPCKLBW Z1, Z0, Z0   \
	VPUNPCKLBW NIL, Z0, Z2  \
	VPUNPCKHBW NIL, Z0, Z3  \
	VPUNPCKHBW NIL, Z4, Z5  \
	VPUNPCKLBW NIL, Z4, Z4  \
	SUM(Z2, Z6)             \
	SUM(Z3, Z7)             \
	SUM(Z4, Z8)             \
	SUM(Z5, Z9)             \
	VPACKSSDW  Z7, Z6, Z0   \
	VPACKSSDW  Z9, Z8, Z1   \
	VPADDSW    ZERO, Z0, Z0 \
	VPADDSW    ZERO, Z1, Z1 \
	VPACKUSWB  Z1, Z0, Z0   \
	VPMAXUB    LOW, Z0, Z0  \
	VPMINUB    HIGH, Z0, Z0

// func avx512AddBytes(add *avx512Add)
TEXT ·avx512AddBytes(SB), NOSPLIT, $0-8
	MOVQ         add+0(FP), ARGS
	MOVQ         avx512Add_x(ARGS), X
	MOVQ         avx512Add_y(ARGS), Y
	MOVQ         avx512Add_out(ARGS), OUT
	MOVQ         avx512Add_bytes(ARGS), BYTES
	VPBROADCASTD avx512Add_bias(ARGS), BIAS
	VPBROADCASTD avx512Add_highXY(ARGS), HIGH_XY
	VPBROADCASTD avx512Add_lowXY(ARGS), LOW_XY
	VPBROADCASTD avx512Add_shift(ARGS), SHIFT
	VPBROADCASTD avx512Output_zero(ARGS), ZERO
	VPBROADCASTD avx512Output_low(ARGS), LOW
	VPBROADCASTD avx512Output_high(ARGS), HIGH
	VPXORD       NIL, NIL, NIL
	XORL         AT, AT
	SUBQ         $64, BYTES
	JLT          last

loop:
	VMOVDQU8 (X)(AT*1), Z0
	VMOVDQU8 (Y)(AT*1), Z1
	ADD
	VMOVDQU8 Z0, (OUT)(AT*1)
	ADDQ     $64, AT
	SUBQ     $64, BYTES
	JGE      loop

last:
	ADDQ       $64, BYTES
	JEQ        end
	MOVQ       BYTES, CX
	MOVQ       $-1, BYTES
	SHLQ       CX, BYTES
	NOTQ       BYTES
	KMOVQ      BYTES, LAST
	VMOVDQU8.Z (X)(AT*1), LAST, Z0
	VMOVDQU8.Z (Y)(AT*1), LAST, Z1
	ADD
	VMOVDQU8   Z0, LAST, (OUT)(AT*1)

end:
	VZEROUPPER
	RET
