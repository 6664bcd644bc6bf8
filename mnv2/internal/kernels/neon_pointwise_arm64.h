// The convolution by tiles of as many pixels as the macros named here are for.

	MOVD t+0(FP), R0
	MOVD neonTiles_dst(R0), R(DST)
	MOVD neonTiles_src(R0), R(SRC)
	MOVD neonTiles_stream(R0), R(STREAM)
	MOVD neonTiles_srcNext(R0), R(SNEXT)
	MOVD neonTiles_groups(R0), R(GROUPS)

group:
	MOVWU neonHead__size(R(STREAM)), R(INPUT)
	MOVWU neonHead_weights(R(STREAM)), R(FIRST)
	MOVWU neonHead_light(R(STREAM)), R(LIGHT)
	MOVWU neonHead_heavy(R(STREAM)), R(HEAVY)
	MOVWU neonHead_tails(R(STREAM)), R(TAILS)
	MOVWU neonHead_stepwise(R(STREAM)), R(SLOW)
	MOVWU neonTiles_requantized+requantized_clamped(R0), R(T)
	MOVD  neonTiles_tiles(R0), R(TILES)
	MUL   R(SNEXT), R(INPUT)
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
	// The first step also loads what the sums start with.
	CBZ  R(LIGHT), noneLight
	STEP(LIGHT_CHAIN, BEGIN)
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
	ADD  $64, R(START), R(T)
	ADD  $128, R(START), R(T2)
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
	STEP(HEAVY_CHAIN, BEGIN)
	SUBS $1, R(HEAVY), R(COUNT)
	BNE  heavyStep
	B    tail

onlyTail:
	TAIL(HEAVY_CHAIN, BEGIN)
	SUBS $1, R(TAILS), R(COUNT)
	BNE  tailStep
	B    requantize

slow:
	ADD   $64, R(START), R(T)
	LD1_4(T, FACTORS)
	MOVWU neonHead_stepwise(R(STREAM)), R(COUNT)
	CBNZ  R(COUNT), stepwise
	ADD   $128, R(START), R(T2)
	EACH(OFFSETS)
	EACH(FUSED_SUMS)
	EACH(FUSED_PAIRS)

narrow:
	MOVW neonTiles_requantized+requantized_low(R0), R(T)
	DUP_16B(T, LOW)
	MOVW neonTiles_requantized+requantized_high(R0), R(T)
	DUP_16B(T, HIGH)
	EACH(NARROW_LOWER)
	EACH(NARROW_UPPER)
	EACH(CLAMP)
	NEXT_TILE
	AT_ONCE
	B    store

stepwise:
	MOVW neonTiles_requantized+requantized_zero(R0), R(T)
	DUP_8H(T, ZERO)
	EACH(STEPWISE_SUMS)
	EACH(STEPWISE_PAIRS)
	B    narrow
