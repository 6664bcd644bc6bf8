package quantize

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/randnet"
	"tarsier/mnv2/tflite"
)

func TestQuantize(t *testing.T) {
	for i, c := range []struct {
		net    randnet.Options
		pixels float.Normalization
		least  float64 // SNR of the early layers: in random networks it falls from layer to layer
	}{
		{randnet.Options{WidthMult: 0.35, Size: 64, Classes: 10}, float.Symmetric, 25},
		{randnet.Options{WidthMult: 0.3, Size: 64, Classes: 7, Truncate: true, TorchPadding: true, ExpandFirst: true}, float.ImageNet, 25},
		{randnet.Options{WidthMult: 0.35, Size: 64}, float.Normalization{Mean: [3]float32{0, 0, 0}, Std: [3]float32{255, 255, 255}}, 20},
	} {
		t.Run(fmt.Sprintf("%+v", c.net), func(t *testing.T) {
			net := randnet.Float(uint64(i), c.net)
			net.Pixels = c.pixels
			var pictures [][]byte
			for seed := range 5 {
				pictures = append(pictures, scene(uint64(seed), net.Size))
			}
			var done int
			q, err := Quantize(net, pictures, Options{Threads: 3, Progress: func(stage string, n, total int) {
				done++
				if stage == "" || n != done || total != len(pictures) {
					t.Errorf("progress %q %d of %d: want %d of %d", stage, n, total, done, len(pictures))
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if done != len(pictures) {
				t.Errorf("progress told of %d pictures: want %d", done, len(pictures))
			}
			if alone, err := Quantize(net, pictures, Options{Threads: 1}); err != nil || !reflect.DeepEqual(alone, q) {
				t.Errorf("one thread makes another network: %v", err)
			}
			testReference(t, q, pictures[0])
			testFile(t, q)

			r, err := Compare(net, q, pictures, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := len(r.Layers), len(net.Activations()); got != want || r.Pictures != 5 || len(r.Warnings) > 0 {
				t.Errorf("%d layers, %d pictures, warnings %q: want %d layers, 5 pictures and no warnings", got, r.Pictures, r.Warnings, want)
			}
			for _, l := range r.Layers[:8] {
				if l.SNR < c.least || l.SNR > 70 {
					t.Errorf("%s: SNR is %.1f dB", l.Name, l.SNR)
				}
			}
		})
	}
}

// TestPixels has the first convolution see the same in a picture, whatever the
// network takes for a pixel, and the bytes stay as they are.
func TestPixels(t *testing.T) {
	for _, c := range []struct {
		pixels float.Normalization
		zero   int32
		stands mnv2.Normalization
	}{
		{float.Symmetric, -1, mnv2.Normalization{Mean: 127.5, Std: 127.5}},
		{float.ImageNet, -14, mnv2.Normalization{Mean: 114, Std: 127.5}},
		{float.Normalization{Std: [3]float32{255, 255, 255}}, -128, mnv2.Normalization{Mean: 0, Std: 127.5}},
		{float.Normalization{Mean: [3]float32{255, 255, 255}, Std: [3]float32{1, 1, 1}}, 127, mnv2.Normalization{Mean: 255, Std: 127.5}},
	} {
		in, pixels := input(c.pixels)
		if want := (mnv2.Quantization{Scale: float32(1 / 127.5), Zero: c.zero}); in != want || pixels != c.stands {
			t.Errorf("%v: %v, %v: want %v, %v", c.pixels, in, pixels, want, c.stands)
		}
		for p, v := range pixelValues(pixels, in) {
			if want := float32(p - 128 - int(in.Zero)); v != want {
				t.Fatalf("%v: byte %d is %g: want %g", c.pixels, p, v, want)
			}
		}
		conv := randnet.Float(1, randnet.Options{WidthMult: 0.1, Size: 32}).First
		folded := foldPixels(&conv, c.pixels, in)
		for o := range conv.Out {
			want, got := float64(conv.Bias[o]), float64(folded.Bias[o])
			for i, w := range channel(&conv, o) {
				p := (i*37 + o*11) % 256
				want += float64(w) * (float64(p) - float64(c.pixels.Mean[i%3])) / float64(c.pixels.Std[i%3])
				got += float64(channel(&folded, o)[i]) * float64(p-128-int(in.Zero)) / 127.5
			}
			if math.Abs(got-want) > 1e-5*(1+math.Abs(want)) {
				t.Errorf("%v: output %d is %g: want %g", c.pixels, o, got, want)
			}
		}
	}
}

// TestDegenerate quantizes what training and cameras do not give on good days. It
// must end in a network that runs.
func TestDegenerate(t *testing.T) {
	black, grey := make([]byte, 32*32*3), bytes.Repeat([]byte{128}, 32*32*3)
	scenes := [][]byte{scene(1, 32), scene(2, 32)}
	for _, c := range []struct {
		name     string
		pictures [][]byte
		spoil    func(n *float.Network)
		warning  string
	}{
		{"one black picture", [][]byte{black}, nil, ""},
		{"alike", [][]byte{grey, grey}, nil, ""},
		{"noise", [][]byte{randnet.RGB(1, 32)}, nil, ""},
		{"a dead channel", scenes, func(n *float.Network) {
			for i := range n.Blocks[3].Expand.In {
				n.Blocks[3].Expand.Weights[i] = 0
			}
			n.Blocks[3].Expand.Bias[0] = -1
		}, ""},
		{"a constant channel", scenes, func(n *float.Network) {
			for i := range n.Blocks[3].Project.In {
				n.Blocks[3].Project.Weights[i] = 0
			}
		}, ""},
		{"a dead layer", scenes, func(n *float.Network) { clear(n.Blocks[2].Project.Weights); clear(n.Blocks[2].Project.Bias) }, "block 2, project"},
		{"a dead ReLU6", scenes, func(n *float.Network) {
			for i := range n.Last.Bias {
				n.Last.Bias[i] = -1e4
			}
		}, "last convolution"},
		{"nothing", scenes, func(n *float.Network) {
			for _, c := range n.Convs() {
				clear(c.Weights)
				clear(c.Bias)
			}
		}, "classifier"},
		{"tiny weights", scenes, func(n *float.Network) { multiply(&n.Blocks[4].Depthwise, 1e-38); multiply(&n.Blocks[5].Project, 1e-20) }, ""},
		{"tiny everything", scenes, func(n *float.Network) {
			for _, c := range n.Convs() {
				multiply(c, 1e-12)
				for i := range c.Bias {
					c.Bias[i] *= 1e-12
				}
			}
		}, ""},
		{"weights that leave float32", scenes, func(n *float.Network) {
			multiply(&n.Blocks[4].Depthwise, 1e-38)
			clear(n.Blocks[4].Depthwise.Bias)
			multiply(&n.Blocks[5].Project, 1e-38)
			clear(n.Blocks[5].Project.Bias)
			multiply(n.Classifier, 1e-38)
			clear(n.Classifier.Bias)
		}, ""},
		{"large weights", scenes, func(n *float.Network) { multiply(&n.Blocks[4].Project, 1000) }, ""},
		{"a large bias", scenes, func(n *float.Network) { n.Blocks[6].Depthwise.Bias[1] = 1e6; n.Classifier.Bias[2] = -1e5 }, ""},
		{"one class", scenes, func(n *float.Network) {
			c := n.Classifier
			c.Out, c.Weights, c.Bias = 1, c.Weights[:c.In], c.Bias[:1]
		}, ""},
		{"a ReLU6 that stays low", scenes, func(n *float.Network) { multiply(&n.First, 0.05) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			net := randnet.Float(3, randnet.Options{WidthMult: 0.2, Size: 32, Classes: 6})
			if c.spoil != nil {
				c.spoil(net)
			}
			q, err := Quantize(net, c.pictures, Options{})
			if err != nil {
				t.Fatal(err)
			}
			testReference(t, q, c.pictures[0], scenes[1])
			testFile(t, q)
			r, err := Compare(net, q, c.pictures, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(r.Warnings, "; "); !strings.Contains(all, c.warning) || all == "" != (c.warning == "") {
				t.Errorf("warnings %q: want %q among them", r.Warnings, c.warning)
			}
			for _, l := range r.Layers {
				if math.IsNaN(l.SNR) || math.IsInf(l.SNR, 0) {
					t.Errorf("%s: SNR is %g", l.Name, l.SNR)
				}
			}
		})
	}
}

func multiply(c *float.Conv, f float32) {
	for i := range c.Weights {
		c.Weights[i] *= f
	}
}

func TestQuantizeRefuses(t *testing.T) {
	scenes := [][]byte{scene(1, 32)}
	for _, c := range []struct {
		name     string
		pictures [][]byte
		spoil    func(n *float.Network)
		want     []string
	}{
		{"no pictures", nil, nil, []string{"no pictures"}},
		{"other size", [][]byte{scenes[0], scenes[0][1:]}, nil, []string{"picture 1 has 3071 bytes", "32x32"}},
		{
			"NaN", scenes, func(n *float.Network) { n.Last.Weights[n.Last.In+3] = float32(math.NaN()) },
			[]string{"last convolution", "weight 3 of channel 1 is NaN"},
		},
		{
			"overflow", scenes, func(n *float.Network) { multiply(&n.Blocks[0].Project, 1e30) },
			[]string{"block 0, project", "picture 0", "damaged"},
		},
		{"no MobileNetV2", scenes, func(n *float.Network) { n.Blocks = n.Blocks[1:] }, []string{"16 inverted residual blocks"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			net := randnet.Float(3, randnet.Options{WidthMult: 0.2, Size: 32, Classes: 6})
			if c.spoil != nil {
				c.spoil(net)
			}
			_, err := Quantize(net, c.pictures, Options{})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q in it", err, want)
				}
			}
		})
	}
	a := randnet.Float(3, randnet.Options{WidthMult: 0.2, Size: 32, Classes: 6})
	b := randnet.New(3, randnet.Options{WidthMult: 0.2, Size: 32, Classes: 7})
	if _, err := Compare(a, b, scenes, Options{}); err == nil || !strings.Contains(err.Error(), "not the same") {
		t.Errorf("6 classes and 7 compared: %v", err)
	}
}

// TestLogits has logits leave room for a class to be certain.
func TestLogits(t *testing.T) {
	for _, c := range []struct {
		pictures [][]float32
		low      float64
		high     float64
	}{
		// Certain already: a fifth of what was seen more. Not so: to odds of e^10. Alike: three times what was seen.
		{[][]float32{{20, 0, 1}, {-2, 15, 0}}, -2, 24.4},
		{[][]float32{{6, 0, 0}, {1, 6, 1}}, 0, 0.5 + math.Log(2) + 10},
		{[][]float32{{0.1, 0, -0.1}}, -0.1, 0.5},
		{[][]float32{{5, 4, 4}}, 0, 7},
		{[][]float32{{3}}, 0, 3}, // whose score is 1 whatever it is
		// The same, moved below 0.
		{[][]float32{{-2, -22, -21}, {-24, -7, -22}}, -24, 2.4},
		{[][]float32{{-2, -8, -8}, {-7, -2, -7}}, -8, -7.5 + math.Log(2) + 10},
		{[][]float32{{-3, -4, -4}}, -4, 0},
	} {
		seen := &calibration{activations: make([]activation, 1)}
		for _, v := range c.pictures {
			seen.logits.see(v)
		}
		b := &builder{seen: seen}
		q := b.logits()
		low, high := float64(q.Scale)*float64(-128-q.Zero), float64(q.Scale)*float64(127-q.Zero)
		if step := float64(q.Scale); math.Abs(low-c.low) > step || math.Abs(high-c.high) > step {
			t.Errorf("%v: %g..%g: want %g..%g", c.pictures, low, high, c.low, c.high)
		}
	}
}

// TestWeightScale has weights that come from 8-bit ones go back without error,
// and others lose no more than with the common scale.
func TestWeightScale(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int{3, 20, 63, 64, 100, 127} {
		step := rng.Float64()
		w := []float32{float32(float64(most) * step)}
		for range 40 {
			w = append(w, float32(float64(rng.IntN(2*most+1)-most)*step))
		}
		scale := float64(weightScale(w))
		for _, v := range w {
			if n := float64(v) / scale; math.Abs(n-math.Round(n)) > 1e-4 || math.Abs(n) > 127.001 {
				t.Fatalf("weights of %d steps: %g is %g steps", most, v, n)
			}
		}
	}
	for range 50 {
		w, most := make([]float32, 9), 0.0
		for i := range w {
			w[i] = float32(rng.NormFloat64())
			most = max(most, math.Abs(float64(w[i])))
		}
		loss := func(scale float64) (sum float64) {
			for _, v := range w {
				d := float64(v) - scale*math.Round(float64(v)/scale)
				sum += d * d
			}
			return sum
		}
		if got, common := loss(float64(weightScale(w))), loss(most/127); got > common*1.0001 {
			t.Errorf("%v: squared error %g: the common scale has %g", w, got, common)
		}
	}
	if s := weightScale(make([]float32, 9)); s != 0 {
		t.Errorf("scale of nothing is %g", s)
	}
}

// TestBias has a layer's mean output stay what it was, though its weights are
// rounded.
func TestBias(t *testing.T) {
	conv := float.Conv{
		Kernel: 1, Stride: 1, In: 3, Out: 1,
		Weights: []float32{1, 0.0039, 0.0039}, Bias: []float32{0.25}, // 0.0039 is half a step, if 1 is 127
	}
	var out activation
	out.see(&float.Tensor{Size: 1, Channels: 1, Data: []float32{6}})
	b := &builder{
		seen:  &calibration{activations: []activation{out, {}}},
		quant: mnv2.Quantization{Scale: 0.02, Zero: -128},
		mean:  func(c int) float64 { return []float64{1, 2, 3}[c] },
	}
	c := b.conv(&conv)
	want, got := 0.25+1+0.0039*5, float64(c.Bias[0])*0.02
	for i, mean := range []float64{1, 2, 3} {
		got += float64(c.Weights[i]) * mean
	}
	if got *= float64(c.Scales[0]); math.Abs(got-want) > 0.001 {
		t.Errorf("mean output is %g: want %g", got, want)
	}
}

func TestStretched(t *testing.T) {
	dark := scene(1, 32)
	for i, p := range dark {
		dark[i] = 10 + p/5
	}
	bright, night := scene(2, 32), bytes.Repeat([]byte{3}, 3072)
	got := stretched([][]byte{bright, dark, night})
	if len(got) != 4 {
		t.Fatalf("%d pictures: want 4, the dark one twice", len(got))
	}
	if low, high := span(got[3]); low > 10 || high < 245 {
		t.Errorf("the dark picture spans %d..%d then", low, high)
	}
	if low, high := span(night); low != 3 || high != 3 {
		t.Errorf("a picture of 3 spans %d..%d", low, high)
	}
}

func TestCosine(t *testing.T) {
	for _, c := range []struct {
		a, b []float32
		want float64
	}{
		{[]float32{1, 2}, []float32{2, 4}, 1},
		{[]float32{1, 0}, []float32{0, 3}, 0},
		{[]float32{0, 0}, []float32{0, 0}, 1},
		{[]float32{0, 0}, []float32{1, 0}, 0},
	} {
		if got := cosine(c.a, c.b); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("cosine of %v and %v is %g: want %g", c.a, c.b, got, c.want)
		}
	}
}

// testFile has the network come back from a file as it went.
func testFile(t *testing.T, q *mnv2.Network) {
	t.Helper()
	data, err := tflite.Write(q, tflite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := tflite.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	if back.SHA256 = ""; !reflect.DeepEqual(back, q) {
		t.Error("the network is another after writing and reading")
	}
}

// scene is a picture of soft shapes, as no noise is.
func scene(seed uint64, size int) []byte {
	rng := rand.New(rand.NewPCG(seed, 7))
	waves := make([][4]float64, 12)
	for i := range waves {
		waves[i] = [4]float64{rng.NormFloat64() * 6, rng.NormFloat64() * 6, rng.Float64() * 6, rng.Float64()}
	}
	rgb := make([]byte, 0, size*size*3)
	for y := range size {
		for x := range size {
			for c := range 3 {
				v := 127.0
				for i := range 4 {
					w := waves[4*c+i]
					v += 60 * w[3] * math.Sin(w[0]*float64(x)/float64(size)+w[1]*float64(y)/float64(size)+w[2])
				}
				rgb = append(rgb, byte(min(max(v, 0), 255)))
			}
		}
	}
	return rgb
}
