package onnx

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile/modeltest"
)

// A writer collects a graph and gives its bytes.
type writer struct {
	opset    int64
	metadata map[string]string
	inputs   []value
	outputs  []string
	nodes    []*newNode
	tensors  []*tensor
	sparse   bool // with one empty sparse tensor
}

// A newNode has attributes that are int64, float32, string, []int64 or *tensor.
type newNode struct {
	op, domain      string
	inputs, outputs []string
	attributes      map[string]any
}

func bytesField(b []byte, id protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, id, protowire.BytesType), v)
}

func textField(b []byte, id protowire.Number, s string) []byte { return bytesField(b, id, []byte(s)) }

func intField(b []byte, id protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, id, protowire.VarintType), uint64(v))
}

func (t *tensor) encode() (b []byte) {
	for _, d := range t.dims {
		b = intField(b, 1, d)
	}
	b = intField(b, 2, t.typ)
	var packed []byte
	for _, f := range t.floats {
		packed = protowire.AppendFixed32(packed, math.Float32bits(f))
	}
	if packed != nil {
		b = bytesField(b, 4, packed)
	}
	for _, v := range t.ints {
		b = intField(b, 7, v)
	}
	b = textField(b, 8, t.name)
	if t.raw != nil {
		b = bytesField(b, 9, t.raw)
	}
	if t.external {
		b = intField(b, 14, 1)
	}
	return b
}

func (n *newNode) encode() (b []byte) {
	for _, s := range n.inputs {
		b = textField(b, 1, s)
	}
	for _, s := range n.outputs {
		b = textField(b, 2, s)
	}
	b = textField(b, 4, n.op)
	for name, v := range n.attributes {
		a := textField(nil, 1, name)
		switch v := v.(type) {
		case int64:
			a = intField(a, 3, v)
		case float32:
			a = protowire.AppendFixed32(protowire.AppendTag(a, 2, protowire.Fixed32Type), math.Float32bits(v))
		case string:
			a = textField(a, 4, v)
		case []int64:
			for _, i := range v {
				a = intField(a, 8, i)
			}
		case *tensor:
			a = bytesField(a, 5, v.encode())
		}
		b = bytesField(b, 5, a)
	}
	if n.domain != "" {
		b = textField(b, 7, n.domain)
	}
	return b
}

func (v value) encode() []byte {
	var shape []byte
	for _, d := range v.dims {
		shape = bytesField(shape, 1, intField(nil, 1, d))
	}
	typ := bytesField(nil, 1, bytesField(intField(nil, 1, cmp.Or(v.typ, typeFloat)), 2, shape))
	return bytesField(textField(nil, 1, v.name), 2, typ)
}

func (w *writer) file() []byte {
	var g []byte
	for _, n := range w.nodes {
		g = bytesField(g, 1, n.encode())
	}
	for _, t := range w.tensors {
		g = bytesField(g, 5, t.encode())
	}
	if w.sparse {
		g = bytesField(g, 15, nil)
	}
	for _, v := range w.inputs {
		g = bytesField(g, 11, v.encode())
	}
	for _, name := range w.outputs {
		g = bytesField(g, 12, value{name: name}.encode())
	}
	b := intField(nil, 1, 8) // ir_version
	b = bytesField(b, 7, g)
	if w.opset != 0 {
		b = bytesField(b, 8, intField(nil, 2, w.opset))
	}
	for key, value := range w.metadata {
		b = bytesField(b, 14, textField(textField(nil, 1, key), 2, value))
	}
	return b
}

// A form is how a file says what a network is. The zero value is what PyTorch's
// exporter writes.
type form struct {
	norm        string // "", BatchNormalization, or Mul: the parts of one
	relu6       string // "", inputs of Clip; attributes; Min: of Relu and Min; Max: of Max and Min
	pad         string // "", attribute; Pad; Pad2: an attribute of the old Pad; Pad18: with axes; auto
	mean        string // "", GlobalAveragePool; ReduceMean; ReduceMean18; two: one axis after the other; AveragePool
	head        string // "", Gemm; GemmN: not transposed; MatMul: with Add; Conv; ConvAdd
	last        bool   // channels last at the input
	everywhere  bool   // and everywhere, with a Transpose before and behind each Conv
	softmax     bool
	identities  bool // Identity, Dropout and Cast between
	constants   bool // Constant, not initializers
	listed      bool // numbers in lists, not bytes
	noClassBias bool
}

// A builder writes a network in a form.
type builder struct {
	writer
	form
	x     string // what the next layer reads
	count int
}

