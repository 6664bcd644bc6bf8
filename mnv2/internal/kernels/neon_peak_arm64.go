//go:build !purego

package kernels

// neonPeak makes 8 independent long multiplications a round, and sdotPeak as many
// dot products: no fewer than are under way at a time.
func neonPeak(rounds int) (multiplyAdds int) {
	neonProducts(rounds)
	return rounds * 8 * 8
}

func sdotPeak(rounds int) (multiplyAdds int) {
	sdotDots(rounds)
	return rounds * 8 * 16
}

//go:noescape
func neonProducts(rounds int)

//go:noescape
func sdotDots(rounds int)
