// Package kernels is the int8 arithmetic of a MobileNetV2: each function takes
// pixels of int8 activations and a layer packed beforehand, and writes pixels.
// A Set is one complete implementation; the portable one, in plain Go, defines
// the results and every other equals it bit for bit. The numbers are those of
// TensorFlow Lite's 8-bit quantization specification, rounded as XNNPACK rounds
// them.
//
// Activations lie in groups of 16 channels, see Pixels. Channels that fill the
// last group up may hold anything and come out as anything: their weights are
// zero. Pixels outside the image are written out by the caller as the zero
// point, so that no kernel has borders.
package kernels

import (
	"fmt"
	"strings"
)

// Group is how many channels lie side by side.
const Group = 16

// Pixels are pixels in memory: channel c of pixel p is
//
//	Data[c/Group*Stride + p*Group + c%Group]
//
// so that a group's pixels follow one another, and what reads a few channels
// of many pixels reads memory from one end to the other. A kernel's Pixels
// begin with the first channel and the first pixel that it works on.
type Pixels struct {
	Data   []int8
	Stride int // from a group of channels to the next
}

// At gives the pixels from channel on, a multiple of Group, and from pixel on.
func (p Pixels) At(channel, pixel int) Pixels {
	return Pixels{p.Data[channel/Group*p.Stride+pixel*Group:], p.Stride}
}

// Pad rounds a number of channels up to whole groups.
func Pad(channels int) int { return (channels + Group - 1) / Group * Group }

// A Set is a table of kernels that work together: layers packed by one set are
// for its kernels only.
//
// Those that take from and to make the output channels from from up to to only.
// Both are multiples of Step, but to may be the layer's last channel, Out.
type Set struct {
	Name string
	Flip int8 // a value q is stored as q ^ Flip: 0, or -128 where that suits the instructions
	In   int  // the input channels of a layer are padded to a multiple of this
	Out  int  // and the output channels to a multiple of this
	Step int  // so many output channels are worth a call, a multiple of Group and of Out

	// First is the 3x3 stride-2 convolution on 3 channels. It makes n pixels
	// from three rows of 3-byte pixels that include the padding. Each row has
	// at least 6*n + FirstSlack bytes, the last of which do not matter.
	First func(dst Pixels, rows *[3][]int8, n int, l *Layer, s *Scratch)

	// Pointwise is the 1x1 convolution of n pixels.
	Pointwise func(dst, src Pixels, n int, l *Layer, from, to int, s *Scratch)

	// Depthwise is the 3x3 depthwise convolution: n pixels of each row of dst,
	// one or, with stride 1, two, from 2 + len(dst) rows of src that include
	// the padding. All of src have one Stride, and so have all of dst.
	Depthwise func(dst, src []Pixels, n int, l *Layer, stride, from, to int)

	// Add is the residual addition, byte by byte; dst may be x or y.
	Add func(dst, x, y []int8, a *Add)

	// Mean averages each of len(dst) channels, whole groups, over n pixels.
	Mean func(dst []int8, src Pixels, n int, m *Mean)

	// Peak makes that many rounds of multiply-adds with the instructions that
	// Pointwise uses, of what is in registers, and says how many those were:
	// what the core can do.
	Peak func(rounds int) (multiplyAdds int)

	// These order the weights, whose channels are padded by now.
	packFirst     func(l *Layer, weights []int8) // from out, tap, in
	packPointwise func(l *Layer, weights []int8) // from out, in
	packDepthwise func(l *Layer, weights []int8) // from tap, channel
}

// FirstSlack is how many bytes the rows of a First go on after 6*n: the last
// window's, and what a kernel reads with them.
const FirstSlack = 16

// sets are the kernels that this CPU runs, fastest first.
var sets = append(assembly(), &portable)

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

// Scratch is what the kernels of one goroutine need to work in.
type Scratch struct {
	packed []int64 // of the portable kernels: see lanes
	window []int8  // of First: the 27 inputs of each pixel, padded to two groups
	copies []int8  // of avx2: the inputs of a tile, see laneCopy; or three rows of First
}

// NewScratch makes scratch memory for layers of up to that many input
// channels, and First of up to that many pixels.
func NewScratch(in, pixels int) *Scratch {
	return &Scratch{
		packed: make([]int64, max(Pad(in), 2*Group)),
		window: make([]int8, 2*Group*pixels),
		copies: make([]int8, max(28*Pad(in), 24*24, 3*(6*pixels+FirstSlack))),
	}
}
