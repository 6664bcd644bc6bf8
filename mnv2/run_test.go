package mnv2_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/randnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shapes are networks with everything that real files differ in, and sizes
// that leave remainders everywhere.
func shapes() []randnet.Options {
	list := []randnet.Options{
		{WidthMult: 0.35, Size: 96, Classes: 7},
		{WidthMult: 0.35, Size: 33, Classes: 1001, TorchPadding: true},
		{WidthMult: 1.4, Size: 32, Classes: 100},
		{WidthMult: 1, Size: 32, Truncate: true},
		{WidthMult: 0.75, Size: 40, Truncate: true, TorchPadding: true, ExpandFirst: true, Classes: 10},
		{WidthMult: 0.1, Size: 1, Classes: 3},
		{WidthMult: 0.1, Size: 7, ExpandFirst: true},
		{WidthMult: 0.1, Size: 224, TorchPadding: true},
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for range 12 {
		list = append(list, randnet.Options{
			WidthMult:    0.05 + 0.4*rng.Float64(),
			Truncate:     rng.IntN(2) == 0,
			TorchPadding: rng.IntN(2) == 0,
			ExpandFirst:  rng.IntN(2) == 0,
			Classes:      rng.IntN(50),
			Size:         1 + rng.IntN(80),
		})
	}
	return list
}

// forEachShape runs f with a random network of each shape, every kernel, and
// an input. Some networks get paddings that no framework writes.
func forEachShape(t *testing.T, f func(t *testing.T, n *mnv2.Network, kernel string, input []int8)) {
	for i, o := range shapes() {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			t.Parallel()
			n := randnet.New(uint64(i), o)
			rng := rand.New(rand.NewPCG(uint64(i), 3))
			if i%3 == 0 {
				n.First.Pad = mnv2.Padding{Before: 1 + rng.IntN(2), After: 1 + rng.IntN(2)}
				for _, b := range n.Blocks {
					if b.Residual == nil {
						b.Depthwise.Pad = mnv2.Padding{Before: 1 + rng.IntN(2), After: 1 + rng.IntN(2)}
					}
				}
			}
			input := make([]int8, n.Size*n.Size*3)
			for i := range input {
				input[i] = int8(rng.Uint32())
			}
			for _, kernel := range mnv2.Kernels() {
				f(t, n, kernel, input)
			}
		})
	}
}

// TestLayers compares every layer, taken apart, and the fused run with the
// plain reference.
func TestLayers(t *testing.T) {
	forEachShape(t, func(t *testing.T, n *mnv2.Network, kernel string, input []int8) {
		m, r := newRunner(t, n, mnv2.Options{Threads: 1, Kernel: kernel})
		want := reference(n, input)
		for i, got := range mnv2.Unfused(m, n, input) {
			if got.Size != want[i].Size {
				t.Fatalf("layer %d is %d high: want %d", i, got.Size, want[i].Size)
			}
			mustEqual(t, fmt.Sprintf("%s, layer %d, %s", kernel, i, got.Op), got.Data, want[i].Data)
		}
		if err := r.RunInt8(input); err != nil {
			t.Fatal(err)
		}
		mustEqualFused(t, kernel, r, want)
	})
}

// TestThreads has any number of threads give the same.
func TestThreads(t *testing.T) {
	forEachShape(t, func(t *testing.T, n *mnv2.Network, kernel string, input []int8) {
		var want [2][]int8
		for _, threads := range []int{1, 2, 3, 4, 7, 20} {
			_, r := newRunner(t, n, mnv2.Options{Threads: threads, Kernel: kernel})
			for range 2 { // the second run finds what the first left
				if err := r.RunInt8(input); err != nil {
					t.Fatal(err)
				}
				embedding, logits := r.Quantized()
				if want[0] == nil {
					want = [2][]int8{slices.Clone(embedding), slices.Clone(logits)}
				}
				mustEqual(t, fmt.Sprintf("%s, %d threads, embedding", kernel, threads), embedding, want[0])
				mustEqual(t, fmt.Sprintf("%s, %d threads, logits", kernel, threads), logits, want[1])
			}
		}
	})
}

// TestBatch has pictures run together give what each gives alone, in batches
// that grow and shrink.
func TestBatch(t *testing.T) {
	for i, o := range shapes()[:8] {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			t.Parallel()
			n := randnet.New(uint64(i), o)
			for _, kernel := range mnv2.Kernels() {
				for _, threads := range []int{1, 3} {
					_, r := newRunner(t, n, mnv2.Options{Threads: threads, Kernel: kernel})
					var pictures [][]byte
					var want []mnv2.Result
					for i := range 5 {
						pictures = append(pictures, randnet.RGB(uint64(i), n.Size))
						if err := r.Run(pictures[i]); err != nil {
							t.Fatal(err)
						}
						result := r.Result(0)
						want = append(want, mnv2.Result{
							Scores:    slices.Clone(result.Scores),
							Logits:    slices.Clone(result.Logits),
							Embedding: slices.Clone(result.Embedding),
						})
					}
					for _, span := range [][2]int{{0, 2}, {0, 5}, {3, 5}, {1, 2}, {0, 0}} {
						if err := r.RunBatch(pictures[span[0]:span[1]]...); err != nil {
							t.Fatal(err)
						}
						for i := range span[1] - span[0] {
							if !reflect.DeepEqual(r.Result(i), want[span[0]+i]) {
								t.Fatalf("%s, %d threads: picture %d of batch %v: other results than alone", kernel, threads, i, span)
							}
						}
					}
				}
			}
		})
	}
}

