package mnv2_test

import (
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/randnet"
)

// TestFacts has the published figures, within their rounding.
func TestFacts(t *testing.T) {
	for _, c := range []struct{ width, multiplyAdds, parameters float64 }{
		{1.4, 582e6, 6.06e6},
		{1.3, 509e6, 5.34e6},
		{1.0, 300e6, 3.47e6},
		{0.75, 209e6, 2.61e6},
		{0.5, 97e6, 1.95e6},
		{0.35, 59e6, 1.66e6},
	} {
		f := newModel(t, randnet.New(1, randnet.Options{WidthMult: c.width, Classes: 1001})).Facts()
		if f.WidthMult != c.width || f.Classes != 1001 || f.Size != 224 {
			t.Errorf("width %g: %+v", c.width, f)
		}
		if math.Abs(float64(f.MultiplyAdds)-c.multiplyAdds) > 1.05e6 {
			t.Errorf("width %g: %d multiply-adds: published %g", c.width, f.MultiplyAdds, c.multiplyAdds)
		}
		if math.Abs(float64(f.Parameters)-c.parameters) > 0.0105e6 {
			t.Errorf("width %g: %d parameters: published %g", c.width, f.Parameters, c.parameters)
		}
	}
}

func TestWidthMult(t *testing.T) {
	for _, truncate := range []bool{false, true} {
		for _, width := range []float64{0.1, 0.25, 0.35, 0.5, 0.6, 0.75, 0.8, 1, 1.1, 1.25, 1.3, 1.4, 2} {
			n := randnet.New(1, randnet.Options{WidthMult: width, Truncate: truncate, Size: 32})
			if got := newModel(t, n).Facts().WidthMult; got != width {
				t.Errorf("width %g, truncated %v: %g", width, truncate, got)
			}
		}
	}
	for _, width := range []float64{0.33, 0.777} { // no round number: one that gives the same channels
		n := randnet.New(1, randnet.Options{WidthMult: width, Truncate: true, Size: 32})
		if got := newModel(t, n).Facts().WidthMult; math.Abs(got-width) > 0.004 {
			t.Errorf("width %g: %g", width, got)
		}
	}
}