func build(net *float.Network, f form) *writer {
	b := &builder{form: f, x: "picture"}
	b.opset = 17
	if f.mean == "ReduceMean18" || f.pad == "Pad18" {
		b.opset = 18
	}
	n := int64(net.Size)
	b.inputs = []value{{name: "picture", dims: []int64{1, 3, n, n}}}
	if f.last {
		b.inputs[0].dims = []int64{0, n, n, 3}
		if !f.everywhere {
			b.node("Transpose", map[string]any{"perm": []int64{0, 3, 1, 2}}, b.x)
		}
	}
	b.conv(&net.First)
	for i := range net.Blocks {
		block := &net.Blocks[i]
		in := b.x
		if block.Expand != nil {
			b.conv(block.Expand)
		}
		b.conv(&block.Depthwise)
		b.conv(&block.Project)
		if block.Residual {
			b.node("Add", nil, in, b.x)
		}
	}
	b.conv(&net.Last)
	b.average(net)
	if net.Classifier != nil {
		b.classifier(net.Classifier)
	}
	if f.softmax {
		b.node("Softmax", map[string]any{"axis": int64(-1)}, b.x)
	}
	b.outputs = []string{b.x}
	return &b.writer
}

// node adds a node and makes its output what comes next.
func (b *builder) node(op string, attributes map[string]any, inputs ...string) {
	b.count++
	b.x = fmt.Sprintf("%s_%d", strings.ToLower(op), b.count)
	b.nodes = append(b.nodes, &newNode{op: op, inputs: inputs, outputs: []string{b.x}, attributes: attributes})
}

func (b *builder) constant(t *tensor) string {
	b.count++
	if t.name == "" {
		t.name = fmt.Sprintf("constant_%d", b.count)
	}
	if b.constants {
		b.nodes = append(b.nodes, &newNode{op: "Constant", outputs: []string{t.name}, attributes: map[string]any{"value": t}})
	} else {
		b.tensors = append(b.tensors, t)
	}
	return t.name
}

func (b *builder) reals(name string, dims []int64, v ...float32) string {
	t := &tensor{name: name, dims: dims, typ: typeFloat}
	if b.listed {
		t.floats = v
	} else {
		for _, f := range v {
			t.raw = binary.LittleEndian.AppendUint32(t.raw, math.Float32bits(f))
		}
	}
	return b.constant(t)
}

func (b *builder) integers(v ...int64) string {
	return b.constant(&tensor{dims: []int64{int64(len(v))}, typ: typeInt64, ints: v})
}

func (b *builder) conv(c *float.Conv) {
	attributes := map[string]any{"strides": []int64{int64(c.Stride), int64(c.Stride)}, "dilations": []int64{1, 1}}
	before, after := int64(c.Pad.Before), int64(c.Pad.After)
	channels, heights := 1, 2
	if b.everywhere {
		channels, heights = 3, 1
	}
	amounts := make([]int64, 8)
	for i := range 2 {
		amounts[heights+i], amounts[4+heights+i] = before, after
	}
	switch {
	case b.pad == "" || c.Kernel == 1:
		attributes["pads"] = []int64{before, before, after, after}
	case b.pad == "auto":
		attributes["auto_pad"] = "SAME_UPPER"
	case b.pad == "Pad":
		b.node("Pad", map[string]any{"mode": "constant"}, b.x, b.integers(amounts...), b.reals("", nil, 0))
	case b.pad == "Pad2":
		b.node("Pad", map[string]any{"pads": amounts}, b.x)
	case b.pad == "Pad18":
		b.node("Pad", nil, b.x, b.integers(before, before, after, after), "", b.integers(-2, -1))
	}
	if b.everywhere {
		b.node("Transpose", map[string]any{"perm": []int64{0, 3, 1, 2}}, b.x)
	}
	dims := []int64{int64(c.Out), int64(c.In), int64(c.Kernel), int64(c.Kernel)}
	if c.Depthwise {
		attributes["group"], dims[1] = int64(c.In), 1
	}
	weights, bias := modeltest.ChannelsFirst(c), slices.Clone(c.Bias)
	if b.norm != "" { // x * 4 - 0.4 + bias
		for i := range weights {
			weights[i] /= 4
		}
		b.node("Conv", attributes, b.x, b.reals(c.Name+".weight", dims, weights...))
	} else {
		b.node("Conv", attributes, b.x, b.reals(c.Name+".weight", dims, weights...), b.reals(c.Name+".bias", []int64{int64(c.Out)}, bias...))
	}
	if b.everywhere {
		b.node("Transpose", map[string]any{"perm": []int64{0, 2, 3, 1}}, b.x)
	}
	n := []int64{int64(c.Out)}
	list := func(v float32) []float32 { return slices.Repeat([]float32{v}, c.Out) }
	switch b.norm {
	case "BatchNormalization":
		for i := range bias {
			bias[i] += 0.4
		}
		b.node(b.norm, map[string]any{"epsilon": float32(1e-3)}, b.x, b.reals("", n, list(2)...), b.reals("", n, bias...),
			b.reals("", n, list(0.1)...), b.reals("", n, list(0.25-1e-3)...))
	case "Mul":
		wide := []int64{1, 1, 1, 1}
		wide[channels] = n[0]
		b.node("Sub", nil, b.x, b.reals("", nil, 0.1))
		b.node("Mul", nil, b.reals("", wide, list(8)...), b.x)
		b.node("Div", nil, b.x, b.reals("", []int64{1}, 2))
		for i := range bias {
			bias[i] += 0.4
		}
		if !b.everywhere {
			wide = wide[1:]
		}
		b.node("Add", nil, b.reals("", wide, bias...), b.x)
	}
	if b.identities {
		b.node("Identity", nil, b.x)
		b.node("Dropout", nil, b.x)
		b.node("Cast", map[string]any{"to": int64(typeFloat)}, b.x)
	}
	if !c.ReLU6 {
		return
	}
	switch b.relu6 {
	case "":
		b.node("Clip", nil, b.x, b.reals("", nil, 0), b.reals("", nil, 6))
	case "attributes":
		b.node("Clip", map[string]any{"min": float32(0), "max": float32(6)}, b.x)
	case "Min":
		b.node("Relu", nil, b.x)
		b.node("Min", nil, b.x, b.reals("", nil, 6))
	case "Max":
		b.node("Max", nil, b.reals("", nil, 0), b.x)
		b.node("Min", nil, b.reals("", nil, 6), b.x)
	}
}

