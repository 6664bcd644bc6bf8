// Package modeltest makes small float32 MobileNetV2 networks for tests of the
// packages that read them.
package modeltest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile"
)

// Options say what the network looks like. The zero value is as PyTorch has it:
// padding by 1 on each side, and no expansion where t is 1.
type Options struct {
	Size        int // 0 means 32
	SamePadding bool
	ExpandFirst bool
	Classes     int // 0 means none
}

// New makes a network with random weights, of a few thousand, that Check takes.
// Its layers have the names of the plain PyTorch module.
func New(o Options) *float.Network {
	b := builder{Options: o, rng: rand.New(rand.NewPCG(7, 11)), size: o.Size, channels: 3}
	if b.size == 0 {
		b.size = 32
	}
	net := &float.Network{Size: b.size, Pixels: float.ImageNet}
	net.First = b.conv("first_layer.0", 3, 2, 4, false, true)
	widths := []int{2, 3, 4, 3, 5, 5, 6} // of the stages; one has as many as the one before, whose stride is 2
	for stage, s := range modelfile.Stages {
		for i := range s.Repeats {
			stride := 1
			if i == 0 {
				stride = s.Stride
			}
			name := fmt.Sprintf("layers.%d.conv.", len(net.Blocks))
			in := b.channels
			var block float.Block
			if s.Expansion > 1 || o.ExpandFirst {
				c := b.conv(name+"0", 1, 1, in*s.Expansion, false, true)
				block.Expand = &c
			}
			block.Depthwise = b.conv(name+"3", 3, stride, b.channels, true, true)
			block.Project = b.conv(name+"6", 1, 1, widths[stage], false, false)
			block.Residual = stride == 1 && in == b.channels
			net.Blocks = append(net.Blocks, block)
		}
	}
	net.Last = b.conv("last_layer.0", 1, 1, 8, false, true)
	if o.Classes > 0 {
		c := b.conv("classifier", 1, 1, o.Classes, false, false)
		net.Classifier = &c
	}
	return net
}

type builder struct {
	Options
	rng            *rand.Rand
	size, channels int
}

func (b *builder) conv(name string, kernel, stride, out int, depthwise, active bool) float.Conv {
	c := float.Conv{Name: name, Kernel: kernel, Stride: stride, In: b.channels, Out: out, Depthwise: depthwise, ReLU6: active}
	if kernel > 1 {
		c.Pad = mnv2.Padding{Before: 1, After: 1}
		if stride == 2 && b.SamePadding {
			c.Pad.Before = 0 // all sizes are even
		}
	}
	n := out * kernel * kernel
	if !depthwise {
		n *= b.channels
	}
	for range n {
		c.Weights = append(c.Weights, b.rng.Float32()-0.5)
	}
	for range out {
		c.Bias = append(c.Bias, b.rng.Float32()-0.5)
	}
	b.channels, b.size = out, (b.size+c.Pad.Before+c.Pad.After-kernel)/stride+1
	return c
}

// ChannelsFirst gives the weights of c as PyTorch and ONNX have them: out, in, y,
// x. It is the inverse of modelfile.ChannelsLast, and written out, so that a test
// of both finds what is wrong in one.
func ChannelsFirst(c *float.Conv) []float32 {
	taps := c.Kernel * c.Kernel
	in := len(c.Weights) / (c.Out * taps)
	v := make([]float32, 0, len(c.Weights))
	for o := range c.Out {
		for i := range in {
			for k := range taps {
				at := (o*taps+k)*in + i
				if c.Depthwise {
					at = k*c.Out + o
				}
				v = append(v, c.Weights[at])
			}
		}
	}
	return v
}

// Runs checks that a network that was read from any bytes can be run, if it is
// so small that a run takes no time.
func Runs(t *testing.T, net *float.Network) {
	t.Helper()
	if err := net.Check(); err != nil {
		t.Fatal(err)
	}
	weights := 0
	for _, c := range net.Convs() {
		weights += len(c.Weights)
	}
	if net.Size > 64 || weights > 1<<16 {
		return
	}
	if _, err := float.NewRunner(net).Run(make([]byte, net.Size*net.Size*3), nil); err != nil {
		t.Fatal(err)
	}
}

// Same compares two networks, weights to 1e-5, and names not at all.
func Same(t *testing.T, got, want *float.Network) {
	t.Helper()
	if got.Size != want.Size || got.Pixels != want.Pixels || len(got.Blocks) != len(want.Blocks) || (got.Classifier == nil) != (want.Classifier == nil) {
		t.Fatalf("size %d, pixels %v, %d blocks, classifier %v; want %d, %v, %d, %v",
			got.Size, got.Pixels, len(got.Blocks), got.Classifier != nil, want.Size, want.Pixels, len(want.Blocks), want.Classifier != nil)
	}
	for i := range want.Blocks {
		g, w := &got.Blocks[i], &want.Blocks[i]
		if g.Residual != w.Residual || (g.Expand == nil) != (w.Expand == nil) {
			t.Fatalf("block %d: residual %v, expand %v; want %v, %v", i, g.Residual, g.Expand != nil, w.Residual, w.Expand != nil)
		}
	}
	layers := map[string]*float.Conv{}
	for name, c := range got.Convs() {
		layers[name] = c
	}
	for name, w := range want.Convs() {
		g := layers[name]
		a, b := *g, *w
		a.Name, a.Weights, a.Bias, b.Name, b.Weights, b.Bias = "", nil, nil, "", nil, nil
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s: %+v; want %+v", name, a, b)
		}
		near(t, name+", weights", g.Weights, w.Weights)
		near(t, name+", bias", g.Bias, w.Bias)
	}
}

func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers; want %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if d := got[i] - want[i]; !(d < 1e-5 && d > -1e-5) {
			t.Errorf("%s: number %d is %v; want %v", what, i, got[i], want[i])
			return
		}
	}
}

// WantError checks that there is an error and that its text has all the parts.
func WantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
}
