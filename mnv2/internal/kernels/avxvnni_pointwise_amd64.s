//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"
#include "avx2_pixels_amd64.h"
#include "avxvnni_amd64.h"

// A unit is the 16 input channels of a group: four steps of four. Steps' weights
// are 4 of each even channel, then 4 of each odd one.
#define PREPARE MOVQ avxTile_pitch(args), pitch
#define X MOVQ src, x
#define UNIT_WEIGHTS 256
#define ADVANCE 16
#define UNIT \
	HALF    \
	STEP(2) \
	STEP(3)
#define HALF \
	STEP(0) \
	STEP(1)

// sums += x0*w0 + x1*w1 + x2*w2 + x3*w3
#define STEP(i) \
	VMOVDQU (64*i)(w), Y15 \
	FOR_EACH(DOT, i)
#define DOT(i, p, even, e, odd, o) \
	VPBROADCASTD (4*i+ADVANCE*p)(x), Y14 \
	VPDPBUSD(15, 14, e)                  \
	VPDPBUSD_DX(64*i+32, 14, o)

#define NAME ·avxvnniTile7
#define PIXELS 7
#define FOR_EACH FOR_7
#define STORE STORE_7
#include "avx2_tile_amd64.h"

#define NAME ·avxvnniTile3
#define PIXELS 3
#define FOR_EACH FOR_3
#define STORE STORE_3
#include "avx2_tile_amd64.h"

#define NAME ·avxvnniTile1
#define PIXELS 1
#define FOR_EACH FOR_1
#define STORE STORE_1
#include "avx2_tile_amd64.h"

// First: pixels are 6 bytes apart, and a unit is the 9 bytes of a window's row,
// as three steps of four.
#undef ADVANCE
#undef UNIT_WEIGHTS
#undef UNIT
#undef HALF
#define ADVANCE 6
#define UNIT_WEIGHTS 192
#define UNIT \
	STEP(0) \
	STEP(1) \
	STEP(2)
#define HALF

#define NAME ·avxvnniFirst7
#define PIXELS 7
#define FOR_EACH FOR_7
#define STORE STORE_7
#include "avx2_tile_amd64.h"

#define NAME ·avxvnniFirst1
#define PIXELS 1
#define FOR_EACH FOR_1
#define STORE STORE_1
#include "avx2_tile_amd64.h"
