package mnv2_test

import "math/rand/v2"

func randomRGB(seed uint64, size int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	rgb := make([]byte, size*size*3)
	for i := range rgb {
		rgb[i] = byte(rng.Uint32())
	}
	return rgb
}
