package onnx

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile"
	"tarsier/mnv2/internal/modelfile/modeltest"
	"tarsier/mnv2/internal/testfiles"
)

var forms = []form{
	{},
	{norm: "BatchNormalization", relu6: "attributes", mean: "ReduceMean18", head: "GemmN"},
	{norm: "Mul", relu6: "Min", mean: "two", head: "MatMul", softmax: true},
	{relu6: "Max", mean: "AveragePool", head: "Conv", softmax: true},
	{pad: "Pad", head: "ConvAdd", constants: true, identities: true},
	{pad: "Pad2", mean: "ReduceMean", noClassBias: true, listed: true},
	{pad: "Pad18", last: true},
	{last: true, everywhere: true, norm: "Mul", pad: "Pad", mean: "ReduceMean", head: "MatMul", softmax: true},
	{last: true, everywhere: true, mean: "ReduceMean18"},
}

// A network comes back from every form of file as it was.
func TestRead(t *testing.T) {
	for _, f := range forms {
		for _, o := range []modeltest.Options{
			{Classes: 3},
			{},
			{Classes: 3, SamePadding: true, Size: 64},
			{Classes: 3, Size: 16}, // 1x1 at the end, whatever the stride
			{Classes: 5, ExpandFirst: true},
		} {
			if f.softmax && o.Classes == 0 {
				continue
			}
			t.Run(fmt.Sprintf("%+v %+v", f, o), func(t *testing.T) {
				want := network(f, o)
				if f.noClassBias && o.Classes > 0 {
					clear(want.Classifier.Bias)
				}
				got, err := Read(build(want, f).file())
				if err != nil {
					t.Fatal(err)
				}
				modeltest.Same(t, got, want)
			})
		}
	}
	t.Run("auto_pad", func(t *testing.T) {
		f := form{pad: "auto"}
		want := network(f, modeltest.Options{SamePadding: true})
		got, err := Read(build(want, f).file())
		if err != nil {
			t.Fatal(err)
		}
		modeltest.Same(t, got, want)
	})
}

