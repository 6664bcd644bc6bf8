// Package safetensors reads float32 MobileNetV2 networks from the weights that
// PyTorch programs keep in safetensors files.
//
// [Load] and [Read] give the [float.Network] that package quantize takes. A file
// has weights and names but no graph, so the network must be one of those whose
// names are known: torchvision's mobilenet_v2 (features.0.0.weight), timm's
// mobilenetv2_035, 050, 075, 100 and 140 (conv_stem.weight,
// blocks.0.0.conv_dw.weight; 110d and 120d have more blocks), and the plain one of
// simple programs and of package train (first_layer.0.weight,
// layers.0.conv.0.weight), each with any number of channels, and with something
// in front of every name or not ("model."). All three pad 3x3 convolutions by 1
// on each side and normalize batches with an epsilon of 1e-5. Weights may be F32,
// F64, F16 or BF16.
//
// The format is that of https://huggingface.co/docs/safetensors, the network
// Sandler et al., arXiv 1801.04381. The file's __metadata__ may say what a pixel
// stands for, "tarsier.mean" and "tarsier.std", in units of bytes, one number or
// three with commas between them (else it is float.ImageNet), and the height and
// width of the input, "tarsier.size" (else 224).
package safetensors

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile"
)

// maxHeader is the largest header that is read; that of a MobileNetV2 has 40 KB.
const maxHeader = 4 << 20

// Load reads the network in a .safetensors file. Its Name is the file's. Errors
// are those of Read, or of reading the file, with its path.
func Load(path string) (*float.Network, error) {
	return modelfile.Load(path, ".safetensors", Read)
}

// Read gives the network in the bytes of a .safetensors file. It does not keep
// data. An error names the tensors that are wrong, or says how the file is damaged.
func Read(data []byte) (*float.Network, error) {
	if err := modelfile.CheckSize(int64(len(data)), modelfile.MaxFloat); err != nil {
		return nil, err
	}
	f, err := open(data)
	if err != nil {
		return nil, err
	}
	net, err := f.network()
	if err != nil {
		return nil, err
	}
	if err := net.Check(); err != nil {
		return nil, err
	}
	return net, nil
}

// A file is a header that was checked: all tensors lie in the data, one behind
// the other.
type file struct {
	metadata map[string]string
	tensors  map[string]*tensor
}

type tensor struct {
	name  string
	DType string   `json:"dtype"`
	Shape []int64  `json:"shape"`
	Range [2]int64 `json:"data_offsets"` // in the data behind the header
	data  []byte
	used  bool
}

var bytesOf = map[string]int64{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}

