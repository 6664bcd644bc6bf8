package quantize

import (
	"fmt"
	"slices"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/randnet"
)

// TestReference has the reference give what the engine gives.
func TestReference(t *testing.T) {
	for i, o := range []randnet.Options{
		{WidthMult: 0.35, Size: 64, Classes: 10},
		{WidthMult: 0.3, Size: 33, Classes: 7, Truncate: true, TorchPadding: true, ExpandFirst: true},
		{WidthMult: 0.1, Size: 32},
	} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			n := randnet.New(uint64(i), o)
			if i == 1 {
				n.Input.Zero, n.Pixels = -14, mnv2.Normalization{Mean: 114, Std: 127.5}
			}
			testReference(t, n, randnet.RGB(1, n.Size), randnet.RGB(2, n.Size))
		})
	}
}

// testReference compares the reference with the engine.
func testReference(t *testing.T, n *mnv2.Network, pictures ...[]byte) {
	t.Helper()
	ref := newReference(n)
	for _, kernel := range mnv2.Kernels() {
		m, err := mnv2.New(n, mnv2.Options{Kernel: kernel, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		r := m.NewRunner()
		defer r.Close()
		for i, rgb := range pictures {
			if err := r.Run(rgb); err != nil {
				t.Fatal(err)
			}
			logits, embedding := ref.run(rgb, func(int, *float.Tensor) {})
			if !slices.Equal(embedding, r.Embedding()) {
				t.Errorf("%s, picture %d: the reference's embedding is not the engine's", kernel, i)
			}
			if !slices.Equal(logits, r.Logits()) {
				t.Errorf("%s, picture %d: the reference's logits are not the engine's", kernel, i)
			}
		}
	}
}
