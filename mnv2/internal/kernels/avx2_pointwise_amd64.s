//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"
#include "avx2_pixels_amd64.h"

// A tile is copied first: in front as bytes, 16 channels of each of 7 pixels
// and so on, then the same widened to 16 bits.
#define from R9
#define bytes CX
#define words R11
#define PREPARE \
	MOVQ src, from                     \
	MOVQ avxTile_copy(args), x         \
	MOVQ x, bytes                      \
	MOVQ x, words                      \
	ADDQ avxTile_words(args), words    \
	MOVQ avxTile_steps(args), steps    \
copy: \
	FOR_EACH(COPY, 0)                  \
	ADDQ avxTile_pitch(args), from     \
	ADDQ $(7*16), bytes                \
	ADDQ $(7*32), words                \
	DECQ steps                         \
	JNZ  copy                          \
	MOVQ avxTile_lanes(args), lanes
#define COPY(i, p, even, e, odd, o) \
	VMOVDQU   (16*p)(from), X0  \
	VPMOVZXBW (16*p)(from), Y1  \
	VMOVDQU   X0, (16*p)(bytes) \
	VMOVDQU   Y1, (32*p)(words)
#define ADVANCE 16

// sums += x0*w0 + x1*w1 + x2*w2 + x3*w3
//
// over lanes of four input channels. For each vector of sums there is a list of
// places in x: of lanes where two products of bytes always fit 16 bits, then of
// those where they may not. Either ends with a -1.
#define lanes CX
#define at R9
#define PRODUCTS \
	LIST(BYTES_EVEN, evenBytes, evenBytesDone) \
	LIST(WORDS_EVEN, evenWords, evenWordsDone) \
	ADDQ $4, lanes                             \
	LIST(BYTES_ODD, oddBytes, oddBytesDone)    \
	LIST(WORDS_ODD, oddWords, oddWordsDone)    \
	ADDQ $4, lanes
#define LIST(LANE, next, done) \
next: \
	MOVLQSX (lanes), at \
	ADDQ    $4, lanes   \
	TESTQ   at, at      \
	JLT     done        \
	LANE                \
	JMP     next        \
done:

#define BYTES_EVEN \
	VMOVDQU (w), Y15      \
	FOR_EACH(BYTE_EVEN, 0) \
	ADDQ    $32, w
#define BYTES_ODD \
	VMOVDQU (w), Y15      \
	FOR_EACH(BYTE_ODD, 0) \
	ADDQ    $32, w
#define WORDS_EVEN \
	VMOVDQU (w), Y15      \
	FOR_EACH(WORD_EVEN, 0) \
	VMOVDQU 32(w), Y15    \
	FOR_EACH(WORD_EVEN, 4) \
	ADDQ    $64, w
#define WORDS_ODD \
	VMOVDQU (w), Y15      \
	FOR_EACH(WORD_ODD, 0) \
	VMOVDQU 32(w), Y15    \
	FOR_EACH(WORD_ODD, 4) \
	ADDQ    $64, w
#define BYTE_EVEN(i, p, even, e, odd, o) DOT_BYTES(p, even)
#define BYTE_ODD(i, p, even, e, odd, o) DOT_BYTES(p, odd)
#define WORD_EVEN(i, p, even, e, odd, o) DOT_WORDS(i, p, even)
#define WORD_ODD(i, p, even, e, odd, o) DOT_WORDS(i, p, odd)
#define DOT_BYTES(p, sums) \
	VPBROADCASTD (16*p)(x)(at*1), Y14   \
	VPMADDUBSW   Y15, Y14, Y14          \
	VPMADDWD     avxOnes<>(SB), Y14, Y14 \
	VPADDD       Y14, sums, sums
#define DOT_WORDS(i, p, sums) \
	VPBROADCASTD (32*p+i)(x)(at*1), Y14 \
	VPMADDWD     Y15, Y14, Y14          \
	VPADDD       Y14, sums, sums

EIGHT(avxOnes, $0x00010001)

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

// First: rows are widened as a whole. Pixels are 12 bytes apart, and a row of a
// window, of 9 values, is five steps of two.
#undef ADVANCE
#undef PRODUCTS
#undef PREPARE
#define ADVANCE 12
#define PREPARE
#define PRODUCTS \
	MOVQ src, x                  \
	MOVQ $3, steps               \
row: \
	STEP(0)                      \
	STEP(1)                      \
	STEP(2)                      \
	STEP(3)                      \
	STEP(4)                      \
	ADDQ avxTile_pitch(args), x  \
	ADDQ $320, w                 \
	DECQ steps                   \
	JNZ  row

// sums += x0*w0 + x1*w1
#define STEP(i) FOR_EACH(DOT, i)
#define DOT(i, p, even, e, odd, o) \
	VPBROADCASTD (4*i+12*p)(x), Y14     \
	VPMADDWD     (64*i)(w), Y14, Y15    \
	VPMADDWD     (64*i+32)(w), Y14, Y14 \
	VPADDD       Y15, even, even        \
	VPADDD       Y14, odd, odd

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
