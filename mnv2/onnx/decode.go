package onnx

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"tarsier/mnv2/internal/modelfile"
)

const (
	maxMessages = 1 << 17                // in a file, and strings with them; a MobileNetV2 has up to 10,000
	maxName     = 1 << 10                // bytes of a name that are kept
	maxList     = 1 << 16                // numbers of an attribute
	maxNumbers  = modelfile.MaxFloat / 4 // of a tensor
)

// A model is what is read of a ModelProto.
type model struct {
	data     []byte
	opset    int64 // of the operators without a domain; 0 where it has none
	metadata map[string]string
	nodes    []*node
	tensors  map[string]*tensor // initializers
	inputs   []value
	outputs  []string
	messages int // so far
}

// A node is one operator of the graph.
type node struct {
	index           int
	op              string // with its domain in front, where it has one
	name            string
	inputs, outputs []string // "" for one that is left out
	attributes      map[string]*attribute
}

// An attribute has one of these, as its name says.
type attribute struct {
	float  float32
	int    int64
	text   string
	tensor *tensor
	floats []float32
	ints   list
}

// A value is an input of the graph; a dimension that is left open is 0.
type value struct {
	name string
	dims list
	typ  int64 // of its numbers
}

// A list is numbers of a file, of which an error shows only the first.
type list []int64

func (l list) String() string {
	const most = 2 * modelfile.MaxRank
	if len(l) <= most {
		return fmt.Sprint([]int64(l))
	}
	return fmt.Sprintf("%s and %d more]", strings.TrimSuffix(fmt.Sprint([]int64(l[:most])), "]"), len(l)-most)
}

// A refusal is an error about a whole file, which has what is not read.
type refusal struct{ error }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// A layout says what to do with the fields of a message that are read.
type layout map[protowire.Number]field

// A field is of one wire type. Numbers that are repeated may also be packed into
// bytes.
type field struct {
	typ  protowire.Type
	read func(raw) error
}

// A raw is a field's value.
type raw struct {
	number uint64
	bytes  []byte
}

func (r raw) text() string { return string(r.bytes[:min(len(r.bytes), maxName)]) }

// decode reads a file: a ModelProto.
func decode(data []byte) (*model, error) {
	m := &model{data: data, metadata: map[string]string{}, tensors: map[string]*tensor{}}
	graph := false
	err := m.message(data, layout{
		7: m.nested("graph", func(b []byte) error {
			graph = true
			return m.graph(b)
		}),
		8: m.nested("opset_import", m.operatorSet),
		14: m.nested("metadata_props", func(b []byte) error {
			var key, value string
			err := m.message(b, layout{1: m.text(&key), 2: m.text(&value)})
			m.metadata[key] = value
			return err
		}),
	})
	switch {
	case errors.As(err, new(refusal)):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("not an ONNX file, or a damaged one: %w", err)
	case !graph:
		return nil, fmt.Errorf("not an ONNX file: it has no graph")
	}
	return m, nil
}

func (m *model) operatorSet(b []byte) error {
	var (
		domain  string
		version int64
	)
	err := m.message(b, layout{1: m.text(&domain), 2: number(func(v int64) { version = v })})
	if standard(domain) {
		m.opset = version
	}
	return err
}

func standard(domain string) bool { return domain == "" || domain == "ai.onnx" }

func (m *model) graph(b []byte) error {
	return m.message(b, layout{
		1: m.nested("node", m.node),
		5: m.nested("initializer", func(b []byte) error {
			t, err := m.tensor(b)
			m.tensors[t.name] = t
			return err
		}),
		11: m.nested("input", func(b []byte) error {
			v, err := m.value(b)
			m.inputs = append(m.inputs, v)
			return err
		}),
		12: m.nested("output", func(b []byte) error {
			v, err := m.value(b)
			m.outputs = append(m.outputs, v.name)
			return err
		}),
		15: m.nested("sparse_initializer", func([]byte) error {
			return refuse("sparse weights; export the model without sparsity")
		}),
	})
}

func (m *model) node(b []byte) error {
	n := &node{index: len(m.nodes), attributes: map[string]*attribute{}}
	m.nodes = append(m.nodes, n)
	var domain string
	err := m.message(b, layout{
		1: m.texts(&n.inputs),
		2: m.texts(&n.outputs),
		3: m.text(&n.name),
		4: m.text(&n.op),
		5: m.nested("attribute", func(b []byte) error {
			name, a, err := m.attribute(b)
			n.attributes[name] = a
			return err
		}),
		7: m.text(&domain),
	})
	if !standard(domain) {
		n.op = domain + "." + n.op
	}
	return err
}

func (m *model) attribute(b []byte) (name string, a *attribute, err error) {
	a = new(attribute)
	err = m.message(b, layout{
		1: m.text(&name),
		2: {protowire.Fixed32Type, func(r raw) error { a.float = float32Of(r.number); return nil }},
		3: number(func(v int64) { a.int = v }),
		4: m.text(&a.text),
		5: m.nested("t", func(b []byte) (err error) {
			a.tensor, err = m.tensor(b)
			return err
		}),
		7: float32s(&a.floats, maxList),
		8: int64s(&a.ints, maxList, "numbers"),
	})
	return name, a, err
}

