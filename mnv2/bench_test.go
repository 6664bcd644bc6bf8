package mnv2_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/randnet"
	"tarsier/mnv2/internal/testfiles"
	"tarsier/mnv2/tflite"
)

// BenchmarkRun times whole pictures, with the multiply-adds a second.
func BenchmarkRun(b *testing.B) {
	small := randnet.New(1, randnet.Options{WidthMult: 0.35, Classes: 1001})
	benchmarkRun(b, "random_0.35", small, 1)
	b.Run("imagenet_1.0", func(b *testing.B) {
		n, err := tflite.Load(filepath.Join(testfiles.Path(b, "golden"), "imagenet_1.0_int8.tflite"))
		if err != nil {
			b.Fatal(err)
		}
		benchmarkRun(b, "1", n, 1)
		benchmarkRun(b, "2", n, 2)
	})
}

// BenchmarkBlock times the parts of a network at width 1.0, each again and
// again: the weights of the late ones stay in caches that in a run they share
// with the others.
func BenchmarkBlock(b *testing.B) {
	n := randnet.New(1, randnet.Options{Classes: 1001})
	for _, kernel := range mnv2.Kernels() {
		m, err := mnv2.New(n, mnv2.Options{Threads: 1, Kernel: kernel})
		if err != nil {
			b.Fatal(err)
		}
		r := m.NewRunner()
		defer r.Close()
		r.EachPart(randnet.RGB(1, n.Size), func(p mnv2.Part, run func()) {
			b.Run(strings.ReplaceAll(p.Name, ", ", "+")+"/"+kernel, func(b *testing.B) {
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64(p.MultiplyAdds)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		})
	}
}

// BenchmarkBatch times pictures run together, a picture.
func BenchmarkBatch(b *testing.B) {
	n := randnet.New(1, randnet.Options{Classes: 1001})
	for _, kernel := range mnv2.Kernels() {
		m, err := mnv2.New(n, mnv2.Options{Threads: 1, Kernel: kernel})
		if err != nil {
			b.Fatal(err)
		}
		r := m.NewRunner()
		defer r.Close()
		pictures := make([][]byte, 8)
		for i := range pictures {
			pictures[i] = randnet.RGB(uint64(i), n.Size)
		}
		for _, size := range []int{1, 2, 4, 8} {
			b.Run(fmt.Sprintf("%d/%s", size, kernel), func(b *testing.B) {
				for b.Loop() {
					if err := r.RunBatch(pictures[:size]...); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N*size), "ms/picture")
			})
		}
	}
}

// BenchmarkNew times what happens once, at load.
func BenchmarkNew(b *testing.B) {
	n := randnet.New(1, randnet.Options{Classes: 1001})
	for b.Loop() {
		if _, err := mnv2.New(n, mnv2.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkRun(b *testing.B, name string, n *mnv2.Network, threads int) {
	for _, kernel := range mnv2.Kernels() {
		b.Run(fmt.Sprintf("%s/%s", name, kernel), func(b *testing.B) {
			m, err := mnv2.New(n, mnv2.Options{Threads: threads, Kernel: kernel})
			if err != nil {
				b.Fatal(err)
			}
			r := m.NewRunner()
			defer r.Close()
			rgb := randnet.RGB(1, m.Facts().Size)
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Run(rgb); err != nil {
					b.Fatal(err)
				}
			}
			macs := float64(m.Facts().MultiplyAdds) * float64(b.N)
			b.ReportMetric(macs/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
