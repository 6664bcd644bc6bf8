//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "instructions_arm64.h"
#include "neon_arm64.h"

// The 1x1 convolution, by tiles of 3, 2 or 1 pixels by 16 output channels, or
// the last 8:
//
//	sum[pixel][channel] = start[channel] + sum over k of x[pixel][k] * w[channel][k]
//
// Pixels lie as [group of 16 channels][pixel][16].
//
// A vector of sums is of 4 channels. Products of bytes are 16 bits wide, 8 in
// a vector: of 4 channels by a pair of inputs each. The inputs, 16 at a time,
// are 8 pairs. SMULL takes the lower half of them: the channel in lane j (0 to
// 3) meets pair j; SMLAL2 takes the upper half: it meets pair j + 4. With the
// inputs rotated by a pair it meets j + 1 and j + 5, and after 4 rotations, of
// which the first is none, all 8. The weights are packed in that order.
//
//	products  = lower(x)*w + upper(x)*w                       SMULL, SMLAL2
//	products += lower(x rotated)*w + upper(x rotated)*w       SMLAL, SMLAL2
//	sum[channel] += products[2*lane] + products[2*lane+1]     SADALP
//
// Four products may overflow 16 bits where weights are large. In a step packed
// as light they cannot, whatever the inputs are; in a heavy step the products
// of each rotation are added to the sums on their own, two at a time. Where two
// weights of -128 would make even those overflow, the packer makes two steps of
// the same inputs. Eight inputs that are left over are a tail: 4 pairs, of which
// rotations 0 and 1, then 2 and 3, make up the lower and upper halves.
//
// A stream of weights has for each 16 channels a neonHead, which says how many
// steps there are of each kind, at least one; 32 bits for each step, the group
// of its inputs, and two more; at neonHead.weights 256 bytes for each step: two
// rotations of 8 channels, the same of the other 8, and then the other two
// rotations; half of it for a tail, and for the last 8 channels of a layer. In
// a vector of weights as in one of sums are channels 0 2 4 6, 1 3 5 7, and so
// on: see neonChannel. The step after the last loads what follows, up to
// neonSlack words behind the stream, in vain. Of the last 8 channels the other 8
// of the group are stored too, and mean nothing.

// General registers, by number.
#define DST    1 // the group's first pixel
#define SRC    2
#define STREAM 3
#define FIRSTIN 4 // from the tile's pixels to those of the first step, in bytes
#define SNEXT  5 // from a group of inputs to the next
#define GROUPS 6 // still to do
#define TILES  7 // of the group
#define OUT    8 // the tile's pixels
#define IN     9
#define INDEX 10 // the step after this one is of input group G, the one after that at INDEX
#define G     11
#define NEXT  12 // where the next step's pixels are
#define W     13 // the weights of this step, after ADVANCE of the next
#define W1    14 // what is loaded while it runs: W1 and W2 of this step, W and W3 of the next
#define W2    15
#define W3    16
#define END   16 // of the group's stream
#define COUNT 17
#define LIGHT 19 // how many steps of each kind
#define HEAVY 20
#define TAILS 21 // more than one where the packer has made more
#define START 22 // the group's starts
#define SLOW  23 // whether they are to be requantized step by step, or clamped
#define FIRST 24 // the group's first 64 bytes of weights
#define T     25
#define T2    15
#define FIRSTB 26 // and the next 64, which come into WB

// Vectors: sums 0-11, 4 of each pixel; products 12-17, and of two pixels also X2
// and Y2; inputs and the same rotated by one pair more; weights of 8 channels by
// 2 rotations, twice.
#define X0 18
#define X1 19
#define X2 20
#define Y0 21 // and 22
#define Y2 23
#define WA 24
#define WB 28

// Requantization has its results in 12-23, 4 of each pixel.
#define FACTORS 24
#define ZERO 28
#define LOW  28
#define HIGH 29

#define NOTHING