func TestPixels(t *testing.T) {
	usual := mnv2.Normalization{Mean: 127.5, Std: 127.5}
	for _, c := range []struct {
		name   string
		pixels mnv2.Normalization
		quant  mnv2.Quantization
		want   func(p int) int
	}{
		{"usual", usual, mnv2.Quantization{Scale: float32(1 / 127.5), Zero: -1}, func(p int) int { return p - 128 }},
		{"shifted", usual, mnv2.Quantization{Scale: float32(1 / 127.5), Zero: 9}, func(p int) int { return min(p-118, 127) }},
		{
			"0 to 1",
			mnv2.Normalization{Mean: 0, Std: 255},
			mnv2.Quantization{Scale: float32(1 / 255.), Zero: -128},
			func(p int) int { return p - 128 },
		},
		{
			"halves",
			mnv2.Normalization{Mean: 0, Std: 1},
			mnv2.Quantization{Scale: 2, Zero: 0},
			func(p int) int { return min((p+1)/2, 127) },
		},
	} {
		n := randnet.New(1, randnet.Options{WidthMult: 0.1, Size: 32})
		n.Pixels, n.Input = c.pixels, c.quant
		for p, got := range newModel(t, n).Pixels() {
			if int(got) != c.want(p) {
				t.Errorf("%s: byte %d: %d: want %d", c.name, p, got, c.want(p))
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		want   string // in the error
		change func(n *mnv2.Network)
	}{
		{`network "random_0.1_1"`, func(n *mnv2.Network) { n.Size = 0 }},
		{"input is 5000 pixels", func(n *mnv2.Network) { n.Size = 5000 }},
		{"input: scale is NaN", func(n *mnv2.Network) { n.Input.Scale = nan }},
		{"input: zero point is 128", func(n *mnv2.Network) { n.Input.Zero = 128 }},
		{"mean of the pixels is +Inf", func(n *mnv2.Network) { n.Pixels.Mean = inf }},
		{"deviation of the pixels is 0", func(n *mnv2.Network) { n.Pixels.Std = 0 }},
		{
			`first convolution "first": the convolution is 3x3, stride 1: a MobileNetV2 has 3x3, stride 2 here`,
			func(n *mnv2.Network) { n.First.Stride = 1 },
		},
		{`first convolution "first": takes 1 channels: there are 3`, func(n *mnv2.Network) { n.First.In = 1 }},
		{"16 inverted residual blocks: a MobileNetV2 has 17", func(n *mnv2.Network) { n.Blocks = n.Blocks[:16] }},
		{
			`block 2, expand "block2/expand": gives 47 channels: a MobileNetV2 has 48`,
			func(n *mnv2.Network) { n.Blocks[2].Expand.Out-- },
		},
		{"block 1, expand: missing", func(n *mnv2.Network) { n.Blocks[1].Expand = nil }},
		{
			`block 3, depthwise "block3/depthwise": the convolution is 3x3, stride 1, depthwise: a MobileNetV2 has 3x3, stride 2`,
			func(n *mnv2.Network) { n.Blocks[3].Depthwise.Stride = 1 },
		},
		{"block 3, depthwise", func(n *mnv2.Network) { n.Blocks[3].Depthwise.Depthwise = false }},
		{`block 4, project "block4/project": gives 7 channels`, func(n *mnv2.Network) { n.Blocks[4].Project.Out = 7 }},
		{"block 1, project \"block1/project\": gives 0 channels", func(n *mnv2.Network) { n.Blocks[1].Project.Out = 0 }},
		{"block 2, residual add: missing", func(n *mnv2.Network) { n.Blocks[2].Residual = nil }},
		{
			`block 3, residual add "more": stride or channels`,
			func(n *mnv2.Network) { n.Blocks[3].Residual = &mnv2.Add{Name: "more"} },
		},
		{
			"block 2, residual add \"block2/add\": scale is -1",
			func(n *mnv2.Network) { n.Blocks[2].Residual.Output.Scale = -1 },
		},
		{"is too far from the larger input scale", func(n *mnv2.Network) { n.Blocks[2].Residual.Output.Scale = 1e6 }},
		{"is too far from the larger input scale", func(n *mnv2.Network) { n.Blocks[2].Residual.Output.Scale = 1e-6 }},
		{"clamp 3..2 is empty", func(n *mnv2.Network) { n.Blocks[2].Residual.Min, n.Blocks[2].Residual.Max = 3, 2 }},
		{"rows and columns cannot be added to", func(n *mnv2.Network) { n.Blocks[2].Depthwise.Pad.Before = 0 }},
		{"padding 3, 1: want 0 to 2", func(n *mnv2.Network) { n.First.Pad.Before = 3 }},
		{"padding -1, 0: want 0 to 0", func(n *mnv2.Network) { n.Last.Pad.Before = -1 }},
		{"are too few for a 3x3 convolution", func(n *mnv2.Network) {
			n.Size = 1
			n.First.Pad = mnv2.Padding{Before: 0, After: 1}
		}},
		{"weights: want", func(n *mnv2.Network) { n.Last.Weights = n.Last.Weights[1:] }},
		{"1279 scales and 1280 biases for 1280 channels", func(n *mnv2.Network) { n.Last.Scales = n.Last.Scales[1:] }},
		{"1280 scales and 0 biases", func(n *mnv2.Network) { n.Last.Bias = nil }},
		{`last convolution "last": output: scale is 0`, func(n *mnv2.Network) { n.Last.Output.Scale = 0 }},
		{"clamp 127..126 is empty", func(n *mnv2.Network) { n.Last.Min, n.Last.Max = 127, 126 }},
		{"weight scale of channel 5 is +Inf", func(n *mnv2.Network) { n.Last.Scales[5] = inf }},
		{"channel 5: input scale", func(n *mnv2.Network) { n.Last.Scales[5] = 1e9 }},
		{"mean: scale is NaN", func(n *mnv2.Network) { n.Embedding.Scale = nan }},
		{"mean: input scale", func(n *mnv2.Network) { n.Embedding.Scale = 1e-9 }},
		{`classifier "classifier": takes 1279 channels: there are 1280`, func(n *mnv2.Network) { n.Classifier.In-- }},
	} {
		n := randnet.New(1, randnet.Options{WidthMult: 0.1, Size: 32, Classes: 4})
		c.change(n)
		if m, err := mnv2.New(n, mnv2.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, %v: want an error with %q", m, err, c.want)
		}
	}
}

func TestOptions(t *testing.T) {
	n := randnet.New(1, randnet.Options{WidthMult: 0.1, Size: 32})
	if got := newModel(t, n).Threads(); got != runtime.GOMAXPROCS(0) {
		t.Errorf("%d threads by default", got)
	}
	if _, err := mnv2.New(n, mnv2.Options{Threads: -1}); err == nil || !strings.Contains(err.Error(), "-1 threads") {
		t.Errorf("-1 threads: %v", err)
	}
	for _, name := range mnv2.Kernels() {
		m, err := mnv2.New(n, mnv2.Options{Kernel: name})
		if err != nil || m.Kernel() != name {
			t.Errorf("kernel %s: %v", name, err)
		}
	}
	unknown := `no kernel "abacus" on this CPU; there is ` + strings.Join(mnv2.Kernels(), ", ")
	if _, err := mnv2.New(n, mnv2.Options{Kernel: "abacus"}); err == nil || !strings.Contains(err.Error(), unknown) {
		t.Errorf("an unknown kernel: %v", err)
	}
	t.Setenv("TARSIER_KERNEL", "abacus")
	if _, err := mnv2.New(n, mnv2.Options{}); err == nil || !strings.Contains(err.Error(), unknown) {
		t.Errorf("an unknown kernel in the environment: %v", err)
	}
	if _, err := mnv2.New(n, mnv2.Options{Kernel: "portable"}); err != nil {
		t.Errorf("the option wins over the environment: %v", err)
	}
}

// FuzzNew changes a network in ways that the input chooses. New must refuse it
// or give a model that runs.
func FuzzNew(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 1, 0, 0, 2, 1})
	f.Add([]byte{3, 5, 4, 1, 0, 255, 2, 2, 2, 7, 7, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		n := randnet.New(1, randnet.Options{WidthMult: 0.1, Size: 16, Classes: 4})
		for ; len(data) >= 3; data = data[3:] {
			fields := leaves(reflect.ValueOf(n).Elem(), nil)
			mutate(fields[(int(data[0])<<8|int(data[1]))%len(fields)], data[2])
		}
		m, err := mnv2.New(n, mnv2.Options{Threads: 1})
		if err != nil || n.Size > 64 {
			return
		}
		r := m.NewRunner()
		defer r.Close()
		if err := r.Run(make([]byte, n.Size*n.Size*3)); err != nil {
			t.Fatal(err)
		}
	})
}

