// Package kernels is the int8 arithmetic of a MobileNetV2: each function takes
// rows or pixels of int8 activations, channels innermost (NHWC), and layers
// packed beforehand, and writes int8 activations. A Set is one complete
// implementation; the portable one, in plain Go, defines the results and every
// other equals it bit for bit. The numbers are those of TensorFlow Lite's
// 8-bit quantization specification, rounded as XNNPACK rounds them.
//
// Channels of all tensors are padded to a multiple of Set.Align, so that no
// kernel has a remainder in channels; the padding's weights are zero. Pixels
// outside the image are written out by the caller as the zero point, so that
// no kernel has borders.
package kernels

import (
	"fmt"
	"strings"
)

// A Set is a table of kernels that work together: layers packed by one set are
// for its kernels only.
type Set struct {
	Name  string
	Align int // a power of two, at least 4
	Pass  int // output pixels that one call should get where rows allow it

	// First is the 3x3 stride-2 convolution on 3 channels. It makes the row
	// dst from three rows of 3-byte pixels that include the padding.
	First func(dst []int8, rows *[3][]int8, l *Layer, s *Scratch)

	// Pointwise is the 1x1 convolution of the pixels in src. The results
	// follow one another through the rows of dst, which may lie apart.
	Pointwise func(dst [][]int8, src []int8, l *Layer, s *Scratch)

	// Depthwise is the 3x3 depthwise convolution. From 3 + (n-1)*stride rows
	// that include the padding it makes n rows, one after the other in dst.
	Depthwise func(dst []int8, rows [][]int8, l *Layer, stride int)

	// Add is the residual addition, element by element; dst may be x or y.
	Add func(dst, x, y []int8, a *Add)

	// Mean averages each channel of src over its pixels into dst.
	Mean func(dst, src []int8, m *Mean)

	// Quantize looks each byte of src up.
	Quantize func(dst []int8, src []byte, table *[256]int8)

	// These order the weights, whose channels are padded by now.
	packFirst     func(l *Layer, weights []int8) // from out, tap, in
	packPointwise func(l *Layer, weights []int8) // from out, in
	packDepthwise func(l *Layer, weights []int8) // from tap, channel
}

// sets are the kernels that this CPU runs, fastest first.
var sets = []*Set{&portable}

// Select returns the set of that name, or the fastest one for "".
func Select(name string) (*Set, error) {
	for _, s := range sets {
		if name == "" || name == s.Name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no kernel %q on this CPU; there is %s", name, strings.Join(Names(), ", "))
}

// Names lists the sets that this CPU runs, fastest first.
func Names() []string {
	names := make([]string, len(sets))
	for i, s := range sets {
		names[i] = s.Name
	}
	return names
}

// Pad rounds a number of channels up to a multiple of Align.
func (s *Set) Pad(channels int) int {
	return (channels + s.Align - 1) &^ (s.Align - 1)
}

// Scratch is what the kernels of one goroutine need to work in.
type Scratch struct {
	pixels []int64 // of the portable kernels: see lanes
}

// NewScratch makes scratch memory for layers of up to that many input channels.
func NewScratch(in int) *Scratch {
	return &Scratch{pixels: make([]int64, max(in, 27))}
}
