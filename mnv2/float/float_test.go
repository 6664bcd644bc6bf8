package float_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/randnet"
)

// A plain activation, in float64, one number at a time.
type plain struct {
	size, channels int
	data           []float64
}

func (a plain) conv(c *float.Conv) plain {
	out := plain{size: (a.size+c.Pad.Before+c.Pad.After-c.Kernel)/c.Stride + 1, channels: c.Out}
	for y := range out.size {
		for x := range out.size {
			for o := range c.Out {
				sum := float64(c.Bias[o])
				for ky := range c.Kernel {
					for kx := range c.Kernel {
						inY, inX := y*c.Stride-c.Pad.Before+ky, x*c.Stride-c.Pad.Before+kx
						if inY < 0 || inX < 0 || inY >= a.size || inX >= a.size {
							continue
						}
						pixel := a.data[(inY*a.size+inX)*a.channels:]
						k := ky*c.Kernel + kx
						if c.Depthwise {
							sum += pixel[o] * float64(c.Weights[k*c.Out+o])
							continue
						}
						for i := range c.In {
							sum += pixel[i] * float64(c.Weights[(o*c.Kernel*c.Kernel+k)*c.In+i])
						}
					}
				}
				if c.ReLU6 {
					sum = min(max(sum, 0), 6)
				}
				out.data = append(out.data, sum)
			}
		}
	}
	return out
}

// run gives every activation as Runner.Run shows them, and the embedding.
func (a plain) run(n *float.Network) (all []plain, embedding plain) {
	conv := func(c *float.Conv) {
		a = a.conv(c)
		all = append(all, a)
	}
	conv(&n.First)
	for i := range n.Blocks {
		b, in := &n.Blocks[i], a
		if b.Expand != nil {
			conv(b.Expand)
		}
		conv(&b.Depthwise)
		conv(&b.Project)
		if b.Residual {
			sum := plain{size: a.size, channels: a.channels}
			for i, v := range a.data {
				sum.data = append(sum.data, v+in.data[i])
			}
			a = sum
			all = append(all, a)
		}
	}
	conv(&n.Last)
	embedding = plain{size: 1, channels: a.channels, data: make([]float64, a.channels)}
	for i, v := range a.data {
		embedding.data[i%a.channels] += v / float64(a.size*a.size)
	}
	all = append(all, embedding)
	if n.Classifier != nil {
		all = append(all, embedding.conv(n.Classifier))
	}
	return all, embedding
}

// TestRun compares every activation with a plain float64 run.
func TestRun(t *testing.T) {
	for i, o := range []randnet.Options{
		{WidthMult: 0.35, Size: 32, Classes: 10},
		{WidthMult: 0.3, Size: 33, Classes: 3, Truncate: true, TorchPadding: true, ExpandFirst: true},
		{WidthMult: 0.05, Size: 64, Truncate: true},
	} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			n := randnet.Float(uint64(i), o)
			if i == 1 {
				n.Pixels = float.ImageNet
			}
			r := float.NewRunner(n)
			for seed := range 2 { // the second run finds what the first left
				rgb := randnet.RGB(uint64(seed), n.Size)
				in := plain{size: n.Size, channels: 3}
				for i, p := range rgb {
					in.data = append(in.data, (float64(p)-float64(n.Pixels.Mean[i%3]))/float64(n.Pixels.Std[i%3]))
				}
				want, embedding := in.run(n)
				names, shown := n.Activations(), 0
				result, err := r.Run(rgb, func(i int, a *float.Tensor) {
					w := want[i]
					if i != shown || a.Size != w.size || a.Channels != w.channels {
						t.Fatalf("%s is number %d, %dx%dx%d: want %d, %dx%dx%d",
							names[i], i, a.Size, a.Size, a.Channels, shown, w.size, w.size, w.channels)
					}
					mustBeClose(t, names[i], a.Data, w.data)
					shown++
				})
				if err != nil {
					t.Fatal(err)
				}
				if shown != len(want) || shown != len(names) {
					t.Errorf("%d activations, %d names: want %d", shown, len(names), len(want))
				}
				mustBeClose(t, "embedding", result.Embedding, embedding.data)
				if n.Classifier == nil {
					if result.Logits != nil || result.Scores != nil {
						t.Error("a feature extractor has no logits and no scores")
					}
					continue
				}
				mustBeClose(t, "logits", result.Logits, want[len(want)-1].data)
				var sum float64
				for _, s := range result.Scores {
					sum += float64(s)
				}
				if math.Abs(sum-1) > 1e-6 {
					t.Errorf("scores add up to %g", sum)
				}
			}
		})
	}
}

