package tflite

import (
	"encoding/binary"
	"fmt"
)

// Go's flatbuffers runtime follows offsets unchecked, so this file walks, once,
// all that the generated code may touch later. What it knows of the schema is
// the layouts below: a field that is not in them must not be read.

// maxTables bounds the work: offsets may all lead to the same few tables. A
// MobileNetV2 has about 700.
const maxTables = 1 << 14

// A layout lists the fields of a table that are read.
type layout []field

type field struct {
	id   int // position in the schema, deprecated fields counted
	name string
	kind fieldKind
	size uint64 // of a scalar, or of a vector's elements
	of   layout // of a table, or of a vector's tables

	// union: its members by type; the type itself is the field before.
	members map[byte]layout
}

type fieldKind int

const (
	scalar fieldKind = iota
	vector           // of scalars; a string is one of bytes
	table
	tables // a vector of them
	union
)

var modelLayout = layout{
	{id: 0, name: "version", size: 4},
	{id: 1, name: "operator_codes", kind: tables, of: layout{
		{id: 0, name: "deprecated_builtin_code", size: 1},
		{id: 1, name: "custom_code", kind: vector, size: 1},
		{id: 3, name: "builtin_code", size: 4},
	}},
	{id: 2, name: "subgraphs", kind: tables, of: layout{
		{id: 0, name: "tensors", kind: tables, of: tensorLayout},
		{id: 1, name: "inputs", kind: vector, size: 4},
		{id: 2, name: "outputs", kind: vector, size: 4},
		{id: 3, name: "operators", kind: tables, of: operatorLayout},
	}},
	{id: 4, name: "buffers", kind: tables, of: layout{
		{id: 0, name: "data", kind: vector, size: 1},
		{id: 1, name: "offset", size: 8},
		{id: 2, name: "size", size: 8},
	}},
	{id: 6, name: "metadata", kind: tables, of: layout{
		{id: 0, name: "name", kind: vector, size: 1},
		{id: 1, name: "buffer", size: 4},
	}},
}

var tensorLayout = layout{
	{id: 0, name: "shape", kind: vector, size: 4},
	{id: 1, name: "type", size: 1},
	{id: 2, name: "buffer", size: 4},
	{id: 3, name: "name", kind: vector, size: 1},
	{id: 4, name: "quantization", kind: table, of: layout{
		{id: 2, name: "scale", kind: vector, size: 4},
		{id: 3, name: "zero_point", kind: vector, size: 8},
		{id: 4, name: "details_type", size: 1},
		{id: 6, name: "quantized_dimension", size: 4},
	}},
	{id: 6, name: "sparsity", kind: table},
	{id: 10, name: "external_buffer", size: 4},
}

var operatorLayout = layout{
	{id: 0, name: "opcode_index", size: 4},
	{id: 1, name: "inputs", kind: vector, size: 4},
	{id: 2, name: "outputs", kind: vector, size: 4},
	{id: 3, name: "builtin_options_type", size: 1},
	{id: 4, name: "builtin_options", kind: union, members: map[byte]layout{
		1: { // Conv2DOptions
			{id: 0, name: "padding", size: 1},
			{id: 1, name: "stride_w", size: 4},
			{id: 2, name: "stride_h", size: 4},
			{id: 3, name: "fused_activation_function", size: 1},
			{id: 4, name: "dilation_w_factor", size: 4},
			{id: 5, name: "dilation_h_factor", size: 4},
		},
		2: { // DepthwiseConv2DOptions
			{id: 0, name: "padding", size: 1},
			{id: 1, name: "stride_w", size: 4},
			{id: 2, name: "stride_h", size: 4},
			{id: 4, name: "fused_activation_function", size: 1},
			{id: 5, name: "dilation_w_factor", size: 4},
			{id: 6, name: "dilation_h_factor", size: 4},
		},
		5: { // Pool2DOptions
			{id: 0, name: "padding", size: 1},
			{id: 1, name: "stride_w", size: 4},
			{id: 2, name: "stride_h", size: 4},
			{id: 3, name: "filter_width", size: 4},
			{id: 4, name: "filter_height", size: 4},
			{id: 5, name: "fused_activation_function", size: 1},
		},
		8: { // FullyConnectedOptions
			{id: 0, name: "fused_activation_function", size: 1},
			{id: 1, name: "weights_format", size: 1},
		},
		9: { // SoftmaxOptions
			{id: 0, name: "beta", size: 4},
		},
		11: { // AddOptions
			{id: 0, name: "fused_activation_function", size: 1},
		},
	}},
}

