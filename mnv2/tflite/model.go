package tflite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	flatbuffers "github.com/google/flatbuffers/go"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile"
	"tarsier/mnv2/tflite/internal/schema"
)

const (
	fileIdentifier = "TFL3"
	schemaVersion  = 3

	maxEdges = 1 << 16 // inputs and outputs of all operators; a MobileNetV2 has about 260
	maxName  = 1 << 10 // bytes of a name that are kept
)

// A model is a file's first subgraph, checked as far as the graph goes:
// operators and tensors refer to one another by pointers that are good.
type model struct {
	data      []byte
	buffers   []schema.Buffer
	tensors   []*tensor
	operators []*operator
	inputs    []*tensor
	outputs   []*tensor
	pixels    *float.Normalization // from the metadata; nil where it has none
	name      string               // from the metadata
	weights   int                  // bytes of them, in all layers so far
	float     bool                 // read for its float32 numbers, not int8
}

// A tensor is an activation or, where its buffer is not empty, a constant.
type tensor struct {
	schema.Tensor
	m         *model
	index     int
	shape     []int
	producer  *operator
	consumers []*operator
}

// An operator is a node of the graph.
type operator struct {
	schema.Operator
	m       *model
	index   int
	code    schema.BuiltinOperator
	custom  string    // the name of a custom operator
	inputs  []*tensor // nil for an optional one that is left out
	outputs []*tensor
	seen    bool // by network
}

// open checks the bytes of a file and gives its graph.
func open(data []byte) (*model, error) {
	if len(data) < 8 || string(data[4:8]) != fileIdentifier {
		return nil, fmt.Errorf("not a TensorFlow Lite file: no %q at offset 4", fileIdentifier)
	}
	if err := verify(data, "model", modelLayout); err != nil {
		return nil, err
	}
	root := schema.GetRootAsModel(data, 0)
	if v := root.Version(); v != schemaVersion {
		return nil, fmt.Errorf("schema version %d; only %d is known", v, schemaVersion)
	}
	m := &model{data: data, buffers: make([]schema.Buffer, root.BuffersLength())}
	for i := range m.buffers {
		root.Buffers(&m.buffers[i], i)
	}
	var graph schema.SubGraph
	// The generated accessors look at no length.
	if root.SubgraphsLength() == 0 || !root.Subgraphs(&graph, 0) {
		return nil, errors.New("the file has no graph")
	}
	if err := m.readTensors(&graph); err != nil {
		return nil, err
	}
	if err := m.readOperators(root, &graph); err != nil {
		return nil, err
	}
	var err error
	if m.inputs, err = m.list("input of the graph", graph.InputsLength(), graph.Inputs); err != nil {
		return nil, err
	}
	if m.outputs, err = m.list("output of the graph", graph.OutputsLength(), graph.Outputs); err != nil {
		return nil, err
	}
	if err := m.readMetadata(root); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *model) readTensors(graph *schema.SubGraph) error {
	m.tensors = make([]*tensor, graph.TensorsLength())
	for i := range m.tensors {
		t := &tensor{m: m, index: i}
		graph.Tensors(&t.Tensor, i)
		n := t.ShapeLength()
		if n > modelfile.MaxRank {
			return t.errorf("%d dimensions; at most %d are known", n, modelfile.MaxRank)
		}
		t.shape = make([]int, n)
		for j := range t.shape {
			t.shape[j] = int(t.Shape(j))
		}
		m.tensors[i] = t
	}
	return nil
}

func (m *model) readOperators(root *schema.Model, graph *schema.SubGraph) error {
	m.operators = make([]*operator, graph.OperatorsLength())
	edges := 0
	for i := range m.operators {
		op := &operator{m: m, index: i}
		graph.Operators(&op.Operator, i)
		var code schema.OperatorCode
		// Compared as 64 bits: an int has 32 on some boards.
		if c := op.OpcodeIndex(); int64(c) >= int64(root.OperatorCodesLength()) || !root.OperatorCodes(&code, int(c)) {
			return fmt.Errorf("operator #%d: code %d of %d", i, c, root.OperatorCodesLength())
		}
		// Old files have only the byte, newer ones the larger field too.
		op.code = max(schema.BuiltinOperator(code.DeprecatedBuiltinCode()), code.BuiltinCode())
		if op.code == schema.BuiltinOperatorCUSTOM {
			op.custom = clip(code.CustomCode())
		}
		if edges += op.InputsLength() + op.OutputsLength(); edges > maxEdges {
			return fmt.Errorf("operator #%d: more than %d inputs and outputs in the graph", i, maxEdges)
		}
		var err error
		if op.outputs, err = m.list(fmt.Sprintf("output of operator #%d", i), op.OutputsLength(), op.Outputs); err != nil {
			return err
		}
		if op.inputs, err = m.list(op.String()+": input", op.InputsLength(), op.Inputs); err != nil {
			return err
		}
		for _, t := range op.outputs {
			if t == nil {
				continue
			}
			if t.producer != nil {
				return op.errorf("tensor %d is the output of %v too", t.index, t.producer)
			}
			t.producer = op
		}
		for _, t := range op.inputs {
			if t != nil && (len(t.consumers) == 0 || t.consumers[len(t.consumers)-1] != op) {
				t.consumers = append(t.consumers, op)
			}
		}
		m.operators[i] = op
	}
	return nil
}

