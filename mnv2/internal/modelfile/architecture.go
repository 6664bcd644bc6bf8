package modelfile

import "tarsier/mnv2"

// A Stage is a row of table 2 of arXiv 1801.04381: the expansion of a stage's
// blocks, how many there are, and the stride of the first.
type Stage struct{ Expansion, Repeats, Stride int }

// Stages are the inverted residual blocks of a MobileNetV2.
var Stages = []Stage{
	{1, 1, 1},
	{6, 2, 2},
	{6, 3, 2},
	{6, 4, 2},
	{6, 3, 1},
	{6, 3, 2},
	{6, 1, 1},
}

// Blocks is the number of inverted residual blocks.
func Blocks() int {
	n := 0
	for _, s := range Stages {
		n += s.Repeats
	}
	return n
}

// SamePadding is what TensorFlow's SAME puts around an input of size pixels: as
// many outputs as strides fit in, and the odd one of the zeros behind.
func SamePadding(size, kernel, stride int) mnv2.Padding {
	out := (size + stride - 1) / stride
	total := max((out-1)*stride+kernel-size, 0)
	return mnv2.Padding{Before: total / 2, After: total - total/2}
}