var metadataLayout = layout{
	{id: 0, name: "name", kind: vector, size: 1},
	{id: 3, name: "subgraph_metadata", kind: tables, of: layout{
		{id: 2, name: "input_tensor_metadata", kind: tables, of: layout{
			{id: 4, name: "process_units", kind: tables, of: layout{
				{id: 0, name: "options_type", size: 1},
				{id: 1, name: "options", kind: union, members: map[byte]layout{
					1: { // NormalizationOptions
						{id: 0, name: "mean", kind: vector, size: 4},
						{id: 1, name: "std", kind: vector, size: 4},
					},
				}},
			}},
		}},
	}},
}

// A damage says where a flatbuffer breaks off.
type damage struct {
	path string // of fields, from the root table
	at   uint64 // offset in the buffer
	what string
}

func (d *damage) Error() string {
	return fmt.Sprintf("damaged file: %s: offset %d: %s", d.path, d.at, d.what)
}

func (d *damage) in(path string) *damage {
	if d.path != "" && d.path[0] != '[' {
		path += "."
	}
	d.path = path + d.path
	return d
}

// verify checks that the flatbuffer buf, whose root table is called name, can
// be read as far as the layout goes.
func verify(buf []byte, name string, root layout) error {
	v := verifier{buf: buf}
	pos, d := v.follow(0)
	if d == nil {
		d = v.table(pos, root)
	}
	if d != nil {
		return d.in(name)
	}
	return nil
}

// A verifier works in uint64, in which sums of a few 32-bit offsets cannot
// overflow.
type verifier struct {
	buf    []byte
	tables int
}

// has says whether n bytes begin at the offset at.
func (v *verifier) has(at, n uint64) *damage {
	if at+n > uint64(len(v.buf)) {
		return &damage{at: at, what: fmt.Sprintf("%d bytes reach beyond the end, at %d", n, len(v.buf))}
	}
	return nil
}

// follow gives where the offset that is stored at the position at leads to.
func (v *verifier) follow(at uint64) (uint64, *damage) {
	if d := v.has(at, 4); d != nil {
		return 0, d
	}
	return at + uint64(binary.LittleEndian.Uint32(v.buf[at:])), nil
}

// elements gives the number of elements of a vector, and where they begin,
// from the position of the offset to it.
func (v *verifier) elements(at, size uint64) (first, n uint64, d *damage) {
	pos, d := v.follow(at)
	if d != nil {
		return 0, 0, d
	}
	if d := v.has(pos, 4); d != nil {
		return 0, 0, d
	}
	first, n = pos+4, uint64(binary.LittleEndian.Uint32(v.buf[pos:]))
	return first, n, v.has(first, n*size)
}

func (v *verifier) table(pos uint64, l layout) *damage {
	if v.tables++; v.tables > maxTables {
		return &damage{at: pos, what: fmt.Sprintf("more than %d tables", maxTables)}
	}
	if d := v.has(pos, 4); d != nil {
		return d
	}
	// The vtable: its own size, the table's, then each field's distance from
	// the table's start, 0 for one that is not there.
	back := int64(int32(binary.LittleEndian.Uint32(v.buf[pos:])))
	start := int64(pos) - back
	if start < 0 {
		return &damage{at: pos, what: "its vtable would begin before the file"}
	}
	vtable := uint64(start)
	if d := v.has(vtable, 4); d != nil {
		return d
	}
	size := uint64(binary.LittleEndian.Uint16(v.buf[vtable:]))
	if size < 4 || size%2 != 0 {
		return &damage{at: vtable, what: fmt.Sprintf("a vtable of %d bytes", size)}
	}
	if d := v.has(vtable, size); d != nil {
		return d
	}
	slot := func(id int) uint64 {
		i := 4 + 2*uint64(id)
		if i >= size {
			return 0
		}
		return uint64(binary.LittleEndian.Uint16(v.buf[vtable+i:]))
	}
	for _, f := range l {
		off := slot(f.id)
		if off == 0 {
			continue
		}
		if d := v.field(pos, off, f, slot); d != nil {
			return d.in(f.name)
		}
	}
	return nil
}

func (v *verifier) field(pos, off uint64, f field, slot func(int) uint64) *damage {
	at := pos + off
	switch f.kind {
	case scalar:
		return v.has(at, f.size)
	case vector:
		_, _, d := v.elements(at, f.size)
		return d
	case table:
		pos, d := v.follow(at)
		if d != nil {
			return d
		}
		return v.table(pos, f.of)
	case tables:
		first, n, d := v.elements(at, 4)
		if d != nil {
			return d
		}
		for i := range n {
			pos, d := v.follow(first + 4*i)
			if d == nil {
				d = v.table(pos, f.of)
			}
			if d != nil {
				return d.in(fmt.Sprintf("[%d]", i))
			}
		}
	case union:
		typ := slot(f.id - 1)
		if typ == 0 {
			return nil
		}
		members, known := f.members[v.buf[pos+typ]] // the field before, checked
		if !known {
			return nil // of an operator that is refused later
		}
		pos, d := v.follow(at)
		if d != nil {
			return d
		}
		return v.table(pos, members)
	}
	return nil
}