// TestRunners has several goroutines share a model.
func TestRunners(t *testing.T) {
	n := randnet.New(1, randnet.Options{WidthMult: 0.1, Size: 64, Classes: 10})
	m, r := newRunner(t, n, mnv2.Options{Threads: 2})
	var pictures [4][]byte
	var want [4][]float32
	for i := range pictures {
		pictures[i] = randnet.RGB(uint64(i), 64)
		if err := r.Run(pictures[i]); err != nil {
			t.Fatal(err)
		}
		want[i] = slices.Clone(r.Scores())
	}
	var all sync.WaitGroup
	for range 3 {
		all.Add(1)
		go func() {
			defer all.Done()
			r := m.NewRunner()
			defer r.Close()
			for i := range 12 {
				if err := r.Run(pictures[i%4]); err != nil {
					t.Error(err)
				}
				if !slices.Equal(r.Scores(), want[i%4]) {
					t.Errorf("picture %d: other scores beside other runners", i%4)
				}
			}
		}()
	}
	all.Wait()
}

func TestRunAllocatesNothing(t *testing.T) {
	n := randnet.New(1, randnet.Options{WidthMult: 0.1, Size: 32, Classes: 10, ExpandFirst: true})
	for _, threads := range []int{1, 2} {
		for _, kernel := range mnv2.Kernels() {
			_, r := newRunner(t, n, mnv2.Options{Threads: threads, Kernel: kernel})
			rgb := randnet.RGB(1, 32)
			if got := testing.AllocsPerRun(10, func() { r.Run(rgb) }); got != 0 {
				t.Errorf("%s, %d threads: %v allocations a run", kernel, threads, got)
			}
			batch := [][]byte{rgb, rgb, rgb}
			if got := testing.AllocsPerRun(10, func() { r.RunBatch(batch...) }); got != 0 {
				t.Errorf("%s, %d threads: %v allocations a batch", kernel, threads, got)
			}
		}
	}
}

// TestProfile has the parts' multiply-adds be the network's, and every part
// have taken some time.
func TestProfile(t *testing.T) {
	for i, o := range shapes()[:4] {
		m, r := newRunner(t, randnet.New(uint64(i), o), mnv2.Options{})
		parts, err := r.Profile(randnet.RGB(1, o.Size))
		if err != nil {
			t.Fatal(err)
		}
		var macs int64
		for _, p := range parts {
			macs += p.MultiplyAdds
			if p.Time <= 0 || p.Shape == "" {
				t.Errorf("%+v: no time or shape", p)
			}
		}
		if want := m.Facts().MultiplyAdds; macs != want {
			t.Errorf("%+v: %d multiply-adds: want %d", o, macs, want)
		}
	}
}

func TestOutputs(t *testing.T) {
	n := randnet.New(5, randnet.Options{WidthMult: 0.35, Size: 32, Classes: 50})
	_, r := newRunner(t, n, mnv2.Options{})
	if err := r.Run(randnet.RGB(3, 32)); err != nil {
		t.Fatal(err)
	}
	embedding, logits := r.Quantized()
	for i, q := range embedding {
		if want := n.Embedding.Scale * float32(int32(q)-n.Embedding.Zero); r.Embedding()[i] != want {
			t.Fatalf("embedding %d: %g: want %g", i, r.Embedding()[i], want)
		}
	}
	out := n.Classifier.Output
	var sum float64
	for i, q := range logits {
		if want := out.Scale * float32(int32(q)-out.Zero); r.Logits()[i] != want {
			t.Fatalf("logit %d: %g: want %g", i, r.Logits()[i], want)
		}
		sum += math.Exp(float64(r.Logits()[i]))
	}
	for i, score := range r.Scores() {
		want := math.Exp(float64(r.Logits()[i])) / sum
		if math.Abs(float64(score)-want) > 1e-6*want {
			t.Errorf("score %d: %g: want %g", i, score, want)
		}
	}
	if len(r.Embedding()) != 1280 || len(r.Logits()) != 50 || len(r.Scores()) != 50 {
		t.Errorf("%d, %d and %d outputs", len(r.Embedding()), len(r.Logits()), len(r.Scores()))
	}

	_, r = newRunner(t, randnet.New(5, randnet.Options{WidthMult: 0.1, Size: 32}), mnv2.Options{})
	if err := r.Run(randnet.RGB(3, 32)); err != nil {
		t.Fatal(err)
	}
	if r.Scores() != nil || r.Logits() != nil || len(r.Embedding()) != 1280 {
		t.Error("a feature extractor has an embedding, and no scores and logits")
	}
}

func TestRunRefuses(t *testing.T) {
	n := randnet.New(1, randnet.Options{WidthMult: 0.1, Size: 32})
	_, r := newRunner(t, n, mnv2.Options{Threads: 3})
	for _, size := range []int{0, 32*32*3 - 1, 224 * 224 * 3} {
		if err := r.Run(make([]byte, size)); err == nil || !strings.Contains(err.Error(), "want 3072, 32x32") {
			t.Errorf("picture of %d bytes: %v", size, err)
		}
	}
	r.Close()
	r.Close()
	if err := r.Run(make([]byte, 32*32*3)); err == nil {
		t.Error("ran after Close")
	}
}

func newRunner(t *testing.T, n *mnv2.Network, o mnv2.Options) (*mnv2.Model, *mnv2.Runner) {
	t.Helper()
	m, err := mnv2.New(n, o)
	if err != nil {
		t.Fatal(err)
	}
	r := m.NewRunner()
	t.Cleanup(r.Close)
	return m, r
}