// list gives the tensors of a list of n indices, nil for -1.
func (m *model) list(what string, n int, index func(int) int32) ([]*tensor, error) {
	if n > maxEdges {
		return nil, fmt.Errorf("%s: %d of them", what, n)
	}
	ts := make([]*tensor, n)
	for i := range ts {
		switch j := int(index(i)); {
		case j == -1:
		case j < 0 || j >= len(m.tensors):
			return nil, fmt.Errorf("%s %d: tensor %d of %d", what, i, j, len(m.tensors))
		default:
			ts[i] = m.tensors[j]
		}
	}
	return ts, nil
}

// name is the tensor's own, for messages.
func (t *tensor) name() string { return clip(t.Name()) }

func (t *tensor) errorf(format string, args ...any) error {
	return fmt.Errorf("tensor #%d %q: %w", t.index, t.name(), fmt.Errorf(format, args...))
}

// bytes gives a constant's values, size bytes each, as many as its shape says.
func (t *tensor) bytes(size int) ([]byte, error) {
	if t.ExternalBuffer() != 0 {
		return nil, t.errorf("its values are in another file; convert the model to a single one")
	}
	var sparsity schema.SparsityParameters
	if t.Sparsity(&sparsity) != nil {
		return nil, t.errorf("its values are sparse; convert the model without sparsity")
	}
	i := t.Buffer()
	if int64(i) >= int64(len(t.m.buffers)) {
		return nil, t.errorf("buffer %d of %d", i, len(t.m.buffers))
	}
	b := &t.m.buffers[i]
	data := b.DataBytes()
	// Files beyond 2 GB, and what some tools make like them, keep the bytes
	// behind the flatbuffer.
	if off, n := b.Offset(), b.Size(); off > 1 {
		if all := uint64(len(t.m.data)); off > all || n > all-off {
			return nil, t.errorf("buffer %d: %d bytes at offset %d reach beyond the end, at %d", i, n, off, all)
		}
		data = t.m.data[off : off+n]
	}
	n, err := t.elements()
	if err != nil {
		return nil, err
	}
	if len(data) != n*size {
		return nil, t.errorf("%d bytes of data for shape %v, which needs %d", len(data), t.shape, n*size)
	}
	return data, nil
}

// constant gives the values of a layer's constant, size bytes each, and counts
// them: tensors may share a buffer, and each that is converted is a copy.
func (t *tensor) constant(size int) ([]byte, error) {
	data, err := t.bytes(size)
	if err != nil {
		return nil, err
	}
	if t.m.weights += len(data); t.m.weights > len(t.m.data) {
		return nil, t.errorf("the layers have more weights than the file has bytes")
	}
	return data, nil
}

// elements is the number of values that the shape states.
func (t *tensor) elements() (int, error) {
	n := int64(1)
	for _, d := range t.shape {
		if d < 1 {
			return 0, t.errorf("shape %v", t.shape)
		}
		if n *= int64(d); n > modelfile.MaxInt8 {
			return 0, t.errorf("shape %v is larger than any of a MobileNetV2", t.shape)
		}
	}
	return int(n), nil
}

