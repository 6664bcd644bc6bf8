//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"
#include "avx2_store_amd64.h"

EIGHT(avx2Ones, $0x00010001)  // 16 bits each
EIGHT(avx2Flip, $0xFF00FF00)  // every other byte

// Joining takes the first and the other eight channels in turns.
#define IN_ORDER(a) VPSHUFB avx2Turns<>(SB), a, a
DATA avx2Turns<>+0(SB)/8, $0x0E0C0A0806040200
DATA avx2Turns<>+8(SB)/8, $0x0F0D0B0907050301
DATA avx2Turns<>+16(SB)/8, $0x0E0C0A0806040200
DATA avx2Turns<>+24(SB)/8, $0x0F0D0B0907050301
GLOBL avx2Turns<>(SB), RODATA|NOPTR, $32

#define FOR_1(F, a) \
	F(a, 0, Y0)
#define FOR_3(F, a) \
	FOR_1(F, a) \
	F(a, 1, Y1) \
	F(a, 2, Y2)
#define FOR_7(F, a) \
	FOR_3(F, a) \
	F(a, 3, Y3) \
	F(a, 4, Y4) \
	F(a, 5, Y5) \
	F(a, 6, Y6)

#define OUTPUTS_1(TWO, ONE) \
	ONE(Y0, X0, 0)
#define OUTPUTS_3(TWO, ONE) \
	TWO(Y0, Y1, 0) \
	ONE(Y2, X2, 2)
#define OUTPUTS_7(TWO, ONE) \
	TWO(Y0, Y1, 0) \
	TWO(Y2, Y3, 2) \
	TWO(Y4, Y5, 4) \
	ONE(Y6, X6, 6)

// Copies of a tile's input: 16 bytes of it as they are, with every other one
// flipped, and as 16 bits each.
#define plain R8
#define flipped R9
#define words R10
#define from SI
#define left CX
#define COPIES \
	MOVQ avx2Tile_copy(args), plain     \
	MOVQ plain, flipped                 \
	ADDQ avx2Tile_flipped(args), flipped \
	MOVQ plain, words                   \
	ADDQ avx2Tile_words(args), words    \
	VMOVDQU avx2Flip<>(SB), Y15
#define COPY(a, p, sum) \
	VMOVDQU   (16*p)(from), X0      \
	VPMOVZXBW X0, Y1                \
	VPXOR     X15, X0, X2           \
	VMOVDQU   X0, (16*p)(plain)     \
	VMOVDQU   X2, (16*p)(flipped)   \
	VMOVDQU   Y1, (32*p)(words)

// Each group of channels, of 7 pixels.
#define PITCH 16
#define PREPARE \
	COPIES                          \
	MOVQ avx2Tile_src(args), from   \
	MOVQ avx2Tile_inputs(args), left \
copy: \
	FOR_EACH(COPY, 0)               \
	ADDQ avx2Tile_pitch(args), from \
	ADDQ $(7*16), plain             \
	ADDQ $(7*16), flipped           \
	ADDQ $(7*32), words             \
	DECQ left                       \
	JNZ  copy                       \
	ADDQ $(16*PIXELS), avx2Tile_src(args)

#define NAME ·avx2Pixels7
#define PIXELS 7
#define FOR_EACH FOR_7
#define FOR_OUTPUTS OUTPUTS_7
#include "avx2_tile_amd64.h"

#define NAME ·avx2Pixels3
#define PIXELS 3
#define FOR_EACH FOR_3
#define FOR_OUTPUTS OUTPUTS_3
#include "avx2_tile_amd64.h"

#define NAME ·avx2Pixels1
#define PIXELS 1
#define FOR_EACH FOR_1
#define FOR_OUTPUTS OUTPUTS_1
#include "avx2_tile_amd64.h"

// First: 48 bytes of each of three rows. The pixels in them are 6 bytes apart.
#undef PITCH
#undef PREPARE
#define PITCH 6
#define ROW(row) \
	MOVQ (avx2Tile_rows+8*row)(args), from \
	FOR_SIXTEENS(COPY, 0)                  \
	ADDQ $(6*PIXELS), from                 \
	MOVQ from, (avx2Tile_rows+8*row)(args) \
	ADDQ $48, plain                        \
	ADDQ $48, flipped                      \
	ADDQ $96, words
#define PREPARE \
	COPIES \
	ROW(0) \
	ROW(1) \
	ROW(2)

#define NAME ·avx2First7
#define PIXELS 7
#define FOR_EACH FOR_7
#define FOR_OUTPUTS OUTPUTS_7
#define FOR_SIXTEENS FOR_3
#include "avx2_tile_amd64.h"
#undef FOR_SIXTEENS

#define NAME ·avx2First1
#define PIXELS 1
#define FOR_EACH FOR_1
#define FOR_OUTPUTS OUTPUTS_1
#define FOR_SIXTEENS FOR_1
#include "avx2_tile_amd64.h"
