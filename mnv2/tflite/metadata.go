package tflite

import (
	"fmt"
	"math"

	flatbuffers "github.com/google/flatbuffers/go"

	"tarsier/mnv2"
	"tarsier/mnv2/tflite/internal/schema"
)

// metadataName is the entry that leads to the metadata of metadata.fbs.
const metadataName = "TFLITE_METADATA"

// readMetadata takes the model's name and its normalization from the file's
// metadata, where it has any.
func (m *model) readMetadata(root *schema.Model) error {
	var entry schema.Metadata
	for i := range root.MetadataLength() {
		if root.Metadata(&entry, i); string(entry.Name()) != metadataName {
			continue
		}
		if b := entry.Buffer(); int64(b) >= int64(len(m.buffers)) {
			return fmt.Errorf("metadata: buffer %d of %d", b, len(m.buffers))
		}
		data := m.buffers[entry.Buffer()].DataBytes()
		if err := verify(data, "metadata", metadataLayout); err != nil {
			return err
		}
		meta := schema.GetRootAsModelMetadata(data, 0)
		m.name = clip(meta.Name())
		var err error
		m.pixels, err = normalization(meta)
		return err
	}
	return nil
}

// normalization gives what the metadata says of the first input's pixels, nil
// if nothing.
func normalization(meta *schema.ModelMetadata) (*mnv2.Normalization, error) {
	var graph schema.SubGraphMetadata
	if meta.SubgraphMetadataLength() == 0 || !meta.SubgraphMetadata(&graph, 0) {
		return nil, nil
	}
	var input schema.TensorMetadata
	if graph.InputTensorMetadataLength() == 0 || !graph.InputTensorMetadata(&input, 0) {
		return nil, nil
	}
	var unit schema.ProcessUnit
	for i := range input.ProcessUnitsLength() {
		input.ProcessUnits(&unit, i)
		var t flatbuffers.Table
		if unit.OptionsType() != schema.ProcessUnitOptionsNormalizationOptions || !unit.Options(&t) {
			continue
		}
		var o schema.NormalizationOptions
		o.Init(t.Bytes, t.Pos)
		mean, err := single("mean", o.MeanLength(), o.Mean)
		if err != nil {
			return nil, err
		}
		std, err := single("std", o.StdLength(), o.Std)
		if err != nil {
			return nil, err
		}
		if !(std > 0) {
			return nil, fmt.Errorf("metadata: normalization: std %v must be more than 0", std)
		}
		return &mnv2.Normalization{Mean: mean, Std: std}, nil
	}
	return nil, nil
}

// single gives the value that all colours share.
func single(what string, n int, value func(int) float32) (float32, error) {
	if n != 1 && n != 3 {
		return 0, fmt.Errorf("metadata: normalization: %d values of %s; there must be 1 or 3", n, what)
	}
	list := make([]float32, n)
	for i := range list {
		list[i] = value(i)
	}
	// NaN is not equal to itself.
	if v := list[0]; v != list[n-1] || v != list[n/2] || math.IsInf(float64(v), 0) {
		return 0, fmt.Errorf("metadata: normalization: %s %v; it must be one finite number, the same for red, green and blue", what, list)
	}
	return list[0], nil
}
