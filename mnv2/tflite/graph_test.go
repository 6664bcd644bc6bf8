package tflite

import (
	"math"
	"reflect"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/modelfile/modeltest"
	"tarsier/mnv2/internal/randnet"
	"tarsier/mnv2/tflite/internal/schema"
)

// A graph that stops being a MobileNetV2 is refused with the place and the
// reason.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		o      Options
		change func(*writer)
		want   string
	}{
		{"two inputs", Options{}, func(w *writer) {
			w.inputs = append(w.inputs, 0)
		}, "the graph has 2 inputs; a MobileNetV2 has one"},
		{"nothing", Options{}, func(w *writer) {
			w.ops = nil
		}, "the graph has no operators"},
		{"metadata", Options{}, func(w *writer) {
			w.metadata = []byte{1, 2, 3}
		}, "damaged file: metadata: offset 0: 4 bytes reach beyond the end, at 3"},
		{"weights of a block's depthwise", Options{}, func(w *writer) {
			w.named("block0/depthwise").inputs = w.named("block0/depthwise").inputs[:1]
		}, `"block0/depthwise": its input and weights must have 4 dimensions`},
		{"classifier without weights", Options{}, func(w *writer) {
			w.named("classifier").inputs[1] = -1
		}, `"classifier": no weights`},
		{"no axes", Options{}, func(w *writer) {
			w.named("embedding").inputs = w.named("embedding").inputs[:1]
		}, `"embedding": no axes`},
		{"axes of another type", Options{}, func(w *writer) {
			w.result("axes").typ = schema.TensorTypeINT64
		}, `"embedding": axes: tensor #`},
		{"types of a sum", Options{}, func(w *writer) {
			w.result("block2/add").typ = schema.TensorTypeUINT8
		}, `"block2/add": inputs INT8 and INT8, output UINT8; they must be of one type`},
		{"channels of a repeated block", Options{}, func(w *writer) {
			w.result("block2/project/weights").shape[0], w.result("block2/project").shape[3] = 1, 1
		}, `"block2/project": 1 output channels; the project convolution of block 2 has 2`},
		{"other operator first", Options{}, func(w *writer) {
			w.ops[0].code = schema.BuiltinOperatorMAX_POOL_2D
		}, `max_pool_2d #0 "first": where a MobileNetV2 has the first convolution (conv_2d)`},
		{"custom operator", Options{}, func(w *writer) {
			w.ops[1].code = schema.BuiltinOperatorCUSTOM
		}, `custom #1 "block0/depthwise": where a MobileNetV2 has the depthwise convolution of block 0`},
		{"later operator", Options{}, func(w *writer) {
			w.ops[1].code = schema.BuiltinOperatorSTABLEHLO_COMPOSITE
		}, `stablehlo_composite #1 "block0/depthwise": where`},
		{"stride", Options{}, func(w *writer) {
			w.named("first").setConv(schema.PaddingSAME, 1, 1, relu6)
		}, `conv_2d #0 "first": stride 1x1; the first convolution of a MobileNetV2 has 2`},
		{"dilation", Options{}, func(w *writer) {
			w.named("first").setConv(schema.PaddingSAME, 2, 2, relu6)
		}, `conv_2d #0 "first": dilation 2x2; a MobileNetV2 has none`},
		{"padding kind", Options{}, func(w *writer) {
			w.named("first").setConv(7, 2, 1, relu6)
		}, `conv_2d #0 "first": padding Padding(7); only SAME and VALID`},
		{"padding for shape", Options{}, func(w *writer) {
			w.named("first").setConv(schema.PaddingVALID, 2, 1, relu6)
		}, `conv_2d #0 "first": output of shape [1 16 16 3]; it must be [1 15 15 3]`},
		{"two paddings", Options{ExplicitPad: true}, func(w *writer) {
			w.named("block0/depthwise").setDepthwise(schema.PaddingSAME)
		}, `"block0/depthwise": padded by 2 before and 2 after; a MobileNetV2 pads by 1 at most`},
		{"wide paddings", Options{ExplicitPad: true}, func(w *writer) {
			w.constant("first/paddings")[8] = 3
		}, `pad #0 "first/pad": paddings [0 0 3 1 0 1 0 0]; only height and width`},
		{"padding with another number", Options{ExplicitPad: true}, func(w *writer) {
			op := w.named("first/pad")
			op.code = opPadV2
			op.inputs = append(op.inputs, int32(w.tensor(newTensor{name: "7", typ: schema.TensorTypeINT8, buffer: w.buffer([]byte{7})})))
		}, `padv2 #0 "first/pad": pads with [7]; a MobileNetV2 pads with zero, here -1`},
		{"activation", Options{}, func(w *writer) {
			w.named("first").setConv(schema.PaddingSAME, 2, 1, schema.ActivationFunctionTypeTANH)
		}, `conv_2d #0 "first": activation TANH; only NONE, RELU and RELU6`},
		{"no activation", Options{}, func(w *writer) {
			w.named("block1/expand").setConv(schema.PaddingSAME, 1, 1, none)
			w.result("block1/expand").zero = -100
		}, `"block1/expand": no activation; the expand convolution of block 1 of a MobileNetV2 has a ReLU6`},
		{"activation of a projection", Options{}, func(w *writer) {
			w.named("block1/project").setConv(schema.PaddingSAME, 1, 1, relu6)
		}, `"block1/project": activation RELU6; the project convolution of block 1 of a MobileNetV2 has none`},
		{"options", Options{}, func(w *writer) {
			w.named("first").typ = schema.BuiltinOptionsPool2DOptions
		}, `conv_2d #0 "first": options of type Pool2DOptions; they must be Conv2DOptions`},
		{"no options", Options{}, func(w *writer) {
			w.named("block2/add").options = nil
		}, `"block2/add": options of type NONE; they must be AddOptions`},
		{"kernel", Options{}, func(w *writer) {
			w.result("first/weights").shape = []int32{3, 1, 9, 3}
		}, `conv_2d #0 "first": kernel 1x9; the first convolution of a MobileNetV2 has 3x3`},
		{"weights of other channels", Options{}, func(w *writer) {
			w.result("block1/expand/weights").shape = []int32{3, 1, 1, 2}
		}, `"block1/expand": weights of shape [3 1 1 2]; for 1 input channels it must be [3 1 1 1]`},
		{"dimensions of weights", Options{}, func(w *writer) {
			w.result("first/weights").shape = []int32{81}
		}, `conv_2d #0 "first": its input and weights must have 4 dimensions`},
		{"no weights", Options{}, func(w *writer) {
			w.named("first").inputs[1] = -1
		}, `conv_2d #0 "first": its input and weights must`},
		{"short weights", Options{}, func(w *writer) {
			buffer := &w.buffers[w.result("first/weights").buffer]
			*buffer = (*buffer)[1:]
		}, `"first/weights": 80 bytes of data for shape [3 3 3 3], which needs 81`},
		{"weights that are computed", Options{}, func(w *writer) {
			w.result("first/weights").buffer = 0
		}, `"first/weights": 0 bytes of data`},
		{"type of weights", Options{}, func(w *writer) {
			w.result("first/weights").typ = schema.TensorTypeINT4
		}, `conv_2d #0 "first": input INT8, weights INT4, output INT8; all must be INT8 or all UINT8`},
		{"type of activations", Options{}, func(w *writer) {
			w.result("first").typ = schema.TensorTypeINT16
		}, `"first": type INT16; activations must be INT8 or UINT8`},
		{"hybrid", Options{}, func(w *writer) {
			w.result("input").typ = schema.TensorTypeFLOAT32
		}, `conv_2d #0 "first": input: tensor #0 "input": type FLOAT32: the model computes in floating point`},
		{"zero point of weights", Options{PerTensor: true}, func(w *writer) {
			w.result("first/weights").zero = 3
		}, `"first/weights": zero point 3 of channel 0; INT8 weights are symmetric`},
		{"zero point of legacy weights", Options{Legacy: true}, func(w *writer) {
			w.result("first/weights").zero = 256
		}, `"first/weights": zero point 256 does not fit UINT8`},
		{"zero point of activations", Options{}, func(w *writer) {
			w.result("first").zero = 128
		}, `"first": zero point 128 does not fit INT8`},
		{"dimension of scales", Options{}, func(w *writer) {
			w.result("block0/depthwise/weights").dim = 0
		}, `"block0/depthwise/weights": scales along dimension 0; they must be along 3`},
		{"number of scales", Options{}, func(w *writer) {
			w.result("first/weights").scales = []float32{1, 1}
		}, `"first/weights": 2 scales; there must be one or 3`},
		{"scales of an activation", Options{}, func(w *writer) {
			w.result("first").scales = []float32{1, 1}
		}, `"first": 2 scales; there must be one`},
		{"no quantization", Options{}, func(w *writer) {
			w.result("first").scales = nil
		}, `"first": no quantization parameters`},
		{"scale 0", Options{}, func(w *writer) {
			w.result("first").scales = []float32{0}
		}, `"first": scale 0 of channel 0`},
		{"scale NaN", Options{}, func(w *writer) {
			w.result("first").scales = []float32{float32(math.NaN())}
		}, `"first": scale NaN of channel 0`},
		{"scale infinite", Options{}, func(w *writer) {
			w.result("first").scales = []float32{float32(math.Inf(1))}
		}, `"first": scale +Inf of channel 0`},
		{"scale ratio", Options{}, func(w *writer) {
			w.result("first").scales = []float32{1e-9}
			w.result("first/bias").scales = nil
		}, `conv_2d #0 "first": scales`},
		{"scale ratio of a sum", Options{}, func(w *writer) {
			w.result("block2/add").scales = []float32{1e9}
		}, `"block2/add": scales`},
		{"bias type", Options{}, func(w *writer) {
			w.result("first/bias").typ = schema.TensorTypeINT64
		}, `conv_2d #0 "first": bias: tensor #2 "first/bias": type INT64; it must be INT32`},
		{"bias length", Options{}, func(w *writer) {
			b := w.result("first/bias")
			b.shape, w.buffers[b.buffer] = []int32{2}, make([]byte, 8)
		}, `"first/bias": 2 values for 3 channels`},
		{"bias scale", Options{}, func(w *writer) {
			w.result("first/bias").scales = []float32{1, 1, 1}
		}, `"first/bias": scale 1 of channel 0; it must be the input's times the weights'`},
		{"bias zero point", Options{}, func(w *writer) {
			w.result("first/bias").zero = 1
		}, `"first/bias": zero point 1 of channel 0; it must be 0`},
		{"batch", Options{}, func(w *writer) {
			w.result("input").shape[0] = 2
		}, `conv_2d #0 "first": an input of shape [2 32 32 3]; it must be one square RGB picture`},
		{"colours", Options{}, func(w *writer) {
			w.result("input").shape[3] = 1
		}, `an input of shape [1 32 32 1]; it must be one square RGB picture`},
		{"size", Options{}, func(w *writer) {
			w.result("input").shape = []int32{1, 1 << 13, 1 << 13, 3}
		}, `"input": an activation of shape [1 8192 8192 3]; up to 67108864 values`},
		{"negative size", Options{}, func(w *writer) {
			w.result("input").shape = []int32{1, -32, -32, 3}
		}, `"input": an activation of shape [1 -32 -32 3]`},
		{"many dimensions", Options{}, func(w *writer) {
			w.result("input").shape = make([]int32, 9)
		}, `tensor #0 "input": 9 dimensions; at most 8 are known`},
		{"no residual", Options{}, func(w *writer) {
			w.named("block3/expand").inputs[0] = w.index("block2/project")
			w.drop("block2/add")
		}, `"block2/project": the input of block 2 is not added to it`},
		{"residual of others", Options{}, func(w *writer) {
			w.named("block2/add").inputs[0] = w.index("block0/project")
		}, `"block2/project": the input of block 2 is not added to it`},
		{"branch", Options{}, func(w *writer) {
			w.op(opQuantize, []int{int(w.index("block1/expand"))}, w.activation("branch", []int32{1}, mnv2.Quantization{Scale: 1}), 0, nil)
		}, `"branch": reads tensor "block1/expand", which in a MobileNetV2 only depthwise_conv_2d`},
		{"dead end", Options{}, func(w *writer) {
			w.op(opQuantize, []int{w.ints("constant", []int32{1}, 5)}, w.activation("other", []int32{1}, mnv2.Quantization{Scale: 1}), 0, nil)
		}, `"other": not part of a MobileNetV2`},
		{"cut off", Options{}, func(w *writer) {
			w.named("block5/depthwise").inputs[0] = w.index("input")
		}, `reads tensor "input", which in a MobileNetV2 only conv_2d #0`},
		{"circle", Options{Output: Uint8}, func(w *writer) {
			w.ops[len(w.ops)-1].outputs[0] = w.index("classifier")
		}, `tensor`},
		{"two producers", Options{}, func(w *writer) {
			w.named("block0/project").outputs[0] = w.index("first")
		}, `"first": tensor 3 is the output of conv_2d #0 "first" too`},
		{"no output", Options{}, func(w *writer) {
			w.named("first").outputs = nil
		}, `conv_2d #0 "": 0 outputs; it must have one`},
		{"input second", Options{}, func(w *writer) {
			op := w.named("first")
			op.inputs[0], op.inputs[1] = op.inputs[1], op.inputs[0]
		}, `conv_2d #0 "first": tensor "input" must be its first input`},
		{"index of a tensor", Options{}, func(w *writer) {
			w.named("first").inputs[1] = 100_000
		}, `conv_2d #0 "first": input 1: tensor 100000 of`},
		{"negative index", Options{}, func(w *writer) {
			w.named("first").outputs[0] = -2
		}, `output of operator #0 0: tensor -2 of`},
		{"buffer", Options{}, func(w *writer) {
			w.result("first/weights").buffer = 100_000
		}, `"first/weights": buffer 100000 of`},
		{"axes", Options{}, func(w *writer) {
			w.constant("axes")[4] = 3
		}, `"embedding": axes [1 3]; the mean of a MobileNetV2 is over height and width`},
		{"no mean", Options{}, func(w *writer) {
			w.named("embedding").code = opSoftmax
		}, `softmax #62 "embedding": where a MobileNetV2 has the mean over height and width (mean or average_pool_2d)`},
		{"small pool", Options{AveragePool: true}, func(w *writer) {
			w.named("embedding").options = func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
				schema.Pool2DOptionsStart(b)
				schema.Pool2DOptionsAddFilterHeight(b, 2)
				schema.Pool2DOptionsAddFilterWidth(b, 2)
				return schema.Pool2DOptionsEnd(b)
			}
		}, `average_pool_2d #62 "embedding": a mean over 2x2; that of a MobileNetV2 is over all 1x1`},
		{"pool that scales", Options{AveragePool: true}, func(w *writer) {
			w.result("embedding").scales = []float32{0.5}
		}, `average_pool_2d #62 "embedding": its output is not quantized as its input is`},
		{"reshape that scales", Options{KeepDims: true}, func(w *writer) {
			w.result("embedding/flat").scales = []float32{0.5}
		}, `reshape #63 "embedding/flat": its output is not quantized as its input is`},
		{"reshape of another size", Options{KeepDims: true}, func(w *writer) {
			w.result("embedding/flat").shape = []int32{1, 3}
		}, `reshape #63 "embedding/flat": 4 values in, 3 out`},
		{"classifier's activation", Options{}, func(w *writer) {
			w.named("classifier").options = func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
				schema.FullyConnectedOptionsStart(b)
				schema.FullyConnectedOptionsAddFusedActivationFunction(b, relu)
				return schema.FullyConnectedOptionsEnd(b)
			}
		}, `fully_connected #63 "classifier": activation RELU; the classifier of a MobileNetV2 has none`},
		{"shuffled weights", Options{}, func(w *writer) {
			w.named("classifier").options = func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
				schema.FullyConnectedOptionsStart(b)
				schema.FullyConnectedOptionsAddWeightsFormat(b, 1)
				return schema.FullyConnectedOptionsEnd(b)
			}
		}, `"classifier": weights in format 1; only the plain one`},
		{"classifier of another size", Options{}, func(w *writer) {
			w.result("classifier/weights").shape = []int32{3, 2, 2}
		}, `"classifier": weights of shape [3 2 2]; for 4 inputs it must be [3 4]`},
		{"classes", Options{}, func(w *writer) {
			w.result("classifier").shape = []int32{1, 4}
		}, `"classifier": output of shape [1 4] for 3 classes`},
		{"beta", Options{Softmax: true}, func(w *writer) {
			w.named("scores").options = func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
				schema.SoftmaxOptionsStart(b)
				schema.SoftmaxOptionsAddBeta(b, 2)
				return schema.SoftmaxOptionsEnd(b)
			}
		}, `softmax #64 "scores": beta 2; it must be 1`},
		{"sigmoid", Options{Softmax: true}, func(w *writer) {
			w.named("scores").code = schema.BuiltinOperatorLOGISTIC
		}, `logistic #64 "scores": where a MobileNetV2 ends, or has a classifier or a softmax`},
		{"second classifier", Options{Softmax: true}, func(w *writer) {
			w.named("scores").code = opFullyConnected
		}, `fully_connected #64 "scores": another layer behind the end`},
		{"softmax of the embedding", Options{}, func(w *writer) {
			w.named("classifier").code = opSoftmax
		}, `softmax #63 "classifier": there is no classifier before it`},
		{"result that is no output", Options{Softmax: true}, func(w *writer) {
			w.outputs[0] = w.index("classifier")
		}, `softmax #64 "scores": nothing follows, and its result is no output of the graph`},
		{"a block less", Options{}, func(w *writer) {
			w.named("last").inputs[0] = w.index("block15/add")
		}, `conv_2d #61 "last": reads tensor "block15/add", which in a MobileNetV2 only conv_2d #58 "block16/expand" would read`},
	} {
		t.Run(test.name, func(t *testing.T) {
			net := small(test.o)
			w, err := newWriter(net, test.o)
			if err != nil {
				t.Fatal(err)
			}
			test.change(w)
			_, err = Read(w.file())
			modeltest.WantError(t, err, test.want)
		})
	}
}

