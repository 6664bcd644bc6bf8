//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"
#include "avx2_window_amd64.h"

// sums += x0*w0 + x1*w1 + x2*w2, and of the second row of output x1*w0 + x2*w1
// + x3*w2, the x being the rows of a column: the weights are w0 w1 for each
// channel, then w2 0, and of the second row 0 w0 and w1 w2.
#define WEIGHTS 1536
#define ADD(offset, xs, sum) \
	VPMADDWD (offset)(w), xs, Y10 \
	VPADDD   Y10, sum, sum

// Of channels that UNPACK chooses Y8 are rows 0 and 1 as 16 bits, Y9 rows 2
// and 3.
#define FOUR(UNPACK, rows01, rows23, offset, sum) \
	UNPACK Y11, rows01, Y8 \
	UNPACK Y11, rows23, Y9 \
	ADD(offset, Y8, sum)   \
	ADD(offset+32, Y9, sum)
#define SECOND(offset, sum) \
	ADD(offset+256, Y8, sum) \
	ADD(offset+288, Y9, sum)

#define FIRST_ROW(i) \
	FOUR(VPUNPCKLBW, Y12, Y14, 512*i, Y0)     \
	FOUR(VPUNPCKHBW, Y12, Y14, 512*i+64, Y1)  \
	FOUR(VPUNPCKLBW, Y13, Y15, 512*i+128, Y2) \
	FOUR(VPUNPCKHBW, Y13, Y15, 512*i+192, Y3)
#define BOTH_ROWS(i) \
	VPXOR Y11, Y11, Y11                       \
	FOUR(VPUNPCKLBW, Y12, Y14, 512*i, Y0)     \
	SECOND(512*i, Y4)                         \
	FOUR(VPUNPCKHBW, Y12, Y14, 512*i+64, Y1)  \
	SECOND(512*i+64, Y5)                      \
	FOUR(VPUNPCKLBW, Y13, Y15, 512*i+128, Y2) \
	SECOND(512*i+128, Y6)                     \
	FOUR(VPUNPCKHBW, Y13, Y15, 512*i+192, Y3) \
	SECOND(512*i+192, Y7)
#define FACTOR Y8
#define OFFSET Y9

// With stride 1 the last column of a pair is the first of the next.
#define NAME ·avx2Rows2
#define FOR_EACH TWO_ROWS
#define FOR_ROWS OUT_TWO
#define ADVANCE 32
#define FIRST \
	LOAD_FOUR(0) \
	INTERLEAVE
#define WINDOW \
	BOTH_ROWS(0) \
	LOAD_FOUR(1) \
	INTERLEAVE   \
	BOTH_ROWS(1) \
	LOAD_FOUR(2) \
	INTERLEAVE   \
	BOTH_ROWS(2)
#include "avx2_rows_amd64.h"

#define NAME ·avx2Stride2
#define FOR_EACH ONE_ROW
#define FOR_ROWS OUT_ONE
#define ADVANCE 64
#define FIRST
#define WINDOW \
	LOAD_THREE(0) \
	INTERLEAVE    \
	FIRST_ROW(0)  \
	LOAD_THREE(1) \
	INTERLEAVE    \
	FIRST_ROW(1)  \
	LOAD_THREE(2) \
	INTERLEAVE    \
	FIRST_ROW(2)
#include "avx2_rows_amd64.h"