// Where the next step's pixels are, and the weights of this step's second chain
// and the next one's first, each of which is loaded while another is at work.
#define ADVANCE \
	MADD    R(SNEXT), R(IN), R(G), R(NEXT); \
	MOVWU.P 4(R(INDEX)), R(G); \
	ADD     $128, R(W), R(W1); \
	ADD     $192, R(W), R(W2); \
	ADD     $320, R(W), R(W3); \
	ADD     $256, R(W), R(W)

// A step of 16 inputs: rotations 0 and 1, then 2 and 3.
#define STEP_16(CHAIN, BEGIN) \
	ADVANCE; \
	ROTATE(2, Y0); \
	CHAIN(BEGIN, ROTATE(4, X0), W1, W2); \
	ROTATE(2, Y0); \
	CHAIN(NOTHING, LOAD, W, W3)

// A step of 8 inputs: rotations 0 and 1 in the halves of X, 2 and 3 in those of Y.
#define TAIL_16(CHAIN, BEGIN) \
	ADVANCE; \
	SUB $128, R(W), R(W); \
	ROTATE_TAIL; \
	CHAIN(BEGIN, LOAD, W1, W2)

// The same for 8 channels, whose chains have half as many weights.
#define STEP_8(CHAIN, BEGIN) \
	ADVANCE; \
	SUB $128, R(W), R(W); \
	ROTATE(2, Y0); \
	CHAIN(WA, BEGIN, ROTATE(4, X0), W1); \
	ROTATE(2, Y0); \
	CHAIN(WB, NOTHING, LOAD, W2)

#define TAIL_8(CHAIN, BEGIN) \
	ADVANCE; \
	SUB $192, R(W), R(W); \
	ROTATE_TAIL; \
	CHAIN(WA, BEGIN, LOAD, W)

#define ROTATE_TAIL EACH(ROTATE_8); EACH(WITH_NEXT); EACH(SWAP)
#define ROTATE_8(p) EXT_8B(2, X0+p, X0+p, Y0+p)
#define WITH_NEXT(p) TRN1_2D(X0+p, Y0+p, X0+p)
#define SWAP(p) REV64_4S(X0+p, Y0+p)

// Where the tile's first step has its inputs and weights; what it needs at
// once, and what can wait until it runs.
#define PREPARE \
	MOVWU neonHead__size+4(R(STREAM)), R(G); \
	MOVD  R(FIRST), R(W); \
	ADD   $(neonHead__size+8), R(STREAM), R(INDEX); \
	ADD   R(FIRSTIN), R(IN), R(NEXT)
#define AT_ONCE LD1_4(W, WA); MORE_AT_ONCE
#define FIRST_OF_TILE LATER; EACH(STARTS)

// The last tile has no next one to prepare: it is prepared again. END is where
// the group's stream ends.
#define NEXT_TILE \
	MOVD $(16*PIXELS), R(COUNT); \
	SUBS $1, R(TILES), R(TILES); \
	CSEL NE, R(COUNT), ZR, R(COUNT); \
	MOVD R(W), R(END); \
	ADD  R(COUNT), R(IN), R(IN); \
	PREPARE

// What there is for each pixel of a tile: a tile of P pixels has the macros
// that end in _P.
#define EACH_3(F) F(0); F(1); F(2)
#define EACH_2(F) F(0); F(1)
#define EACH_1(F) F(0)

// The products of all pixels, at x, with 4 and 4 channels, at w and w + 1, and
// the sums from c on that they belong to.
#define PRODUCTS_3(OP, x, w) \
	OP(x, w, 12); OP(x+1, w, 13); OP(x+2, w, 14); \
	OP(x, w+1, 15); OP(x+1, w+1, 16); OP(x+2, w+1, 17)
#define PRODUCTS_2(OP, x, w) \
	OP(x, w, 12); OP(x+1, w, 13); OP(x, w+1, 15); OP(x+1, w+1, 16)
#define PRODUCTS_1(OP, x, w) OP(x, w, 12); OP(x, w+1, 15)

#define SUMS_3(c) \
	SADALP_4S(12, c); SADALP_4S(13, c+4); SADALP_4S(14, c+8); \
	SADALP_4S(15, c+1); SADALP_4S(16, c+5); SADALP_4S(17, c+9)
