package float

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"

	"tarsier/mnv2"
)

// Check tells at which layer the network stops being a MobileNetV2 that can be
// quantized, or which of its numbers is none.
func (n *Network) Check() error {
	_, err := n.Facts()
	return err
}

// Facts checks the network and tells what it is.
func (n *Network) Facts() (mnv2.Facts, error) {
	if err := n.Pixels.check(); err != nil {
		return mnv2.Facts{}, fmt.Errorf("input: %w", err)
	}
	facts, err := n.shape().Facts()
	if err != nil {
		return mnv2.Facts{}, err
	}
	for name, c := range n.Convs() {
		err := c.checkNumbers()
		switch linear := c == n.Classifier || n.projection(c) != nil; {
		case err != nil:
		case linear && c.ReLU6:
			err = errors.New("there is a ReLU6 behind it: a MobileNetV2 has none here")
		case !linear && !c.ReLU6:
			err = errors.New("there is no ReLU6 behind it: a MobileNetV2 has one here")
		}
		if err != nil {
			return mnv2.Facts{}, fmt.Errorf("%s %q: %w", name, c.Name, err)
		}
	}
	return facts, nil
}

// Convs gives the convolutions in the order they run, the classifier as the
// last, each with what it is: "block 3, expand".
func (n *Network) Convs() iter.Seq2[string, *Conv] {
	return func(yield func(string, *Conv) bool) {
		if !yield("first convolution", &n.First) {
			return
		}
		for i := range n.Blocks {
			b := &n.Blocks[i]
			if b.Expand != nil && !yield(fmt.Sprintf("block %d, expand", i), b.Expand) ||
				!yield(fmt.Sprintf("block %d, depthwise", i), &b.Depthwise) ||
				!yield(fmt.Sprintf("block %d, project", i), &b.Project) {
				return
			}
		}
		if !yield("last convolution", &n.Last) {
			return
		}
		if n.Classifier != nil {
			yield("classifier", n.Classifier)
		}
	}
}

// Activations names what flows through the network, in the order of a run: what
// the convolutions give, by the names of Convs, behind their ReLU6, what the
// residual additions give ("block 3, sum") and the mean over all pixels.
func (n *Network) Activations() (names []string) {
	for name, c := range n.Convs() {
		if c == n.Classifier {
			names = append(names, "mean")
		}
		names = append(names, name)
		if b := n.projection(c); b != nil && b.Residual {
			names = append(names, strings.Replace(name, "project", "sum", 1))
		}
	}
	if n.Classifier == nil {
		names = append(names, "mean")
	}
	return names
}

// projection is the block that c ends, nil if it ends none.
func (n *Network) projection(c *Conv) *Block {
	for i := range n.Blocks {
		if b := &n.Blocks[i]; c == &b.Project {
			return b
		}
	}
	return nil
}

// shape is the network without its numbers, so that one place knows what a
// MobileNetV2 is.
func (n *Network) shape() *mnv2.Network {
	unit := mnv2.Quantization{Scale: 1}
	s := &mnv2.Network{
		Name: n.Name, Size: n.Size, Input: unit, Embedding: unit,
		Pixels: mnv2.Normalization{Std: 1},
		First:  n.First.shape(),
		Last:   n.Last.shape(),
	}
	for i := range n.Blocks {
		b := &n.Blocks[i]
		block := mnv2.Block{Depthwise: b.Depthwise.shape(), Project: b.Project.shape()}
		if b.Expand != nil {
			c := b.Expand.shape()
			block.Expand = &c
		}
		if b.Residual {
			block.Residual = &mnv2.Add{Name: b.Project.Name, Output: unit}
		}
		s.Blocks = append(s.Blocks, block)
	}
	if n.Classifier != nil {
		c := n.Classifier.shape()
		s.Classifier = &c
	}
	return s
}

func (c *Conv) shape() mnv2.Conv {
	s := mnv2.Conv{
		Name: c.Name, Kernel: c.Kernel, Stride: c.Stride, Pad: c.Pad, In: c.In, Out: c.Out, Depthwise: c.Depthwise,
		Weights: make([]int8, len(c.Weights)),
		Scales:  make([]float32, len(c.Bias)),
		Bias:    make([]int32, len(c.Bias)),
		Output:  mnv2.Quantization{Scale: 1},
	}
	for i := range s.Scales {
		s.Scales[i] = 1
	}
	return s
}

// checkNumbers looks for what is no number; the shape has been checked.
func (c *Conv) checkNumbers() error {
	const why = "the file is damaged or the training diverged"
	for i, w := range c.Weights {
		if !finite(w) {
			channel, n := i/(len(c.Weights)/c.Out), i%(len(c.Weights)/c.Out)
			if c.Depthwise {
				channel, n = i%c.Out, i/c.Out
			}
			return fmt.Errorf("weight %d of channel %d is %g: %s", n, channel, w, why)
		}
	}
	for i, b := range c.Bias {
		if !finite(b) {
			return fmt.Errorf("bias of channel %d is %g: %s", i, b, why)
		}
	}
	return nil
}

func (p Normalization) check() error {
	for c, colour := range []string{"red", "green", "blue"} {
		if !finite(p.Mean[c]) {
			return fmt.Errorf("mean of %s is %g: want a number", colour, p.Mean[c])
		}
		if !finite(p.Std[c]) || p.Std[c] <= 0 {
			return fmt.Errorf("deviation of %s is %g: want a positive number", colour, p.Std[c])
		}
	}
	return nil
}

func finite(f float32) bool {
	return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0)
}
