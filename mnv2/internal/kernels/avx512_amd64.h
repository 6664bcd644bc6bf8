// What the kernels of avx512vnni share: sums become activations.
//
// A vector of sums is the 16 channels of one pixel, a dword each.

#define ARGS AX // a block of arguments that begins with an avx512Output
#define FLAGS BX // its flags
#define ORDER Z31 // see avx512order
#define TMP Z30 // clobbered

// Masks of the dwords that one, two and three pixels' bytes fill.
#define ONE K1
#define TWO K2
#define THREE K3

#define CONSTANTS \
	VMOVDQU32 avx512order<>(SB), ORDER        \
	MOVL      $0x000F, FLAGS                  \
	KMOVW     FLAGS, ONE                      \
	MOVL      $0x00FF, FLAGS                  \
	KMOVW     FLAGS, TWO                      \
	MOVL      $0x0FFF, FLAGS                  \
	KMOVW     FLAGS, THREE                    \
	MOVL      avx512Output_flags(ARGS), FLAGS

// sum = float32(sum) * multiplier
#define FLOAT(multiplier, sum) \
	VCVTDQ2PS sum, sum             \
	VMULPS    multiplier, sum, sum

// VCVTPS2DQ, which rounds halves to even, makes the lowest integer of what is
// beyond int32. That is right for numbers below it. Those above are limited
// first, to 2^31 - 128.
#define LIMIT(sum) VMINPS.BCST avx512limit<>(SB), sum, sum

// sum = rint(float32(sum) * multiplier), of one, two or four pixels.
#define ROUND1(multiplier, a) \
	FLOAT(multiplier, a)                \
	TESTL     $const_avx512Large, FLAGS \
	JEQ       2(PC)                     \
	LIMIT(a)                            \
	VCVTPS2DQ a, a

#define ROUND2(multiplier, a, b) \
	FLOAT(multiplier, a)                \
	FLOAT(multiplier, b)                \
	TESTL     $const_avx512Large, FLAGS \
	JEQ       3(PC)                     \
	LIMIT(a)                            \
	LIMIT(b)                            \
	VCVTPS2DQ a, a                      \
	VCVTPS2DQ b, b

#define ROUND4(multiplier, a, b, c, d) \
	FLOAT(multiplier, a)                \
	FLOAT(multiplier, b)                \
	FLOAT(multiplier, c)                \
	FLOAT(multiplier, d)                \
	TESTL     $const_avx512Large, FLAGS \
	JEQ       5(PC)                     \
	LIMIT(a)                            \
	LIMIT(b)                            \
	LIMIT(c)                            \
	LIMIT(d)                            \
	VCVTPS2DQ a, a                      \
	VCVTPS2DQ b, b                      \
	VCVTPS2DQ c, c                      \
	VCVTPS2DQ d, d

// a = clamp(a, b, c, d + zero) as bytes. Packing saturates, to int16 and then
// to uint8. It works on each 128 bits by itself, so that dword 4*i+j is four
// channels, from 4*i on, of pixel j: ORDER puts pixel after pixel.
#define PACK(a, b, c, d) \
	VPACKSSDW    b, a, a                      \
	VPACKSSDW    d, c, c                      \
	TESTL        $const_avx512Zero, FLAGS     \
	JEQ          4(PC)                        \
	VPBROADCASTD avx512Output_zero(ARGS), TMP \
	VPADDSW      TMP, a, a                    \
	VPADDSW      TMP, c, c                    \
	VPACKUSWB    c, a, a                      \
	TESTL        $const_avx512Clamp, FLAGS    \
	JEQ          5(PC)                        \
	VPBROADCASTD avx512Output_low(ARGS), TMP  \
	VPMAXUB      TMP, a, a                    \
	VPBROADCASTD avx512Output_high(ARGS), TMP \
	VPMINUB      TMP, a, a                    \
	VPERMD       a, ORDER, a

// BYTESn makes a the activations of n pixels, from their sums.
#define BYTES4(multiplier, a, b, c, d) \
	ROUND4(multiplier, a, b, c, d) \
	PACK(a, b, c, d)

#define BYTES3(multiplier, a, b, c) \
	ROUND1(multiplier, a)    \
	ROUND2(multiplier, b, c) \
	PACK(a, b, c, c)

#define BYTES2(multiplier, a, b) \
	ROUND2(multiplier, a, b) \
	PACK(a, b, b, b)

#define BYTES1(multiplier, a, other) \
	ROUND1(multiplier, a)    \
	PACK(a, a, other, other)

// The largest float32 below 2^31.
DATA avx512limit<>+0(SB)/4, $0x4EFFFFFF
GLOBL avx512limit<>(SB), RODATA|NOPTR, $4

// Dword 4*i+j becomes dword 4*j+i.
DATA avx512order<>+0(SB)/8, $0x0000000400000000
DATA avx512order<>+8(SB)/8, $0x0000000C00000008
DATA avx512order<>+16(SB)/8, $0x0000000500000001
DATA avx512order<>+24(SB)/8, $0x0000000D00000009
DATA avx512order<>+32(SB)/8, $0x0000000600000002
DATA avx512order<>+40(SB)/8, $0x0000000E0000000A
DATA avx512order<>+48(SB)/8, $0x0000000700000003
DATA avx512order<>+56(SB)/8, $0x0000000F0000000B
GLOBL avx512order<>(SB), RODATA|NOPTR, $64