#define SUMS_2(c) \
	SADALP_4S(12, c); SADALP_4S(13, c+4); \
	SADALP_4S(15, c+1); SADALP_4S(16, c+5)
#define SUMS_1(c) SADALP_4S(12, c); SADALP_4S(15, c+1)

// Two rotations, X0 and Y0, for the 8 channels from c on. MORE adds the second
// rotation's products to the first's, or makes new ones, BETWEEN having dealt
// with those. AFTER comes when X0 is done with; the weights that this place will
// need next are loaded from p.
#define HALF(c, w, BEGIN, BETWEEN, MORE, AFTER, p) \
	PRODUCTS(SMULL_8H, X0, w); \
	BEGIN; \
	PRODUCTS(SMLAL2_8H, X0, w); \
	AFTER; \
	BETWEEN; \
	PRODUCTS(MORE, Y0, w+2); \
	PRODUCTS(SMLAL2_8H, Y0, w+2); \
	LD1_4(p, w); \
	SUMS(c)

// Chains of 8 channels, and of 16 as two of those.
#define LIGHT_HALF(w, BEGIN, AFTER, p) HALF(0, w, BEGIN, NOTHING, SMLAL_8H, AFTER, p)
#define HEAVY_HALF(w, BEGIN, AFTER, p) HALF(0, w, BEGIN, SUMS(0), SMULL_8H, AFTER, p)

#define LIGHT_CHAIN_3(BEGIN, AFTER, p, q) \
	HALF(0, WA, BEGIN, NOTHING, SMLAL_8H, NOTHING, p); \
	HALF(2, WB, NOTHING, NOTHING, SMLAL_8H, AFTER, q)

#define HEAVY_CHAIN_3(BEGIN, AFTER, p, q) \
	HALF(0, WA, BEGIN, SUMS(0), SMULL_8H, NOTHING, p); \
	HALF(2, WB, NOTHING, SUMS(2), SMULL_8H, AFTER, q)

// Fewer pixels leave room, and are too few to hide each other's latency: all 16
// channels at once.
#define ALL_PRODUCTS_2(OP, x, i) \
	OP(x, WA+i, 12); OP(x+1, WA+i, 13); OP(x, WA+1+i, 14); OP(x+1, WA+1+i, 15); \
	OP(x, WB+i, 16); OP(x+1, WB+i, 17); OP(x, WB+1+i, X2); OP(x+1, WB+1+i, Y2)
#define ALL_PRODUCTS_1(OP, x, i) \
	OP(x, WA+i, 12); OP(x, WA+1+i, 13); OP(x, WB+i, 14); OP(x, WB+1+i, 15)

#define ALL_SUMS_2 \
	SADALP_4S(12, 0); SADALP_4S(13, 4); SADALP_4S(14, 1); SADALP_4S(15, 5); \
	SADALP_4S(16, 2); SADALP_4S(17, 6); SADALP_4S(X2, 3); SADALP_4S(Y2, 7)
#define ALL_SUMS_1 \
	SADALP_4S(12, 0); SADALP_4S(13, 1); SADALP_4S(14, 2); SADALP_4S(15, 3)

#define ALL(ALL_PRODUCTS, ALL_SUMS, BEGIN, BETWEEN, MORE, AFTER, p, q) \
	ALL_PRODUCTS(SMULL_8H, X0, 0); \
	BEGIN; \
	ALL_PRODUCTS(SMLAL2_8H, X0, 0); \
	AFTER; \
	BETWEEN; \
	ALL_PRODUCTS(MORE, Y0, 2); \
	ALL_PRODUCTS(SMLAL2_8H, Y0, 2); \
	LD1_4(p, WA); \
	LD1_4(q, WB); \
	ALL_SUMS

