//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx512_amd64.h"
#include "avx512_tiles_amd64.h"

// A pixel's inputs are, 3 columns of 3 colors, nine bytes of each of three rows,
// read as 12: the last three have weights of zero. The next pixel's are two
// columns, six bytes on. LEFT counts the rows still to come: avx512Tiles.rows
// has from row 0 the offsets of row 2 and row 1, in that order. After the last
// row what NEXT reads is not used.
#define PITCH 6
#define TAKE \
	MOVQ $3, COUNT \
	DECQ LEFT
#define NEXT \
	MOVQ avx512Tiles_rows-8(ARGS)(LEFT*8), INPUT \
	ADDQ IN, INPUT

// func avx512First14(tiles *avx512Tiles)
TEXT ·avx512First14(SB), NOSPLIT, $0-8
	TILES(14, PIXELS14, LOW14, HIGH14)

// func avx512First7(tiles *avx512Tiles)
TEXT ·avx512First7(SB), NOSPLIT, $0-8
	TILES(7, PIXELS7, LOW7, HIGH7)

// func avx512First4(tiles *avx512Tiles)
TEXT ·avx512First4(SB), NOSPLIT, $0-8
	TILES(4, PIXELS4, LOW4, HIGH4)

// func avx512First1(tiles *avx512Tiles)
TEXT ·avx512First1(SB), NOSPLIT, $0-8
	TILES(1, PIXELS1, LOW1, HIGH1)
