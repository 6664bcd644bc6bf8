//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "avx2_amd64.h"
#include "avx2_window_amd64.h"

// A column of the window adds to a channel's sums
//
//	first row of output   x0*w0 + x1*w1 + x2*w2 + x3*0
//	second row            x0*0  + x1*w0 + x2*w1 + x3*w2
//
// where x0 to x3 are rows of the source: each half of a line is a VPMADDWD of
// 16-bit numbers. The weights of a column, 512 bytes, are those of the first row
// of output and then of the second; of these every four channels, x0 and x1
// before x2 and x3. Stride 2 makes the first row alone.
#define WEIGHTS (3*512)
#define ADD(offset, x, sum) \
	VPMADDWD (offset)(w), x, Y10 \
	VPADDD   Y10, sum, sum

// Y8 = rows 0 and 1 and Y9 = rows 2 and 3 of four channels, widened: UNPACK
// puts zeros, which Y11 is, between the bytes of half of the channels.
#define FIRST_SUM(UNPACK, rows01, rows23, offset, sum) \
	UNPACK Y11, rows01, Y8 \
	UNPACK Y11, rows23, Y9 \
	ADD(offset, Y8, sum)   \
	ADD(offset+32, Y9, sum)
#define SECOND_SUM(offset, sum) \
	ADD(offset+256, Y8, sum) \
	ADD(offset+288, Y9, sum)

#define ONE_OUT(column) \
	FIRST_SUM(VPUNPCKLBW, Y12, Y14, 512*column, Y0)     \
	FIRST_SUM(VPUNPCKHBW, Y12, Y14, 512*column+64, Y1)  \
	FIRST_SUM(VPUNPCKLBW, Y13, Y15, 512*column+128, Y2) \
	FIRST_SUM(VPUNPCKHBW, Y13, Y15, 512*column+192, Y3)
#define TWO_OUT(column) \
	VPXOR Y11, Y11, Y11                                 \
	FIRST_SUM(VPUNPCKLBW, Y12, Y14, 512*column, Y0)     \
	SECOND_SUM(512*column, Y4)                          \
	FIRST_SUM(VPUNPCKHBW, Y12, Y14, 512*column+64, Y1)  \
	SECOND_SUM(512*column+64, Y5)                       \
	FIRST_SUM(VPUNPCKLBW, Y13, Y15, 512*column+128, Y2) \
	SECOND_SUM(512*column+128, Y6)                      \
	FIRST_SUM(VPUNPCKHBW, Y13, Y15, 512*column+192, Y3) \
	SECOND_SUM(512*column+192, Y7)
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
	TWO_OUT(0) \
	LOAD_FOUR(1) \
	INTERLEAVE   \
	TWO_OUT(1) \
	LOAD_FOUR(2) \
	INTERLEAVE   \
	TWO_OUT(2)
#include "avx2_depthwise_amd64.h"

#define NAME ·avx2Stride2
#define FOR_EACH ONE_ROW
#define FOR_ROWS OUT_ONE
#define ADVANCE 64
#define FIRST
#define WINDOW \
	LOAD_THREE(0) \
	INTERLEAVE    \
	ONE_OUT(0)  \
	LOAD_THREE(1) \
	INTERLEAVE    \
	ONE_OUT(1)  \
	LOAD_THREE(2) \
	INTERLEAVE    \
	ONE_OUT(2)
#include "avx2_depthwise_amd64.h"