#define LIGHT_CHAIN_2(BEGIN, AFTER, p, q) ALL(ALL_PRODUCTS_2, ALL_SUMS_2, BEGIN, NOTHING, SMLAL_8H, AFTER, p, q)
#define HEAVY_CHAIN_2(BEGIN, AFTER, p, q) ALL(ALL_PRODUCTS_2, ALL_SUMS_2, BEGIN, ALL_SUMS_2, SMULL_8H, AFTER, p, q)
#define LIGHT_CHAIN_1(BEGIN, AFTER, p, q) ALL(ALL_PRODUCTS_1, ALL_SUMS_1, BEGIN, NOTHING, SMLAL_8H, AFTER, p, q)
#define HEAVY_CHAIN_1(BEGIN, AFTER, p, q) ALL(ALL_PRODUCTS_1, ALL_SUMS_1, BEGIN, ALL_SUMS_1, SMULL_8H, AFTER, p, q)

#define ROTATE_3(i, y) \
	EXT_16B(i, X0, X0, y); \
	EXT_16B(i, X1, X1, y+1); \
	EXT_16B(i, X2, X2, y+2)
#define ROTATE_2(i, y) EXT_16B(i, X0, X0, y); EXT_16B(i, X1, X1, y+1)
#define ROTATE_1(i, y) EXT_16B(i, X0, X0, y)

#define LOAD_3 LD1_3(NEXT, X0)
#define LOAD_2 LD1_2(NEXT, X0)
#define LOAD_1 LDR_Q(NEXT, 0, X0)

// A tile of 3 pixels needs WB in its second half only.
#define MORE_AT_ONCE_3
#define LATER_3 LD1_4(FIRSTB, WB)
#define MORE_AT_ONCE_2 LD1_4(FIRSTB, WB)
#define LATER_2
#define MORE_AT_ONCE_1 LD1_4(FIRSTB, WB)
#define LATER_1

#define STORE_3 STR_Q(12, OUT, 0); STR_Q(16, OUT, 16); STR_Q(17, OUT, 32)
#define STORE_2 STR_Q(12, OUT, 0); STR_Q(16, OUT, 16)
#define STORE_1 STR_Q(12, OUT, 0)

// From the sums of pixel p to its 16 bytes. The constants are in the sums'
// order: channels 0 2 4 6, 1 3 5 7, 8 10 12 14, 9 11 13 15, which taking lanes
// in turn puts right. (UZP1 would do without, but is 3 operations on an A72.)
#define STARTS(p) LD1_4(START, 4*p)
#define OFFSETS(p) LD1_4(T2, 12+4*p)

#define FUSED_SUMS(p) \
	FUSED(4*p, FACTORS, 12+4*p); \
	FUSED(4*p+1, FACTORS+1, 13+4*p); \
	FUSED(4*p+2, FACTORS+2, 14+4*p); \
	FUSED(4*p+3, FACTORS+3, 15+4*p)

#define FUSED_PAIRS(p) \
	TRN1_8H(12+4*p, 13+4*p, 12+4*p); \
	TRN1_8H(14+4*p, 15+4*p, 14+4*p)

#define STEPWISE_SUMS(p) STEPWISE(4*p, FACTORS)

#define STEPWISE_PAIRS(p) \
	TRN2_8H(4*p, 4*p+1, 12+4*p); \
	TRN2_8H(4*p+2, 4*p+3, 14+4*p); \
	SQADD_8H(12+4*p, ZERO, 12+4*p); \
	SQADD_8H(14+4*p, ZERO, 14+4*p)

// The bytes, in 12, 16 and 17: the inputs' registers have been loaded for the
// next tile by the time they are stored.
#define BYTES(p) (12+4*p-3*(p/2))
#define NARROW_LOWER(p) SQXTN_8B(12+4*p, BYTES(p))
#define NARROW_UPPER(p) SQXTN2_16B(14+4*p, BYTES(p))
#define CLAMP(p) \
	SMAX_16B(BYTES(p), LOW, BYTES(p)); \
	SMIN_16B(BYTES(p), HIGH, BYTES(p))