// leaves lists everything in a network that mutate changes. Of slices of
// numbers that is their length and their first element.
func leaves(v reflect.Value, list []reflect.Value) []reflect.Value {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			list = leaves(v.Field(i), list)
		}
	case reflect.Pointer:
		list = append(list, v)
		if !v.IsNil() {
			list = leaves(v.Elem(), list)
		}
	case reflect.Slice:
		list = append(list, v)
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				list = leaves(v.Index(i), list)
			}
		} else if v.Len() > 0 {
			list = append(list, v.Index(0))
		}
	case reflect.String:
	default:
		list = append(list, v)
	}
	return list
}

func mutate(v reflect.Value, how byte) {
	ints := []int64{0, 1, 2, 3, -1, 7, 127, -128, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}
	floats := []float64{0, 1, -1, 1e-45, 1e-30, 1e30, 3e38, 0.5, 200, math.NaN(), math.Inf(1), math.Inf(-1)}
	switch v.Kind() {
	case reflect.Pointer:
		if how%2 == 0 || v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		} else {
			v.SetZero()
		}
	case reflect.Slice:
		v.Set(v.Slice(0, v.Len()*int(how)/256))
	case reflect.Float32:
		v.SetFloat(floats[int(how)%len(floats)])
	case reflect.Bool:
		v.SetBool(how%2 == 0)
	default:
		if how < 128 {
			v.SetInt(ints[int(how)%len(ints)])
		} else {
			v.SetInt(v.Int() + int64(how) - 192)
		}
	}
}

func newModel(t *testing.T, n *mnv2.Network) *mnv2.Model {
	t.Helper()
	m, err := mnv2.New(n, mnv2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}
