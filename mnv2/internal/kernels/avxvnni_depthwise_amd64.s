//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"
#include "avx2_window_amd64.h"
#include "avxvnni_amd64.h"

// A column of the window adds to a channel's sums
//
//	first row of output   x0*w0 + x1*w1 + x2*w2 + x3*0
//	second row            x0*0  + x1*w0 + x2*w1 + x3*w2
//
// where x0 to x3 are rows of the source: each line is a VPDPBUSD. The weights
// lie in that order, of all sixteen channels for first the one and then the other
// row of output, 256 bytes for a column.
#define WEIGHTS (3*256)
#define FIRST_SUMS(column) \
	VPDPBUSD_DX(256*column, 8, 0)     \
	VPDPBUSD_DX(256*column+32, 9, 1)  \
	VPDPBUSD_DX(256*column+64, 10, 2) \
	VPDPBUSD_DX(256*column+96, 11, 3)
#define SECOND_SUMS(column) \
	VPDPBUSD_DX(256*column+128, 8, 4)  \
	VPDPBUSD_DX(256*column+160, 9, 5)  \
	VPDPBUSD_DX(256*column+192, 10, 6) \
	VPDPBUSD_DX(256*column+224, 11, 7)

// Y8 to Y11 = a column of the window, the rows of a channel side by side.
#define QUADS \
	INTERLEAVE               \
	VPUNPCKLWD Y14, Y12, Y8  \
	VPUNPCKHWD Y14, Y12, Y9  \
	VPUNPCKLWD Y15, Y13, Y10 \
	VPUNPCKHWD Y15, Y13, Y11
#define FACTOR Y12
#define OFFSET Y13

// With stride 1 the last column of a pair is the first of the next.
#define NAME ·avxvnniRows2
#define FOR_EACH TWO_ROWS
#define FOR_ROWS OUT_TWO
#define ADVANCE 32
#define FIRST \
	LOAD_FOUR(0) \
	QUADS
#define WINDOW \
	FIRST_SUMS(0)  \
	SECOND_SUMS(0) \
	LOAD_FOUR(1)  \
	QUADS         \
	FIRST_SUMS(1)  \
	SECOND_SUMS(1) \
	LOAD_FOUR(2)  \
	QUADS         \
	FIRST_SUMS(2)  \
	SECOND_SUMS(2)
#include "avx2_depthwise_amd64.h"

#define NAME ·avxvnniStride2
#define FOR_EACH ONE_ROW
#define FOR_ROWS OUT_ONE
#define ADVANCE 64
#define FIRST
#define WINDOW \
	LOAD_THREE(0) \
	QUADS         \
	FIRST_SUMS(0)  \
	LOAD_THREE(1) \
	QUADS         \
	FIRST_SUMS(1)  \
	LOAD_THREE(2) \
	QUADS         \
	FIRST_SUMS(2)
#include "avx2_depthwise_amd64.h"