#define PRODUCTS PRODUCTS_3
#define SUMS SUMS_3
#define ROTATE ROTATE_3
#define LOAD LOAD_3
#define MORE_AT_ONCE MORE_AT_ONCE_3
#define LATER LATER_3
#define EACH EACH_3
#define STORE STORE_3
#define PIXELS 3

#define STEP STEP_16
#define TAIL TAIL_16
#define LIGHT_CHAIN LIGHT_CHAIN_3
#define HEAVY_CHAIN HEAVY_CHAIN_3

// func neonPointwise3x16(t *neonTiles)
TEXT ·neonPointwise3x16(SB), NOSPLIT, $0-8
#include "neon_pointwise_arm64.h"

#undef STEP
#undef TAIL
#undef LIGHT_CHAIN
#undef HEAVY_CHAIN
#define STEP STEP_8
#define TAIL TAIL_8
#define LIGHT_CHAIN LIGHT_HALF
#define HEAVY_CHAIN HEAVY_HALF

// func neonPointwise3x8(t *neonTiles)
TEXT ·neonPointwise3x8(SB), NOSPLIT, $0-8
#include "neon_pointwise_arm64.h"

#undef PRODUCTS
#undef SUMS
#undef ROTATE
#undef LOAD
#undef MORE_AT_ONCE
#undef LATER
#undef EACH
#undef STORE
#undef PIXELS

#define PRODUCTS PRODUCTS_2
#define SUMS SUMS_2
#define ROTATE ROTATE_2
#define LOAD LOAD_2
#define MORE_AT_ONCE MORE_AT_ONCE_2
#define LATER LATER_2
#define EACH EACH_2
#define STORE STORE_2
#define PIXELS 2

#undef STEP
#undef TAIL
#undef LIGHT_CHAIN
#undef HEAVY_CHAIN
#define STEP STEP_16
#define TAIL TAIL_16
#define LIGHT_CHAIN LIGHT_CHAIN_2
#define HEAVY_CHAIN HEAVY_CHAIN_2

// func neonPointwise2x16(t *neonTiles)
TEXT ·neonPointwise2x16(SB), NOSPLIT, $0-8
#include "neon_pointwise_arm64.h"

#undef STEP
#undef TAIL
#undef LIGHT_CHAIN
#undef HEAVY_CHAIN
#define STEP STEP_8
#define TAIL TAIL_8
#define LIGHT_CHAIN LIGHT_HALF
#define HEAVY_CHAIN HEAVY_HALF

// func neonPointwise2x8(t *neonTiles)
TEXT ·neonPointwise2x8(SB), NOSPLIT, $0-8
#include "neon_pointwise_arm64.h"

#undef PRODUCTS
#undef SUMS
#undef ROTATE
#undef LOAD
#undef MORE_AT_ONCE
#undef LATER
#undef EACH
#undef STORE
#undef PIXELS

#define PRODUCTS PRODUCTS_1
#define SUMS SUMS_1
#define ROTATE ROTATE_1
#define LOAD LOAD_1
#define MORE_AT_ONCE MORE_AT_ONCE_1
#define LATER LATER_1
#define EACH EACH_1
#define STORE STORE_1
#define PIXELS 1

#undef STEP
#undef TAIL
#undef LIGHT_CHAIN
#undef HEAVY_CHAIN
#define STEP STEP_16
#define TAIL TAIL_16
#define LIGHT_CHAIN LIGHT_CHAIN_1
#define HEAVY_CHAIN HEAVY_CHAIN_1

// func neonPointwise1x16(t *neonTiles)
TEXT ·neonPointwise1x16(SB), NOSPLIT, $0-8
#include "neon_pointwise_arm64.h"

#undef STEP
#undef TAIL
#undef LIGHT_CHAIN
#undef HEAVY_CHAIN
#define STEP STEP_8
#define TAIL TAIL_8
#define LIGHT_CHAIN LIGHT_HALF
#define HEAVY_CHAIN HEAVY_HALF

// func neonPointwise1x8(t *neonTiles)
TEXT ·neonPointwise1x8(SB), NOSPLIT, $0-8
#include "neon_pointwise_arm64.h"
