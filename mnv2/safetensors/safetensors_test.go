package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile"
	"tarsier/mnv2/internal/modelfile/modeltest"
)

// A writer collects tensors.
type writer struct {
	tensors  map[string]*tensor
	metadata map[string]string
}

func (w *writer) add(name string, shape []int64, v ...float32) {
	t := &tensor{DType: "F32", Shape: shape}
	for _, f := range v {
		t.data = binary.LittleEndian.AppendUint32(t.data, math.Float32bits(f))
	}
	w.tensors[name] = t
}

// conv adds a convolution and the batch normalization behind it, which together
// are c.
func (w *writer) conv(l layer, c *float.Conv) {
	shape := []int64{int64(c.Out), int64(c.In), int64(c.Kernel), int64(c.Kernel)}
	if c.Depthwise {
		shape[1] = 1
	}
	weights := modeltest.ChannelsFirst(c)
	for i := range weights {
		weights[i] /= 4
	}
	w.add(l.conv+".weight", shape, weights...)
	n := []int64{int64(c.Out)}
	bias, all := make([]float32, c.Out), func(v float32) []float32 { return slices.Repeat([]float32{v}, c.Out) }
	for i, b := range c.Bias {
		bias[i] = b + 0.4
	}
	w.add(l.norm+".weight", n, all(2)...)
	w.add(l.norm+".bias", n, bias...)
	w.add(l.norm+".running_mean", n, all(0.1)...)
	w.add(l.norm+".running_var", n, all(0.25-1e-5)...)
	w.tensors[l.norm+".num_batches_tracked"] = &tensor{DType: "I64", data: make([]byte, 8)}
}

func newWriter(net *float.Network, n naming) *writer {
	w := &writer{tensors: map[string]*tensor{}, metadata: map[string]string{modelfile.SizeKey: fmt.Sprint(net.Size)}}
	w.conv(n.first, &net.First)
	index := 0
	for stage, s := range modelfile.Stages {
		for i := range s.Repeats {
			b, names := &net.Blocks[index], n.block(stage, i, index)
			if b.Expand != nil {
				w.conv(names.expand, b.Expand)
			}
			w.conv(names.depthwise, &b.Depthwise)
			w.conv(names.project, &b.Project)
			index++
		}
	}
	w.conv(n.last, &net.Last)
	if c := net.Classifier; c != nil {
		w.add(n.classifier[0]+".weight", []int64{int64(c.Out), int64(c.In)}, c.Weights...)
		w.add(n.classifier[0]+".bias", []int64{int64(c.Out)}, c.Bias...)
	}
	return w
}

// header is the JSON of a file in which the tensors lie in the order of their
// names.
func (w *writer) header() map[string]any {
	h := map[string]any{}
	if w.metadata != nil {
		h["__metadata__"] = w.metadata
	}
	end := int64(0)
	for _, name := range slices.Sorted(maps.Keys(w.tensors)) {
		t := w.tensors[name]
		h[name] = map[string]any{"dtype": t.DType, "shape": append([]int64{}, t.Shape...), "data_offsets": []int64{end, end + int64(len(t.data))}}
		end += int64(len(t.data))
	}
	return h
}

func (w *writer) file(t testing.TB, h map[string]any) []byte {
	t.Helper()
	header, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	data := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	data = append(data, header...)
	for _, name := range slices.Sorted(maps.Keys(w.tensors)) {
		data = append(data, w.tensors[name].data...)
	}
	return data
}

var namings = []struct {
	name string
	naming
	expandFirst bool
}{
	{"torchvision", torchvision, false},
	{"timm", timm, false},
	{"plain", plain, true},
}

// Every naming, with and without a classifier and a prefix.
func TestRead(t *testing.T) {
	for _, n := range namings {
		for _, prefix := range []string{"", "model.", "state_dict.module."} {
			for _, classes := range []int{0, 3} {
				t.Run(fmt.Sprint(n.name, " ", prefix, classes), func(t *testing.T) {
					want := modeltest.New(modeltest.Options{ExpandFirst: n.expandFirst, Classes: classes})
					w := newWriter(want, n.naming)
					prefixed := map[string]*tensor{}
					for name, x := range w.tensors {
						prefixed[prefix+name] = x
					}
					w.tensors = prefixed
					got, err := Read(w.file(t, w.header()))
					if err != nil {
						t.Fatal(err)
					}
					modeltest.Same(t, got, want)
				})
			}
		}
	}
}