// small is a network of few bytes that can be written in the form o.
func small(o Options) *mnv2.Network { return narrow(0.1, o) }

func narrow(width float64, o Options) *mnv2.Network {
	net := randnet.New(1, randnet.Options{WidthMult: width, Truncate: true, Size: 32, Classes: 3})
	last, top := &net.Last, net.Classifier
	last.Out, top.In = 4, 4
	last.Weights, last.Scales, last.Bias = last.Weights[:4*last.In], last.Scales[:4], last.Bias[:4]
	top.Weights = top.Weights[:4*top.Out]
	fit(net, o)
	return net
}

// named finds the operator that computes the tensor of that name.
func (w *writer) named(name string) *newOperator {
	index := w.index(name)
	for i := range w.ops {
		if w.ops[i].outputs[0] == index {
			return &w.ops[i]
		}
	}
	panic("no operator computes " + name)
}

func (w *writer) index(name string) int32 {
	for i, t := range w.tensors {
		if t.name == name {
			return int32(i)
		}
	}
	panic("no tensor is called " + name)
}

func (w *writer) result(name string) *newTensor { return &w.tensors[w.index(name)] }

func (w *writer) constant(name string) []byte { return w.buffers[w.result(name).buffer] }

func (op *newOperator) setConv(padding schema.Padding, stride, dilation int32, act schema.ActivationFunctionType) {
	op.options = func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
		schema.Conv2DOptionsStart(b)
		schema.Conv2DOptionsAddPadding(b, padding)
		schema.Conv2DOptionsAddStrideW(b, stride)
		schema.Conv2DOptionsAddStrideH(b, stride)
		schema.Conv2DOptionsAddDilationWFactor(b, dilation)
		schema.Conv2DOptionsAddDilationHFactor(b, dilation)
		schema.Conv2DOptionsAddFusedActivationFunction(b, act)
		return schema.Conv2DOptionsEnd(b)
	}
}

