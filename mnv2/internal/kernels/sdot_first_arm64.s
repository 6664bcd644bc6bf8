//go:build !purego

#include "textflag.h"
#include "instructions_arm64.h"

// The windows of the first convolution (im2col), which is then a pointwise one.
// With 3 colors, 3x3 and stride 2, a pixel's window is 9 bytes of each of three
// rows, 6 bytes after those of the pixel before. They become two groups of 16:
// row 0 and 7 bytes of row 1, then the rest of it, row 2, and zeros. The first
// groups of all pixels follow one another, then the second. Of each row 7 bytes
// more than the last window's are read, in vain.

// A TBL takes two registers that follow one another: ROW0 and 1, or ROW1 and 2.
#define ROW0 0
#define ROW1 1
#define ROW2 2
#define G0 3
#define G1 4
#define PICK0 5 // bytes of rows 0 and 1, and of rows 1 and 2
#define PICK1 6

#define SRC0 0
#define SRC1 1
#define SRC2 2
#define DST 3
#define DST1 4
#define COUNT 5
#define TMP 6

DATA ·sdotPick+0(SB)/8, $0x0706050403020100
DATA ·sdotPick+8(SB)/8, $0x1615141312111008
DATA ·sdotPick+16(SB)/8, $0x1514131211100807
DATA ·sdotPick+24(SB)/8, $0xFFFFFFFFFF181716
GLOBL ·sdotPick(SB), RODATA|NOPTR, $32

// func sdotWindows(dst *int8, rows *[3]*int8, n int)
TEXT ·sdotWindows(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R(DST)
	MOVD rows+8(FP), R(TMP)
	MOVD n+16(FP), R(COUNT)
	MOVD 0(R(TMP)), R(SRC0)
	MOVD 8(R(TMP)), R(SRC1)
	MOVD 16(R(TMP)), R(SRC2)
	MOVD $·sdotPick(SB), R(TMP)
	LDR_Q(TMP, 0, PICK0)
	LDR_Q(TMP, 16, PICK1)
	ADD R(COUNT)<<4, R(DST), R(DST1)

pixel:
	LDR_Q(SRC0, 0, ROW0)
	LDR_Q(SRC1, 0, ROW1)
	LDR_Q(SRC2, 0, ROW2)
	ADD $6, R(SRC0)
	ADD $6, R(SRC1)
	ADD $6, R(SRC2)
	TBL_16B_2(ROW0, PICK0, G0)
	TBL_16B_2(ROW1, PICK1, G1)
	STR_Q(G0, DST, 0)
	STR_Q(G1, DST1, 0)
	ADD $16, R(DST)
	ADD $16, R(DST1)
	SUBS $1, R(COUNT), R(COUNT)
	BNE pixel
	RET