func (b *builder) average(net *float.Network) {
	size := int64(max(1, net.Size/32))
	height, width := int64(2), int64(3)
	if b.everywhere {
		height, width = 1, 2
	}
	switch b.mean {
	case "":
		b.node("GlobalAveragePool", nil, b.x)
		b.node("Flatten", map[string]any{"axis": int64(1)}, b.x)
	case "AveragePool":
		b.node("AveragePool", map[string]any{"kernel_shape": []int64{size, size}, "strides": []int64{1, 1}}, b.x)
		b.node("Squeeze", nil, b.x, b.integers(2, 3))
	case "ReduceMean":
		b.node("ReduceMean", map[string]any{"axes": []int64{height, width}, "keepdims": int64(0)}, b.x)
	case "ReduceMean18":
		b.node("ReduceMean", nil, b.x, b.integers(width-4, height-4))
		shape := b.x
		b.node("Shape", nil, shape)
		b.node("Reshape", nil, shape, b.x) // to what is computed when the model runs
	case "two":
		b.node("ReduceMean", map[string]any{"axes": []int64{width}, "keepdims": int64(0)}, b.x)
		b.node("ReduceMean", map[string]any{"axes": []int64{height}, "keepdims": int64(1)}, b.x)
		b.node("Reshape", nil, b.x, b.integers(-1))
		all := make([]int64, net.Last.Out)
		for i := range all {
			all[i] = int64(i)
		}
		b.node("Gather", map[string]any{"axis": int64(0)}, b.x, b.integers(all...))
	}
}

func (b *builder) classifier(c *float.Conv) {
	in, out := int64(c.In), int64(c.Out)
	turned := make([]float32, 0, len(c.Weights))
	for i := range c.In {
		for o := range c.Out {
			turned = append(turned, c.Weights[o*c.In+i])
		}
	}
	bias := func() string { return b.reals("", []int64{out}, c.Bias...) }
	switch b.head {
	case "":
		inputs := []string{b.x, b.reals("classifier.weight", []int64{out, in}, c.Weights...)}
		if !b.noClassBias {
			inputs = append(inputs, bias())
		}
		b.node("Gemm", map[string]any{"transB": int64(1), "alpha": float32(1)}, inputs...)
	case "GemmN":
		b.node("Gemm", nil, b.x, b.reals("", []int64{in, out}, turned...), bias())
	case "MatMul":
		b.node("MatMul", nil, b.x, b.reals("", []int64{in, out}, turned...))
		b.node("Add", nil, bias(), b.x)
	case "Conv", "ConvAdd":
		b.node("Unsqueeze", nil, b.x, b.integers(2, 3))
		inputs := []string{b.x, b.reals("classifier.weight", []int64{out, in, 1, 1}, c.Weights...)}
		if b.head == "Conv" {
			inputs = append(inputs, bias())
		}
		b.node("Conv", nil, inputs...)
		if b.head == "ConvAdd" {
			b.node("Add", nil, b.x, b.reals("", []int64{1, out, 1, 1}, c.Bias...))
		}
		b.node("Flatten", nil, b.x)
	}
}

func network(f form, o modeltest.Options) *float.Network {
	net := modeltest.New(o)
	if f.last {
		net.Pixels = float.Symmetric
	}
	return net
}
