// What the depthwise convolutions of both sets share. Two neighbouring pixels of
// output, of two rows with stride 1 and of one with stride 2, and the columns of
// the source that they need.

// The order that puts joined and packed channels where they belong.
DATA avx2Channels<>+0(SB)/8, $0x0705030106040200
DATA avx2Channels<>+8(SB)/8, $0x0F0D0B090E0C0A08
DATA avx2Channels<>+16(SB)/8, $0x0705030106040200
DATA avx2Channels<>+24(SB)/8, $0x0F0D0B090E0C0A08
GLOBL avx2Channels<>(SB), RODATA|NOPTR, $32

// FOR_EACH and FOR_ROWS, see avx2_depthwise_amd64.h.
#define ONE_ROW(F, G, a) \
	F(a, 0)    \
	G(a, 0, Y0) \
	F(a, 1)    \
	G(a, 1, Y1) \
	F(a, 2)    \
	G(a, 2, Y2) \
	F(a, 3)    \
	G(a, 3, Y3)
#define TWO_ROWS(F, G, a) \
	F(a, 0)    \
	G(a, 0, Y0) \
	G(a, 0, Y4) \
	F(a, 1)    \
	G(a, 1, Y1) \
	G(a, 1, Y5) \
	F(a, 2)    \
	G(a, 2, Y2) \
	G(a, 2, Y6) \
	F(a, 3)    \
	G(a, 3, Y3) \
	G(a, 3, Y7)
#define OUT_ONE(F) \
	F(Y0, Y1, Y2, Y3, to0)

// The second row comes first: where there is none to be kept it is overwritten.
#define OUT_TWO(F) \
	F(Y4, Y5, Y6, Y7, to1) \
	F(Y0, Y1, Y2, Y3, to0)

// Y8 to Y11 = the rows of column i of the window, for both pixels.
#define LOAD_FOUR(i) \
	VMOVDQU (16*i)(row0), Y8  \
	VMOVDQU (16*i)(row1), Y9  \
	VMOVDQU (16*i)(row2), Y10 \
	VMOVDQU (16*i)(row3), Y11
#define LOAD_THREE(i) \
	VMOVDQU     (16*i)(row0), X8               \
	VMOVDQU     (16*i)(row1), X9               \
	VMOVDQU     (16*i)(row2), X10              \
	VINSERTI128 $1, (16*(i+2))(row0), Y8, Y8   \
	VINSERTI128 $1, (16*(i+2))(row1), Y9, Y9   \
	VINSERTI128 $1, (16*(i+2))(row2), Y10, Y10 \
	VPXOR       X11, X11, X11

// Y12, Y13 = rows 0 and 1, and Y14, Y15 = rows 2 and 3, byte by byte in turns:
// channels 0 to 7, then 8 to 15.
#define INTERLEAVE \
	VPUNPCKLBW Y9, Y8, Y12   \
	VPUNPCKHBW Y9, Y8, Y13   \
	VPUNPCKLBW Y11, Y10, Y14 \
	VPUNPCKHBW Y11, Y10, Y15