func (op *newOperator) setDepthwise(padding schema.Padding) {
	op.options = func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
		schema.DepthwiseConv2DOptionsStart(b)
		schema.DepthwiseConv2DOptionsAddPadding(b, padding)
		schema.DepthwiseConv2DOptionsAddStrideW(b, 1)
		schema.DepthwiseConv2DOptionsAddStrideH(b, 1)
		schema.DepthwiseConv2DOptionsAddFusedActivationFunction(b, relu6)
		return schema.DepthwiseConv2DOptionsEnd(b)
	}
}

// forms are what real files also have, and the writer does not write.
var forms = []struct {
	name   string
	o      Options
	change func(*writer)
	want   func(*mnv2.Network) // what differs from the network that was written
}{
	{"no bias", Options{}, func(w *writer) {
		op := w.named("first")
		op.inputs = op.inputs[:2]
		w.named("last").inputs[2] = -1
	}, func(n *mnv2.Network) {
		clear(n.First.Bias)
		clear(n.Last.Bias)
	}},
	{"bias without a scale", Options{}, func(w *writer) {
		w.result("first/bias").scales = nil
	}, nil},
	{"negative axes", Options{}, func(w *writer) {
		copy(w.constant("axes"), []byte{0xff - 1, 0xff, 0xff, 0xff, 0xff - 2, 0xff, 0xff, 0xff})
	}, nil},
	{"the operators in another order", Options{}, func(w *writer) {
		n := len(w.ops)
		w.ops[3], w.ops[n-2] = w.ops[n-2], w.ops[3]
	}, nil},
	{"the projection first in a sum", Options{}, func(w *writer) {
		in := w.named("block2/add").inputs
		in[0], in[1] = in[1], in[0]
	}, nil},
	{"classifier on four dimensions", Options{KeepDims: true}, func(w *writer) {
		w.named("classifier").inputs[0] = w.index("embedding")
		w.drop("embedding/flat")
	}, nil},
	{"softmax on real numbers", Options{Output: Float32, Softmax: true}, func(w *writer) {
		w.named("scores").code, w.named("output").code = opDequantize, opSoftmax
		w.named("output").typ, w.named("output").options = w.named("scores").typ, w.named("scores").options
		w.result("scores").typ = schema.TensorTypeFLOAT32
	}, nil},
	{"embedding as a second output", Options{}, func(w *writer) {
		w.outputs = append(w.outputs, w.index("embedding"))
	}, nil},
	{"legacy with real numbers at its input", Options{Legacy: true}, func(w *writer) {
		in := w.tensor(newTensor{name: "real", shape: w.result("input").shape, typ: schema.TensorTypeFLOAT32})
		w.op(opQuantize, []int{in}, int(w.index("input")), 0, nil)
		w.inputs[0], w.metadata = int32(in), nil
	}, func(n *mnv2.Network) { n.Name = "" }},
	{"PADV2", Options{ExplicitPad: true}, func(w *writer) {
		op := w.named("first/pad")
		op.code = opPadV2
		zero := w.tensor(newTensor{name: "zero", shape: []int32{}, typ: schema.TensorTypeINT8, buffer: w.buffer([]byte{0xff})})
		op.inputs = append(op.inputs, int32(zero))
	}, nil},
	{"a shape that is computed", Options{KeepDims: true}, func(w *writer) {
		one := w.tensor(newTensor{name: "one", shape: []int32{1}, typ: schema.TensorTypeINT32})
		w.op(opShape, []int{int(w.index("embedding"))}, one, 0, nil)
		packed := w.tensor(newTensor{name: "packed", shape: []int32{2}, typ: schema.TensorTypeINT32})
		w.op(schema.BuiltinOperatorPACK, []int{one, one}, packed, 0, nil)
		w.named("embedding/flat").inputs[1] = int32(packed)
	}, nil},
	{"a weight of -128", Options{}, func(w *writer) {
		b := w.constant("classifier/weights")
		clear(b[:4])
		b[3] = 0x80
	}, func(n *mnv2.Network) {
		c := n.Classifier
		clear(c.Weights[:4])
		c.Weights[3] = -127
		c.Scales[0] = float32(float64(c.Scales[0]) * 128 / 127)
		c.Bias[0] = int32(math.RoundToEven(float64(c.Bias[0]) * 127 / 128))
	}},
	{"ReLU", Options{}, func(w *writer) {
		w.named("first").setConv(schema.PaddingSAME, 2, 1, relu)
	}, func(n *mnv2.Network) { n.First.Max = 127 }},
}

