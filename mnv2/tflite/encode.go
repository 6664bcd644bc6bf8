package tflite

import (
	flatbuffers "github.com/google/flatbuffers/go"

	"tarsier/mnv2/tflite/internal/schema"
)

// int8Version is the version in which an operator learned int8, where that is
// not the first.
var int8Version = map[schema.BuiltinOperator]int32{
	opAdd: 2, opAveragePool: 2, opConv: 3, opDepthwise: 3, opDequantize: 2,
	opFullyConnected: 4, opMean: 2, opPad: 2, opQuantize: 2, opSoftmax: 2,
}

// file gives the bytes of the graph.
func (w *writer) file() []byte {
	b := flatbuffers.NewBuilder(1 << 20)
	entries := w.entries(b)
	buffers := each(b, w.buffers, func(data []byte) flatbuffers.UOffsetT {
		var v flatbuffers.UOffsetT
		if len(data) > 0 {
			b.Prep(16, len(data)) // as the schema demands, for those who map the file
			v = b.CreateByteVector(data)
		}
		schema.BufferStart(b)
		if len(data) > 0 {
			schema.BufferAddData(b, v)
		}
		return schema.BufferEnd(b)
	})
	codes, operators := w.operators(b)
	points := map[zeroPoints]flatbuffers.UOffsetT{}
	tensors := each(b, w.tensors, func(t newTensor) flatbuffers.UOffsetT { return t.encode(b, points) })
	inputs, outputs := int32s(b, w.inputs), int32s(b, w.outputs)
	schema.SubGraphStart(b)
	schema.SubGraphAddTensors(b, tensors)
	schema.SubGraphAddInputs(b, inputs)
	schema.SubGraphAddOutputs(b, outputs)
	schema.SubGraphAddOperators(b, operators)
	graph := schema.SubGraphEnd(b)
	graphs := offsets(b, []flatbuffers.UOffsetT{graph})
	description := b.CreateString("tarsier")
	schema.ModelStart(b)
	schema.ModelAddVersion(b, schemaVersion)
	schema.ModelAddOperatorCodes(b, codes)
	schema.ModelAddSubgraphs(b, graphs)
	schema.ModelAddDescription(b, description)
	schema.ModelAddBuffers(b, buffers)
	schema.ModelAddMetadata(b, entries)
	b.FinishWithFileIdentifier(schema.ModelEnd(b), []byte(fileIdentifier))
	return b.FinishedBytes()
}

// operators encodes the operators and the list of their codes.
func (w *writer) operators(b *flatbuffers.Builder) (codes, operators flatbuffers.UOffsetT) {
	var used []schema.BuiltinOperator
	index := map[schema.BuiltinOperator]uint32{}
	operators = each(b, w.ops, func(op newOperator) flatbuffers.UOffsetT {
		if _, ok := index[op.code]; !ok {
			index[op.code] = uint32(len(used))
			used = append(used, op.code)
		}
		var options flatbuffers.UOffsetT
		if op.options != nil {
			options = op.options(b)
		}
		inputs, outputs := int32s(b, op.inputs), int32s(b, op.outputs)
		schema.OperatorStart(b)
		schema.OperatorAddOpcodeIndex(b, index[op.code])
		schema.OperatorAddInputs(b, inputs)
		schema.OperatorAddOutputs(b, outputs)
		if op.options != nil {
			schema.OperatorAddBuiltinOptionsType(b, op.typ)
			schema.OperatorAddBuiltinOptions(b, options)
		}
		return schema.OperatorEnd(b)
	})
	codes = each(b, used, func(code schema.BuiltinOperator) flatbuffers.UOffsetT {
		schema.OperatorCodeStart(b)
		schema.OperatorCodeAddDeprecatedBuiltinCode(b, int8(code))
		schema.OperatorCodeAddBuiltinCode(b, code)
		if v, ok := int8Version[code]; ok && !w.Legacy {
			schema.OperatorCodeAddVersion(b, v)
		}
		return schema.OperatorCodeEnd(b)
	})
	return codes, operators
}

// zeroPoints is a tensor's list of them: n times the same. Layers of as many
// channels share one, which would else be a third of a narrow network's file.
type zeroPoints struct {
	zero int64
	n    int
}

func (z zeroPoints) encode(b *flatbuffers.Builder) flatbuffers.UOffsetT {
	schema.QuantizationParametersStartZeroPointVector(b, z.n)
	for range z.n {
		b.PrependInt64(z.zero)
	}
	return b.EndVector(z.n)
}

