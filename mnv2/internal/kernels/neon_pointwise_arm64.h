// The convolution of tiles of as many pixels as the macros named here are for.

	MOVD  t+0(FP), R0
	MOVD  neonTiles_dst(R0), R(DST)
	MOVD  neonTiles_src(R0), R(SRC)
	MOVD  neonTiles_stream(R0), R(STREAM)
	MOVD  neonTiles_dstNext(R0), R(DNEXT)
	MOVD  neonTiles_srcNext(R0), R(SNEXT)
	MOVD  neonTiles_groups(R0), R(GROUPS)
	MOVWU neonTiles_requantized+requantized_clamped(R0), R(CLAMPED)

group:
	MOVWU neonHead_light(R(STREAM)), R(LIGHT)
	MOVWU neonHead_heavy(R(STREAM)), R(HEAVY)
	MOVWU neonHead_tails(R(STREAM)), R(TAILS)
	MOVWU neonHead_stepwise(R(STREAM)), R(STEPS)
	MOVWU neonHead_weights(R(STREAM)), R(FIRST)
	ADD   R(STREAM), R(FIRST)
	MOVD  R(DST), R(OUT)
	MOVD  R(SRC), R(IN)
	MOVD  neonTiles_tiles(R0), R(TILES)

tile:
	// The first step's pixels and weights; sum = start.
	MOVWU neonHead__size(R(STREAM)), R(G)
	MADD  R(SNEXT), R(IN), R(G), R(NEXT)
	ADD   $neonHead_starts, R(STREAM), R(T)
	MOVD  R(FIRST), R(W)
	ADD   $64, R(FIRST), R(W1)
	ADD   $(neonHead__size+4), R(STREAM), R(INDEX)
	MOVWU.P 4(R(INDEX)), R(G)
	LOAD
	LD1_4(W, WA)
	LD1_4(W1, WB)
	EACH(STARTS)
	CBZ  R(LIGHT), heavy
	MOVD R(LIGHT), R(COUNT)

lightStep:
	STEP(LIGHT_CHAIN)
	SUB  $1, R(COUNT), R(COUNT)
	CBNZ R(COUNT), lightStep

heavy:
	CBZ  R(HEAVY), tail
	MOVD R(HEAVY), R(COUNT)

heavyStep:
	STEP(HEAVY_CHAIN)
	SUB  $1, R(COUNT), R(COUNT)
	CBNZ R(COUNT), heavyStep

tail:
	CBZ  R(TAILS), requantize
	MOVD R(TAILS), R(COUNT)

tailStep:
	TAIL(HEAVY_CHAIN)
	SUB  $1, R(COUNT), R(COUNT)
	CBNZ R(COUNT), tailStep

requantize:
	ADD  $neonHead_factors, R(STREAM), R(T)
	LD1_4(T, FACTORS)
	CBNZ R(STEPS), stepwise
	ADD  $neonHead_offsets, R(STREAM), R(T)
	EACH(OFFSETS)
	EACH(FUSED_SUMS)
	EACH(FUSED_PAIRS)

narrow:
	EACH(NARROW_LOWER)
	EACH(NARROW_UPPER)
	CBNZ R(CLAMPED), clamp

store:
	STORE
	ADD  $(16*PIXELS), R(IN), R(IN)
	ADD  $(16*PIXELS), R(OUT), R(OUT)
	SUB  $1, R(TILES), R(TILES)
	CBNZ R(TILES), tile

	MOVD R(W), R(STREAM) // the next group's begins where this one's ends
	ADD  R(DNEXT), R(DST)
	SUB  $1, R(GROUPS), R(GROUPS)
	CBNZ R(GROUPS), group
	RET

stepwise:
	MOVW neonTiles_requantized+requantized_zero(R0), R(T)
	DUP_8H(T, ZERO)
	EACH(STEPWISE_SUMS)
	EACH(STEPWISE_PAIRS)
	B    narrow

clamp:
	MOVW neonTiles_requantized+requantized_low(R0), R(T)
	DUP_16B(T, LOW)
	MOVW neonTiles_requantized+requantized_high(R0), R(T)
	DUP_16B(T, HIGH)
	EACH(CLAMP)
	B    store
