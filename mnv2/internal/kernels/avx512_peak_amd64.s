//go:build !purego

#include "textflag.h"

// sum += x0*w0 + x1*w1 + x2*w2 + x3*w3, in 16 lanes
#define DOT(sum) VPDPBUSD Z31, Z30, sum

// func avx512Dots(rounds int)
TEXT ·avx512Dots(SB), NOSPLIT, $0-8
	MOVQ rounds+0(FP), CX

round:
	DOT(Z0)
	DOT(Z1)
	DOT(Z2)
	DOT(Z3)
	DOT(Z4)
	DOT(Z5)
	DOT(Z6)
	DOT(Z7)
	DOT(Z8)
	DOT(Z9)
	DOT(Z10)
	DOT(Z11)
	DECQ CX
	JNZ  round
	VZEROUPPER
	RET