func (t newTensor) encode(b *flatbuffers.Builder, points map[zeroPoints]flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	name, shape := b.CreateString(t.name), int32s(b, t.shape)
	var quantization flatbuffers.UOffsetT
	if len(t.scales) > 0 {
		scales := float32s(b, t.scales)
		z := zeroPoints{t.zero, len(t.scales)}
		if points[z] == 0 {
			points[z] = z.encode(b)
		}
		schema.QuantizationParametersStart(b)
		schema.QuantizationParametersAddScale(b, scales)
		schema.QuantizationParametersAddZeroPoint(b, points[z])
		schema.QuantizationParametersAddQuantizedDimension(b, t.dim)
		quantization = schema.QuantizationParametersEnd(b)
	}
	schema.TensorStart(b)
	schema.TensorAddShape(b, shape)
	schema.TensorAddType(b, t.typ)
	schema.TensorAddBuffer(b, uint32(t.buffer))
	schema.TensorAddName(b, name)
	if quantization != 0 {
		schema.TensorAddQuantization(b, quantization)
	}
	return schema.TensorEnd(b)
}

// entries adds the one that leads to the metadata.
func (w *writer) entries(b *flatbuffers.Builder) flatbuffers.UOffsetT {
	if w.metadata == nil {
		return offsets(b, nil)
	}
	buffer := w.buffer(w.metadata)
	name := b.CreateString(metadataName)
	schema.MetadataStart(b)
	schema.MetadataAddName(b, name)
	schema.MetadataAddBuffer(b, uint32(buffer))
	return offsets(b, []flatbuffers.UOffsetT{schema.MetadataEnd(b)})
}

// pixels gives the normalization that must be written: none where Read comes
// upon it by itself.
func (w *writer) pixels() (mean, std []float32) {
	p := defaultPixels
	if w.Legacy || w.Input == Uint8 {
		p = bytePixels(w.net.Input)
	}
	if w.net.Pixels == p {
		return nil, nil
	}
	return []float32{w.net.Pixels.Mean}, []float32{w.net.Pixels.Std}
}

// encodeMetadata gives the bytes of metadata that name the network and say what
// its pixels stand for; nil where there is nothing to say.
func encodeMetadata(name string, mean, std []float32) []byte {
	if name == "" && mean == nil {
		return nil
	}
	b := flatbuffers.NewBuilder(0)
	var graphs flatbuffers.UOffsetT
	if mean != nil {
		m, s := float32s(b, mean), float32s(b, std)
		schema.NormalizationOptionsStart(b)
		schema.NormalizationOptionsAddMean(b, m)
		schema.NormalizationOptionsAddStd(b, s)
		options := schema.NormalizationOptionsEnd(b)
		schema.ProcessUnitStart(b)
		schema.ProcessUnitAddOptionsType(b, schema.ProcessUnitOptionsNormalizationOptions)
		schema.ProcessUnitAddOptions(b, options)
		units := offsets(b, []flatbuffers.UOffsetT{schema.ProcessUnitEnd(b)})
		schema.TensorMetadataStart(b)
		schema.TensorMetadataAddProcessUnits(b, units)
		inputs := offsets(b, []flatbuffers.UOffsetT{schema.TensorMetadataEnd(b)})
		schema.SubGraphMetadataStart(b)
		schema.SubGraphMetadataAddInputTensorMetadata(b, inputs)
		graphs = offsets(b, []flatbuffers.UOffsetT{schema.SubGraphMetadataEnd(b)})
	}
	n := b.CreateString(name)
	schema.ModelMetadataStart(b)
	schema.ModelMetadataAddName(b, n)
	if graphs != 0 {
		schema.ModelMetadataAddSubgraphMetadata(b, graphs)
	}
	b.FinishWithFileIdentifier(schema.ModelMetadataEnd(b), []byte("M001"))
	return b.FinishedBytes()
}

// each encodes a vector of tables.
func each[T any](b *flatbuffers.Builder, items []T, encode func(T) flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	list := make([]flatbuffers.UOffsetT, len(items))
	for i, item := range items {
		list[i] = encode(item)
	}
	return offsets(b, list)
}

func offsets(b *flatbuffers.Builder, list []flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	b.StartVector(4, len(list), 4)
	for i := range list {
		b.PrependUOffsetT(list[len(list)-1-i])
	}
	return b.EndVector(len(list))
}

func float32s(b *flatbuffers.Builder, list []float32) flatbuffers.UOffsetT {
	b.StartVector(4, len(list), 4)
	for i := range list {
		b.PrependFloat32(list[len(list)-1-i])
	}
	return b.EndVector(len(list))
}

func int32s(b *flatbuffers.Builder, list []int32) flatbuffers.UOffsetT {
	b.StartVector(4, len(list), 4)
	for i := range list {
		b.PrependInt32(list[len(list)-1-i])
	}
	return b.EndVector(len(list))
}
