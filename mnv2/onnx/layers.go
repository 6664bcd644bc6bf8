package onnx

import (
	"math"
	"slices"
	"strings"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile"
)

// A role is what a convolution must be at its place in the network. The stride
// is left to float.Network.Check.
type role struct {
	name      string
	kernel    int
	depthwise bool
	active    bool // followed by ReLU6; else linear
	shared    bool // its input is a block's, which the residual addition reads too
}

func (r role) kind() string {
	if r.depthwise {
		return "depthwise Conv"
	}
	return "Conv"
}

// conv reads the convolution whose input is x: a Pad, the Conv, what scales and
// shifts its channels, and the ReLU6.
func (g *graph) conv(x *plane, r role) (c float.Conv, err error) {
	n, err := g.after(x, r.shared, "the "+r.name)
	if err != nil {
		return c, err
	}
	var pad mnv2.Padding
	if n.op == "Pad" && r.kernel > 1 {
		if pad, err = g.pad(x, n); err != nil {
			return c, err
		}
		if n, err = g.after(x, false, "the "+r.name); err != nil {
			return c, err
		}
	}
	if n.op != "Conv" {
		hint := ""
		if first := r.kernel == 3 && !r.depthwise; first && slices.Contains([]string{"Add", "Sub", "Mul", "Div"}, n.op) {
			hint = "; if it prepares the picture, export the network without it, and say what a pixel stands for when it is quantized"
		}
		return c, n.errorf("where a MobileNetV2 has the %s (%s)%s", r.name, r.kind(), hint)
	}
	if x.last {
		return c, n.errorf("the channels of its input are the last dimension; a Conv has them second")
	}
	w, weights, err := g.numbers(n, 1, "weights")
	if err != nil {
		return c, err
	}
	if c, err = g.shape(x, n, r, w.dims); err != nil {
		return c, err
	}
	c.Name = layerName(n, w)
	c.Weights = modelfile.ChannelsLast(&c, weights)
	if c.Bias, err = g.bias(n, 2, c.Out); err != nil {
		return c, err
	}
	if err := g.pass(x, n); err != nil {
		return c, err
	}
	x.size, x.channels = (x.size+c.Pad.Before+c.Pad.After-c.Kernel)/c.Stride+1, c.Out
	c.Pad.Before += pad.Before
	c.Pad.After += pad.After
	if c.Pad.Before > 1 || c.Pad.After > 1 {
		return c, n.errorf("padded by %d before and %d after; a MobileNetV2 pads by 1 at most", c.Pad.Before, c.Pad.After)
	}
	if err := g.affine(x, &c); err != nil {
		return c, err
	}
	c.ReLU6 = r.active
	return c, g.activation(x, n, r)
}

// shape reads a Conv's attributes; dims are those of its weights.
func (g *graph) shape(x *plane, n *node, r role, dims list) (c float.Conv, err error) {
	if len(dims) != 4 || dims[2] != dims[3] || dims[0] < 1 || dims[0] > 1<<16 {
		return c, n.errorf("weights of shape %v; they must be [outputs inputs %d %d]", dims, r.kernel, r.kernel)
	}
	if dims[2] != int64(r.kernel) {
		return c, n.errorf("kernel %dx%d; the %s of a MobileNetV2 has %dx%d", dims[2], dims[3], r.name, r.kernel, r.kernel)
	}
	c = float.Conv{Kernel: r.kernel, Stride: 1, In: x.channels, Out: int(dims[0]), Depthwise: r.depthwise}
	group, inputs := int64(1), int64(c.In)
	if r.depthwise {
		group, inputs = inputs, 1
	}
	switch got := n.integer("group", 1); {
	case got != group:
		return c, n.errorf("%d groups; the %s of a MobileNetV2 has %d on %d channels", got, r.name, group, c.In)
	case dims[1] != inputs || r.depthwise && c.Out != c.In:
		return c, n.errorf("weights of shape %v on %d channels in %d groups", dims, c.In, group)
	}
	if s := n.integers("strides"); len(s) > 0 {
		if len(s) != 2 || s[0] != s[1] || s[0] < 1 || s[0] > 2 {
			return c, n.errorf("strides %v; a MobileNetV2 has 1 or 2, the same both ways", s)
		}
		c.Stride = int(s[0])
	}
	for _, d := range n.integers("dilations") {
		if d != 1 {
			return c, n.errorf("dilations %v; a MobileNetV2 has none", n.integers("dilations"))
		}
	}
	c.Pad, err = padding(n, x.size, &c)
	if err == nil && x.size+c.Pad.Before+c.Pad.After < c.Kernel {
		err = n.errorf("an input of %dx%d is smaller than the kernel", x.size, x.size)
	}
	return c, err
}

