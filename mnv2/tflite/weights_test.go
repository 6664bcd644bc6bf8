package tflite

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/tflite/internal/schema"
)

func floorHalf(x float64) float64 { return math.Floor(x + 0.5) }

// Converted weights and biases stand for the same real values: exactly where
// they fit, else to half a step.
func TestSymmetric(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		c := mnv2.Conv{Out: 1 + rng.IntN(20)}
		dim, n := 0, 1+rng.IntN(30)
		if rng.IntN(2) == 0 {
			dim, n = 3, 9
		}
		spread := 1 + rng.IntN(256)
		data := make([]byte, n*c.Out)
		low := rng.IntN(257 - spread)
		for i := range data {
			data[i] = byte(low + rng.IntN(spread))
		}
		zero := int64(rng.IntN(256))
		q := affine{scales: []float32{rng.Float32() + 0.001}, zeros: []int64{zero}}
		for range c.Out {
			c.Scales = append(c.Scales, q.scales[0])
			c.Bias = append(c.Bias, rng.Int32N(2_000_000)-1_000_000)
		}
		bias := slices.Clone(c.Bias)
		if err := symmetric(&c, tensorOf(schema.TensorTypeUINT8), data, q, dim); err != nil {
			t.Fatal(err)
		}
		for ch := range c.Out {
			fits, largest := true, 0.0
			for j := range n {
				v, w := weightAt(data, c.Weights, ch, j, c.Out, n, dim)
				fits = fits && math.Abs(float64(int64(v)-zero)) <= 127
				real := float64(q.scales[0]) * float64(int64(v)-zero)
				got := float64(c.Scales[ch]) * float64(w)
				largest = max(largest, math.Abs(got-real)/float64(c.Scales[ch]))
				if w == -128 {
					t.Fatal("a weight of -128")
				}
			}
			unit := math.Abs(float64(c.Bias[ch])*float64(c.Scales[ch])-float64(bias[ch])*float64(q.scales[0])) / float64(c.Scales[ch])
			switch {
			case fits && (largest != 0 || unit != 0 || c.Scales[ch] != q.scales[0]):
				t.Fatalf("channel %d fits and was changed: %v, %v", ch, largest, unit)
			case !fits && (largest > 0.5001 || unit > 0.6):
				t.Fatalf("channel %d: weights are off by %v steps, bias by %v", ch, largest, unit)
			}
		}
	}
}

func weightAt(data []byte, weights []int8, ch, j, out, n, dim int) (byte, int8) {
	i := ch*n + j
	if dim == 3 {
		i = j*out + ch
	}
	return data[i], weights[i]
}

// The clamp of ReLU6 as engine and XNNPACK have it.
func TestClamp(t *testing.T) {
	for _, test := range []struct {
		act    schema.ActivationFunctionType
		q      mnv2.Quantization
		lo, hi int8
	}{
		{none, mnv2.Quantization{Scale: 0.1, Zero: 3}, -128, 127},
		{relu, mnv2.Quantization{Scale: 0.1, Zero: 3}, 3, 127},
		{relu6, mnv2.Quantization{Scale: 6. / 255, Zero: -128}, -128, 127},
		{relu6, mnv2.Quantization{Scale: 0.1, Zero: -128}, -128, -68},
		{relu6, mnv2.Quantization{Scale: 4, Zero: 0}, 0, 2}, // 1.5, halves to even
		{relu6, mnv2.Quantization{Scale: 1e-40, Zero: 127}, 127, 127},
	} {
		if lo, hi, ok := clamp(test.act, test.q); !ok || lo != test.lo || hi != test.hi {
			t.Errorf("%v of %v: %d..%d, %v; want %d..%d", test.act, test.q, lo, hi, ok, test.lo, test.hi)
		}
	}
	if _, _, ok := clamp(schema.ActivationFunctionTypeTANH, mnv2.Quantization{Scale: 1}); ok {
		t.Error("TANH is known")
	}
}
