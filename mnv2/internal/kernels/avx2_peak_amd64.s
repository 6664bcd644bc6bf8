//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"
#include "avx2_pixels_amd64.h"

#define DOT(i, p, even, e, odd, o) \
	VPMADDWD Y14, Y14, Y15   \
	VPADDD   Y15, even, even \
	VPMADDWD Y14, Y14, Y15   \
	VPADDD   Y15, odd, odd

// func avx2Dots(rounds int)
//
// The dot products of a step of a tile of seven pixels, of registers.
TEXT ·avx2Dots(SB), NOSPLIT, $0-8
	MOVQ rounds+0(FP), CX

round:
	FOR_7(DOT, 0)
	DECQ CX
	JNZ  round
	VZEROUPPER
	RET
