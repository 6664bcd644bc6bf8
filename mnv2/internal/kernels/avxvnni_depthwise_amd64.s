//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"
#include "avx2_window_amd64.h"
#include "avxvnni_amd64.h"

// sums += x0*w0 + x1*w1 + x2*w2, and of the second row of output x1*w0 + x2*w1
// + x3*w2, the x being the rows of a column: the weights are w0 w1 w2 0 for each
// channel, then 0 w0 w1 w2.
#define WEIGHTS 768
#define FIRST_ROW(i) \
	VPDPBUSD_DX(256*i, 8, 0)     \
	VPDPBUSD_DX(256*i+32, 9, 1)  \
	VPDPBUSD_DX(256*i+64, 10, 2) \
	VPDPBUSD_DX(256*i+96, 11, 3)
#define SECOND_ROW(i) \
	VPDPBUSD_DX(256*i+128, 8, 4)  \
	VPDPBUSD_DX(256*i+160, 9, 5)  \
	VPDPBUSD_DX(256*i+192, 10, 6) \
	VPDPBUSD_DX(256*i+224, 11, 7)

// Y8 to Y11 = a column of the window, all rows of a channel side by side.
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
	FIRST_ROW(0)  \
	SECOND_ROW(0) \
	LOAD_FOUR(1)  \
	QUADS         \
	FIRST_ROW(1)  \
	SECOND_ROW(1) \
	LOAD_FOUR(2)  \
	QUADS         \
	FIRST_ROW(2)  \
	SECOND_ROW(2)
#include "avx2_rows_amd64.h"

#define NAME ·avxvnniStride2
#define FOR_EACH ONE_ROW
#define FOR_ROWS OUT_ONE
#define ADVANCE 64
#define FIRST
#define WINDOW \
	LOAD_THREE(0) \
	QUADS         \
	FIRST_ROW(0)  \
	LOAD_THREE(1) \
	QUADS         \
	FIRST_ROW(1)  \
	LOAD_THREE(2) \
	QUADS         \
	FIRST_ROW(2)
#include "avx2_rows_amd64.h"
