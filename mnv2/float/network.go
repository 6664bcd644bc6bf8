// Package float describes MobileNetV2 networks (Sandler et al., arXiv
// 1801.04381) in float32, before they are quantized, and runs them plainly.
//
// It takes a Network, which packages tflite, onnx and safetensors read from
// files, and the pictures that package mnv2 takes: Size x Size pixels, three
// bytes (red, green, blue) each. It gives logits, scores and the embedding, and
// every activation on the way. It is the reference that package quantize
// measures int8 networks against; nothing of the daemon's work runs on it.
package float

import "tarsier/mnv2"

// A Network is a MobileNetV2 with float32 weights. Batch normalization is
// folded into weights and biases.
type Network struct {
	Name   string // what the file calls itself, or its file name
	Size   int    // height and width of the input in pixels, usually 224
	Pixels Normalization

	First      Conv    // 3x3, stride 2, 3 input channels
	Blocks     []Block // the inverted residual blocks
	Last       Conv    // 1x1, to the width of the embedding
	Classifier *Conv   // 1x1 on the embedding, without activation; nil for a feature extractor
}

// Normalization says which real value a pixel's byte p of red, green or blue
// stands for: (p - Mean[c]) / Std[c]. Padding is 0 behind it.
type Normalization struct {
	Mean, Std [3]float32
}

// The two that networks are trained with.
var (
	// Symmetric is -1..1: TensorFlow and Keras, and so what a .tflite file, or an
	// ONNX file with the channels last, has that does not say.
	Symmetric = Normalization{Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{127.5, 127.5, 127.5}}
	// ImageNet is the mean and deviation of ImageNet's pixels: torchvision and timm,
	// and so what all other files have.
	ImageNet = Normalization{
		Mean: [3]float32{0.485 * 255, 0.456 * 255, 0.406 * 255},
		Std:  [3]float32{0.229 * 255, 0.224 * 255, 0.225 * 255},
	}
)

// A Conv is one convolution or fully connected layer and its activation.
type Conv struct {
	Name      string // for messages
	Kernel    int    // height and width: 1 or 3
	Stride    int    // 1 or 2
	Pad       mnv2.Padding
	In, Out   int // channels; equal for a depthwise convolution
	Depthwise bool

	// The order of Weights is out, y, x, in for a convolution and y, x, channel
	// for a depthwise one, as in mnv2.Conv.
	Weights []float32
	Bias    []float32 // Out of them
	ReLU6   bool
}

// A Block is an inverted residual block with a linear bottleneck.
type Block struct {
	Expand    *Conv // 1x1; nil where the block has none (t = 1)
	Depthwise Conv  // 3x3
	Project   Conv  // 1x1, no activation
	Residual  bool  // the block's input is added to its projection
}
