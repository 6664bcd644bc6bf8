//go:build !purego

#include "textflag.h"
#include "instructions_arm64.h"

// As many multiply-adds as the core can do: of registers whatever they hold,
// into registers that do not wait for each other.

#define COUNT 0
#define X 16
#define W 17

// func neonProducts(rounds int)
TEXT ·neonProducts(SB), NOSPLIT, $0-8
	MOVD rounds+0(FP), R(COUNT)

round:
	SMULL_8H(X, W, 0)
	SMULL_8H(X, W, 1)
	SMULL_8H(X, W, 2)
	SMULL_8H(X, W, 3)
	SMULL_8H(X, W, 4)
	SMULL_8H(X, W, 5)
	SMULL_8H(X, W, 6)
	SMULL_8H(X, W, 7)
	SUB  $1, R(COUNT), R(COUNT)
	CBNZ R(COUNT), round
	RET

// func sdotDots(rounds int)
TEXT ·sdotDots(SB), NOSPLIT, $0-8
	MOVD rounds+0(FP), R(COUNT)

round:
	SDOT(X, W, 0)
	SDOT(X, W, 1)
	SDOT(X, W, 2)
	SDOT(X, W, 3)
	SDOT(X, W, 4)
	SDOT(X, W, 5)
	SDOT(X, W, 6)
	SDOT(X, W, 7)
	SDOT(X, W, 8)
	SDOT(X, W, 9)
	SDOT(X, W, 10)
	SDOT(X, W, 11)
	SUB  $1, R(COUNT), R(COUNT)
	CBNZ R(COUNT), round
	RET
