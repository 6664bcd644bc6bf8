// Package onnx reads float32 MobileNetV2 networks from ONNX files, as PyTorch
// (torchvision, timm; both exporters), Keras and tf2onnx write them.
//
// [Load] and [Read] give the [float.Network] that package quantize takes. Which
// layer is which is read from the edges of the file's graph, not from names.
// Files differ in much that is the same network: the picture's channels first or
// last; batch normalization as an operator, as products and sums, or folded; the
// ReLU6 as Clip, or as Relu and Min; padding as Pad or as an attribute; the mean
// as GlobalAveragePool, ReduceMean or AveragePool; the classifier as Gemm, MatMul
// and Add, or a 1x1 Conv. Weights may be float32, float64, float16 or bfloat16. A
// file is not trusted, and one that is not a MobileNetV2 gets an error that names
// the operator at which it stops being one.
//
// The format is that of https://onnx.ai (onnx.proto), operator sets 7 to 28, the
// network Sandler et al., arXiv 1801.04381. The file's metadata_props may say
// what a pixel stands for: "tarsier.mean" and "tarsier.std", in units of bytes,
// one number or three with commas between them. Where they do not, it is
// float.ImageNet, as PyTorch's networks are trained, or float.Symmetric if the
// picture's channels are last, as Keras' are, or the byte itself if the input is
// uint8. They may also say the height and width of the input, "tarsier.size",
// where the graph leaves them open (else 224).
package onnx

import (
	"errors"
	"fmt"

	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile"
)

// The operator sets that are known.
const (
	minOpset = 7
	maxOpset = 28
)

// Load reads the network in an .onnx file. Its Name is the file's: exporters call
// every graph the same. Errors are those of Read, or of reading the file, with its
// path.
func Load(path string) (*float.Network, error) {
	return modelfile.Load(path, ".onnx", Read)
}

// Read gives the network in the bytes of an .onnx file. It does not keep data. An
// error names the operator at which the file stops being a MobileNetV2, or says
// how it is damaged.
func Read(data []byte) (*float.Network, error) {
	if err := modelfile.CheckSize(int64(len(data)), modelfile.MaxFloat); err != nil {
		return nil, err
	}
	m, err := decode(data)
	if err != nil {
		return nil, err
	}
	switch {
	case m.opset == 0:
		return nil, errors.New("the file does not say which operator set it has (opset_import); export the model again")
	case m.opset < minOpset || m.opset > maxOpset:
		return nil, fmt.Errorf("operator set %d; %d to %d are known: export the model with another opset_version, for example 18", m.opset, minOpset, maxOpset)
	}
	g, err := newGraph(m)
	if err != nil {
		return nil, err
	}
	net, err := g.network()
	if err != nil {
		return nil, err
	}
	if err := net.Check(); err != nil {
		return nil, err
	}
	return net, nil
}
