package kernels

import (
	"math/rand/v2"
	"testing"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

type runner[T any] interface {
	testing.TB
	Run(name string, f func(T)) bool
}

// forEachSet runs f with every set that this CPU runs.
func forEachSet[T runner[T]](t T, name string, f func(T, *Set)) {
	for _, s := range sets {
		t.Run(name+"/"+s.Name, func(t T) { f(t, s) })
	}
}

func randomInt8s(rng *rand.Rand, n int) []int8 {
	s := make([]int8, n)
	for i := range s {
		s[i] = int8(rng.Uint32())
	}
	return s
}

// randomConv has taps weights for each output, and results that fill the
// range and are clipped now and then.
func randomConv(rng *rand.Rand, in, out, taps int) *Conv {
	c := &Conv{
		In: in, Out: out,
		Weights: randomInt8s(rng, out*taps),
		Bias:    make([]int32, out),
		Scales:  make([]float32, out),
		Input:   Quantization{0.02, int32(rng.IntN(256) - 128)},
		Output:  Quantization{0.03, int32(rng.IntN(256) - 128)},
		Min:     -128, Max: 127,
	}
	for o := range out {
		c.Bias[o] = int32(rng.IntN(20001) - 10000)
		c.Scales[o] = (0.5 + rng.Float32()) / 100 / float32(taps)
	}
	return c
}
