package kernels

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// newPixels makes room for n pixels.
func newPixels(channels, n int) Pixels {
	return Pixels{make([]int8, Pad(channels)*n), n * Group}
}

// pixels gives n random pixels, the groups of which lie some bytes apart.
func (m *memory) pixels(rng *rand.Rand, channels, n int) Pixels {
	return m.strided(rng, channels, n, rng.IntN(9))
}

func (m *memory) strided(rng *rand.Rand, channels, n, gap int) Pixels {
	p := Pixels{Stride: n*Group + gap}
	p.Data = m.random(rng, Pad(channels)/Group*p.Stride-gap)
	return p
}

func (m *memory) random(rng *rand.Rand, n int) []int8 {
	s := m.take(n)
	copy(s, randomInt8s(rng, n))
	return s
}

// value gives one channel of one pixel.
func (p Pixels) value(s *Set, channel, pixel int) int8 {
	return p.At(channel, pixel).Data[channel%Group] ^ s.Flip
}

func (p Pixels) clone() Pixels { return Pixels{slices.Clone(p.Data), p.Stride} }

// mustKeep checks that between the groups of n pixels nothing has changed.
func (p Pixels) mustKeep(t *testing.T, before Pixels, n int) {
	t.Helper()
	for i, v := range p.Data {
		if i%p.Stride >= n*Group && v != before.Data[i] {
			t.Fatalf("%d pixels, groups %d bytes apart: byte %d was written to", n, p.Stride, i)
		}
	}
}

func randomInt8s(rng *rand.Rand, n int) []int8 {
	s := make([]int8, n)
	for i := range s {
		s[i] = int8(rng.Uint32())
	}
	return s
}
