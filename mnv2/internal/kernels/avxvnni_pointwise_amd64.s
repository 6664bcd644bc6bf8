//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"
#include "avx2_store_amd64.h"
#include "avxvnni_pixels_amd64.h"
#include "avxvnni_amd64.h"

#define IN_ORDER(a) // as even and odd channels are joined

#define ADVANCE 16

// Sixteen input channels are four steps of four. A step's weights are those of
// each even channel, then of each odd one. Eight may be left.
#define PRODUCTS \
	MOVQ  src, x                 \
	MOVQ  avxvnniTile_steps(args), steps \
	TESTQ steps, steps           \
	JZ    half                   \
four: \
	STEP(0)                      \
	STEP(1)                      \
	STEP(2)                      \
	STEP(3)                      \
	ADDQ  avxvnniTile_pitch(args), x \
	ADDQ  $256, w                \
	DECQ  steps                  \
	JNZ   four                   \
half: \
	CMPQ  avxvnniTile_half(args), $0 \
	JE    done                   \
	STEP(0)                      \
	STEP(1)                      \
	ADDQ  $128, w                \
done:

// sums += x0*w0 + x1*w1 + x2*w2 + x3*w3
#define STEP(i) \
	VMOVDQU (64*i)(w), Y15 \
	FOR_EACH(DOT, i)
#define DOT(i, p, even, e, odd, o) \
	VPBROADCASTD (4*i+ADVANCE*p)(x), Y14 \
	VPDPBUSD(15, 14, e)                  \
	VPDPBUSD_DX(64*i+32, 14, o)

#define NAME ·avxvnniPixels7
#define PIXELS 7
#define FOR_EACH FOR_7
#define FOR_OUTPUTS OUTPUTS_7
#include "avxvnni_tile_amd64.h"

#define NAME ·avxvnniPixels3
#define PIXELS 3
#define FOR_EACH FOR_3
#define FOR_OUTPUTS OUTPUTS_3
#include "avxvnni_tile_amd64.h"

#define NAME ·avxvnniPixels1
#define PIXELS 1
#define FOR_EACH FOR_1
#define FOR_OUTPUTS OUTPUTS_1
#include "avxvnni_tile_amd64.h"

// First: pixels are 6 bytes apart, and a row of a window, of 9 bytes, is three
// steps.
#undef ADVANCE
#undef PRODUCTS
#define ADVANCE 6
#define PRODUCTS \
	MOVQ src, x     \
	MOVQ $3, steps  \
row: \
	STEP(0)         \
	STEP(1)         \
	STEP(2)         \
	ADDQ avxvnniTile_pitch(args), x \
	ADDQ $192, w    \
	DECQ steps      \
	JNZ  row

#define NAME ·avxvnniFirst7
#define PIXELS 7
#define FOR_EACH FOR_7
#define FOR_OUTPUTS OUTPUTS_7
#include "avxvnni_tile_amd64.h"

#define NAME ·avxvnniFirst1
#define PIXELS 1
#define FOR_EACH FOR_1
#define FOR_OUTPUTS OUTPUTS_1
#include "avxvnni_tile_amd64.h"
