package tflite

import (
	"encoding/binary"
	"math"
	"reflect"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile/modeltest"
	"tarsier/mnv2/internal/testfiles"
	"tarsier/mnv2/tflite/internal/schema"
)

// floatWriter has the graph of net in float32, as TensorFlow's converter writes
// it.
func floatWriter(t testing.TB, net *mnv2.Network, o Options) *writer {
	t.Helper()
	w, err := newWriter(net, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range w.tensors {
		x := &w.tensors[i]
		switch data := w.buffers[x.buffer]; {
		case len(x.scales) == 0: // a shape, an axis or a padding
			continue
		case data == nil:
		case x.typ == schema.TensorTypeINT32:
			for j := range len(data) / 4 {
				v := float32(int32(binary.LittleEndian.Uint32(data[4*j:]))) * x.scales[j%len(x.scales)]
				binary.LittleEndian.PutUint32(data[4*j:], math.Float32bits(v))
			}
		default:
			each := len(data) / len(x.scales) // values of a scale
			b := make([]byte, 0, 4*len(data))
			for j, q := range data {
				s := x.scales[j/each]
				if x.dim == 3 {
					s = x.scales[j%len(x.scales)]
				}
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(int8(q))*s))
			}
			w.buffers[x.buffer] = b
		}
		x.typ, x.scales, x.zero, x.dim = schema.TensorTypeFLOAT32, nil, 0, 0
	}
	for i := range w.ops {
		op := &w.ops[i]
		switch op.code {
		case opConv, opDepthwise:
			setActivation(op, w)
		}
	}
	return w
}

// setActivation gives a convolution the ReLU6 that in int8 may be a range.
func setActivation(op *newOperator, w *writer) {
	name := w.tensors[op.outputs[0]].name
	act := relu6
	if c := w.net.Classifier; len(name) > 8 && name[len(name)-8:] == "/project" || c != nil && name == c.Name {
		act = none
	}
	options := op.options
	op.options = func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
		at := options(b)
		data := b.Bytes[b.Head():]
		var t flatbuffers.Table
		t.Bytes, t.Pos = data, flatbuffers.UOffsetT(len(data))-at
		slot := flatbuffers.VOffsetT(10) // fused_activation_function of Conv2DOptions
		if op.code == opDepthwise {
			slot = 12
		}
		if off := t.Offset(slot); off != 0 {
			data[t.Pos+flatbuffers.UOffsetT(off)] = byte(act)
		}
		return at
	}
}

// wantFloat is net in float32.
func wantFloat(net *mnv2.Network) *float.Network {
	conv := func(c *mnv2.Conv, in mnv2.Quantization, active bool) float.Conv {
		f := float.Conv{
			Name: c.Name, Kernel: c.Kernel, Stride: c.Stride, Pad: c.Pad, In: c.In, Out: c.Out, Depthwise: c.Depthwise, ReLU6: active,
			Weights: make([]float32, len(c.Weights)), Bias: make([]float32, c.Out),
		}
		for i, w := range c.Weights {
			s := c.Scales[i/(len(c.Weights)/c.Out)]
			if c.Depthwise {
				s = c.Scales[i%c.Out]
			}
			f.Weights[i] = float32(w) * s
		}
		for i, b := range c.Bias {
			f.Bias[i] = float32(b) * (in.Scale * c.Scales[i])
		}
		return f
	}
	out := &float.Network{Name: net.Name, Size: net.Size, Pixels: float.Symmetric}
	in := net.Input
	next := func(c *mnv2.Conv, active bool) float.Conv {
		f := conv(c, in, active)
		in = c.Output
		return f
	}
	out.First = next(&net.First, true)
	for i := range net.Blocks {
		b := &net.Blocks[i]
		var f float.Block
		if b.Expand != nil {
			c := next(b.Expand, true)
			f.Expand = &c
		}
		f.Depthwise = next(&b.Depthwise, true)
		f.Project = next(&b.Project, false)
		if f.Residual = b.Residual != nil; f.Residual {
			in = b.Residual.Output
		}
		out.Blocks = append(out.Blocks, f)
	}
	out.Last = next(&net.Last, true)
	if in = net.Embedding; net.Classifier != nil {
		c := next(net.Classifier, false)
		out.Classifier = &c
	}
	return out
}

// padV2 makes of the first PAD one that says what it pads with.
func (w *writer) padV2(value float32) {
	op := w.named("first/pad")
	op.code = opPadV2
	data := binary.LittleEndian.AppendUint32(nil, math.Float32bits(value))
	op.inputs = append(op.inputs, int32(w.tensor(newTensor{name: "value", shape: []int32{}, buffer: w.buffer(data)})))
}