func TestAccepted(t *testing.T) {
	for _, test := range forms {
		t.Run(test.name, func(t *testing.T) {
			net := small(test.o)
			w, err := newWriter(net, test.o)
			if err != nil {
				t.Fatal(err)
			}
			test.change(w)
			got, err := Read(w.file())
			if err != nil {
				t.Fatal(err)
			}
			got.SHA256 = ""
			if test.want != nil {
				test.want(net)
			}
			if !reflect.DeepEqual(got, net) {
				t.Error("the network came back different")
			}
		})
	}
}

// drop removes the operator that computes the tensor of that name.
func (w *writer) drop(name string) {
	index := w.index(name)
	for i, op := range w.ops {
		if op.outputs[0] == index {
			w.ops = append(w.ops[:i], w.ops[i+1:]...)
			return
		}
	}
}

func TestMetadata(t *testing.T) {
	read := func(mean, std []float32) (*mnv2.Network, error) {
		net := small(Options{})
		w, err := newWriter(net, Options{})
		if err != nil {
			t.Fatal(err)
		}
		w.metadata = encodeMetadata("a name", mean, std)
		return Read(w.file())
	}
	net, err := read([]float32{127, 127, 127}, []float32{128})
	if err != nil || net.Name != "a name" || net.Pixels != (mnv2.Normalization{Mean: 127, Std: 128}) {
		t.Errorf("%v, %v", net, err)
	}
	for _, test := range []struct {
		mean, std []float32
		want      string
	}{
		{[]float32{1, 2, 3}, []float32{1}, "metadata: normalization: mean [1 2 3]; it must be one finite number"},
		{[]float32{1}, []float32{1, 1}, "metadata: normalization: 2 values of std"},
		{[]float32{}, []float32{1}, "metadata: normalization: 0 values of mean"},
		{[]float32{1}, []float32{0}, "metadata: normalization: std 0 must be more than 0"},
		{[]float32{float32(math.NaN())}, []float32{1}, "metadata: normalization: mean [NaN]; it must be"},
	} {
		_, err := read(test.mean, test.std)
		modeltest.WantError(t, err, test.want)
	}
}

// tensorOf is a tensor of that type and nothing else.
func tensorOf(typ schema.TensorType) *tensor {
	b := flatbuffers.NewBuilder(0)
	schema.TensorStart(b)
	schema.TensorAddType(b, typ)
	b.Finish(schema.TensorEnd(b))
	return &tensor{Tensor: *schema.GetRootAsTensor(b.FinishedBytes(), 0)}
}
