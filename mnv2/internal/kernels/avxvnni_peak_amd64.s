//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"
#include "avxvnni_pixels_amd64.h"
#include "avxvnni_amd64.h"

#define DOT(i, p, even, e, odd, o) \
	VPDPBUSD(15, 14, e) \
	VPDPBUSD(15, 14, o)

// func avxvnniDots(rounds int)
//
// The dot products of a step of a tile of seven pixels, of registers.
TEXT ·avxvnniDots(SB), NOSPLIT, $0-8
	MOVQ rounds+0(FP), CX

round:
	FOR_7(DOT, 0)
	DECQ CX
	JNZ  round
	VZEROUPPER
	RET
