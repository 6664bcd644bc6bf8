//go:build !purego

#include "textflag.h"
#include "instructions_arm64.h"

// As many multiply-adds as the core can do: of registers whatever they hold,
// into registers that do not wait for each other.

#define COUNT 0
#define X 16
#define W 17

#define MULTIPLY(d) SMULL_8H(X, W, d)
#define DOT(d) SDOT(X, W, d)

#define ROUNDS(DO) \
	MOVD rounds+0(FP), R(COUNT); \
round: \
	DO(0); DO(1); DO(2); DO(3); DO(4); DO(5); DO(6); DO(7); \
	SUB  $1, R(COUNT), R(COUNT); \
	CBNZ R(COUNT), round; \
	RET

// func neonProducts(rounds int)
TEXT ·neonProducts(SB), NOSPLIT, $0-8
	ROUNDS(MULTIPLY)

// func sdotDots(rounds int)
TEXT ·sdotDots(SB), NOSPLIT, $0-8
	ROUNDS(DOT)
