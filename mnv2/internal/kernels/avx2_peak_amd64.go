//go:build !purego

package kernels

//go:noescape
func avx2Dots(rounds int)

//go:noescape
func avxvnniDots(rounds int)

func avx2Peak(rounds int) (multiplyAdds int) {
	avx2Dots(rounds)
	return rounds * 7 * 32
}

func avxvnniPeak(rounds int) (multiplyAdds int) {
	avxvnniDots(rounds)
	return rounds * 14 * 32
}
