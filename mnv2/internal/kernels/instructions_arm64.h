// Instructions that Go's assembler lacks, by their architectural names.
//
// Registers are numbers, so that a kernel can give them names: V numbers for
// vectors, R numbers for addresses. R18 and R28 are not to be used: the
// platform's, and Go's. Operands n and m stand in the order of the
// architecture's Vn and Vm; as everywhere in Go assembly, what is written comes
// last.

// Loads and stores, of 16 bytes (Q), 8 (D): at R + imm, or, with an X, at R + R.
#define LDR_Q(n, imm, t) FMOVQ imm(R(n)), F(t)
#define STR_Q(t, n, imm) FMOVQ F(t), imm(R(n))
#define STR_D(t, n, imm) FMOVD F(t), imm(R(n))
#define LDR_DX(n, m, t) WORD $(0xFC606800 | (m)<<16 | (n)<<5 | (t))
#define STR_DX(t, n, m) WORD $(0xFC206800 | (m)<<16 | (n)<<5 | (t))
#define LD1R_4S(n, t) WORD $(0x4DDFC800 | (n)<<5 | (t)) // 4 bytes at R, which moves on by 4, to all lanes

// Each 32-bit lane of d += sum of 4 products of signed bytes; SDOT_LANE takes
// the same 4 bytes, lane i of m, for all.
#define SDOT(n, m, d) WORD $(0x4E809400 | (m)<<16 | (n)<<5 | (d))
#define SDOT_LANE(n, m, i, d) WORD $(0x4F80E000 | ((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d))

// Lanes: four floats or 32-bit integers, eight of 16 bits, or 16 bytes.
#define FADD_4S(n, m, d) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FSUB_4S(n, m, d) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d)) // n - m
#define FMUL_4S(n, m, d) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
#define FMLA_4S(n, m, d) WORD $(0x4E20CC00 | (m)<<16 | (n)<<5 | (d)) // d += n * m
#define SCVTF_4S(n, d) WORD $(0x4E21D800 | (n)<<5 | (d))
#define FCVTNS_4S(n, d) WORD $(0x4E21A800 | (n)<<5 | (d)) // halves to even
#define ADD_4S(n, m, d) WORD $(0x4EA08400 | (m)<<16 | (n)<<5 | (d))
#define MLA_4S(n, m, d) WORD $(0x4EA09400 | (m)<<16 | (n)<<5 | (d)) // d += n * m
#define SMAX_4S(n, m, d) WORD $(0x4EA06400 | (m)<<16 | (n)<<5 | (d))
#define SMIN_4S(n, m, d) WORD $(0x4EA06C00 | (m)<<16 | (n)<<5 | (d))
#define SSHL_4S(n, m, d) WORD $(0x4EA04400 | (m)<<16 | (n)<<5 | (d)) // right if m < 0
#define SSHL_8H(n, m, d) WORD $(0x4E604400 | (m)<<16 | (n)<<5 | (d))
#define SHL_4S(i, n, d) WORD $(0x4F005400 | (32+(i))<<16 | (n)<<5 | (d))
#define SQADD_8H(n, m, d) WORD $(0x4E600C00 | (m)<<16 | (n)<<5 | (d))
#define SMAX_16B(n, m, d) WORD $(0x4E206400 | (m)<<16 | (n)<<5 | (d))
#define SMIN_16B(n, m, d) WORD $(0x4E206C00 | (m)<<16 | (n)<<5 | (d))

// All of a register.
#define MOV_16B(n, d) WORD $(0x4EA01C00 | (n)<<16 | (n)<<5 | (d))
#define ZERO_16B(d) WORD $(0x6E201C00 | (d)<<16 | (d)<<5 | (d)) // EOR

// One W register in all lanes.
#define DUP_4S(n, d) WORD $(0x4E040C00 | (n)<<5 | (d))
#define DUP_8H(n, d) WORD $(0x4E020C00 | (n)<<5 | (d))
#define DUP_16B(n, d) WORD $(0x4E010C00 | (n)<<5 | (d))

// Widening: the lower half of n, or, with a 2, the upper.
#define SSHLL_8H(i, n, d) WORD $(0x0F00A400 | (8+(i))<<16 | (n)<<5 | (d)) // bytes to 16 bits, << i
#define SSHLL2_8H(i, n, d) WORD $(0x4F00A400 | (8+(i))<<16 | (n)<<5 | (d))
#define SSHLL_4S(i, n, d) WORD $(0x0F00A400 | (16+(i))<<16 | (n)<<5 | (d)) // 16 bits to 32, << i
#define SSHLL2_4S(i, n, d) WORD $(0x4F00A400 | (16+(i))<<16 | (n)<<5 | (d))
#define SADDW_8H(n, m, d) WORD $(0x0E201000 | (m)<<16 | (n)<<5 | (d)) // n + m, m of bytes
#define SADDW2_8H(n, m, d) WORD $(0x4E201000 | (m)<<16 | (n)<<5 | (d))
#define SADDW_4S(n, m, d) WORD $(0x0E601000 | (m)<<16 | (n)<<5 | (d)) // n + m, m of 16 bits
#define SADDW2_4S(n, m, d) WORD $(0x4E601000 | (m)<<16 | (n)<<5 | (d))

