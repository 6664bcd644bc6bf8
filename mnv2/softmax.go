package mnv2

// softmax writes the scores of int8 logits. Each differs from the largest by
// 0 to 255 steps, whose exponentials are in the table.
func softmax(scores []float32, logits []int8, exp *[256]float64) {
	most := logits[0]
	for _, q := range logits {
		most = max(most, q)
	}
	var sum float64
	for _, q := range logits {
		sum += exp[int(most)-int(q)]
	}
	for i, q := range logits {
		scores[i] = float32(exp[int(most)-int(q)] / sum)
	}
}

// exponentials is exp(-scale * i) for i of 0..255.
//
// It is the same on every CPU, which math.Exp is not: powers of one number,
// every operation rounded to float64. The error grows by one rounding a step,
// and stays far below float32's.
func exponentials(scale float32) (table [256]float64) {
	step := expNegative(float64(scale))
	table[0] = 1
	for i := 1; i < len(table); i++ {
		table[i] = table[i-1] * step
	}
	return table
}

// expNegative is exp(-x) for x > 0: the power series for x / 2^n, squared n
// times. From 745 on the result is 0, as it is in float64.
func expNegative(x float64) float64 {
	if x > 745 {
		return 0
	}
	n := 0
	for ; x > 0.125; x /= 2 {
		n++
	}
	sum := 1.0
	for i := 12.0; i > 0; i-- { // 1 - x/1 * (1 - x/2 * (1 - x/3 * ...))
		sum = 1 - float64(x/i*sum)
	}
	for ; n > 0; n-- {
		sum *= sum
	}
	return sum
}
