// A tile of the pointwise convolution: some pixels by sixteen output channels,
// for each group of these, and so for each tile of a row. The sums of pixel p
// are in Y(2p), the even channels, and Y(2p+1), the odd ones, and never leave
// the registers.
//
// Who includes this defines NAME, PIXELS, FOR_EACH(F, i), which is F(i, p, even,
// its number, odd, its number) for each pixel p, FOR_OUTPUTS(TWO, ONE), which is
// TWO(even, next pixel's, p) for pairs of pixels and ONE(even, its half, p) for
// one that is left, ADVANCE, from a pixel of src to the next, and PRODUCTS,
// which adds the products of all its input channels to the sums.

#define args AX    // *avxvnniTile
#define src SI     // the tile's first pixel
#define dst DI
#define x R8       // input channels of the tile's first pixel
#define w DX       // weights
#define steps R10  // of input channels, to do
#define out BX     // parameters of the output channels: start, factor, offset
#define to R11     // dst of the output channels
#define groups R12 // of output channels to do
#define tiles R13  // to do

// sums = start
#define START(i, p, even, e, odd, o) \
	VMOVDQU (out), even; VMOVDQU 32(out), odd

// sums = the output, 16 bits each, in order
#define REQUANTIZE(F, p, even, e, odd, o) \
	F(Y14, 128(out), even) \
	F(Y15, 160(out), odd)  \
	JOIN(even, odd, even)

TEXT NAME(SB), NOSPLIT, $0-8
	MOVQ a+0(FP), args
	MOVQ avxvnniTile_src(args), src
	MOVQ avxvnniTile_dst(args), dst
	MOVQ avxvnniTile_tiles(args), tiles

tile:
	MOVQ avxvnniTile_weights(args), w
	MOVQ avxvnniTile_outputs(args), out
	MOVQ avxvnniTile_groups(args), groups
	MOVQ dst, to

group:
	FOR_EACH(START, 0)
	PRODUCTS

	// requantize
	VMOVDQU 64(out), Y14
	VMOVDQU 96(out), Y15
	CMPL    128(out), $const_avx2LeastFused
	JLT     exact
	FOR_EACH(REQUANTIZE, FUSED)

pack:
	FOR_OUTPUTS(PACK_TWO, PACK_ONE)
	CMPW avxvnniTile_low(args), BYTE_RANGE
	JNE  clamp

write:
	FOR_OUTPUTS(WRITE_TWO, WRITE_ONE)
	ADDQ avxvnniTile_stride(args), to
	ADDQ $192, out
	DECQ groups
	JNZ  group
	ADDQ $(PIXELS*ADVANCE), src
	ADDQ $(PIXELS*16), dst
	DECQ tiles
	JNZ  tile
	VZEROUPPER
	RET

exact:
	FOR_EACH(REQUANTIZE, EXACT)
	JMP pack

clamp:
	VPBROADCASTB avxvnniTile_low(args), Y14
	VPBROADCASTB avxvnniTile_high(args), Y13
	FOR_OUTPUTS(CLAMP, CLAMP)
	JMP write

#undef NAME
#undef PIXELS
#undef FOR_EACH
#undef FOR_OUTPUTS
#undef START
#undef REQUANTIZE
#undef args
#undef src
#undef dst
#undef x
#undef w
#undef out
#undef steps
#undef to
#undef groups
#undef tiles
