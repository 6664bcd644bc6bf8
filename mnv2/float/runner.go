package float

import (
	"fmt"
	"math"
	"slices"
)

// A Runner runs a network, and allocates no more than a Result for a picture. It
// is for one goroutine at a time; those who have several CPUs give each a runner
// and pictures of its own.
type Runner struct {
	net     *Network
	x, y    Tensor // a layer's input and output
	block   Tensor // the input of a block that adds it
	patches []float32
}

// A Result is what a network says of one picture.
type Result struct {
	Scores    []float32 // the probability of each class; nil without a classifier
	Logits    []float32 // what the classifier says of each class; nil without one
	Embedding []float32 // the mean over all pixels of the last convolution
}

// NewRunner makes a runner of a network that Check has seen.
func NewRunner(net *Network) *Runner { return &Runner{net: net} }

// Run runs a picture of Size x Size pixels of three bytes, red, green and blue.
//
// It shows every activation to tap, which may be nil, as it comes about; i counts
// them as Activations does. tap must not keep them.
func (r *Runner) Run(rgb []byte, tap func(i int, activation *Tensor)) (Result, error) {
	n := r.net
	if want := n.Size * n.Size * 3; len(rgb) != want {
		return Result{}, fmt.Errorf("network %q: picture of %d bytes: want %d, %dx%d pixels of red, green and blue",
			n.Name, len(rgb), want, n.Size, n.Size)
	}
	shown := 0
	show := func() {
		if tap != nil {
			tap(shown, &r.x)
		}
		shown++
	}
	conv := func(c *Conv) {
		c.Forward(&r.y, &r.x, &r.patches)
		r.x, r.y = r.y, r.x
		if c.ReLU6 {
			r.x.ReLU6()
		}
		show()
	}
	r.x.Pixels(rgb, n.Size, n.Pixels)
	conv(&n.First)
	for i := range n.Blocks {
		b := &n.Blocks[i]
		if b.Residual {
			r.block.Copy(&r.x)
		}
		if b.Expand != nil {
			conv(b.Expand)
		}
		conv(&b.Depthwise)
		conv(&b.Project)
		if b.Residual {
			r.x.Add(&r.block)
			show()
		}
	}
	conv(&n.Last)
	r.y.Mean(&r.x)
	r.x, r.y = r.y, r.x
	show()
	result := Result{Embedding: slices.Clone(r.x.Data)}
	if n.Classifier != nil {
		conv(n.Classifier)
		result.Logits = slices.Clone(r.x.Data)
		result.Scores = Softmax(result.Logits)
	}
	return result, nil
}

// Softmax gives the probabilities that logits, one at least, stand for.
func Softmax(logits []float32) []float32 {
	most := slices.Max(logits)
	scores, sum := make([]float32, len(logits)), 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v - most))
	}
	for i, v := range logits {
		scores[i] = float32(math.Exp(float64(v-most)) / sum)
	}
	return scores
}
