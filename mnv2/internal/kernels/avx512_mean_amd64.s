//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx512_amd64.h"

#define IN SI // a group's pixels
#define OUT DI
#define GROUPS R8 // to go
#define PIXEL R9
#define COUNT R10

#define SUM Z0
#define X Z1

// func avx512MeanPixels(mean *avx512Mean)
TEXT ·avx512MeanPixels(SB), NOSPLIT, $0-8
	MOVQ mean+0(FP), ARGS
	CONSTANTS
	MOVQ avx512Mean_in(ARGS), IN
	MOVQ avx512Mean_out(ARGS), OUT
	MOVQ avx512Mean_groups(ARGS), GROUPS

group:
	VPBROADCASTD avx512Mean_bias(ARGS), SUM
	MOVQ         IN, PIXEL
	MOVQ         avx512Mean_pixels(ARGS), COUNT

pixel:
	// sum += x, 16 channels
	VPMOVZXBD (PIXEL), X
	VPADDD    X, SUM, SUM
	ADDQ      $16, PIXEL
	DECQ      COUNT
	JNE       pixel

	// clamp(rint(float32(sum) * multiplier) + zero)
	VBROADCASTSS avx512Mean_multiplier(ARGS), MULTIPLIER
	EXACT1(SUM, Z2)
	VMOVDQU32    SUM, ONE, (OUT)
	ADDQ         avx512Mean_inStride(ARGS), IN
	ADDQ         $16, OUT
	DECQ         GROUPS
	JNE          group
	VZEROUPPER
	RET