// padding reads the attributes auto_pad and pads.
func padding(n *node, size int, c *float.Conv) (mnv2.Padding, error) {
	switch auto := n.text("auto_pad", "NOTSET"); auto {
	case "NOTSET":
		p := n.integers("pads")
		if len(p) == 0 {
			return mnv2.Padding{}, nil
		}
		if len(p) != 4 || p[0] != p[1] || p[2] != p[3] || p[0] < 0 || p[2] < 0 || p[0] > 1 || p[2] > 1 {
			return mnv2.Padding{}, n.errorf("pads %v; a MobileNetV2 pads by 1 at most, height and width the same", p)
		}
		return mnv2.Padding{Before: int(p[0]), After: int(p[2])}, nil
	case "VALID":
		return mnv2.Padding{}, nil
	case "SAME_UPPER", "SAME_LOWER":
		p := modelfile.SamePadding(size, c.Kernel, c.Stride)
		if auto == "SAME_LOWER" {
			p.Before, p.After = p.After, p.Before
		}
		return p, nil
	default:
		return mnv2.Padding{}, n.errorf("auto_pad %q is not known", auto)
	}
}

// pad reads a Pad of height and width.
func (g *graph) pad(x *plane, n *node) (p mnv2.Padding, err error) {
	if mode := n.text("mode", "constant"); mode != "constant" {
		return p, n.errorf("mode %q; a MobileNetV2 pads with zeros", mode)
	}
	amounts := n.integers("pads")
	if amounts == nil { // an input since operator set 11
		if amounts, err = g.integers(n, 1, "paddings"); err != nil {
			return p, err
		}
	}
	fill := float64(n.real("value", 0))
	if n.input(2) != "" {
		t, err := g.constant(n, 2, "value")
		if err != nil {
			return p, err
		}
		if fill, err = t.scalar(); err != nil {
			return p, n.errorf("value: %w", err)
		}
	}
	if fill != 0 {
		return p, n.errorf("pads with %v; a MobileNetV2 pads with zeros", fill)
	}
	axes := list{0, 1, 2, 3}
	if n.input(3) != "" {
		if axes, err = g.integers(n, 3, "axes"); err != nil {
			return p, err
		}
	}
	fail := n.errorf("paddings %v of axes %v; only height and width may be padded, both the same, by 1 at most", amounts, axes)
	if len(amounts) != 2*len(axes) {
		return p, fail
	}
	var before, after [4]int64
	for i, a := range axes {
		if a < 0 {
			a += 4
		}
		if a < 0 || a > 3 {
			return p, fail
		}
		before[a], after[a] = amounts[i], amounts[i+len(axes)]
	}
	channels, height := 1, 2
	if x.last {
		channels, height = 3, 1
	}
	for _, side := range [][4]int64{before, after} {
		if side[0] != 0 || side[channels] != 0 || side[height] != side[height+1] || side[height] < 0 || side[height] > 1 {
			return p, fail
		}
	}
	p = mnv2.Padding{Before: int(before[height]), After: int(after[height])}
	x.size += p.Before + p.After
	return p, g.pass(x, n)
}

// layerName is what messages call a layer: what PyTorch does where the weights
// tell it, else what errors call the node.
func layerName(n *node, weights *tensor) string {
	if name, ok := strings.CutSuffix(weights.name, ".weight"); ok {
		return name
	}
	return n.label()
}

