package tflite

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/modelfile/modeltest"
	"tarsier/mnv2/internal/randnet"
)

// A network comes back from every form of file as it was.
func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	flip := func() bool { return rng.IntN(2) == 0 }
	for i := range 40 {
		shape := randnet.Options{
			WidthMult:    []float64{0.1, 0.2, 0.3}[rng.IntN(3)],
			Truncate:     flip(),
			TorchPadding: flip(),
			ExpandFirst:  flip(),
			Classes:      rng.IntN(3) * 7,
			Size:         32 + rng.IntN(64),
		}
		o := Options{
			Input: Type(rng.IntN(3)), Output: Type(rng.IntN(3)),
			ExplicitPad: flip(), AveragePool: flip(), KeepDims: flip(), ConvHead: flip(), Softmax: flip(),
			Legacy: rng.IntN(4) == 0, PerTensor: flip(),
		}
		net := randnet.New(uint64(i), shape)
		fit(net, o)
		switch rng.IntN(3) {
		case 0:
			net.Name = ""
		case 1:
			net.Pixels = mnv2.Normalization{Mean: 123.5, Std: 58.25}
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			data, err := Write(net, o)
			if err != nil {
				t.Fatalf("%+v as %+v: %v", shape, o, err)
			}
			got, err := Read(data)
			if err != nil {
				t.Fatalf("%+v as %+v: %v", shape, o, err)
			}
			got.SHA256 = ""
			if !reflect.DeepEqual(got, net) {
				t.Errorf("%+v as %+v came back different", shape, o)
			}
		})
	}
}

// fit makes of net one that the form can hold.
func fit(net *mnv2.Network, o Options) {
	if o.Legacy || o.PerTensor {
		for _, c := range convs(net) {
			for i := range c.Scales {
				c.Scales[i] = c.Scales[0]
			}
		}
	}
	if o.AveragePool {
		net.Embedding = net.Last.Output
	}
}

// A uint8 input without metadata is given the bytes as they are.
func TestBytePixels(t *testing.T) {
	for _, q := range []mnv2.Quantization{
		{Scale: 1. / 128},
		{Scale: 1 / 127.5, Zero: -1},
		{Scale: 0.0186, Zero: -14},
		{Scale: 1. / 255, Zero: -128},
	} {
		p := bytePixels(q)
		for b := range 256 {
			x := (float64(b) - float64(p.Mean)) / float64(p.Std) / float64(q.Scale)
			if got := int(floorHalf(x)) + int(q.Zero); got != b-128 {
				t.Errorf("%v: byte %d becomes %d", q, b, got)
			}
		}
	}
}

func TestWriteErrors(t *testing.T) {
	base := func() *mnv2.Network {
		return randnet.New(1, randnet.Options{WidthMult: 0.1, Size: 32, Classes: 3, Truncate: true})
	}
	for _, test := range []struct {
		name  string
		spoil func(*mnv2.Network)
		o     Options
		want  string
	}{
		{"pool", func(n *mnv2.Network) {}, Options{AveragePool: true}, "AVERAGE_POOL_2D cannot change the quantization"},
		{"scales", func(n *mnv2.Network) {}, Options{PerTensor: true}, `layer "first": scales`},
		{"clamp", func(n *mnv2.Network) { n.First.Max = 3 }, Options{}, `layer "first": no activation of`},
		{"linear", func(n *mnv2.Network) { n.Blocks[2].Project.Min = 0 }, Options{}, `layer "block2/project": no activation of`},
		{"sum", func(n *mnv2.Network) { n.Blocks[2].Residual.Max = 0 }, Options{}, `layer "block2/add": no activation of`},
		{"classifier", func(n *mnv2.Network) { n.Classifier.Max = 0 }, Options{}, `layer "classifier": no activation of`},
		{"weights", func(n *mnv2.Network) { n.Last.Weights = n.Last.Weights[1:] }, Options{}, `layer "last": `},
		{"bias", func(n *mnv2.Network) { n.Classifier.Bias = nil }, Options{}, `layer "classifier": `},
		{"channels", func(n *mnv2.Network) { n.Blocks[3].Project.In++ }, Options{}, `layer "block3/project": `},
	} {
		t.Run(test.name, func(t *testing.T) {
			net := base()
			test.spoil(net)
			_, err := Write(net, test.o)
			modeltest.WantError(t, err, `writing network "random_0.1_1"`, test.want)
		})
	}
}
