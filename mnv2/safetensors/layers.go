package safetensors

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile"
)

// maxErrors is how many tensors an error names.
const maxErrors = 5

// A reader takes layers out of a file and collects what is wrong with them.
type reader struct {
	*file
	program string // whose names the tensors have
	prefix  string
	errs    []string
	other   bool // they are not the tensors of a MobileNetV2
}

// A shape is what a convolution must be at its place in the network.
type shape struct {
	kernel, stride, in int
	depthwise          bool
	active             bool
}

func (r *reader) fail(err error) {
	switch len(r.errs) {
	case maxErrors:
		r.errs = append(r.errs, "and more")
	case maxErrors + 1:
	default:
		r.errs = append(r.errs, err.Error())
	}
}

// take gives the tensor of that name, with a shape where 0 is any number; nil
// if there is none.
func (r *reader) take(name string, want ...int64) []float32 {
	t := r.tensors[r.prefix+name]
	if t == nil {
		r.other = true
		r.fail(fmt.Errorf("tensor %q is missing", r.prefix+name))
		return nil
	}
	t.used = true
	fits := len(want) == len(t.Shape)
	for i := range want {
		fits = fits && (want[i] == t.Shape[i] || want[i] == 0 && t.Shape[i] > 0)
	}
	if !fits {
		r.other = true
		r.fail(t.errorf("shape %v; it must be %s", t.Shape, anyOf(want)))
		return nil
	}
	v, err := t.reals()
	if err != nil {
		r.fail(err)
	}
	return v
}

// anyOf writes a shape with "n" for any number.
func anyOf(want []int64) string {
	parts := make([]string, len(want))
	for i, d := range want {
		if parts[i] = fmt.Sprint(d); d == 0 {
			parts[i] = "n"
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func (r *reader) has(name string) bool { return r.tensors[r.prefix+name] != nil }

// conv reads a convolution and folds the batch normalization behind it.
func (r *reader) conv(l layer, s shape) float.Conv {
	c := float.Conv{
		Name: l.conv, Kernel: s.kernel, Stride: s.stride, In: s.in, Depthwise: s.depthwise, ReLU6: s.active,
		Pad: mnv2.Padding{Before: s.kernel / 2, After: s.kernel / 2},
	}
	k := int64(s.kernel)
	var weights []float32
	if s.depthwise {
		weights = r.take(l.conv+".weight", int64(s.in), 1, k, k)
	} else {
		weights = r.take(l.conv+".weight", 0, int64(s.in), k, k)
	}
	if weights != nil {
		c.Out = int(r.tensors[r.prefix+l.conv+".weight"].Shape[0])
		c.Weights = modelfile.ChannelsLast(&c, weights)
	}
	// Where the weights are missing, Out stays 0, which take has for any number:
	// an error names no tensor that is only wrong because another is.
	n := int64(c.Out)
	c.Bias = make([]float32, c.Out)
	if r.has(l.conv + ".bias") {
		c.Bias = r.take(l.conv+".bias", n)
	}
	bn := modelfile.BatchNorm{
		Scale: r.take(l.norm+".weight", n), Bias: r.take(l.norm+".bias", n),
		Mean: r.take(l.norm+".running_mean", n), Variance: r.take(l.norm+".running_var", n),
		Epsilon: 1e-5, // of PyTorch, and of all three programs
	}
	if t := r.tensors[r.prefix+l.norm+".num_batches_tracked"]; t != nil {
		t.used = true
	}
	if len(r.errs) == 0 {
		if err := bn.Fold(&c); err != nil {
			r.fail(fmt.Errorf("%s: %w", r.prefix+l.norm, err))
		}
	}
	return c
}

// classifier reads the fully connected layer on the embedding of in numbers,
// nil if there is none.
func (r *reader) classifier(names []string, in int) *float.Conv {
	for _, name := range names {
		if !r.has(name + ".weight") {
			continue
		}
		c := &float.Conv{Name: name, Kernel: 1, Stride: 1, In: in}
		if c.Weights = r.take(name+".weight", 0, int64(in)); c.Weights == nil {
			return c
		}
		c.Out = int(r.tensors[r.prefix+name+".weight"].Shape[0])
		c.Bias = make([]float32, c.Out)
		if r.has(name + ".bias") {
			c.Bias = r.take(name+".bias", int64(c.Out))
		}
		return c
	}
	return nil
}

// err says what was wrong, and which tensors belong to no layer.
func (r *reader) err() error {
	if len(r.errs) == 0 {
		if err := r.checkUsed(); err != nil {
			r.other = true
			r.fail(err)
		}
	}
	wrong := strings.Join(r.errs, "; ")
	switch {
	case wrong == "":
		return nil
	case r.other:
		return fmt.Errorf("not a MobileNetV2 as %s names its layers: %s; if it is one, export it to ONNX, which has a graph", r.program, wrong)
	}
	return errors.New(wrong)
}

// checkUsed finds what is in the file and not in the network.
func (r *reader) checkUsed() error {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.tensors)) {
		if !r.tensors[name].used {
			names = append(names, name)
		}
	}
	switch n := len(names); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("tensor %q is not part of it", names[0])
	default:
		return fmt.Errorf("%d tensors are not part of it: %q", n, names[:min(n, maxErrors)])
	}
}