// What real files also have.
func TestForms(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*writer)
		want   func(*float.Network)
	}{
		{"normalization", func(w *writer) {
			w.metadata = map[string]string{modelfile.MeanKey: "1,2,3", modelfile.StdKey: "4"}
		}, func(n *float.Network) {
			n.Pixels = float.Normalization{Mean: [3]float32{1, 2, 3}, Std: [3]float32{4, 4, 4}}
		}},
		{"open height and width", func(w *writer) {
			w.inputs[0].dims = []int64{0, 3, 0, 0}
			w.metadata = map[string]string{modelfile.SizeKey: "32"}
		}, nil},
		{"weights that are inputs too", func(w *writer) {
			for _, t := range w.tensors {
				w.inputs = append(w.inputs, value{name: t.name, dims: t.dims})
			}
		}, nil},
		{"float16", func(w *writer) {
			t := w.constant("classifier.weight")
			t.typ, t.raw = typeFloat16, slices.Repeat([]byte{0, 0xb8}, len(t.raw)/4)
		}, func(n *float.Network) {
			n.Classifier.Weights = slices.Repeat([]float32{-0.5}, len(n.Classifier.Weights))
		}},
		{"float16 in a list", func(w *writer) {
			t := w.constant("classifier.weight")
			t.typ, t.ints, t.raw = typeFloat16, slices.Repeat([]int64{0xb800}, len(t.raw)/4), nil
		}, func(n *float.Network) {
			n.Classifier.Weights = slices.Repeat([]float32{-0.5}, len(n.Classifier.Weights))
		}},
		{"double", func(w *writer) {
			t := w.constant("classifier.weight")
			t.typ, t.raw = typeDouble, slices.Repeat([]byte{0, 0, 0, 0, 0, 0, 0xe0, 0xbf}, len(t.raw)/4)
		}, func(n *float.Network) {
			n.Classifier.Weights = slices.Repeat([]float32{-0.5}, len(n.Classifier.Weights))
		}},
		{"embedding as a second output", func(w *writer) { w.outputs = append(w.outputs, w.nodes[len(w.nodes)-1].inputs[0]) }, nil},
		{"bytes", func(w *writer) {
			w.inputs[0].typ = typeUint8
			w.nodes = append([]*newNode{{op: "Cast", inputs: []string{"picture"}, outputs: []string{"cast"}, attributes: map[string]any{"to": int64(typeFloat)}}}, w.nodes...)
			w.nodes[1].inputs[0] = "cast"
		}, func(n *float.Network) { n.Pixels = float.Normalization{Std: [3]float32{1, 1, 1}} }},
		{"bytes with a normalization", func(w *writer) {
			w.inputs[0].typ = typeUint8
			w.metadata = map[string]string{modelfile.MeanKey: "1", modelfile.StdKey: "2"}
		}, func(n *float.Network) {
			n.Pixels = float.Normalization{Mean: [3]float32{1, 1, 1}, Std: [3]float32{2, 2, 2}}
		}},
		{"the mean with auto_pad", func(w *writer) {
			w.nodes[len(w.nodes)-3].op = "AveragePool"
			w.nodes[len(w.nodes)-3].attributes = map[string]any{"kernel_shape": []int64{1, 1}, "auto_pad": "VALID"}
		}, nil},
		{"the domain by its name", func(w *writer) { w.nodes[0].domain = "ai.onnx" }, nil},
		{"residual addition turned round", func(w *writer) {
			for _, n := range w.nodes {
				if n.op == "Add" {
					slices.Reverse(n.inputs)
				}
			}
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := modeltest.New(modeltest.Options{Classes: 3})
			w := build(want, form{})
			test.change(w)
			if test.want != nil {
				test.want(want)
			}
			got, err := Read(w.file())
			if err != nil {
				t.Fatal(err)
			}
			modeltest.Same(t, got, want)
		})
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		f      form
		change func(*writer)
		want   string
	}{
		{"unknown operator", form{}, func(w *writer) {
			w.node("layers.3.conv.3.weight").op = "HardSwish"
		}, `HardSwish #18 "conv_55": where a MobileNetV2 has the depthwise convolution of block 3 (depthwise Conv)`},
		{"operator of another domain", form{}, func(w *writer) {
			w.nodes[0].domain = "com.microsoft"
		}, `com.microsoft.Conv #0 "conv_3": where a MobileNetV2 has the first convolution (Conv)`},
		{"a ResNet", form{}, func(w *writer) {
			t := w.constant("first_layer.0.weight")
			t.dims, t.raw = []int64{4, 3, 7, 7}, make([]byte, 4*4*3*49)
		}, `Conv #0 "conv_3": kernel 7x7; the first convolution of a MobileNetV2 has 3x3`},
		{"pooling", form{}, func(w *writer) {
			w.nodes[2].op = "MaxPool"
		}, `MaxPool #2 "conv_9": where a MobileNetV2 has the depthwise convolution of block 0 (depthwise Conv)`},
		{"preparation", form{}, func(w *writer) {
			w.tensors = append(w.tensors, &tensor{name: "255", typ: typeFloat, floats: []float32{255}})
			w.nodes = append([]*newNode{{op: "Div", inputs: []string{"picture", "255"}, outputs: []string{"scaled"}}}, w.nodes...)
			w.nodes[1].inputs[0] = "scaled"
		}, `Div #0 "scaled": where a MobileNetV2 has the first convolution (Conv); if it prepares the picture, export the network without it`},
		{"preparation behind a transposition", form{last: true}, func(w *writer) {
			w.tensors = append(w.tensors, &tensor{name: "255", typ: typeFloat, floats: []float32{255}})
			w.nodes = slices.Insert(w.nodes, 1, &newNode{op: "Div", inputs: []string{w.nodes[0].outputs[0], "255"}, outputs: []string{"scaled"}})
			w.nodes[2].inputs[0] = "scaled"
		}, `Div #1 "scaled": where a MobileNetV2 has the first convolution (Conv); if it prepares the picture, export the network without it`},
		{"an EfficientNet", form{}, func(w *writer) { // SiLU: x * sigmoid(x)
			x := w.nodes[0].outputs[0]
			w.nodes[1] = &newNode{op: "Mul", inputs: []string{x, "sigmoid"}, outputs: w.nodes[1].outputs}
			w.nodes = slices.Insert(w.nodes, 1, &newNode{op: "Sigmoid", inputs: []string{x}, outputs: []string{"sigmoid"}})
		}, `Sigmoid #1 "sigmoid": where a MobileNetV2 has the ReLU6 of the first convolution (Clip, or Relu and Min)`},
		{"two activations", form{}, func(w *writer) {
			w.nodes = slices.Insert(w.nodes, 1, &newNode{op: "Relu", inputs: []string{w.nodes[0].outputs[0]}, outputs: []string{"other"}})
		}, `Clip #2 "clip_6": reads "conv_3", which in a MobileNetV2 only Relu #1 "other" would read`},
		{"the end before an activation", form{}, func(w *writer) {
			w.nodes, w.outputs = w.nodes[:1], w.nodes[0].outputs
		}, `Conv #0 "conv_3": nothing follows; a MobileNetV2 goes on with the ReLU6 of the first convolution`},
		{"a maximum of three", form{relu6: "Max"}, func(w *writer) {
			w.nodes[1].inputs = append(w.nodes[1].inputs, w.nodes[1].inputs[0])
		}, `Max #1 "max_5": 3 inputs; in a ReLU6 it has two`},
		{"ReLU", form{}, func(w *writer) {
			w.nodes[1].op, w.nodes[1].inputs = "Relu", w.nodes[1].inputs[:1]
		}, `Conv #0 "conv_3": its output is limited to 0..+Inf; the first convolution of a MobileNetV2 has a ReLU6, 0..6`},
		{"no activation", form{}, func(w *writer) {
			w.drop(1)
		}, `Conv #1 "conv_9": where a MobileNetV2 has the ReLU6 of the first convolution (Clip, or Relu and Min)`},
		{"activation of a projection", form{}, func(w *writer) {
			w.after("layers.0.conv.6.weight", "Relu")
		}, `Relu #5 "between": where a MobileNetV2 has the expand convolution of block 1 (Conv)`},
		{"quantized", form{}, func(w *writer) {
			w.nodes[1].op = "QuantizeLinear"
		}, `QuantizeLinear #1 "clip_6": the model is quantized already; give the float32 model`},
		{"no operator set", form{}, func(w *writer) { w.opset = 0 }, "the file does not say which operator set it has (opset_import)"},
		{"operator set", form{}, func(w *writer) { w.opset = 6 }, "operator set 6; 7 to 28 are known"},
		{"new operator set", form{}, func(w *writer) { w.opset = 99 }, "operator set 99; 7 to 28 are known: export the model with another opset_version"},
		{"two inputs", form{}, func(w *writer) {
			w.inputs = append(w.inputs, value{name: "other", dims: []int64{1}})
		}, "the graph has 2 inputs; a MobileNetV2 has one, the picture"},
		{"batch", form{}, func(w *writer) { w.inputs[0].dims[0] = 8 }, `input "picture": shape [8 3 32 32] (0 is open); it must be one square RGB picture`},
		{"grey", form{}, func(w *writer) { w.inputs[0].dims[1] = 1 }, `input "picture": shape [1 1 32 32]`},
		{"int32 pixels", form{}, func(w *writer) {
			w.inputs[0].typ = typeInt32
		}, `input "picture": type 6, neither real numbers nor uint8 (2), and nothing says what they stand for: set tarsier.mean and tarsier.std`},
		{"a Cast to integers", form{identities: true}, func(w *writer) {
			w.nodes[3].attributes["to"] = int64(typeUint8)
		}, `Cast #3 "cast_6": where a MobileNetV2 has the ReLU6 of the first convolution`},
		{"a CastLike of integers", form{identities: true}, func(w *writer) {
			w.tensors = append(w.tensors, &tensor{name: "like", typ: typeInt64, ints: []int64{1}})
			w.nodes[3].op = "CastLike"
			w.nodes[3].inputs = append(w.nodes[3].inputs, "like")
		}, `CastLike #3 "cast_6": where a MobileNetV2 has the ReLU6 of the first convolution`},
		{"a convolution without an output", form{}, func(w *writer) {
			w.constant("first_layer.0.weight").name, w.nodes[0].inputs[1] = "weights", "weights"
			w.nodes[0].outputs, w.nodes, w.outputs = nil, w.nodes[:1], nil
		}, `Conv #0 "": it has no output`},
		{"a classifier without an output", form{head: "GemmN"}, func(w *writer) {
			w.nodes[len(w.nodes)-1].outputs, w.outputs = nil, nil
		}, `"": it has no output`},
		{"sparse weights", form{}, func(w *writer) { w.sparse = true }, "sparse weights; export the model without sparsity"},
		{"dimensions of weights", form{}, func(w *writer) {
			w.constant("classifier.weight").dims = []int64{1, 1, 1, 1, 1, 1, 1, 3, 8}
		}, "more than 8 dimensions"},
		{"dimensions of the picture", form{}, func(w *writer) { w.inputs[0].dims = make([]int64, 9) }, "more than 8 dimensions"},
		{"a long list", form{}, func(w *writer) { w.nodes[0].attributes["pads"] = make([]int64, 1<<16+1) }, "more than 65536 numbers"},
		{"many pads", form{}, func(w *writer) {
			w.nodes[0].attributes["pads"] = make([]int64, 1<<16)
		}, "pads [0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 and 65520 more]; a MobileNetV2 pads by 1 at most"},
		{"external data", form{}, func(w *writer) {
			w.constant("classifier.weight").external = true
		}, `weights: tensor "classifier.weight": its numbers are in another file; export the model into a single one`},
		{"short weights", form{}, func(w *writer) {
			t := w.constant("classifier.weight")
			t.raw = t.raw[4:]
		}, `tensor "classifier.weight": 23 numbers for shape [3 8]`},
		{"type of weights", form{}, func(w *writer) { w.constant("classifier.weight").typ = 3 }, `tensor "classifier.weight": type 3; weights must be float (1)`},
		{"shape of weights", form{}, func(w *writer) { w.constant("classifier.weight").dims = []int64{1 << 40, 1 << 40} }, `tensor "classifier.weight": shape [1099511627776 1099511627776]`},
		{"NaN", form{}, func(w *writer) {
			copy(w.constant("layers.3.conv.0.weight").raw[4:], []byte{0, 0, 0xc0, 0x7f})
		}, `block 3, expand "layers.3.conv.0": weight 1 of channel 0 is NaN`},
		{"weights that are computed", form{}, func(w *writer) {
			w.nodes = append([]*newNode{{op: "Mul", inputs: []string{"first_layer.0.weight", "first_layer.0.weight"}, outputs: []string{"twice"}}}, w.nodes...)
			w.nodes[1].inputs[1] = "twice"
		}, `weights "twice": it is computed when the model runs; fold the model's constants first, for example with onnxsim`},
		{"strides", form{}, func(w *writer) { w.nodes[0].attributes["strides"] = []int64{3, 3} }, "strides [3 3]; a MobileNetV2 has 1 or 2"},
		{"stride", form{}, func(w *writer) { w.nodes[0].attributes["strides"] = []int64{1, 1} }, `first convolution "first_layer.0": the convolution is 3x3, stride 1: a MobileNetV2 has 3x3, stride 2 here`},
		{"dilation", form{}, func(w *writer) { w.nodes[0].attributes["dilations"] = []int64{2, 2} }, "dilations [2 2]; a MobileNetV2 has none"},
		{"groups", form{}, func(w *writer) {
			w.node("layers.3.conv.3.weight").attributes["group"] = int64(2)
		}, "2 groups; the depthwise convolution of block 3 of a MobileNetV2 has 18 on 18 channels"},
		{"pads", form{}, func(w *writer) { w.nodes[0].attributes["pads"] = []int64{0, 1, 0, 1} }, "pads [0 1 0 1]; a MobileNetV2 pads by 1 at most, height and width the same"},
		{"pads of two", form{}, func(w *writer) { w.nodes[0].attributes["pads"] = []int64{2, 2, 2, 2} }, "pads [2 2 2 2]; a MobileNetV2 pads by 1 at most"},
		{"pads twice", form{pad: "Pad2"}, func(w *writer) {
			w.nodes[1].attributes["pads"] = []int64{1, 1, 1, 1}
		}, "padded by 2 before and 2 after; a MobileNetV2 pads by 1 at most"},
		{"paddings", form{pad: "Pad2"}, func(w *writer) { w.nodes[0].attributes["pads"] = []int64{0, 1, 1, 1, 0, 0, 1, 1} }, "paddings [0 1 1 1 0 0 1 1] of axes [0 1 2 3]; only height and width may be padded"},
		{"padding mode", form{pad: "Pad2"}, func(w *writer) { w.nodes[0].attributes["mode"] = "reflect" }, `mode "reflect"; a MobileNetV2 pads with zeros`},
		{"padding value", form{pad: "Pad2"}, func(w *writer) { w.nodes[0].attributes["value"] = float32(1) }, "pads with 1; a MobileNetV2 pads with zeros"},
		{"no residual", form{}, func(w *writer) {
			for i, n := range w.nodes {
				if n.op == "Add" {
					w.drop(i)
					break
				}
			}
		}, "the input of block 2 is not added to it, although it has stride 1 and as many channels"},
		{"another addition", form{norm: "Mul"}, func(w *writer) {
			for _, n := range w.nodes {
				if n.op == "Sub" {
					slices.Reverse(n.inputs)
					return
				}
			}
		}, "a constant comes first; in a batch normalization it is second"},
		{"normalization of other channels", form{norm: "Mul"}, func(w *writer) {
			for _, n := range w.nodes {
				if n.op == "Mul" {
					t := w.constant(n.inputs[0])
					t.dims = []int64{1, 1, 1, 4}
					return
				}
			}
		}, "a constant of shape [1 1 1 4]; it must have a number for each of the 4 channels"},
		{"training", form{norm: "BatchNormalization"}, func(w *writer) {
			w.nodes[1].attributes["training_mode"] = int64(1)
		}, "it is in training mode; export the model after eval()"},
		{"training before operator set 14", form{norm: "BatchNormalization"}, func(w *writer) {
			w.nodes[1].outputs = append(w.nodes[1].outputs, "mean", "variance")
		}, "it is in training mode; export the model after eval()"},
		{"infinite variance", form{norm: "BatchNormalization"}, func(w *writer) {
			copy(w.constant(w.nodes[1].inputs[4]).raw, []byte{0, 0, 0x80, 0x7f})
		}, `BatchNormalization #1 "batchnormalization_7": batch normalization: variance +Inf of channel 0`},
		{"infinite divisor", form{norm: "Mul"}, func(w *writer) {
			copy(w.constant(w.nodes[3].inputs[1]).raw, []byte{0, 0, 0x80, 0x7f})
		}, `Div #3 "div_8": channel 0 is divided by +Inf: the file is damaged, or training diverged`},
		{"zero divisor", form{norm: "Mul"}, func(w *writer) {
			clear(w.constant(w.nodes[3].inputs[1]).raw)
		}, `Div #3 "div_8": channel 0 is divided by 0: the file is damaged, or training diverged`},
		{"mean over channels", form{mean: "ReduceMean"}, func(w *writer) {
			w.nodes[len(w.nodes)-2].attributes["axes"] = []int64{1}
		}, "axes [1] of NCHW; the mean of a MobileNetV2 is over height and width"},
		{"a mean of a part", form{mean: "AveragePool"}, func(w *writer) {
			w.nodes[len(w.nodes)-3].attributes["kernel_shape"] = []int64{2, 2}
		}, "a mean over [2 2]; that of a MobileNetV2 is over all 1x1"},
		{"a padded mean", form{mean: "AveragePool"}, func(w *writer) {
			w.nodes[len(w.nodes)-3].attributes["pads"] = []int64{0, 0, 1, 1}
		}, "pads [0 0 1 1]; the mean of a MobileNetV2 has no padding"},
		{"a mean of the same size", form{mean: "AveragePool"}, func(w *writer) {
			w.nodes[len(w.nodes)-3].attributes["auto_pad"] = "SAME_UPPER"
		}, `auto_pad "SAME_UPPER"; the mean of a MobileNetV2 has no padding`},
		{"a mean with the channels last", form{last: true, everywhere: true}, func(w *writer) {}, "the channels of its input are the last dimension; it has them second"},
		{"a choice of channels", form{mean: "two"}, func(w *writer) {
			w.constant(w.nodes[len(w.nodes)-2].inputs[1]).ints[0] = 1
		}, "it takes 8 of 8 channels, or in another order"},
		{"two classifiers", form{}, func(w *writer) {
			w.tensors = append(w.tensors, &tensor{name: "more", dims: []int64{3, 3}, typ: typeFloat, floats: make([]float32, 9)})
			w.nodes = append(w.nodes, &newNode{op: "MatMul", inputs: []string{w.outputs[0], "more"}, outputs: []string{"other"}})
			w.outputs[0] = "other"
		}, `"other": another layer behind the end of a MobileNetV2`},
		{"sigmoid", form{softmax: true}, func(w *writer) { w.nodes[len(w.nodes)-1].op = "Sigmoid" }, "where a MobileNetV2 ends, or has a classifier or a softmax"},
		{"scaled Gemm", form{}, func(w *writer) { w.node("classifier.weight").attributes["alpha"] = float32(2) }, "alpha and beta must be 1, transA 0"},
		{"result that is no output", form{}, func(w *writer) { w.outputs[0] = w.nodes[3].outputs[0] }, "nothing follows, and its result is no output of the graph"},
		{"branch", form{}, func(w *writer) {
			w.nodes = append(w.nodes, &newNode{op: "Relu", inputs: []string{w.nodes[4].outputs[0]}, outputs: []string{"branch"}})
		}, `Relu #100 "branch": reads "conv_15", which in a MobileNetV2 only Conv #5 "conv_18" would read`},
		{"order", form{}, func(w *writer) { w.nodes[0], w.nodes[1] = w.nodes[1], w.nodes[0] }, `Clip #0 "clip_6": nothing before it computes its input "conv_3"`},
		{"computed twice", form{}, func(w *writer) { w.nodes[1].outputs[0] = w.nodes[0].outputs[0] }, "is computed twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := build(modeltest.New(modeltest.Options{Classes: 3}), test.f)
			test.change(w)
			_, err := Read(w.file())
			modeltest.WantError(t, err, test.want)
			if err != nil && (strings.Contains(err.Error(), "damaged one") || len(err.Error()) > 500) {
				t.Errorf("%v: the file is whole, and the error long", err)
			}
		})
	}
}