// open reads the header: 8 bytes of length and as many of JSON.
func open(data []byte) (*file, error) {
	const no = "not a safetensors file, or a damaged one"
	if len(data) < 8 {
		return nil, fmt.Errorf("%s: %d bytes", no, len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	switch {
	case n > uint64(len(data)-8):
		return nil, fmt.Errorf("%s: a header of %d bytes, in a file of %d", no, n, len(data))
	case n > maxHeader:
		return nil, fmt.Errorf("a header of %d bytes; up to %d are read: a MobileNetV2 has less", n, maxHeader)
	}
	header, data := data[8:8+n], data[8+n:]
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(header, &entries); err != nil {
		return nil, fmt.Errorf("%s: header: %w", no, err)
	}
	f := &file{tensors: map[string]*tensor{}}
	var order []*tensor
	for name, entry := range entries {
		if name == "__metadata__" {
			if err := json.Unmarshal(entry, &f.metadata); err != nil {
				return nil, fmt.Errorf("%s: __metadata__: %w", no, err)
			}
			continue
		}
		t := &tensor{name: name}
		if err := json.Unmarshal(entry, t); err != nil {
			return nil, fmt.Errorf("%s: tensor %q: %w", no, name, err)
		}
		f.tensors[name] = t
		order = append(order, t)
	}
	slices.SortFunc(order, func(a, b *tensor) int {
		return cmp.Or(slices.Compare(a.Range[:], b.Range[:]), strings.Compare(a.name, b.name))
	})
	end := int64(0)
	for _, t := range order {
		if err := t.check(); err != nil {
			return nil, err
		}
		if err := t.place(data, end); err != nil {
			return nil, fmt.Errorf("%s: %w", no, err)
		}
		end = t.Range[1]
	}
	if end != int64(len(data)) {
		return nil, fmt.Errorf("%s: the tensors end at byte %d of %d", no, end, len(data))
	}
	return f, nil
}

func (t *tensor) errorf(format string, args ...any) error {
	return fmt.Errorf("tensor %q: %w", t.name, fmt.Errorf(format, args...))
}

// check refuses what a file may have, and is not read.
func (t *tensor) check() error {
	switch {
	case bytesOf[t.DType] == 0:
		return t.errorf("type %q is not known; save the weights as F32, F16 or BF16", t.DType)
	case len(t.Shape) > modelfile.MaxRank:
		return t.errorf("%d dimensions; at most %d are known", len(t.Shape), modelfile.MaxRank)
	}
	return nil
}

// place finds the tensor's bytes, which must begin at start.
func (t *tensor) place(data []byte, start int64) error {
	from, to := t.Range[0], t.Range[1]
	switch {
	case from < 0 || to < from || to > int64(len(data)):
		return t.errorf("bytes %d to %d of %d", from, to, len(data))
	case from < start:
		return t.errorf("bytes %d to %d overlap the tensor before, which ends at %d", from, to, start)
	case from > start:
		return t.errorf("it begins at byte %d, and the tensor before ends at %d", from, start)
	}
	n := bytesOf[t.DType]
	for _, d := range t.Shape {
		if d < 0 || d > modelfile.MaxFloat {
			return t.errorf("shape %v", t.Shape)
		}
		if n *= d; n > modelfile.MaxFloat {
			return t.errorf("shape %v is larger than any of a MobileNetV2", t.Shape)
		}
	}
	if n != to-from {
		return t.errorf("%d bytes for shape %v of %s, which needs %d", to-from, t.Shape, t.DType, n)
	}
	t.data = data[from:to]
	return nil
}

// reals gives the tensor's numbers.
func (t *tensor) reals() ([]float32, error) {
	switch t.DType {
	case "F32":
		return modelfile.Float32s(t.data), nil
	case "F64":
		return modelfile.Float64s(t.data), nil
	case "F16":
		return modelfile.Float16s(t.data), nil
	case "BF16":
		return modelfile.BFloat16s(t.data), nil
	}
	return nil, t.errorf("type %s; weights must be F32, F64, F16 or BF16", t.DType)
}

// network puts the tensors where their names say.
func (f *file) network() (*float.Network, error) {
	n, prefix, err := f.naming()
	if err != nil {
		return nil, err
	}
	r := &reader{file: f, program: n.program, prefix: prefix}
	net := &float.Network{}
	if net.Size, err = modelfile.Size(f.metadata); err != nil {
		return nil, err
	}
	if net.Pixels, err = modelfile.Pixels(f.metadata, float.ImageNet); err != nil {
		return nil, err
	}
	net.First = r.conv(n.first, shape{kernel: 3, stride: 2, in: 3, active: true})
	channels := net.First.Out
	for stage, s := range modelfile.Stages {
		for i := range s.Repeats {
			names := n.block(stage, i, len(net.Blocks))
			stride := 1
			if i == 0 {
				stride = s.Stride
			}
			b := float.Block{}
			wide := channels
			if names.expand.conv != "" {
				c := r.conv(names.expand, shape{kernel: 1, stride: 1, in: channels, active: true})
				b.Expand, wide = &c, c.Out
			}
			b.Depthwise = r.conv(names.depthwise, shape{kernel: 3, stride: stride, in: wide, depthwise: true, active: true})
			b.Project = r.conv(names.project, shape{kernel: 1, stride: 1, in: wide})
			b.Residual = stride == 1 && b.Project.Out == channels
			channels = b.Project.Out
			net.Blocks = append(net.Blocks, b)
		}
	}
	net.Last = r.conv(n.last, shape{kernel: 1, stride: 1, in: channels, active: true})
	net.Classifier = r.classifier(n.classifier, net.Last.Out)
	if err := r.err(); err != nil {
		return nil, err
	}
	return net, nil
}
