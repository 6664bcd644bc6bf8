// The loops of the pointwise and of the first convolution: the sums of a tile,
// some pixels by 32 or 16 output channels, stay in registers while the inputs
// pass by, four at a time. 14 pixels by 32 channels are 28 vectors of sums,
// which with two of weights, one of inputs and ORDER are all there are. It takes
// 28 dot products, at two a cycle on Intel's servers, to 16 loads. Inputs are in
// a register because the signed operand of VPDPBUSD, the weights, is the one that
// could be in memory.
//
// Weights are, for every 32 output channels and for the last 16 alone, a dword a
// channel for each four inputs.
//
// The including file says how it comes to the inputs:
//
//	PITCH: bytes from a pixel to the next
//	TAKE:  COUNT is how many times four inputs lie side by side now, and LEFT,
//	       what is still to come, goes down
//	NEXT:  INPUT goes on to what comes then

#define IN SI      // of the tile
#define OUT DI
#define HIGH_OUT R8 // of its other 16 channels
#define INPUT R9
#define WEIGHTS R10
#define LEFT R11
#define COUNT R12
#define PIXELS R13 // from here to the end of the row
#define OUTPUTS DX // Layer.outputs of the tile's channels

#define W Z28
#define HIGH_W Z29
#define X Z30

// Pixel p of a tile has the sums LOW and, with 32 channels, HIGH.
#define PIXELS1(DO) DO(0, Z0, Z14)
#define PIXELS4(DO) PIXELS1(DO) \
	DO(1, Z1, Z15) \
	DO(2, Z2, Z16) \
	DO(3, Z3, Z17)
#define PIXELS7(DO) PIXELS4(DO) \
	DO(4, Z4, Z18) \
	DO(5, Z5, Z19) \
	DO(6, Z6, Z20)
#define PIXELS14(DO) PIXELS7(DO) \
	DO(7, Z7, Z21)   \
	DO(8, Z8, Z22)   \
	DO(9, Z9, Z23)   \
	DO(10, Z10, Z24) \
	DO(11, Z11, Z25) \
	DO(12, Z12, Z26) \
	DO(13, Z13, Z27)

// sum = bias
#define START16(p, low, high) VMOVDQU32 BIASES(OUTPUTS), low

#define START32(p, low, high) \
	VMOVDQU32 BIASES(OUTPUTS), low      \
	VMOVDQU32 192+BIASES(OUTPUTS), high

// sum += x * w, four inputs (uint8) by four weights (int8)
#define DOT16(p, low, high) \
	VPBROADCASTD (p*PITCH)(INPUT), X \
	VPDPBUSD     W, X, low

#define DOT32(p, low, high) \
	DOT16(p, low, high)      \
	VPDPBUSD HIGH_W, X, high

// The CPU's own prefetching stops at the end of a page.
#define AHEAD 1024

#define WEIGHTS16 \
	PREFETCHT0 AHEAD(WEIGHTS) \
	VMOVDQU32  (WEIGHTS), W   \
	ADDQ       $64, WEIGHTS

#define WEIGHTS32 \
	PREFETCHT0 AHEAD(WEIGHTS)      \
	PREFETCHT0 64+AHEAD(WEIGHTS)   \
	VMOVDQU32  (WEIGHTS), W        \
	VMOVDQU32  64(WEIGHTS), HIGH_W \
	ADDQ       $128, WEIGHTS

// Sums to activations, 16 channels of each pixel, FUSED or EXACT.
#define STORE1(TO4, TO3, TO2, TO1, out, a, b) \
	TO1(a, b)               \
	VMOVDQU32 a, ONE, (out)

#define STORE4(TO4, TO3, TO2, TO1, out, a, b, c, d) \
	TO4(a, b, c, d)    \
	VMOVDQU32 a, (out)

#define STORE7(TO4, TO3, TO2, TO1, out, a, b, c, d, e, f, g) \
	STORE4(TO4, TO3, TO2, TO1, out, a, b, c, d) \
	TO3(e, f, g)                                \
	VMOVDQU32 e, THREE, 64(out)

#define STORE14(TO4, TO3, TO2, TO1, out, a, b, c, d, e, f, g, h, i, j, k, l, m, n) \
	STORE4(TO4, TO3, TO2, TO1, out, a, b, c, d) \
	TO4(e, f, g, h)                             \
	VMOVDQU32 e, 64(out)                        \
	TO4(i, j, k, l)                             \
	VMOVDQU32 i, 128(out)                       \
	TO2(m, n)                                   \
	VMOVDQU32 m, TWO, 192(out)

#define LOW1(TO4, TO3, TO2, TO1) STORE1(TO4, TO3, TO2, TO1, OUT, Z0, Z1)
#define LOW4(TO4, TO3, TO2, TO1) STORE4(TO4, TO3, TO2, TO1, OUT, Z0, Z1, Z2, Z3)
#define LOW7(TO4, TO3, TO2, TO1) STORE7(TO4, TO3, TO2, TO1, OUT, Z0, Z1, Z2, Z3, Z4, Z5, Z6)
#define LOW14(TO4, TO3, TO2, TO1) STORE14(TO4, TO3, TO2, TO1, OUT, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13)

