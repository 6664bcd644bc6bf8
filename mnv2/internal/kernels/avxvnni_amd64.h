// VPDPBUSD as AVX-VNNI encodes it, which Go's assembler does not know:
//
//	sum += x0*w0 + x1*w1 + x2*w2 + x3*w3
//
// for unsigned bytes of x and signed bytes of w: VEX.256.66.0F38.W0 50 /r, with
// sum in reg, x in vvvv and w in rm. The arguments are the numbers of vector
// registers.
#define VEX_0F38_66(reg, vvvv, rm) \
	BYTE $0xC4                                          \
	BYTE $(0xE2 ^ (((reg) & 8) << 4) ^ (((rm) & 8) << 2)) \
	BYTE $(0x7D ^ ((vvvv) << 3))
#define VPDPBUSD(w, x, sum) \
	VEX_0F38_66(sum, x, w) \
	BYTE $0x50             \
	BYTE $(0xC0 | (((sum) & 7) << 3) | ((w) & 7))

// The same with the weights in memory, at an offset from DX.
#define VPDPBUSD_DX(offset, x, sum) \
	VEX_0F38_66(sum, x, 2) \
	BYTE $0x50             \
	BYTE $(0x82 | (((sum) & 7) << 3)) \
	LONG $(offset)
