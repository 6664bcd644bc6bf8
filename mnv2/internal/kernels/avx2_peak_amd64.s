//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"

#define DOT(sum) \
	VPMADDUBSW Y14, Y14, Y15 \
	VPMADDWD   Y14, Y15, Y15 \
	VPADDD     Y15, sum, sum

// func avx2Dots(rounds int)
//
// Seven dot products of a lane, of registers.
TEXT ·avx2Dots(SB), NOSPLIT, $0-8
	MOVQ rounds+0(FP), CX

round:
	DOT(Y0)
	DOT(Y1)
	DOT(Y2)
	DOT(Y3)
	DOT(Y4)
	DOT(Y5)
	DOT(Y6)
	DECQ CX
	JNZ  round
	VZEROUPPER
	RET
