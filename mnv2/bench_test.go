package mnv2_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/randnet"
	"tarsier/mnv2/tflite"
)

// BenchmarkRun times whole pictures, with the multiply-adds a second.
func BenchmarkRun(b *testing.B) {
	small := randnet.New(1, randnet.Options{WidthMult: 0.35, Classes: 1001})
	benchmarkRun(b, "random_0.35", small, 1)
	b.Run("imagenet_1.0", func(b *testing.B) {
		n, err := tflite.Load(filepath.Join(testData(b, "golden"), "imagenet_1.0_int8.tflite"))
		if err != nil {
			b.Fatal(err)
		}
		benchmarkRun(b, "1", n, 1)
		benchmarkRun(b, "2", n, 2)
	})
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
			rgb := randomRGB(1, m.Facts().Size)
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