// Narrowing with saturation: to the lower half of d, whose upper becomes zero,
// or, with a 2, to the upper.
#define SQXTN_4H(n, d) WORD $(0x0E614800 | (n)<<5 | (d)) // 32 bits to 16
#define SQXTN2_8H(n, d) WORD $(0x4E614800 | (n)<<5 | (d))
#define SQXTN_8B(n, d) WORD $(0x0E214800 | (n)<<5 | (d)) // 16 bits to bytes
#define SQXTN2_16B(n, d) WORD $(0x4E214800 | (n)<<5 | (d))

// Shuffles. UZP1 takes the even lanes of n, then of m, UZP2 the odd ones; ZIP1
// and ZIP2 lanes of n and m in turn, from their lower or upper halves. TBL of
// two registers takes the bytes of n and n+1 that m counts, and 0 for others.
#define UZP1_8H(n, m, d) WORD $(0x4E401800 | (m)<<16 | (n)<<5 | (d))
#define UZP2_8H(n, m, d) WORD $(0x4E405800 | (m)<<16 | (n)<<5 | (d))
#define ZIP1_16B(n, m, d) WORD $(0x4E003800 | (m)<<16 | (n)<<5 | (d))
#define ZIP2_16B(n, m, d) WORD $(0x4E007800 | (m)<<16 | (n)<<5 | (d))
#define ZIP1_8H(n, m, d) WORD $(0x4E403800 | (m)<<16 | (n)<<5 | (d))
#define ZIP2_8H(n, m, d) WORD $(0x4E407800 | (m)<<16 | (n)<<5 | (d))
#define REV32_16B(n, d) WORD $(0x6E200800 | (n)<<5 | (d)) // bytes of each 32 bits backwards
#define TBL_16B_2(n, m, d) WORD $(0x4E002000 | (m)<<16 | (n)<<5 | (d))

// Products of the lower 8 bytes of n and m, or, with a 2, of the upper, as 16
// bits; SMLAL adds them to d.
#define SMULL_8H(n, m, d) WORD $(0x0E20C000 | (m)<<16 | (n)<<5 | (d))
#define SMULL2_8H(n, m, d) WORD $(0x4E20C000 | (m)<<16 | (n)<<5 | (d))
#define SMLAL_8H(n, m, d) WORD $(0x0E208000 | (m)<<16 | (n)<<5 | (d))
#define SMLAL2_8H(n, m, d) WORD $(0x4E208000 | (m)<<16 | (n)<<5 | (d))

// Each 32-bit lane of d += the two 16-bit lanes of n in its place.
#define SADALP_4S(n, d) WORD $(0x4E606800 | (n)<<5 | (d))

// Shifts left by i, with saturation.
#define SQSHL_4S(i, n, d) WORD $(0x4F007400 | (32+(i))<<16 | (n)<<5 | (d))

// EXT takes bytes i and on of n, then of m. TRN1 takes the even lanes of n and
// m in turn, TRN2 the odd ones. REV64 swaps the two lanes of each 64 bits.
#define EXT_8B(i, n, m, d) WORD $(0x2E000000 | (m)<<16 | (i)<<11 | (n)<<5 | (d))
#define EXT_16B(i, n, m, d) WORD $(0x6E000000 | (m)<<16 | (i)<<11 | (n)<<5 | (d))
#define TRN1_8H(n, m, d) WORD $(0x4E402800 | (m)<<16 | (n)<<5 | (d))
#define TRN2_8H(n, m, d) WORD $(0x4E406800 | (m)<<16 | (n)<<5 | (d))
#define TRN1_2D(n, m, d) WORD $(0x4EC02800 | (m)<<16 | (n)<<5 | (d))
#define REV64_4S(n, d) WORD $(0x4EA00800 | (n)<<5 | (d))

// Two, three or four vectors at R, into t and those after it; or one of t.
#define LD1_2(n, t) WORD $(0x4C40A000 | (n)<<5 | (t))
#define LD1_3(n, t) WORD $(0x4C406000 | (n)<<5 | (t))
#define LD1_4(n, t) WORD $(0x4C402000 | (n)<<5 | (t))
#define ST1_1(t, n) WORD $(0x4C007000 | (n)<<5 | (t))