func (m *model) tensor(b []byte) (*tensor, error) {
	t := new(tensor)
	return t, m.message(b, layout{
		1:  int64s(&t.dims, modelfile.MaxRank, "dimensions"),
		2:  number(func(v int64) { t.typ = v }),
		4:  float32s(&t.floats, maxNumbers),
		5:  int64s(&t.ints, maxNumbers, "numbers"),
		7:  int64s(&t.ints, maxNumbers, "numbers"),
		8:  m.text(&t.name),
		9:  {protowire.BytesType, func(r raw) error { t.raw = r.bytes; return nil }},
		10: float64s(&t.floats, maxNumbers),
		14: number(func(v int64) { t.external = v != 0 }),
	})
}

// value reads a ValueInfoProto: the name, type and shape of an input or output.
func (m *model) value(b []byte) (v value, err error) {
	dim := m.nested("dim", func(b []byte) error {
		if len(v.dims) == modelfile.MaxRank {
			return refuse("more than %d dimensions", modelfile.MaxRank)
		}
		v.dims = append(v.dims, 0)
		return m.message(b, layout{1: number(func(d int64) { v.dims[len(v.dims)-1] = max(d, 0) })})
	})
	shape := m.nested("shape", func(b []byte) error { return m.message(b, layout{1: dim}) })
	tensor := m.nested("tensor_type", func(b []byte) error {
		return m.message(b, layout{1: number(func(typ int64) { v.typ = typ }), 2: shape})
	})
	err = m.message(b, layout{
		1: m.text(&v.name),
		2: m.nested("type", func(b []byte) error { return m.message(b, layout{1: tensor}) }),
	})
	return v, err
}

// message reads the fields of the message b that l has.
func (m *model) message(b []byte, l layout) error {
	if err := m.count(); err != nil {
		return err
	}
	for len(b) > 0 {
		id, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		var r raw
		b = b[n:]
		switch typ {
		case protowire.VarintType:
			r.number, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			r.number = uint64(v)
		case protowire.Fixed64Type:
			r.number, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			r.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(id, typ, b)
		}
		if n < 0 {
			return fmt.Errorf("field %d: %w", id, protowire.ParseError(n))
		}
		b = b[n:]
		f, known := l[id]
		if !known {
			continue
		}
		if typ != f.typ && typ != protowire.BytesType {
			return fmt.Errorf("field %d: wire type %d; it must be %d", id, typ, f.typ)
		}
		if typ == protowire.BytesType && r.bytes == nil {
			r.bytes = []byte{}
		}
		if err := f.read(r); err != nil {
			return err
		}
	}
	return nil
}

// count keeps a file of a few bytes from asking for much memory.
func (m *model) count() error {
	if m.messages++; m.messages > maxMessages {
		return refuse("more than %d messages; a MobileNetV2 has up to 10,000", maxMessages)
	}
	return nil
}

// nested is a field that is a message. Its name is for errors.
func (m *model) nested(name string, read func([]byte) error) field {
	i := -1
	return field{protowire.BytesType, func(r raw) error {
		i++
		if err := read(r.bytes); err != nil {
			return fmt.Errorf("%s[%d]: %w", name, i, err)
		}
		return nil
	}}
}

func (m *model) text(s *string) field {
	return field{protowire.BytesType, func(r raw) error { *s = r.text(); return nil }}
}

func (m *model) texts(list *[]string) field {
	return field{protowire.BytesType, func(r raw) error {
		*list = append(*list, r.text())
		return m.count()
	}}
}

func number(set func(int64)) field {
	return field{protowire.VarintType, func(r raw) error {
		if r.bytes != nil {
			return fmt.Errorf("%d bytes where a number must be", len(r.bytes))
		}
		set(int64(r.number))
		return nil
	}}
}

// numbers is a field of numbers that are appended to list, which may have most
// of them. What they are is for the error.
func numbers[T any](list *[]T, most int, what string, typ protowire.Type, consume func([]byte) (uint64, int), of func(uint64) T) field {
	add := func(bits uint64) error {
		if len(*list) == most {
			return refuse("more than %d %s", most, what)
		}
		*list = append(*list, of(bits))
		return nil
	}
	return field{typ, func(r raw) error {
		if r.bytes == nil {
			return add(r.number)
		}
		for b := r.bytes; len(b) > 0; {
			bits, n := consume(b)
			if n < 0 {
				return protowire.ParseError(n)
			}
			if err := add(bits); err != nil {
				return err
			}
			b = b[n:]
		}
		return nil
	}}
}

func int64s(l *list, most int, what string) field {
	return numbers((*[]int64)(l), most, what, protowire.VarintType, protowire.ConsumeVarint, func(bits uint64) int64 { return int64(bits) })
}

func float32s(list *[]float32, most int) field {
	fixed32 := func(b []byte) (uint64, int) {
		v, n := protowire.ConsumeFixed32(b)
		return uint64(v), n
	}
	return numbers(list, most, "numbers", protowire.Fixed32Type, fixed32, float32Of)
}

func float32Of(bits uint64) float32 { return math.Float32frombits(uint32(bits)) }

// float64s takes doubles, and rounds them.
func float64s(list *[]float32, most int) field {
	return numbers(list, most, "numbers", protowire.Fixed64Type, protowire.ConsumeFixed64,
		func(bits uint64) float32 { return float32(math.Float64frombits(bits)) })
}
