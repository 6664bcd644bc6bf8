package tflite

import (
	flatbuffers "github.com/google/flatbuffers/go"

	"tarsier/mnv2"
	"tarsier/mnv2/tflite/internal/schema"
)

// int8Version is the version in which an operator learned int8, where that is
// not the first.
var int8Version = map[schema.BuiltinOperator]int32{
	opAdd: 2, opAveragePool: 2, opConv: 3, opDepthwise: 3, opDequantize: 2,
	opFullyConnected: 4, opMean: 2, opPad: 2, opQuantize: 2, opSoftmax: 2,
}

// file gives the bytes of the graph.
func (w *writer) file(net *mnv2.Network) []byte {
	b := flatbuffers.NewBuilder(1 << 20)
	entries := w.metadata(b, net)
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
	tensors := each(b, w.tensors, func(t newTensor) flatbuffers.UOffsetT { return t.encode(b) })
	inputs, outputs := int32s(b, []int32{int32(w.input)}), int32s(b, []int32{int32(w.output)})
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

func (t newTensor) encode(b *flatbuffers.Builder) flatbuffers.UOffsetT {
	name, shape := b.CreateString(t.name), int32s(b, t.shape)
	var quantization flatbuffers.UOffsetT
	if len(t.scales) > 0 {
		schema.QuantizationParametersStartScaleVector(b, len(t.scales))
		for i := range t.scales {
			b.PrependFloat32(t.scales[len(t.scales)-1-i])
		}
		scales := b.EndVector(len(t.scales))
		schema.QuantizationParametersStartZeroPointVector(b, len(t.scales))
		for range t.scales {
			b.PrependInt64(t.zero)
		}
		zeros := b.EndVector(len(t.scales))
		schema.QuantizationParametersStart(b)
		schema.QuantizationParametersAddScale(b, scales)
		schema.QuantizationParametersAddZeroPoint(b, zeros)
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

// metadata encodes the entries of the file's metadata: the network's name, and
// its normalization where Read would not come upon it by itself.
func (w *writer) metadata(b *flatbuffers.Builder, net *mnv2.Network) flatbuffers.UOffsetT {
	pixels := defaultPixels
	if w.Legacy || w.Input == Uint8 {
		pixels = bytePixels(net.Input)
	}
	if net.Name == "" && net.Pixels == pixels {
		return offsets(b, nil)
	}
	meta := flatbuffers.NewBuilder(0)
	var graphs flatbuffers.UOffsetT
	if net.Pixels != pixels {
		graphs = normalizationMetadata(meta, net.Pixels)
	}
	name := meta.CreateString(net.Name)
	schema.ModelMetadataStart(meta)
	schema.ModelMetadataAddName(meta, name)
	if graphs != 0 {
		schema.ModelMetadataAddSubgraphMetadata(meta, graphs)
	}
	meta.FinishWithFileIdentifier(schema.ModelMetadataEnd(meta), []byte("M001"))
	buffer := w.buffer(meta.FinishedBytes())
	entry := b.CreateString(metadataName)
	schema.MetadataStart(b)
	schema.MetadataAddName(b, entry)
	schema.MetadataAddBuffer(b, uint32(buffer))
	return offsets(b, []flatbuffers.UOffsetT{schema.MetadataEnd(b)})
}

// normalizationMetadata encodes what metadata says of one graph's only input.
func normalizationMetadata(b *flatbuffers.Builder, p mnv2.Normalization) flatbuffers.UOffsetT {
	one := func(v float32) flatbuffers.UOffsetT {
		b.StartVector(4, 1, 4)
		b.PrependFloat32(v)
		return b.EndVector(1)
	}
	mean, std := one(p.Mean), one(p.Std)
	schema.NormalizationOptionsStart(b)
	schema.NormalizationOptionsAddMean(b, mean)
	schema.NormalizationOptionsAddStd(b, std)
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
	return offsets(b, []flatbuffers.UOffsetT{schema.SubGraphMetadataEnd(b)})
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

func int32s(b *flatbuffers.Builder, list []int32) flatbuffers.UOffsetT {
	b.StartVector(4, len(list), 4)
	for i := range list {
		b.PrependInt32(list[len(list)-1-i])
	}
	return b.EndVector(len(list))
}
