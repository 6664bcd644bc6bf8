// The convolution by tiles of as many pixels, and channels, as the file that
// includes this has defined PIXELS, EACH, PRODUCTS, SUMS, ROTATE, LOAD, STORE,
// STEP, TAIL, the chains, and what is loaded AT_ONCE or LATER for.

	MOVD t+0(FP), R0
	MOVD neonTiles_dst(R0), R(DST)
	MOVD neonTiles_src(R0), R(SRC)
	MOVD neonTiles_stream(R0), R(STREAM)
	MOVD neonTiles_srcNext(R0), R(SNEXT)
	MOVD neonTiles_groups(R0), R(GROUPS)

group:
	MOVWU neonHead__size(R(STREAM)), R(FIRSTIN)
	MOVWU neonHead_weights(R(STREAM)), R(FIRST)
	MOVWU neonHead_light(R(STREAM)), R(LIGHT)
	MOVWU neonHead_heavy(R(STREAM)), R(HEAVY)
	MOVWU neonHead_tails(R(STREAM)), R(TAILS)
	MOVWU neonHead_stepwise(R(STREAM)), R(SLOW)
	MOVWU neonTiles_requantized+requantized_clamped(R0), R(T)
	MOVD  neonTiles_tiles(R0), R(TILES)
	MUL   R(SNEXT), R(FIRSTIN)
	ADD   R(STREAM), R(FIRST)
	ORR   R(T), R(SLOW)
	ADD   $64, R(FIRST), R(FIRSTB)
	ADD   $neonHead_starts, R(STREAM), R(START)
	MOVD  R(DST), R(OUT)
	MOVD  R(SRC), R(IN)
	PREPARE
	AT_ONCE
	LOAD

tile:
	// The first step, of whatever kind, also loads what the sums start with.
	CBZ  R(LIGHT), noneLight
	STEP(LIGHT_CHAIN, FIRST_OF_TILE)
	SUBS $1, R(LIGHT), R(COUNT)
	BEQ  heavy

lightStep:
	STEP(LIGHT_CHAIN, NOTHING)
	SUBS $1, R(COUNT), R(COUNT)
	BNE  lightStep

heavy:
	CBZ  R(HEAVY), tail
	MOVD R(HEAVY), R(COUNT)

heavyStep:
	STEP(HEAVY_CHAIN, NOTHING)
	SUBS $1, R(COUNT), R(COUNT)
	BNE  heavyStep

tail:
	CBZ  R(TAILS), requantize
	MOVD R(TAILS), R(COUNT)

tailStep:
	TAIL(HEAVY_CHAIN, NOTHING)
	SUBS $1, R(COUNT), R(COUNT)
	BNE  tailStep

requantize:
	CBNZ R(SLOW), slow
	ADD  $(neonHead_factors-neonHead_starts), R(START), R(T)
	ADD  $(neonHead_offsets-neonHead_starts), R(START), R(T2)
	NEXT_TILE
	LD1_4(T, FACTORS)
	EACH(OFFSETS)
	EACH(FUSED_SUMS)
	EACH(FUSED_PAIRS)
	AT_ONCE
	EACH(NARROW_LOWER)
	EACH(NARROW_UPPER)

store:
	LOAD
	STORE
	ADD  $(16*PIXELS), R(OUT), R(OUT)
	CBNZ R(TILES), tile

	MOVD neonTiles_dstNext(R0), R(COUNT)
	MOVD R(END), R(STREAM) // the next group's begins where this one's ends
	ADD  R(COUNT), R(DST)
	SUB  $1, R(GROUPS), R(GROUPS)
	CBNZ R(GROUPS), group
	RET

noneLight:
	CBZ  R(HEAVY), onlyTail
	STEP(HEAVY_CHAIN, FIRST_OF_TILE)
	SUBS $1, R(HEAVY), R(COUNT)
	BNE  heavyStep
	B    tail

onlyTail:
	TAIL(HEAVY_CHAIN, FIRST_OF_TILE)
	SUBS $1, R(TAILS), R(COUNT)
	BNE  tailStep
	B    requantize

slow:
	ADD   $(neonHead_factors-neonHead_starts), R(START), R(T)
	LD1_4(T, FACTORS)
	MOVWU neonHead_stepwise(R(STREAM)), R(COUNT)
	CBNZ  R(COUNT), stepwise
	ADD   $(neonHead_offsets-neonHead_starts), R(START), R(T2)
	EACH(OFFSETS)
	EACH(FUSED_SUMS)
	EACH(FUSED_PAIRS)

narrow:
	DUP_FIELD(neonTiles_requantized+requantized_low, DUP_16B, LOW)
	DUP_FIELD(neonTiles_requantized+requantized_high, DUP_16B, HIGH)
	EACH(NARROW_LOWER)
	EACH(NARROW_UPPER)
	EACH(CLAMP)
	NEXT_TILE
	AT_ONCE
	B    store

stepwise:
	DUP_FIELD(neonTiles_requantized+requantized_zero, DUP_8H, ZERO)
	EACH(STEPWISE_SUMS)
	EACH(STEPWISE_PAIRS)
	B    narrow
