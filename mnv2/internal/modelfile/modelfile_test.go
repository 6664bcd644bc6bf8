package modelfile

import (
	"math"
	"testing"

	"tarsier/mnv2/float"
)

// IEEE 754-2008, binary16, and bfloat16.
func TestFloat16s(t *testing.T) {
	for _, test := range []struct {
		bits uint16
		want float64
	}{
		{0x0000, 0},
		{0x8000, math.Copysign(0, -1)},
		{0x3c00, 1},
		{0xc000, -2},
		{0x3555, 0.333251953125},
		{0x7bff, 65504},
		{0x0400, 0x1p-14},
		{0x0001, 0x1p-24},
		{0x83ff, -0x1p-14 + 0x1p-24},
		{0x7c00, math.Inf(1)},
		{0xfc00, math.Inf(-1)},
	} {
		got := Float16s([]byte{byte(test.bits), byte(test.bits >> 8)})[0]
		if math.Float64bits(float64(got)) != math.Float64bits(test.want) {
			t.Errorf("%#04x is %v; want %v", test.bits, got, test.want)
		}
	}
	if f := Float16s([]byte{1, 0x7c})[0]; !math.IsNaN(float64(f)) {
		t.Errorf("%v is a number", f)
	}
	if f := BFloat16s([]byte{0xc0, 0xbf})[0]; f != -1.5 {
		t.Errorf("%v; want -1.5", f)
	}
}

// What comes out of a folded convolution is what the normalization makes of the
// plain one.
func TestFold(t *testing.T) {
	for _, depthwise := range []bool{false, true} {
		c := &float.Conv{Kernel: 1, In: 2, Out: 2, Depthwise: depthwise, Weights: []float32{1, 2, 3, 4}[:2], Bias: []float32{0.5, -1}}
		x := []float64{0.3, -0.7}
		plain := []float64{x[0] + 0.5, 2*x[1] - 1}
		if !depthwise {
			c.Weights = []float32{1, 2, 3, 4}
			plain = []float64{x[0] + 2*x[1] + 0.5, 3*x[0] + 4*x[1] - 1}
		}
		n := BatchNorm{Scale: []float32{2, -3}, Bias: []float32{1, 4}, Mean: []float32{0.1, 0.2}, Variance: []float32{4, 0.25}, Epsilon: 1e-5}
		if err := n.Fold(c); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			want := float64(n.Scale[i])*(plain[i]-float64(n.Mean[i]))/math.Sqrt(float64(n.Variance[i])+1e-5) + float64(n.Bias[i])
			got := float64(c.Bias[i])
			if depthwise {
				got += float64(c.Weights[i]) * x[i]
			} else {
				got += float64(c.Weights[2*i])*x[0] + float64(c.Weights[2*i+1])*x[1]
			}
			if math.Abs(got-want) > 1e-5 {
				t.Errorf("channel %d: %v; want %v", i, got, want)
			}
		}
	}
}

func TestFoldErrors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		n    BatchNorm
		want string
	}{
		{BatchNorm{}, "batch normalization with 0 scales for 1 channels"},
		{BatchNorm{Scale: []float32{1}, Bias: []float32{1}, Mean: []float32{1}, Variance: []float32{-1}}, "batch normalization: variance -1 of channel 0; with epsilon 0 it must be more than 0: the file is damaged or training diverged"},
		{BatchNorm{Scale: []float32{1}, Bias: []float32{1}, Mean: []float32{1}, Variance: []float32{nan}}, "batch normalization: variance NaN of channel 0; with epsilon 0 it must be more than 0: the file is damaged or training diverged"},
		{BatchNorm{Scale: []float32{1}, Bias: []float32{1}, Mean: []float32{1}, Variance: []float32{inf}}, "batch normalization: variance +Inf of channel 0: the file is damaged, training diverged, or the model was saved in float16, which has no number above 65504: save it in float32"},
		{BatchNorm{Scale: []float32{1}, Bias: []float32{1}, Mean: []float32{1}, Variance: []float32{1}, Epsilon: inf}, "batch normalization: epsilon +Inf; it must be a number"},
	} {
		c := &float.Conv{Kernel: 1, In: 1, Out: 1, Weights: []float32{1}, Bias: []float32{0}}
		if err := test.n.Fold(c); err == nil || err.Error() != test.want {
			t.Errorf("%v; want %s", err, test.want)
		}
	}
}

func TestMetadata(t *testing.T) {
	p, err := Pixels(nil, float.ImageNet)
	if err != nil || p != float.ImageNet {
		t.Errorf("%v, %v", p, err)
	}
	p, err = Pixels(map[string]string{MeanKey: "127.5", StdKey: "1, 2,3.5"}, float.ImageNet)
	if want := (float.Normalization{Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{1, 2, 3.5}}); err != nil || p != want {
		t.Errorf("%v, %v", p, err)
	}
	for _, test := range []struct{ mean, std, want string }{
		{"", "1", `metadata: tarsier.mean and tarsier.std go together, and only one of them is there`},
		{"1,2", "1", `metadata: tarsier.mean "1,2": there must be one number, or three with commas between them`},
		{"one", "1", `metadata: tarsier.mean "one": "one" is not a number`},
		{"NaN", "1", `metadata: tarsier.mean "NaN": "NaN" is not a number`},
		{"0", "1,0,1", `metadata: tarsier.std "1,0,1": it must be more than 0`},
	} {
		m := map[string]string{MeanKey: test.mean, StdKey: test.std}
		if test.mean == "" {
			delete(m, MeanKey)
		}
		if _, err := Pixels(m, float.ImageNet); err == nil || err.Error() != test.want {
			t.Errorf("%v; want %s", err, test.want)
		}
	}
	for s, want := range map[string]int{"": 224, "96": 96, "0": 0, "x": 0} {
		m := map[string]string{SizeKey: s}
		if s == "" {
			m = nil
		}
		if n, err := Size(m); n != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", s, n, err)
		}
	}
}
