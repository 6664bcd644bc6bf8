// Package tflite reads and writes MobileNetV2 networks as TensorFlow Lite files.
//
// [Load] and [Read] take a quantized .tflite file and give the [mnv2.Network] in
// it; [Write] is the way back. [LoadFloat] and [ReadFloat] take one that was not
// quantized, and give the [float.Network] that package quantize takes. Which
// layer is which is read from the edges of the file's graph, not from names or
// from the order of its operators. Files of 2018 to 2020, whose numbers are
// uint8 with one scale for all weights of a layer, are converted to what mnv2
// knows: int8, symmetric weights, one scale for each output channel. A file is
// not trusted: every offset in it is checked before it is followed, and one that
// is damaged, or is not a MobileNetV2, gets an error that names the place.
//
// The format is the published schema (schema.fbs), the arithmetic it implies
// the TensorFlow Lite 8-bit quantization specification, the network Sandler et
// al., arXiv 1801.04381.
package tflite

//go:generate flatc --go --go-namespace schema -o internal schema.fbs metadata.fbs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/modelfile"
)

const extension = ".tflite"

// Load reads the network in a .tflite file. Its Name is the one in the file's
// metadata, else the file's.
func Load(path string) (*mnv2.Network, error) {
	data, err := modelfile.Read(path, extension, modelfile.MaxInt8)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", path, err)
	}
	net, err := Read(data)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", path, err)
	}
	if net.Name == "" {
		net.Name = modelfile.Name(path, extension)
	}
	return net, nil
}

// Read gives the network in the bytes of a .tflite file. It keeps data: the
// network's weights are slices of it where they need no conversion, so data
// must not change afterwards.
func Read(data []byte) (*mnv2.Network, error) {
	if err := modelfile.CheckSize(int64(len(data)), modelfile.MaxInt8); err != nil {
		return nil, err
	}
	m, err := open(data)
	if err != nil {
		return nil, err
	}
	net, err := m.network()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	net.SHA256 = hex.EncodeToString(sum[:])
	return net, nil
}