// bias gives the numbers that are input i of n, for each of the channels; zeros
// where there are none.
func (g *graph) bias(n *node, i, channels int) ([]float32, error) {
	if n.input(i) == "" {
		return make([]float32, channels), nil
	}
	t, v, err := g.numbers(n, i, "bias")
	if err != nil {
		return nil, err
	}
	if len(v) != channels {
		return nil, n.errorf("bias: %w", t.errorf("%d numbers for %d channels", len(v), channels))
	}
	return v, nil
}

// affine makes what scales and shifts the channels of c, whose output is x, part
// of it: batch normalization, whole or in its parts, and a bias that is added.
func (g *graph) affine(x *plane, c *float.Conv) error {
	for {
		n, err := g.peek(x)
		if err != nil || n == nil {
			return err
		}
		switch n.op {
		case "BatchNormalization":
			if err := g.batchNorm(n, c); err != nil {
				return err
			}
		case "Mul", "Add", "Sub", "Div":
			at := slices.IndexFunc(n.inputs, func(name string) bool { return g.tensors[name] != nil })
			if at < 0 { // a residual addition
				return nil
			}
			if at == 0 && (n.op == "Sub" || n.op == "Div") {
				return n.errorf("a constant comes first; in a batch normalization it is second")
			}
			v, err := g.perChannel(x, n, at)
			if err != nil {
				return err
			}
			factors, offsets := make([]float64, c.Out), make([]float64, c.Out)
			for i := range factors {
				factors[i] = 1
				switch n.op {
				case "Mul":
					factors[i] = v[i]
				case "Div":
					if v[i] == 0 || math.IsInf(v[i], 0) {
						return n.errorf("channel %d is divided by %v: the file is damaged, or training diverged", i, v[i])
					}
					factors[i] = 1 / v[i]
				case "Add":
					offsets[i] = v[i]
				case "Sub":
					offsets[i] = -v[i]
				}
			}
			modelfile.Affine(c, factors, offsets)
		default:
			return nil
		}
		if err := g.output(x, n); err != nil {
			return err
		}
	}
}

func (g *graph) batchNorm(n *node, c *float.Conv) error {
	trains := n.integer("training_mode", 0) != 0
	for i, name := range n.outputs { // before operator set 14 only these tell
		trains = trains || i > 0 && name != ""
	}
	if trains {
		return n.errorf("it is in training mode; export the model after eval()")
	}
	var lists [4][]float32
	for i, what := range []string{"scale", "bias", "mean", "variance"} {
		var err error
		if _, lists[i], err = g.numbers(n, i+1, what); err != nil {
			return err
		}
	}
	bn := modelfile.BatchNorm{
		Scale: lists[0], Bias: lists[1], Mean: lists[2], Variance: lists[3],
		Epsilon: n.real("epsilon", 1e-5),
	}
	if err := bn.Fold(c); err != nil {
		return n.errorf("%w", err)
	}
	return nil
}

// perChannel gives the constant that is input i of n, one number for each
// channel of x, as it is broadcast over x.
func (g *graph) perChannel(x *plane, n *node, i int) ([]float64, error) {
	t, v, err := g.numbers(n, i, "constant")
	if err != nil {
		return nil, err
	}
	out := make([]float64, x.channels)
	if len(v) == 1 {
		for c := range out {
			out[c] = float64(v[0])
		}
		return out, nil
	}
	rank, axis := 4, 1
	switch {
	case x.flat:
		rank, axis = 2, 1
	case x.last:
		axis = 3
	}
	// Dimensions are matched from the last.
	at := axis - rank + len(t.dims)
	if len(v) != len(out) || at < 0 || at >= len(t.dims) || t.dims[at] != int64(len(out)) {
		return nil, n.errorf("a constant of shape %v; it must have a number for each of the %d channels", t.dims, len(out))
	}
	for c := range out {
		out[c] = float64(v[c])
	}
	return out, nil
}

