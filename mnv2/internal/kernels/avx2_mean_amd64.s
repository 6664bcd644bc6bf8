//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"

// func avx2MeanGroup(dst, src *int8, n int, m *avx2Average)
//
// dst = rint(float32(bias + sum) * multiplier) + zero, saturated to an unsigned
// byte, of the sums over n pixels, n > 0, of sixteen channels.
TEXT ·avx2MeanGroup(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ m+24(FP), AX
	VPBROADCASTD avx2Average_bias(AX), Y0
	VMOVDQA      Y0, Y1

next:
	VPMOVZXBD (SI), Y2
	VPMOVZXBD 8(SI), Y3
	VPADDD    Y2, Y0, Y0
	VPADDD    Y3, Y1, Y1
	ADDQ      $16, SI
	DECQ      CX
	JNZ       next

	VPBROADCASTD avx2Average_multiplier(AX), Y2
	VPBROADCASTD avx2Average_zero(AX), Y3
	EXACT(Y2, Y3, Y0)
	EXACT(Y2, Y3, Y1)
	VPACKSSDW Y1, Y0, Y0
	VPERMQ    $0xD8, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPACKUSWB X1, X0, X0
	VMOVDQU   X0, (DI)
	VZEROUPPER
	RET
