// What the kernels of avx2 and avxvnni share: from sums to bytes. A vector
// holds the sums of eight output channels as int32. Activations are stored with
// 128 added, as unsigned bytes: so are zero point and clamp, and what that adds
// to the sums is folded into the bias. A group of 16 channels is fused as a
// whole or not at all, so that one offset tells. Kernels overwrite their
// arguments.

// sum = rint(sum * multiplier) + zero in one rounding, where fuse has proven
// that this is the same: sum starts such that its bits are the float32 1.5 *
// 2^23 + sum, and the result's low 16 bits are the number.
#define FUSED(factor, offset, sum) \
	VFMADD213PS offset, factor, sum

// sum = rint(float32(sum) * multiplier) + zero, limited on the way to what
// fits 16 bits.
#define EXACT(multiplier, zero, sum) \
	VCVTDQ2PS sum, sum                   \
	VMULPS    multiplier, sum, sum       \
	VMINPS    avx2Highest<>(SB), sum, sum \
	VMAXPS    avx2Lowest<>(SB), sum, sum  \
	VCVTPS2DQ sum, sum                   \
	VPADDD    zero, sum, sum

// to = the low 16 bits of even and odd, in turns.
#define JOIN(even, odd, to) \
	VPSLLD   $16, odd, odd        \
	VPBLENDW $0x55, even, odd, to

// The clamp's low and high, as one word, when packing saturates to it anyway.
#define BYTE_RANGE $-256

// The same int32 eight times.
#define EIGHT(name, value) \
	DATA name<>+0(SB)/4, value           \
	DATA name<>+4(SB)/4, value           \
	DATA name<>+8(SB)/4, value           \
	DATA name<>+12(SB)/4, value          \
	DATA name<>+16(SB)/4, value          \
	DATA name<>+20(SB)/4, value          \
	DATA name<>+24(SB)/4, value          \
	DATA name<>+28(SB)/4, value          \
	GLOBL name<>(SB), RODATA|NOPTR, $32

EIGHT(avx2Highest, $0x46800000) // 16384
EIGHT(avx2Lowest, $0xC6800000)