// limits lists the operators that limit their input to a range.
var limits = []string{"Relu", "Clip", "Max", "Min"}

// activation reads the ReLU6 behind the convolution conv, if its role has one.
func (g *graph) activation(x *plane, conv *node, r role) error {
	if !r.active {
		return nil
	}
	lo, hi := math.Inf(-1), math.Inf(1)
	n, err := g.peek(x)
	for ; err == nil && n != nil && slices.Contains(limits, n.op); n, err = g.peek(x) {
		least, most, err := g.bounds(n)
		if err != nil {
			return err
		}
		lo, hi = max(lo, least), min(hi, most)
		if err := g.output(x, n); err != nil {
			return err
		}
	}
	switch {
	case err != nil:
		return err
	case lo == 0 && hi == 6:
		return nil
	case !math.IsInf(lo, -1) || !math.IsInf(hi, 1):
		return conv.errorf("its output is limited to %v..%v; the %s of a MobileNetV2 has a ReLU6, 0..6", lo, hi, r.name)
	}
	what := "the ReLU6 of the " + r.name + " (Clip, or Relu and Min)"
	for _, n := range g.readers[x.name] {
		if !slices.Contains(limits, n.op) {
			return n.errorf("where a MobileNetV2 has %s", what)
		}
	}
	_, err = g.after(x, false, what) // nothing, or several
	return err
}

// bounds gives the range that n limits its input to.
func (g *graph) bounds(n *node) (lo, hi float64, err error) {
	lo, hi = math.Inf(-1), math.Inf(1)
	limit := func(i int, attribute string, v *float64) {
		if a := n.attributes[attribute]; a != nil {
			*v = float64(a.float)
		}
		if n.input(i) == "" || err != nil {
			return
		}
		var t *tensor
		if t, err = g.constant(n, i, "limit"); err != nil {
			return
		}
		if *v, err = t.scalar(); err != nil {
			err = n.errorf("limit: %w", err)
		}
	}
	other := func() int { // than the activation
		if g.tensors[n.input(0)] != nil {
			return 0
		}
		return 1
	}
	if (n.op == "Max" || n.op == "Min") && len(n.inputs) != 2 {
		return lo, hi, n.errorf("%d inputs; in a ReLU6 it has two", len(n.inputs))
	}
	switch n.op {
	case "Relu":
		lo = 0
	case "Clip":
		limit(1, "min", &lo)
		limit(2, "max", &hi)
	case "Max":
		limit(other(), "", &lo)
	case "Min":
		limit(other(), "", &hi)
	}
	return lo, hi, err
}

// mean reads the mean over height and width.
func (g *graph) mean(x *plane) error {
	const what = "the mean over height and width"
	dims := []byte("NCHW") // those that are left, in their order; 1 for one that is reduced and kept
	for {
		n, err := g.after(x, false, what)
		if err != nil {
			return err
		}
		if x.last && string(dims) == "NCHW" {
			dims = []byte("NHWC")
		}
		switch n.op {
		case "GlobalAveragePool", "AveragePool":
			if x.last {
				return n.errorf("the channels of its input are the last dimension; it has them second")
			}
			if n.op == "AveragePool" {
				if err := checkAveragePool(n, int64(x.size)); err != nil {
					return err
				}
			}
			dims = []byte("NC11")
		case "ReduceMean":
			if dims, err = g.reduce(n, dims); err != nil {
				return err
			}
		default:
			return n.errorf("where a MobileNetV2 has %s (GlobalAveragePool, ReduceMean or AveragePool)", what)
		}
		if err := g.pass(x, n); err != nil {
			return err
		}
		if !slices.Contains(dims, 'H') && !slices.Contains(dims, 'W') {
			x.size, x.flat = 1, true
			return nil
		}
	}
}

