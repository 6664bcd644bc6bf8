// From a tile's outputs, 16 bits each, to bytes in memory.
//
// PACK works on the halves of vectors: of two pixels it leaves the first eight
// words of both, then the last eight. WRITE puts them in order, except that
// who includes this may have to do more, IN_ORDER(a), within sixteen bytes.
#define PACK_TWO(a, b, p) VPACKUSWB b, a, a
#define PACK_ONE(a, half, p) VPACKUSWB a, a, a
#define CLAMP(a, b, p) \
	VPMAXUB Y14, a, a \
	VPMINUB Y13, a, a
#define WRITE_TWO(a, b, p) \
	VPERMQ  $0xD8, a, a   \
	IN_ORDER(a)           \
	VMOVDQU a, (16*p)(to)
#define WRITE_ONE(a, half, p) \
	VPERMQ  $0xD8, a, a   \
	IN_ORDER(a)           \
	VMOVDQU half, (16*p)(to)
