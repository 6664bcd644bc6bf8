package tflite

import (
	"fmt"
	"math"

	flatbuffers "github.com/google/flatbuffers/go"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
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
func normalization(meta *schema.ModelMetadata) (*float.Normalization, error) {
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
		mean, err := colours("mean", o.MeanLength(), o.Mean)
		if err != nil {
			return nil, err
		}
		std, err := colours("std", o.StdLength(), o.Std)
		if err != nil {
			return nil, err
		}
		for _, s := range std {
			if !(s > 0) {
				return nil, fmt.Errorf("metadata: normalization: std %v must be more than 0", s)
			}
		}
		return &float.Normalization{Mean: mean, Std: std}, nil
	}
	return nil, nil
}

// colours gives the values of red, green and blue, which may share one.
func colours(what string, n int, value func(int) float32) (v [3]float32, err error) {
	if n != 1 && n != 3 {
		return v, fmt.Errorf("metadata: normalization: %d values of %s; there must be 1 or 3", n, what)
	}
	for i := range v {
		v[i] = value(i % n)
	}
	for _, f := range v {
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			return v, fmt.Errorf("metadata: normalization: %s %v; it must be finite", what, v[:n])
		}
	}
	return v, nil
}

// single gives the normalization that all colours share, since mnv2 knows no
// other: package quantize moves what differs into the first convolution.
func single(p *float.Normalization) (mnv2.Normalization, error) {
	for _, v := range []struct {
		what string
		list [3]float32
	}{{"mean", p.Mean}, {"std", p.Std}} {
		if v.list[0] != v.list[1] || v.list[0] != v.list[2] {
			return mnv2.Normalization{}, fmt.Errorf("metadata: normalization: %s %v; it must be one finite number, the same for red, green and blue", v.what, v.list)
		}
	}
	return mnv2.Normalization{Mean: p.Mean[0], Std: p.Std[0]}, nil
}
