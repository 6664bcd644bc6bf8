//go:build !purego

#include "textflag.h"

// Two dot products of four into each sum, as in most of a pointwise convolution.
#define DOTS(sum) \
	VPMADDUBSW Y14, Y14, Y12 \
	VPMADDUBSW Y14, Y14, Y13 \
	VPADDW     Y12, Y13, Y13 \
	VPMADDWD   Y14, Y13, Y13 \
	VPADDD     Y13, sum, sum

// func avx2Dots(rounds int)
TEXT ·avx2Dots(SB), NOSPLIT, $0-8
	MOVQ rounds+0(FP), CX

round:
	DOTS(Y0)
	DOTS(Y1)
	DOTS(Y2)
	DOTS(Y3)
	DOTS(Y4)
	DOTS(Y5)
	DOTS(Y6)
	DECQ CX
	JNZ  round
	VZEROUPPER
	RET
