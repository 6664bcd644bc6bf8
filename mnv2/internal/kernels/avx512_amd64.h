// What the kernels of avx512vnni share: sums become activations.
//
// A vector of sums is the 16 channels of one pixel, a dword each. They become
// bytes in two ways, FUSED and EXACT, a group of channels in one of them: see
// avx512PackOutputs. Activations are stored with 128 added, as unsigned bytes.
// Kernels overwrite their arguments.

#define ARGS AX // a block of arguments that begins with an avx512Output
#define FLAGS BX // its flags
#define ORDER Z31 // see avx512order
#define TMP Z30 // clobbered
#define OFFSET Z29
#define MULTIPLIER Z28

// Where in a group's 48 dwords of Layer.outputs its numbers are.
#define BIASES 0
#define MULTIPLIERS 64
#define OFFSETS 128

// Masks of the dwords that one, two and three pixels' bytes fill.
#define ONE K1
#define TWO K2
#define THREE K3
#define ODD K7 // and of the odd words' bytes

#define CONSTANTS \
	VMOVDQU32 avx512order<>(SB), ORDER        \
	MOVL      $0x000F, FLAGS                  \
	KMOVW     FLAGS, ONE                      \
	MOVL      $0x00FF, FLAGS                  \
	KMOVW     FLAGS, TWO                      \
	MOVL      $0x0FFF, FLAGS                  \
	KMOVW     FLAGS, THREE                    \
	MOVQ      $0xCCCCCCCCCCCCCCCC, FLAGS      \
	KMOVQ     FLAGS, ODD                      \
	MOVL      avx512Output_flags(ARGS), FLAGS

// a = clamp(a) in pixels' order. Packing works on each 128 bits by itself, so
// that dword 4*i+j is four channels, from 4*i on, of pixel j.
#define CLAMP(a) \
	TESTL        $const_avx512Clamp, FLAGS    \
	JEQ          5(PC)                        \
	VPBROADCASTD avx512Output_low(ARGS), TMP  \
	VPMAXUB      TMP, a, a                    \
	VPBROADCASTD avx512Output_high(ARGS), TMP \
	VPMINUB      TMP, a, a                    \
	VPERMD       a, ORDER, a

// FUSED: the sum is, as a float, 1.5*2^23 + start + sum, and what fma makes of
// it 1.5*2^23 + q, whose low word is q: see fuse. So no conversion is needed, and
// the words of two pixels are put side by side, then as uint8, saturated, those
// of four.
#define FMA(a) VFMADD213PS OFFSET, MULTIPLIER, a

#define FUSED4(a, b, c, d) \
	FMA(a)                               \
	FMA(b)                               \
	FMA(c)                               \
	FMA(d)                               \
	VPSHUFB   avx512odd<>(SB), b, ODD, a \
	VPSHUFB   avx512odd<>(SB), d, ODD, c \
	VPACKUSWB c, a, a                    \
	VPSHUFB   avx512apart<>(SB), a, a    \
	CLAMP(a)

#define FUSED3(a, b, c) \
	FMA(a)                               \
	FMA(b)                               \
	FMA(c)                               \
	VPSHUFB   avx512odd<>(SB), b, ODD, a \
	VPACKUSWB c, a, a                    \
	VPSHUFB   avx512apart<>(SB), a, a    \
	CLAMP(a)

#define FUSED2(a, b) \
	FMA(a)                               \
	FMA(b)                               \
	VPSHUFB   avx512odd<>(SB), b, ODD, a \
	VPACKUSWB a, a, a                    \
	VPSHUFB   avx512apart<>(SB), a, a    \
	CLAMP(a)

#define FUSED1(a, other) \
	FMA(a)                            \
	VPACKUSWB a, a, a                 \
	VPSHUFB   avx512apart<>(SB), a, a \
	CLAMP(a)

// EXACT: the definition's steps. q = rint(float32(sum) * multiplier).
#define FLOAT(a) \
	VCVTDQ2PS a, a             \
	VMULPS    MULTIPLIER, a, a

// VCVTPS2DQ, which rounds halves to even, makes the lowest integer of what is
// beyond int32. That is right for numbers below it. Those above are limited
// first, to 2^31 - 128.
#define LIMIT(a) VMINPS.BCST avx512limit<>(SB), a, a

#define ROUND1(a) \
	FLOAT(a)                            \
	TESTL     $const_avx512Large, FLAGS \
	JEQ       2(PC)                     \
	LIMIT(a)                            \
	VCVTPS2DQ a, a

#define ROUND2(a, b) \
	FLOAT(a)                            \
	FLOAT(b)                            \
	TESTL     $const_avx512Large, FLAGS \
	JEQ       3(PC)                     \
	LIMIT(a)                            \
	LIMIT(b)                            \
	VCVTPS2DQ a, a                      \
	VCVTPS2DQ b, b

#define ROUND4(a, b, c, d) \
	FLOAT(a)                            \
	FLOAT(b)                            \
	FLOAT(c)                            \
	FLOAT(d)                            \
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

// a = a, b, c, d + zero as bytes, saturated to int16 and then to uint8.
#define PACK(a, b, c, d) \
	VPACKSSDW    b, a, a                      \
	VPACKSSDW    d, c, c                      \
	TESTL        $const_avx512Zero, FLAGS     \
	JEQ          4(PC)                        \
	VPBROADCASTD avx512Output_zero(ARGS), TMP \
	VPADDSW      TMP, a, a                    \
	VPADDSW      TMP, c, c                    \
	VPACKUSWB    c, a, a

#define EXACT4(a, b, c, d) \
	ROUND4(a, b, c, d) \
	PACK(a, b, c, d)   \
	CLAMP(a)

#define EXACT3(a, b, c) \
	ROUND1(a)        \
	ROUND2(b, c)     \
	PACK(a, b, c, c) \
	CLAMP(a)

#define EXACT2(a, b) \
	ROUND2(a, b)     \
	PACK(a, b, b, b) \
	CLAMP(a)

#define EXACT1(a, other) \
	ROUND1(a)                \
	PACK(a, a, other, other) \
	CLAMP(a)

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

// In each 128 bits: even words become odd ones,
DATA avx512odd<>+0(SB)/8, $0x0504000001000000
DATA avx512odd<>+8(SB)/8, $0x0D0C000009080000
DATA avx512odd<>+16(SB)/8, $0x0504000001000000
DATA avx512odd<>+24(SB)/8, $0x0D0C000009080000
DATA avx512odd<>+32(SB)/8, $0x0504000001000000
DATA avx512odd<>+40(SB)/8, $0x0D0C000009080000
DATA avx512odd<>+48(SB)/8, $0x0504000001000000
DATA avx512odd<>+56(SB)/8, $0x0D0C000009080000
GLOBL avx512odd<>(SB), RODATA|NOPTR, $64

// and bytes 0, 2, 4, 6 the first dword, 1, 3, 5, 7 the second, and so on.
DATA avx512apart<>+0(SB)/8, $0x0705030106040200
DATA avx512apart<>+8(SB)/8, $0x0F0D0B090E0C0A08
DATA avx512apart<>+16(SB)/8, $0x0705030106040200
DATA avx512apart<>+24(SB)/8, $0x0F0D0B090E0C0A08
DATA avx512apart<>+32(SB)/8, $0x0705030106040200
DATA avx512apart<>+40(SB)/8, $0x0F0D0B090E0C0A08
DATA avx512apart<>+48(SB)/8, $0x0705030106040200
DATA avx512apart<>+56(SB)/8, $0x0F0D0B090E0C0A08
GLOBL avx512apart<>(SB), RODATA|NOPTR, $64