// floatForms are what real files have.
var floatForms = []struct {
	name   string
	o      Options
	change func(*writer)
	want   func(*float.Network) // what differs from the network that was written
}{
	{"plain", Options{}, nil, nil},
	{"softmax", Options{Softmax: true}, nil, nil},
	{"explicit padding, pool and convolution", Options{ExplicitPad: true, AveragePool: true, ConvHead: true}, nil, nil},
	{"PADV2", Options{ExplicitPad: true}, func(w *writer) { w.padV2(0) }, nil},
	{"no bias", Options{}, func(w *writer) {
		op := w.named("first")
		op.inputs = op.inputs[:2]
	}, func(n *float.Network) { clear(n.First.Bias) }},
	{"ReLU6 as an operator", Options{}, func(w *writer) {
		w.named("first").setConv(schema.PaddingSAME, 2, 1, none)
		out := w.tensor(newTensor{name: "first/relu6", shape: w.result("first").shape})
		for i := range w.ops {
			for j, in := range w.ops[i].inputs {
				if in == w.index("first") {
					w.ops[i].inputs[j] = int32(out)
				}
			}
		}
		w.op(opReLU6, []int{int(w.index("first"))}, out, 0, nil)
	}, nil},
	{"float16", Options{}, func(w *writer) {
		half := w.result("first/weights")
		b := make([]byte, 0, len(w.buffers[half.buffer])/2)
		for range len(w.buffers[half.buffer]) / 4 {
			b = binary.LittleEndian.AppendUint16(b, 0xb800) // -0.5
		}
		w.buffers[half.buffer] = b
		half.typ = schema.TensorTypeFLOAT16
		out := w.tensor(newTensor{name: "first/weights/float32", shape: half.shape})
		w.op(opDequantize, []int{int(w.index("first/weights"))}, out, 0, nil)
		w.named("first").inputs[1] = int32(out)
	}, func(n *float.Network) {
		for i := range n.First.Weights {
			n.First.Weights[i] = -0.5
		}
	}},
	{"normalization of each colour", Options{}, func(w *writer) {
		w.metadata = encodeMetadata("", []float32{1, 2, 3}, []float32{4, 5, 6})
	}, func(n *float.Network) {
		n.Name, n.Pixels = "", float.Normalization{Mean: [3]float32{1, 2, 3}, Std: [3]float32{4, 5, 6}}
	}},
}

func TestReadFloat(t *testing.T) {
	for _, form := range floatForms {
		t.Run(form.name, func(t *testing.T) {
			net := small(form.o)
			w := floatWriter(t, net, form.o)
			if form.change != nil {
				form.change(w)
			}
			got, err := ReadFloat(w.file())
			if err != nil {
				t.Fatal(err)
			}
			want := wantFloat(net)
			if form.want != nil {
				form.want(want)
			}
			if !reflect.DeepEqual(got, want) {
				t.Error("the network came back different")
			}
		})
	}
}

func TestFloatRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		o      Options
		change func(*writer)
		want   string
	}{
		{"an activation that is not ReLU6", Options{}, func(w *writer) {
			w.named("first").setConv(schema.PaddingSAME, 2, 1, relu)
		}, `conv_2d #0 "first": activation RELU; the first convolution of a MobileNetV2 has a ReLU6`},
		{"no activation", Options{}, func(w *writer) {
			w.named("first").setConv(schema.PaddingSAME, 2, 1, none)
		}, `conv_2d #0 "first": activation NONE; the first convolution of a MobileNetV2 has a ReLU6`},
		{"activation of a projection", Options{}, func(w *writer) {
			w.named("block1/project").setConv(schema.PaddingSAME, 1, 1, relu6)
		}, `"block1/project": activation RELU6; the project convolution of block 1 of a MobileNetV2 has none`},
		{"hard swish", Options{}, func(w *writer) {
			w.ops[1].code = schema.BuiltinOperatorHARD_SWISH
		}, `hard_swish #1 "block0/depthwise": where a MobileNetV2 has the depthwise convolution of block 0 (depthwise_conv_2d)`},
		{"only weights quantized", Options{}, func(w *writer) {
			w.result("first/weights").typ = schema.TensorTypeINT8
		}, `"first": weights: tensor #1 "first/weights": type INT8; it must be FLOAT32 or FLOAT16: convert the model without optimizations`},
		{"a DEQUANTIZE of int8 weights", Options{}, func(w *writer) {
			w.result("first/weights").typ = schema.TensorTypeINT8
			out := w.tensor(newTensor{name: "real", shape: w.result("first/weights").shape})
			w.op(opDequantize, []int{int(w.index("first/weights"))}, out, 0, nil)
			w.named("first").inputs[1] = int32(out)
		}, `"first/weights": type INT8; it must be FLOAT32 or FLOAT16`},
		{"a DEQUANTIZE of another shape", Options{}, func(w *writer) {
			half := w.result("first/weights")
			shape := half.shape
			half.typ, half.shape = schema.TensorTypeFLOAT16, []int32{2}
			out := w.tensor(newTensor{name: "real", shape: shape})
			w.op(opDequantize, []int{int(w.index("first/weights"))}, out, 0, nil)
			w.named("first").inputs[1] = int32(out)
		}, `"real": its input has shape [2], its output [3 3 3 3]; both must be the same`},
		{"classes", Options{}, func(w *writer) {
			w.result("classifier/weights").shape[0], w.result("classifier").shape[1] = 1<<16+1, 1<<16+1
		}, `"classifier": 65537 output channels; up to 65536 can be run`},
		{"padding with another number", Options{ExplicitPad: true}, func(w *writer) {
			w.padV2(7)
		}, `padv2 #0 "first/pad": pads with 7; a MobileNetV2 pads with zero`},
		{"padding with several numbers", Options{ExplicitPad: true}, func(w *writer) {
			w.padV2(0)
			w.result("value").shape, w.buffers[w.result("value").buffer] = []int32{2}, make([]byte, 8)
		}, `padv2 #0 "first/pad": 2 numbers to pad with; there must be one`},
		{"NaN", Options{}, func(w *writer) {
			binary.LittleEndian.PutUint32(w.constant("block3/expand/weights")[4:], 0x7fc00000)
		}, `block 3, expand "block3/expand": weight 1 of channel 0 is NaN`},
		{"short bias", Options{}, func(w *writer) {
			b := w.result("first/bias")
			b.shape, w.buffers[b.buffer] = []int32{2}, make([]byte, 8)
		}, `"first/bias": 2 values for 3 channels`},
		{"int8 within", Options{}, func(w *writer) {
			w.result("block1/expand").typ = schema.TensorTypeINT8
		}, `"block1/expand": type INT8: the model is quantized already`},
		{"an activation behind a sum", Options{}, func(w *writer) {
			w.named("block2/add").options = func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
				schema.AddOptionsStart(b)
				schema.AddOptionsAddFusedActivationFunction(b, relu)
				return schema.AddOptionsEnd(b)
			}
		}, `"block2/add": activation RELU; the residual addition of a MobileNetV2 has none`},
		{"what is no part of it", Options{}, func(w *writer) {
			w.op(opReLU6, []int{w.ints("constant", []int32{1}, 5)}, w.tensor(newTensor{name: "other", shape: []int32{1}}), 0, nil)
		}, `"other": not part of a MobileNetV2`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := floatWriter(t, small(test.o), test.o)
			test.change(w)
			_, err := ReadFloat(w.file())
			modeltest.WantError(t, err, test.want)
		})
	}
	for _, o := range []Options{{}, {Legacy: true}, {Input: Float32, Output: Float32}} {
		data, err := Write(small(o), o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ReadFloat(data)
		modeltest.WantError(t, err, "the model is quantized already: it runs as it is")
	}
	_, err := Read(floatWriter(t, small(Options{}), Options{}).file())
	modeltest.WantError(t, err, "computes in floating point", "tarsier quantize")
}

// The two models that were made elsewhere.
func TestLoadFloatModels(t *testing.T) {
	for _, want := range []struct {
		file    string
		width   float64
		classes int
	}{
		{"imagenet_1.0_float", 1, 1001},
		{"random_0.35_float", 0.35, 1001},
	} {
		net, err := LoadFloat(testfiles.Path(t, "models/float/"+want.file+".tflite"))
		if err != nil {
			t.Fatal(err)
		}
		facts, err := net.Facts()
		if err != nil || facts.WidthMult != want.width || facts.Classes != want.classes || facts.Size != 224 {
			t.Errorf("%s: %+v, %v", want.file, facts, err)
		}
		if net.Name != want.file || net.Pixels != float.Symmetric {
			t.Errorf("%s: name %q, pixels %v", want.file, net.Name, net.Pixels)
		}
	}
}

func FuzzReadFloat(f *testing.F) {
	for _, form := range floatForms {
		w := floatWriter(f, narrow(0.02, form.o), form.o)
		if form.change != nil {
			form.change(w)
		}
		f.Add(w.file())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		net, err := ReadFloat(data)
		if err != nil {
			return
		}
		modeltest.Runs(t, net)
	})
}
