//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"
#include "avx2_pixels_amd64.h"

// A unit is 8 input channels as 16 bits each: four steps of two. Steps' weights
// are 2 of each even channel, then 2 of each odd one.
#define UNIT_WEIGHTS 256
#define ADVANCE 16
#define UNIT \
	HALF    \
	STEP(2) \
	STEP(3)
#define HALF \
	STEP(0) \
	STEP(1)

// sums += x0*w0 + x1*w1
#define STEP(i) FOR_EACH(DOT, i)
#define DOT(i, p, even, e, odd, o) \
	VPBROADCASTD (4*i+ADVANCE*p)(x), Y14 \
	VPMADDWD     (64*i)(w), Y14, Y15     \
	VPMADDWD     (64*i+32)(w), Y14, Y14  \
	VPADDD       Y15, even, even         \
	VPADDD       Y14, odd, odd

// Before, a tile's input is widened to 16 bits: unit, pixel, 8 channels.
#define PREPARE \
	MOVQ avxTile_wide(args), x      \
	MOVQ $(16*PIXELS), pitch        \
	MOVQ src, to                    \
	MOVQ avxTile_inGroups(args), units \
widen: \
	FOR_EACH(WIDEN, 0)              \
	ADDQ avxTile_pitch(args), to    \
	ADDQ $(2*16*PIXELS), x          \
	DECQ units                      \
	JNZ  widen                      \
	MOVQ dst, to
#define WIDEN(i, p, even, e, odd, o) \
	VPMOVZXBW (16*p)(to), X0         \
	VPMOVZXBW (16*p+8)(to), X1       \
	VMOVDQU   X0, (16*p)(x)          \
	VMOVDQU   X1, (16*(p+PIXELS))(x)
#define X MOVQ avxTile_wide(args), x

#define NAME ·avx2Tile7
#define PIXELS 7
#define FOR_EACH FOR_7
#define STORE STORE_7
#include "avx2_tile_amd64.h"

#define NAME ·avx2Tile3
#define PIXELS 3
#define FOR_EACH FOR_3
#define STORE STORE_3
#include "avx2_tile_amd64.h"

#define NAME ·avx2Tile1
#define PIXELS 1
#define FOR_EACH FOR_1
#define STORE STORE_1
#include "avx2_tile_amd64.h"

// First: rows are widened as a whole, pixels 12 bytes apart. A unit is the 9
// values of a window's row, as five steps of two.
#undef ADVANCE
#undef UNIT_WEIGHTS
#undef UNIT
#undef HALF
#undef PREPARE
#undef X
#define ADVANCE 12
#define UNIT_WEIGHTS 320
#define UNIT \
	STEP(0) \
	STEP(1) \
	STEP(2) \
	STEP(3) \
	STEP(4)
#define HALF
#define PREPARE MOVQ avxTile_pitch(args), pitch
#define X MOVQ src, x

#define NAME ·avx2First7
#define PIXELS 7
#define FOR_EACH FOR_7
#define STORE STORE_7
#include "avx2_tile_amd64.h"

#define NAME ·avx2First1
#define PIXELS 1
#define FOR_EACH FOR_1
#define STORE STORE_1
#include "avx2_tile_amd64.h"

// func avx2Widen(dst *int16, src *int8, n int)
TEXT ·avx2Widen(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

eight:
	VPMOVZXBW (SI), X0
	VMOVDQU   X0, (DI)
	ADDQ      $8, SI
	ADDQ      $16, DI
	SUBQ      $8, CX
	JGT       eight
	RET