// checkAveragePool checks that n is the mean over all of an input of size pixels.
func checkAveragePool(n *node, size int64) error {
	if k := n.integers("kernel_shape"); !slices.Equal(k, list{size, size}) {
		return n.errorf("a mean over %v; that of a MobileNetV2 is over all %dx%d", k, size, size)
	}
	if auto := n.text("auto_pad", "NOTSET"); auto != "NOTSET" && auto != "VALID" {
		return n.errorf("auto_pad %q; the mean of a MobileNetV2 has no padding", auto)
	}
	if p := n.integers("pads"); slices.ContainsFunc(p, func(p int64) bool { return p != 0 }) {
		return n.errorf("pads %v; the mean of a MobileNetV2 has no padding", p)
	}
	return nil
}

// reduce reads a ReduceMean over dims and gives those that it leaves.
func (g *graph) reduce(n *node, dims []byte) ([]byte, error) {
	axes := n.integers("axes")
	if n.input(1) != "" { // since operator set 18
		var err error
		if axes, err = g.integers(n, 1, "axes"); err != nil {
			return nil, err
		}
	}
	left := slices.Clone(dims)
	for _, a := range axes {
		if a < 0 {
			a += int64(len(dims))
		}
		if a < 0 || a >= int64(len(dims)) || dims[a] != 'H' && dims[a] != 'W' {
			return nil, n.errorf("axes %v of %s; the mean of a MobileNetV2 is over height and width", axes, dims)
		}
		left[a] = '1'
	}
	if len(axes) == 0 {
		return nil, n.errorf("no axes; the mean of a MobileNetV2 is over height and width")
	}
	if n.integer("keepdims", 1) == 0 {
		kept := left[:0]
		for i, d := range left {
			if d == dims[i] {
				kept = append(kept, d)
			}
		}
		left = kept
	}
	return left, nil
}

// gather takes a Gather that takes all of x in its order, which PyTorch's
// exporter makes of a change of shape.
func (g *graph) gather(x *plane, n *node) error {
	v, err := g.integers(n, 1, "indices")
	if err != nil {
		return err
	}
	all := len(v) == x.channels
	for i := range v {
		all = all && v[i] == int64(i)
	}
	if !all {
		return n.errorf("it takes %d of %d channels, or in another order; nothing does that in a MobileNetV2", len(v), x.channels)
	}
	return g.pass(x, n)
}

// classifier reads the layer n, whose input is x.
func (g *graph) classifier(x *plane, n *node) (c float.Conv, err error) {
	if n.op == "Conv" {
		x.flat, x.last = false, false // to a Conv it has a height and width of 1
		c, err = g.conv(x, role{name: "classifier", kernel: 1})
		x.flat = true
		return c, err
	}
	if n.input(0) != x.name {
		return c, n.errorf("%q must be its first input", x.name)
	}
	w, weights, err := g.numbers(n, 1, "weights")
	if err != nil {
		return c, err
	}
	transposed := n.integer("transB", 0) != 0
	if n.op == "Gemm" && (n.integer("transA", 0) != 0 || n.real("alpha", 1) != 1 || n.real("beta", 1) != 1) {
		return c, n.errorf("it transposes or scales what it multiplies; alpha and beta must be 1, transA 0")
	}
	c = float.Conv{Name: layerName(n, w), Kernel: 1, Stride: 1, In: x.channels}
	d := w.dims
	if transposed && len(d) == 2 {
		d = []int64{d[1], d[0]}
	}
	if len(d) != 2 || d[0] != int64(c.In) || d[1] < 1 || d[1] > 1<<16 {
		return c, n.errorf("weights of shape %v for %d inputs", w.dims, c.In)
	}
	c.Out = int(d[1])
	c.Weights = weights
	if !transposed {
		c.Weights = make([]float32, len(weights))
		for o := range c.Out {
			for i := range c.In {
				c.Weights[o*c.In+i] = weights[i*c.Out+o]
			}
		}
	}
	i := 2
	if n.op == "MatMul" {
		i = len(n.inputs) // it has none
	}
	if c.Bias, err = g.bias(n, i, c.Out); err != nil {
		return c, err
	}
	if err := g.pass(x, n); err != nil {
		return c, err
	}
	x.channels = c.Out
	return c, g.affine(x, &c)
}
