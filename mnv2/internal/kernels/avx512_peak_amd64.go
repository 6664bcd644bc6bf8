//go:build !purego

package kernels

// avx512Peak makes 12 independent dot products a round: more than are under
// way at a time.
func avx512Peak(rounds int) (multiplyAdds int) {
	avx512Dots(rounds)
	return rounds * 12 * 64
}

//go:noescape
func avx512Dots(rounds int)