// mustBeClose allows for what float32 rounds.
func mustBeClose(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers: want %d", what, len(got), len(want))
	}
	for i, v := range got {
		if d := math.Abs(float64(v) - want[i]); !(d < 1e-4) {
			t.Fatalf("%s: number %d is %g: want %g", what, i, v, want[i])
		}
	}
}

func TestRunRefuses(t *testing.T) {
	n := randnet.Float(1, randnet.Options{WidthMult: 0.1, Size: 32})
	if _, err := float.NewRunner(n).Run(make([]byte, 100), nil); err == nil || !strings.Contains(err.Error(), "want 3072, 32x32") {
		t.Errorf("picture of 100 bytes: %v", err)
	}
}

// TestFacts counts as mnv2 does.
func TestFacts(t *testing.T) {
	o := randnet.Options{WidthMult: 0.35, Size: 96, Classes: 5}
	want, err := randnet.New(1, o).Facts()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := randnet.Float(1, o).Facts(); err != nil || got != want {
		t.Errorf("%+v, %v: want %+v", got, err, want)
	}
}

// TestCheck breaks a network in one place and looks for that in the error.
func TestCheck(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, c := range []struct {
		name  string
		spoil func(n *float.Network)
		want  []string
	}{
		{
			"NaN in a convolution", func(n *float.Network) { n.Blocks[3].Expand.Weights[n.Blocks[3].Expand.In*5+2] = nan },
			[]string{"block 3, expand", "weight 2 of channel 5 is NaN", "damaged"},
		},
		{
			"infinity in a depthwise convolution", func(n *float.Network) { n.Blocks[0].Depthwise.Weights[n.First.Out*7+1] = inf },
			[]string{"block 0, depthwise", "weight 7 of channel 1 is -Inf"},
		},
		{"NaN in a bias", func(n *float.Network) { n.Classifier.Bias[4] = nan }, []string{"classifier", "bias of channel 4"}},
		{"NaN mean", func(n *float.Network) { n.Pixels.Mean[1] = nan }, []string{"input", "mean of green"}},
		{"no deviation", func(n *float.Network) { n.Pixels.Std[2] = 0 }, []string{"input", "deviation of blue"}},
		{"a block short", func(n *float.Network) { n.Blocks = n.Blocks[:16] }, []string{"16 inverted residual blocks"}},
		{"a bias short", func(n *float.Network) { n.Last.Bias = n.Last.Bias[1:] }, []string{"last convolution", "biases"}},
		{"a weight short", func(n *float.Network) { n.First.Weights = n.First.Weights[1:] }, []string{"first convolution", "weights"}},
		{"other stride", func(n *float.Network) { n.Blocks[1].Depthwise.Stride = 1 }, []string{"block 1, depthwise", "stride"}},
		{"no residual", func(n *float.Network) { n.Blocks[2].Residual = false }, []string{"block 2, residual"}},
		{"a residual too many", func(n *float.Network) { n.Blocks[1].Residual = true }, []string{"block 1, residual"}},
		{"no activation", func(n *float.Network) { n.Blocks[5].Depthwise.ReLU6 = false }, []string{"block 5, depthwise", "no ReLU6"}},
		{"an activation too many", func(n *float.Network) { n.Blocks[6].Project.ReLU6 = true }, []string{"block 6, project", "is a ReLU6"}},
		{"no last activation", func(n *float.Network) { n.Last.ReLU6 = false }, []string{"last convolution", "no ReLU6"}},
		{"no channels", func(n *float.Network) { n.First.Out, n.First.Weights, n.First.Bias = 0, nil, nil }, []string{"first convolution"}},
		{"negative channels", func(n *float.Network) { n.First.Out = -3 }, []string{"first convolution"}},
		{"nothing", func(n *float.Network) { *n = float.Network{Pixels: float.Symmetric} }, []string{"pixels high and wide"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := randnet.Float(1, randnet.Options{WidthMult: 0.1, Size: 32, Classes: 9})
			if err := n.Check(); err != nil {
				t.Fatal(err)
			}
			c.spoil(n)
			err := n.Check()
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
}

func BenchmarkRun(b *testing.B) {
	n := randnet.Float(1, randnet.Options{Classes: 1001})
	r, rgb := float.NewRunner(n), randnet.RGB(1, n.Size)
	for b.Loop() {
		if _, err := r.Run(rgb, nil); err != nil {
			b.Fatal(err)
		}
	}
}