// ints gives a constant's int32 values.
func (t *tensor) ints() ([]int32, error) {
	if typ := t.Type(); typ != schema.TensorTypeINT32 {
		return nil, t.errorf("type %v; it must be INT32", typ)
	}
	b, err := t.bytes(4)
	if err != nil {
		return nil, err
	}
	v := make([]int32, len(b)/4)
	for i := range v {
		v[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v, nil
}

// An affine maps a tensor's stored values to real ones: scale * (q - zero),
// with one scale for all, or one for each index of the dimension dim.
type affine struct {
	scales []float32
	zeros  []int64 // as many as scales
	dim    int
}

// affine gives the tensor's quantization with n scales, or one.
func (t *tensor) affine(n int) (affine, error) {
	var q schema.QuantizationParameters
	if t.Quantization(&q) == nil || q.ScaleLength() == 0 {
		return affine{}, t.errorf("no quantization parameters")
	}
	if q.DetailsType() != 0 {
		return affine{}, t.errorf("a custom quantization; only scale and zero point are known")
	}
	count := q.ScaleLength()
	if count != 1 && count != n {
		return affine{}, t.errorf("%d scales; there must be %s", count, oneOr(n))
	}
	zeros := q.ZeroPointLength()
	if zeros > 1 && zeros != count {
		return affine{}, t.errorf("%d zero points for %d scales", zeros, count)
	}
	a := affine{scales: make([]float32, count), zeros: make([]int64, count), dim: int(q.QuantizedDimension())}
	for i := range a.scales {
		s := q.Scale(i)
		if !(s > 0) || math.IsInf(float64(s), 0) {
			return affine{}, t.errorf("scale %v of channel %d", s, i)
		}
		a.scales[i] = s
		switch {
		case zeros == 1:
			a.zeros[i] = q.ZeroPoint(0)
		case zeros > 1:
			a.zeros[i] = q.ZeroPoint(i)
		}
	}
	return a, nil
}

func oneOr(n int) string {
	if n == 1 {
		return "one"
	}
	return fmt.Sprintf("one or %d", n)
}

// activation gives the quantization of an activation in int8: a uint8 one is
// the same with 128 taken from its values.
func (t *tensor) activation() (mnv2.Quantization, error) {
	var shift int64
	switch typ := t.Type(); typ {
	case schema.TensorTypeINT8:
	case schema.TensorTypeUINT8:
		shift = 128
	case schema.TensorTypeFLOAT32, schema.TensorTypeFLOAT16, schema.TensorTypeBFLOAT16:
		return mnv2.Quantization{}, t.errorf("type %v: the model computes in floating point; it must be quantized to int8 (tarsier quantize does it), its input and output may stay float", typ)
	default:
		return mnv2.Quantization{}, t.errorf("type %v; activations must be INT8 or UINT8", typ)
	}
	a, err := t.affine(1)
	if err != nil {
		return mnv2.Quantization{}, err
	}
	z := a.zeros[0] - shift
	if z < -128 || z > 127 {
		return mnv2.Quantization{}, t.errorf("zero point %d does not fit %v", a.zeros[0], t.Type())
	}
	return mnv2.Quantization{Scale: a.scales[0], Zero: int32(z)}, nil
}

// checkType says whether the activation holds numbers of the kind that the
// file is read for.
func (t *tensor) checkType() error {
	if t.m.float {
		return t.real()
	}
	_, err := t.activation()
	return err
}

// checkUnchanged checks that a number in out stands for the same as in x.
func (op *operator) checkUnchanged(x, out *tensor) error {
	if op.m.float {
		if err := out.real(); err != nil {
			return op.errorf("output: %w", err)
		}
		return nil
	}
	in, err := x.activation()
	if err != nil {
		return op.errorf("%w", err)
	}
	if q, err := out.activation(); err != nil || q != in {
		return op.errorf("its output is not quantized as its input is")
	}
	return nil
}

// kind is the operator's name as messages have it.
func (op *operator) kind() string {
	if op.custom != "" {
		return fmt.Sprintf("custom operator %q", op.custom)
	}
	return kindOf(op.code)
}

func kindOf(code schema.BuiltinOperator) string { return strings.ToLower(code.String()) }

// String is the operator's kind, index and the name of what it computes.
func (op *operator) String() string {
	name := ""
	if len(op.outputs) > 0 && op.outputs[0] != nil {
		name = op.outputs[0].name()
	}
	return fmt.Sprintf("%s #%d %q", op.kind(), op.index, name)
}

func (op *operator) errorf(format string, args ...any) error {
	return fmt.Errorf("%v: %w", op, fmt.Errorf(format, args...))
}

// input gives the operator's input i, nil where it has none.
func (op *operator) input(i int) *tensor {
	if i >= len(op.inputs) {
		return nil
	}
	return op.inputs[i]
}

// options gives the operator's options, which must be of the type want.
func (op *operator) options(want schema.BuiltinOptions) (flatbuffers.Table, error) {
	var t flatbuffers.Table
	if got := op.BuiltinOptionsType(); got != want || !op.BuiltinOptions(&t) {
		return t, op.errorf("options of type %v; they must be %v", got, want)
	}
	return t, nil
}

func clip(name []byte) string {
	if len(name) > maxName {
		name = name[:maxName]
	}
	return string(name)
}
