package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"tarsier/mnv2/internal/modelfile"
)

// Types of TensorProto.
const (
	typeFloat    = 1
	typeUint8    = 2
	typeInt32    = 6
	typeInt64    = 7
	typeFloat16  = 10
	typeDouble   = 11
	typeBFloat16 = 16
)

// realTypes are those that weights and activations may have.
var realTypes = []int64{typeFloat, typeFloat16, typeDouble, typeBFloat16}

// A tensor is a constant: an initializer of the graph or a Constant. Its numbers
// are bytes, or else a list.
type tensor struct {
	name     string
	dims     list
	typ      int64
	raw      []byte
	floats   []float32
	ints     list // also the bits of float16
	external bool
}

func (t *tensor) errorf(format string, args ...any) error {
	return fmt.Errorf("tensor %q: %w", t.name, fmt.Errorf(format, args...))
}

// elements is the number of values that the shape states.
func (t *tensor) elements() (int, error) {
	n := int64(1)
	for _, d := range t.dims {
		if d < 0 || d > modelfile.MaxFloat {
			return 0, t.errorf("shape %v", t.dims)
		}
		if n *= d; n > modelfile.MaxFloat {
			return 0, t.errorf("shape %v is larger than any of a MobileNetV2", t.dims)
		}
	}
	return int(n), nil
}

// integers gives the numbers of an axis, a shape or a padding.
func (t *tensor) integers() (list, error) {
	n, err := t.elements()
	if err != nil {
		return nil, err
	}
	v := t.ints
	switch {
	case t.external:
		return nil, t.errorf("%w", errExternal)
	case t.typ != typeInt64 && t.typ != typeInt32:
		return nil, t.errorf("type %d; it must be int64 (%d) or int32 (%d)", t.typ, typeInt64, typeInt32)
	case len(t.raw) > 0 && t.typ == typeInt64:
		v = make(list, len(t.raw)/8)
		for i := range v {
			v[i] = int64(binary.LittleEndian.Uint64(t.raw[8*i:]))
		}
	case len(t.raw) > 0:
		v = make(list, len(t.raw)/4)
		for i := range v {
			v[i] = int64(int32(binary.LittleEndian.Uint32(t.raw[4*i:])))
		}
	}
	if len(v) != n {
		return nil, t.errorf("%d numbers for shape %v", len(v), t.dims)
	}
	return v, nil
}

var errExternal = errors.New("its numbers are in another file; export the model into a single one (in PyTorch, external_data=False)")

// reals gives the numbers as float32, a copy.
func (t *tensor) reals() ([]float32, error) {
	n, err := t.elements()
	if err != nil {
		return nil, err
	}
	if t.external {
		return nil, t.errorf("%w", errExternal)
	}
	var v []float32
	switch typ := t.typ; {
	case typ == typeFloat && len(t.raw) > 0:
		v = modelfile.Float32s(t.raw)
	case typ == typeDouble && len(t.raw) > 0:
		v = modelfile.Float64s(t.raw)
	case typ == typeFloat, typ == typeDouble:
		v = slices.Clone(t.floats)
	case typ == typeFloat16:
		v = modelfile.Float16s(t.halves())
	case typ == typeBFloat16:
		v = modelfile.BFloat16s(t.halves())
	default:
		return nil, t.errorf("type %d; weights must be float (%d), float16 (%d), bfloat16 (%d) or double (%d)",
			t.typ, typeFloat, typeFloat16, typeBFloat16, typeDouble)
	}
	if len(v) != n {
		return nil, t.errorf("%d numbers for shape %v", len(v), t.dims)
	}
	return v, nil
}

// halves gives the bytes of 16-bit numbers, which may be in a list.
func (t *tensor) halves() []byte {
	if len(t.raw) > 0 {
		return t.raw
	}
	b := make([]byte, 0, 2*len(t.ints))
	for _, v := range t.ints {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// scalar gives the only number of t.
func (t *tensor) scalar() (float64, error) {
	v, err := t.reals()
	if err != nil {
		return 0, err
	}
	if len(v) != 1 {
		return 0, t.errorf("%d numbers; there must be one", len(v))
	}
	return float64(v[0]), nil
}

// constantOf gives what a Constant holds.
func constantOf(n *node) (*tensor, error) {
	if a := n.attributes["value"]; a != nil && a.tensor != nil {
		return a.tensor, nil
	}
	if a := n.attributes["value_float"]; a != nil {
		return &tensor{typ: typeFloat, floats: []float32{a.float}}, nil
	}
	if a := n.attributes["value_floats"]; a != nil {
		return &tensor{typ: typeFloat, floats: a.floats, dims: list{int64(len(a.floats))}}, nil
	}
	if a := n.attributes["value_int"]; a != nil {
		return &tensor{typ: typeInt64, ints: list{a.int}}, nil
	}
	if a := n.attributes["value_ints"]; a != nil {
		return &tensor{typ: typeInt64, ints: a.ints, dims: list{int64(len(a.ints))}}, nil
	}
	return nil, n.errorf("its value is no tensor and no number")
}
