//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx512_amd64.h"
#include "avx512_tiles_amd64.h"

// Pixels are 16 bytes apart, one group of input channels. LEFT counts fours.
#define PITCH 16
#define TAKE \
	MOVQ    $4, COUNT   \
	CMPQ    LEFT, COUNT \
	CMOVQLT LEFT, COUNT \
	SUBQ    COUNT, LEFT
#define NEXT ADDQ avx512Tiles_inStep(ARGS), INPUT

// func avx512Pointwise14(tiles *avx512Tiles)
TEXT ·avx512Pointwise14(SB), NOSPLIT, $0-8
	TILES(14, PIXELS14, LOW14, HIGH14)

// func avx512Pointwise7(tiles *avx512Tiles)
TEXT ·avx512Pointwise7(SB), NOSPLIT, $0-8
	TILES(7, PIXELS7, LOW7, HIGH7)

// func avx512Pointwise4(tiles *avx512Tiles)
TEXT ·avx512Pointwise4(SB), NOSPLIT, $0-8
	TILES(4, PIXELS4, LOW4, HIGH4)

// func avx512Pointwise1(tiles *avx512Tiles)
TEXT ·avx512Pointwise1(SB), NOSPLIT, $0-8
	TILES(1, PIXELS1, LOW1, HIGH1)