// node finds the one that reads a constant.
func (w *writer) node(constant string) *newNode {
	for _, n := range w.nodes {
		if slices.Contains(n.inputs, constant) {
			return n
		}
	}
	panic("nothing reads " + constant)
}

func (w *writer) constant(name string) *tensor {
	for _, t := range w.tensors {
		if t.name == name {
			return t
		}
	}
	panic("no tensor is called " + name)
}

// drop removes a node: what reads its output reads its last input.
func (w *writer) drop(i int) {
	n := w.nodes[i]
	with := n.inputs[0]
	if n.op == "Add" {
		with = n.inputs[1]
	}
	w.nodes = slices.Delete(w.nodes, i, i+1)
	w.redirect(n.outputs[0], with)
}

func (w *writer) redirect(from, to string) {
	for _, n := range w.nodes {
		for i, in := range n.inputs {
			if in == from {
				n.inputs[i] = to
			}
		}
	}
}

// after puts an operator behind the node that reads a constant.
func (w *writer) after(constant, op string) {
	n := w.node(constant)
	w.redirect(n.outputs[0], "between")
	i := slices.Index(w.nodes, n)
	w.nodes = slices.Insert(w.nodes, i+1, &newNode{op: op, inputs: []string{n.outputs[0]}, outputs: []string{"between"}})
}

