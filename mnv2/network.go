package mnv2

// A Network is a quantized MobileNetV2 as its file describes it: shapes, int8
// weights, scales and zero points, in the order the network runs (Sandler et
// al., arXiv 1801.04381, table 2). It holds no state of a run. The slices
// belong to whoever made the Network and must not change once New has seen it.
type Network struct {
	Name   string // what the file calls itself, or its file name
	SHA256 string // of the file, in hexadecimal; "" if it comes from none

	Size   int          // height and width of the input in pixels, usually 224
	Input  Quantization // of the input tensor, in int8
	Pixels Normalization

	First      Conv         // 3x3, stride 2, 3 input channels
	Blocks     []Block      // the inverted residual blocks
	Last       Conv         // 1x1, to the width of the embedding
	Embedding  Quantization // of the mean over all pixels
	Classifier *Conv        // 1x1 on the embedding; nil for a feature extractor
}

// Quantization maps an int8 q to the real value Scale * (q - Zero)
// (TensorFlow Lite 8-bit quantization specification).
type Quantization struct {
	Scale float32
	Zero  int32 // -128..127
}

// Normalization says which real value a pixel's byte p stands for:
// (p - Mean) / Std, the same for red, green and blue.
type Normalization struct {
	Mean, Std float32
}

// A Conv is one convolution or fully connected layer with what follows it:
// requantization and the activation, folded into Min and Max.
type Conv struct {
	Name      string // of its output tensor, for messages
	Kernel    int    // height and width: 1 or 3
	Stride    int    // 1 or 2
	Pad       Padding
	In, Out   int // channels; equal for a depthwise convolution
	Depthwise bool

	// Weights are symmetric, one scale for each output channel. The order is
	// out, y, x, in for a convolution and y, x, channel for a depthwise one.
	Weights []int8
	Scales  []float32 // Out of them
	Bias    []int32   // Out of them, in units of the input's scale times Scales

	Output   Quantization
	Min, Max int8 // clamp of the output: -128..127, narrowed by ReLU6
}

// Padding counts the pixels of the zero point around the input, the same
// for height and width: TensorFlow pads a 3x3 stride-2 convolution on an even
// size by {0, 1}, PyTorch by {1, 1}.
type Padding struct {
	Before, After int
}

// A Block is an inverted residual block with a linear bottleneck.
type Block struct {
	Expand    *Conv // 1x1; nil where the block has none (t = 1)
	Depthwise Conv  // 3x3
	Project   Conv  // 1x1, no activation
	Residual  *Add  // nil where stride or channels do not allow it
}

// Add sums a block's input and its projection, element by element.
type Add struct {
	Name     string
	Output   Quantization
	Min, Max int8
}
