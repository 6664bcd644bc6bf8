// A tile of the pointwise convolution: some pixels by sixteen output channels,
// for each group of these, and so for each tile of a row. First it makes the
// first eight channels, then the others; the sums of pixel p are in Yp and do
// not leave the registers.
//
// VPMADDUBSW adds two products and saturates to 16 bits. What keeps it from that,
// and why inputs are there three times, is said in avx2_pointwise_amd64.go: each
// eight channels have a list of lanes to be taken two at a time, one of single
// ones, and one of those that take 16-bit numbers. Lists and weights are read
// on and on, for all groups of a tile.
//
// Who includes this defines NAME, PIXELS, PITCH, the bytes in x from a pixel to
// the next, FOR_EACH(F, a), which is F(a, p, Yp) for each pixel p, FOR_OUTPUTS(TWO, ONE), which is TWO(Yp, Yp+1, p) for pairs
// of pixels and ONE(Yp, Xp, p) for one that is left, and PREPARE, which copies
// the tile's input to where x is.

#define args AX    // *avx2Tile
#define x R8       // the tile's input: as bytes, as flipped bytes, as 16 bits
#define lanes CX   // places in x that are left to do, in bytes; a negative one ends a list
#define at R9      // one of them
#define at2 R10    // and another
#define w DX       // weights of the lanes left to do
#define out BX     // parameters of the output channels: start, factor, offset
#define second DI  // 0 for the first eight channels, 32 for the others
#define to R11     // dst of the output channels
#define groups R12 // of output channels to do
#define tiles R13  // to do

// sum = start
#define START(a, p, sum) VMOVDQU (out)(second*1), sum

// sum += x0*w0 + x1*w1 + x2*w2 + x3*w3, and the same of another lane. Sums of
// two products and of four are 16 bits.
#define TWO_LANES(a, p, sum) \
	VPBROADCASTD (PITCH*p)(x)(at*1), Y11  \
	VPBROADCASTD (PITCH*p)(x)(at2*1), Y12 \
	VPMADDUBSW   Y13, Y11, Y11            \
	VPMADDUBSW   Y14, Y12, Y12            \
	VPADDW       Y12, Y11, Y11            \
	VPMADDWD     Y15, Y11, Y11            \
	VPADDD       Y11, sum, sum
#define LANE(a, p, sum) \
	VPBROADCASTD (PITCH*p)(x)(at*1), Y11 \
	VPMADDUBSW   Y13, Y11, Y11           \
	VPMADDWD     Y15, Y11, Y11           \
	VPADDD       Y11, sum, sum

// The same of a lane of which each two inputs are 16 bits.
#define WIDE_LANE(a, p, sum) \
	VPBROADCASTD (2*PITCH*p)(x)(at*1), Y11   \
	VPBROADCASTD (2*PITCH*p+4)(x)(at*1), Y12 \
	VPMADDWD     Y13, Y11, Y11               \
	VPMADDWD     Y14, Y12, Y12               \
	VPADDD       Y11, sum, sum               \
	VPADDD       Y12, sum, sum

#define REQUANTIZE(F, p, sum) F(Y13, Y14, sum)
#define KEEP(a, p, sum) VMOVDQU sum, (32*p)(SP)
#define JOIN_KEPT(a, p, sum) JOIN((32*p)(SP), sum, sum)

TEXT NAME(SB), NOSPLIT, $224-8
	MOVQ a+0(FP), args
	MOVQ avx2Tile_tiles(args), tiles

tile:
	PREPARE
	MOVQ avx2Tile_copy(args), x
	MOVQ avx2Tile_lanes(args), lanes
	MOVQ avx2Tile_weights(args), w
	MOVQ avx2Tile_outputs(args), out
	MOVQ avx2Tile_dst(args), to
	MOVQ avx2Tile_groups(args), groups
	VMOVDQU avx2Ones<>(SB), Y15
	XORQ second, second

half:
	FOR_EACH(START, 0)

	// Each list ends with a -1.
twoLanes:
	MOVLQSX (lanes), at
	MOVLQSX 4(lanes), at2
	ADDQ    $4, lanes
	TESTQ   at, at
	JLT     lane
	VMOVDQU (w), Y13
	VMOVDQU 32(w), Y14
	FOR_EACH(TWO_LANES, 0)
	ADDQ    $4, lanes
	ADDQ    $64, w
	JMP     twoLanes

lane:
	MOVLQSX (lanes), at
	ADDQ    $4, lanes
	TESTQ   at, at
	JLT     wideLane
	VMOVDQU (w), Y13
	FOR_EACH(LANE, 0)
	ADDQ    $32, w
	JMP     lane

wideLane:
	MOVLQSX (lanes), at
	ADDQ    $4, lanes
	TESTQ   at, at
	JLT     requantize
	VMOVDQU (w), Y13
	VMOVDQU 32(w), Y14
	FOR_EACH(WIDE_LANE, 0)
	ADDQ    $64, w
	JMP     wideLane

requantize:
	VMOVDQU 64(out)(second*1), Y13
	VMOVDQU 128(out)(second*1), Y14
	CMPL    128(out), $const_avx2LeastFused
	JLT     exact
	FOR_EACH(REQUANTIZE, FUSED)

requantized:
	XORQ $32, second
	JZ   join
	FOR_EACH(KEEP, 0)
	JMP  half

join:
	FOR_EACH(JOIN_KEPT, 0)
	FOR_OUTPUTS(PACK_TWO, PACK_ONE)
	CMPW avx2Tile_low(args), BYTE_RANGE
	JNE  clamp

write:
	FOR_OUTPUTS(WRITE_TWO, WRITE_ONE)
	ADDQ avx2Tile_stride(args), to
	ADDQ $192, out
	DECQ groups
	JNZ  half
	ADDQ $(16*PIXELS), avx2Tile_dst(args)
	DECQ tiles
	JNZ  tile
	VZEROUPPER
	RET

exact:
	FOR_EACH(REQUANTIZE, EXACT)
	JMP requantized

clamp:
	VPBROADCASTB avx2Tile_low(args), Y14
	VPBROADCASTB avx2Tile_high(args), Y13
	FOR_OUTPUTS(CLAMP, CLAMP)
	JMP write

#undef NAME
#undef PIXELS
#undef FOR_EACH
#undef FOR_OUTPUTS
#undef START
#undef TWO_LANES
#undef LANE
#undef WIDE_LANE
#undef REQUANTIZE
#undef KEEP
#undef JOIN_KEPT
#undef args
#undef x
#undef lanes
#undef at
#undef at2
#undef w
#undef out
#undef second
#undef to
#undef groups
#undef tiles