func TestForms(t *testing.T) {
	for _, form := range []struct {
		name   string
		change func(*writer)
		want   func(*float.Network)
	}{
		{"classifier in a sequence", func(w *writer) {
			for _, part := range []string{".weight", ".bias"} {
				w.tensors["classifier.1"+part] = w.tensors["classifier"+part]
				delete(w.tensors, "classifier"+part)
			}
		}, nil},
		{"no bias of the classifier", func(w *writer) { delete(w.tensors, "classifier.bias") }, func(n *float.Network) { clear(n.Classifier.Bias) }},
		{"bias of a convolution", func(w *writer) { w.add("first_layer.0.bias", []int64{4}, 1, 2, 3, 4) }, func(n *float.Network) {
			for i := range n.First.Bias {
				n.First.Bias[i] += 4 * float32(i+1)
			}
		}},
		{"no counters of batches", func(w *writer) {
			maps.DeleteFunc(w.tensors, func(name string, _ *tensor) bool { return strings.HasSuffix(name, "num_batches_tracked") })
		}, nil},
		{"normalization", func(w *writer) {
			w.metadata[modelfile.MeanKey], w.metadata[modelfile.StdKey] = "127.5", "1,2,3"
		}, func(n *float.Network) {
			n.Pixels = float.Normalization{Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{1, 2, 3}}
		}},
		{"no metadata", func(w *writer) { w.metadata = nil }, func(n *float.Network) { n.Size = 224 }},
		{"float16", func(w *writer) {
			t := w.tensors["classifier.bias"]
			t.DType, t.data = "F16", []byte{0, 0x3c, 0, 0xc0, 0, 0}
		}, func(n *float.Network) { copy(n.Classifier.Bias, []float32{1, -2, 0}) }},
		{"bfloat16", func(w *writer) {
			t := w.tensors["classifier.bias"]
			t.DType, t.data = "BF16", []byte{0x80, 0x3f, 0, 0xc0, 0, 0}
		}, func(n *float.Network) { copy(n.Classifier.Bias, []float32{1, -2, 0}) }},
	} {
		t.Run(form.name, func(t *testing.T) {
			want := modeltest.New(modeltest.Options{ExpandFirst: true, Classes: 3})
			w := newWriter(want, plain)
			form.change(w)
			if form.want != nil {
				form.want(want)
			}
			got, err := Read(w.file(t, w.header()))
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
		change func(*writer)
		want   string
	}{
		{"missing", func(w *writer) {
			delete(w.tensors, "layers.3.conv.0.weight")
			delete(w.tensors, "layers.5.conv.4.running_var")
		}, `not a MobileNetV2 as tarsier names its layers: tensor "layers.3.conv.0.weight" is missing; tensor "layers.5.conv.4.running_var" is missing; if it is one, export it to ONNX, which has a graph`},
		{"many missing", func(w *writer) {
			maps.DeleteFunc(w.tensors, func(name string, _ *tensor) bool { return strings.HasPrefix(name, "layers.") })
		}, `tensor "layers.0.conv.0.weight" is missing; tensor "layers.0.conv.1.weight" is missing; tensor "layers.0.conv.1.bias" is missing; tensor "layers.0.conv.1.running_mean" is missing; tensor "layers.0.conv.1.running_var" is missing; and more`},
		{"more", func(w *writer) {
			w.add("layers.17.conv.0.weight", []int64{1}, 1)
		}, `not a MobileNetV2 as tarsier names its layers: tensor "layers.17.conv.0.weight" is not part of it; if it is one, export it to ONNX`},
		{"two more", func(w *writer) {
			w.add("layers.17.conv.0.weight", []int64{1}, 1)
			w.add("layers.17.conv.0.bias", []int64{1}, 1)
		}, `2 tensors are not part of it: ["layers.17.conv.0.bias" "layers.17.conv.0.weight"]`},
		{"another network of timm", func(w *writer) {
			w.tensors["conv_stem.weight"] = w.tensors["first_layer.0.weight"]
			delete(w.tensors, "first_layer.0.weight")
		}, `not a MobileNetV2 as timm names its layers: tensor "bn1.weight" is missing`},
		{"shape", func(w *writer) {
			w.tensors["layers.3.conv.0.weight"].Shape = []int64{3, 18, 1, 1}
		}, `tensor "layers.3.conv.0.weight": shape [3 18 1 1]; it must be [n 3 1 1]`},
		{"shape of a bias", func(w *writer) { w.add("classifier.bias", []int64{2}, 1, 2) }, `tensor "classifier.bias": shape [2]; it must be [3]`},
		{"dimensions", func(w *writer) {
			w.tensors["classifier.bias"].Shape = []int64{3, 1, 1, 1, 1, 1, 1, 1, 1}
		}, `tensor "classifier.bias": 9 dimensions; at most 8 are known`},
		{"type", func(w *writer) {
			w.tensors["classifier.bias"].DType = "F8_E4M3"
		}, `tensor "classifier.bias": type "F8_E4M3" is not known; save the weights as F32, F16 or BF16`},
		{"another network", func(w *writer) {
			maps.DeleteFunc(w.tensors, func(name string, _ *tensor) bool { return strings.HasPrefix(name, "first_layer.") })
		}, "no tensor is called as the first layer of a MobileNetV2: features.0.0.weight (torchvision), conv_stem.weight (timm) or first_layer.0.weight"},
		{"two networks", func(w *writer) { w.add("ema.first_layer.0.weight", []int64{1}, 1) }, "2 tensors are called as the first layer"},
		{"integers", func(w *writer) {
			x := w.tensors["classifier.bias"]
			x.DType, x.data = "I8", x.data[:3]
		}, `tensor "classifier.bias": type I8; weights must be F32, F64, F16 or BF16`},
		{"NaN", func(w *writer) { copy(w.tensors["classifier.weight"].data[4:], []byte{0, 0, 0xc0, 0x7f}) }, `classifier "classifier": weight 1 of channel 0 is NaN`},
		{"variance", func(w *writer) { copy(w.tensors["last_layer.1.running_var"].data[4:], []byte{0, 0, 0x80, 0xbf}) }, "last_layer.1: batch normalization: variance -1 of channel 1"},
		{"residual", func(w *writer) {
			w.add("layers.2.conv.6.weight", []int64{1, 18, 1, 1}, make([]float32, 18)...)
		}, `shape [3]; it must be [1]`},
		{"mean", func(w *writer) { w.metadata[modelfile.MeanKey] = "0" }, "metadata: tarsier.mean and tarsier.std go together"},
		{"size", func(w *writer) { w.metadata[modelfile.SizeKey] = "wide" }, `metadata: tarsier.size "wide"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWriter(modeltest.New(modeltest.Options{ExpandFirst: true, Classes: 3}), plain)
			test.change(w)
			_, err := Read(w.file(t, w.header()))
			modeltest.WantError(t, err, test.want)
			if err != nil && strings.Contains(err.Error(), "damaged one") {
				t.Errorf("%v: the file is whole", err)
			}
		})
	}
}

func TestDamaged(t *testing.T) {
	w := newWriter(modeltest.New(modeltest.Options{ExpandFirst: true, Classes: 3}), plain)
	whole := w.file(t, w.header())
	for n := range whole {
		if n > 200 && n < len(whole)-200 && n%97 != 0 {
			continue
		}
		if _, err := Read(whole[:n:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were read", n, len(whole))
		}
	}
	for _, test := range []struct {
		name   string
		change func(entry map[string]any)
		want   string
	}{
		{"beyond", func(e map[string]any) { e["data_offsets"] = []int64{0, 1 << 40} }, `tensor "classifier.bias": bytes 0 to 1099511627776 of`},
		{"backwards", func(e map[string]any) { e["data_offsets"] = []int64{12, 0} }, `bytes 12 to 0 of`},
		{"negative", func(e map[string]any) { e["data_offsets"] = []int64{-12, 0} }, `bytes -12 to 0 of`},
		{"overlap", func(e map[string]any) { e["data_offsets"] = []int64{0, 24}; e["shape"] = []int64{6} }, `overlap the tensor before, which ends at 24`},
		{"gap", func(e map[string]any) { e["data_offsets"] = []int64{0, 8}; e["shape"] = []int64{2} }, `begins at byte 12, and the tensor before ends at 8`},
		{"size", func(e map[string]any) { e["shape"] = []int64{4} }, `12 bytes for shape [4] of F32, which needs 16`},
		{"huge", func(e map[string]any) { e["shape"] = []int64{1 << 20, 1 << 20} }, "is larger than any of a MobileNetV2"},
		{"wraps", func(e map[string]any) { e["shape"] = []int64{1 << 62, 4} }, "shape [4611686018427387904 4]"},
		{"no numbers", func(e map[string]any) { e["shape"] = "wide" }, `tensor "classifier.bias": json`},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := w.header()
			test.change(h["classifier.bias"].(map[string]any))
			_, err := Read(w.file(t, h))
			modeltest.WantError(t, err, "not a safetensors file, or a damaged one: ")
			modeltest.WantError(t, err, test.want)
		})
	}
	_, err := Read(append(binary.LittleEndian.AppendUint64(nil, 1<<40), "{}"...))
	modeltest.WantError(t, err, "not a safetensors file, or a damaged one: a header of 1099511627776 bytes, in a file of 10")
	_, err = Read(append(binary.LittleEndian.AppendUint64(nil, 1<<22+1), make([]byte, 1<<22+1)...))
	modeltest.WantError(t, err, "a header of 4194305 bytes; up to 4194304 are read")
	_, err = Read([]byte("<!DOCTYPE html><title>404</title>"))
	modeltest.WantError(t, err, "not a safetensors file")
	_, err = Read(nil)
	modeltest.WantError(t, err, "the file is empty")
	_, err = Read(append(whole, 0))
	modeltest.WantError(t, err, "the tensors end at byte")
}

func FuzzRead(f *testing.F) {
	for _, n := range namings {
		w := newWriter(modeltest.New(modeltest.Options{ExpandFirst: n.expandFirst, Classes: 3}), n.naming)
		f.Add(w.file(f, w.header()))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		net, err := Read(data)
		if err != nil {
			return
		}
		modeltest.Runs(t, net)
	})
}