#define HIGH1(TO4, TO3, TO2, TO1) STORE1(TO4, TO3, TO2, TO1, HIGH_OUT, Z14, Z15)
#define HIGH4(TO4, TO3, TO2, TO1) STORE4(TO4, TO3, TO2, TO1, HIGH_OUT, Z14, Z15, Z16, Z17)
#define HIGH7(TO4, TO3, TO2, TO1) STORE7(TO4, TO3, TO2, TO1, HIGH_OUT, Z14, Z15, Z16, Z17, Z18, Z19, Z20)
#define HIGH14(TO4, TO3, TO2, TO1) STORE14(TO4, TO3, TO2, TO1, HIGH_OUT, Z14, Z15, Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27)

// Either of them, for the 16 channels whose outputs are at that place.
#define STORE(HALF, at, exact, stored) \
	VMOVUPS at+MULTIPLIERS(OUTPUTS), MULTIPLIER        \
	VMOVUPS at+OFFSETS(OUTPUTS), OFFSET                \
	CMPL    at+OFFSETS(OUTPUTS), $const_avx512NoOffset \
	JEQ     exact                                      \
	HALF(FUSED4, FUSED3, FUSED2, FUSED1)               \
	JMP     stored                                     \
exact:                                                     \
	HALF(EXACT4, EXACT3, EXACT2, EXACT1)               \
stored:

#define END16(LOW, HIGH, lowExact, lowStored, highExact, highStored) \
	STORE(LOW, 0, lowExact, lowStored)

#define END32(LOW, HIGH, lowExact, lowStored, highExact, highStored) \
	STORE(LOW, 0, lowExact, lowStored)         \
	MOVQ avx512Tiles_outStride(ARGS), HIGH_OUT \
	ADDQ OUT, HIGH_OUT                         \
	STORE(HIGH, 192, highExact, highStored)

// All pixels of 16 or 32 output channels, n at a time. The last n overlap
// those before them where there are fewer.
#define CHANNELS(n, EACH, LOW, HIGH, START, LOAD, DOT, END, tile, group, four, lowExact, lowStored, highExact, highStored, done) \
	MOVQ    avx512Tiles_in(ARGS), IN                           \
	MOVQ    avx512Tiles_out(ARGS), OUT                         \
	MOVQ    avx512Tiles_pixels(ARGS), PIXELS                   \
tile:                                                              \
	MOVQ    IN, INPUT                                          \
	MOVQ    avx512Tiles_inputs(ARGS), LEFT                     \
	MOVQ    avx512Tiles_weights(ARGS), WEIGHTS                 \
	EACH(START)                                                \
group:                                                             \
	TAKE                                                       \
	PCALIGN $64                                                \
four:                                                              \
	LOAD                                                       \
	EACH(DOT)                                                  \
	ADDQ    $4, INPUT                                          \
	DECQ    COUNT                                              \
	JNE     four                                               \
	NEXT                                                       \
	TESTQ   LEFT, LEFT                                         \
	JNE     group                                              \
	END(LOW, HIGH, lowExact, lowStored, highExact, highStored) \
	SUBQ    $n, PIXELS                                         \
	JLE     done                                               \
	MOVQ    $n, COUNT                                          \
	CMPQ    PIXELS, COUNT                                      \
	CMOVQLT PIXELS, COUNT                                      \
	IMUL3Q  $16, COUNT, LEFT                                   \
	ADDQ    LEFT, OUT                                          \
	IMUL3Q  $PITCH, COUNT, LEFT                                \
	ADDQ    LEFT, IN                                           \
	JMP     tile                                               \
done:                                                              \
	MOVQ    WEIGHTS, avx512Tiles_weights(ARGS)

// A function's body, for tiles of n pixels.
#define TILES(n, EACH, LOW, HIGH) \
	MOVQ tiles+0(FP), ARGS                  \
	CONSTANTS                               \
	MOVQ avx512Tiles_outputs(ARGS), OUTPUTS \
by32:                                           \
	SUBQ $2, avx512Tiles_groups(ARGS)       \
	JLT  by16                               \
	CHANNELS(n, EACH, LOW, HIGH, START32, WEIGHTS32, DOT32, END32, tile32, group32, four32, lowExact32, lowStored32, highExact32, highStored32, done32) \
	ADDQ $384, OUTPUTS                      \
	MOVQ avx512Tiles_outStride(ARGS), LEFT  \
	ADDQ LEFT, LEFT                         \
	ADDQ LEFT, avx512Tiles_out(ARGS)        \
	JMP  by32                               \
by16:                                           \
	CMPQ avx512Tiles_groups(ARGS), $-1      \
	JNE  end                                \
	CHANNELS(n, EACH, LOW, HIGH, START16, WEIGHTS16, DOT16, END16, tile16, group16, four16, lowExact16, lowStored16, highExact16, highStored16, done16) \
end:                                            \
	VZEROUPPER                              \
	RET