func TestDamaged(t *testing.T) {
	data := build(modeltest.New(modeltest.Options{Classes: 3}), form{}).file()
	for n := range len(data) - 8 { // the operator set is the last
		if n > 300 && n%37 != 0 {
			continue
		}
		if _, err := Read(data[:n:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were read", n, len(data))
		}
	}
	_, err := Read([]byte("<!DOCTYPE html><title>404</title>"))
	modeltest.WantError(t, err, "not an ONNX file")
	_, err = Read(nil)
	modeltest.WantError(t, err, "the file is empty")
	_, err = Read(intField(nil, 1, 8))
	modeltest.WantError(t, err, "not an ONNX file: it has no graph")
	_, err = Read(bytesField(nil, 7, bytesField(nil, 1, intField(nil, 1, 3))))
	modeltest.WantError(t, err, "not an ONNX file, or a damaged one: graph[0]: node[0]: field 1: wire type 0; it must be 2")

	// A file of nothing but empty nodes.
	var g []byte
	for range maxMessages {
		g = protowire.AppendVarint(protowire.AppendTag(g, 1, protowire.BytesType), 0)
	}
	_, err = Read(bytesField(nil, 7, g))
	modeltest.WantError(t, err, "more than 131072 messages")
}

// Layers that share one large tensor are not copied without end.
func TestSharedWeights(t *testing.T) {
	data := build(modeltest.New(modeltest.Options{Classes: 3}), form{}).file()
	m, err := decode(data)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGraph(m)
	if err != nil {
		t.Fatal(err)
	}
	g.weights = len(data) - 100
	_, err = g.network()
	modeltest.WantError(t, err, "the layers have more weights than the file has bytes")
}

// The published network in a form that is quantized.
func TestLoadQuantized(t *testing.T) {
	_, err := Load(testfiles.Path(t, "golden/imagenet_1.0_qdq.onnx"))
	modeltest.WantError(t, err, "imagenet_1.0_qdq.onnx: ", "the model is quantized already; give the float32 model")
}

func FuzzRead(f *testing.F) {
	for _, form := range forms {
		f.Add(build(network(form, modeltest.Options{Classes: 3}), form).file())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		net, err := Read(data)
		if err != nil {
			return
		}
		modeltest.Runs(t, net)
	})
}
