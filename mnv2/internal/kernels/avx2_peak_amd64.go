//go:build !purego

package kernels

// Sums of registers, independent of each other: more than are under way at a
// time.

//go:noescape
func avx2Dots(rounds int)

//go:noescape
func avxvnniDots(rounds int)

func avx2Peak(rounds int) (multiplyAdds int) {
	avx2Dots(rounds)
	return rounds * 7 * 2 * 32
}

func avxvnniPeak(rounds int) (multiplyAdds int) {
	avxvnniDots(rounds)
	return rounds * 14 * 32
}
