package onnx

import (
	"errors"
	"fmt"
	"slices"

	"tarsier/mnv2/float"
	"tarsier/mnv2/internal/modelfile"
)

// A graph is a model's nodes with the edges between them. Those that change no
// number, such as Identity, are taken out: whatever reads their output reads
// their input.
type graph struct {
	*model
	readers map[string][]*node // of a value
	weights int                // numbers of them, in all layers so far
}

// quantized lists operators that only quantized models have.
var quantized = []string{"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "ConvInteger", "QLinearMatMul", "MatMulInteger"}

func newGraph(m *model) (*graph, error) {
	g := &graph{model: m, readers: map[string][]*node{}}
	// What stands for a name; the nodes are in the order they run.
	known := map[string]string{}
	for name := range m.tensors {
		known[name] = name
	}
	for _, in := range m.inputs {
		known[in.name] = in.name
	}
	for _, n := range m.nodes {
		if slices.Contains(quantized, n.op) {
			return nil, n.errorf("the model is quantized already; give the float32 model that it was made of")
		}
		for i, name := range n.inputs {
			if name == "" {
				continue
			}
			stands, ok := known[name]
			if !ok {
				return nil, n.errorf("nothing before it computes its input %q", name)
			}
			n.inputs[i] = stands
		}
		same := g.same(n)
		for i, name := range n.outputs {
			if name == "" {
				continue
			}
			if _, ok := known[name]; ok {
				return nil, n.errorf("its output %q is computed twice", name)
			}
			known[name] = name
			if i == 0 && same && n.input(0) != "" {
				known[name] = n.inputs[0]
			}
		}
		switch {
		case n.op == "Constant" && len(n.outputs) == 1:
			t, err := constantOf(n)
			if err != nil {
				return nil, err
			}
			t.name = n.outputs[0]
			m.tensors[t.name] = t
		case !same && n.op != "Shape":
			for i, name := range n.inputs {
				if name != "" && !slices.Contains(n.inputs[:i], name) {
					g.readers[name] = append(g.readers[name], n)
				}
			}
		}
	}
	for i, name := range m.outputs {
		if _, ok := known[name]; !ok {
			return nil, fmt.Errorf("nothing computes the graph's output %q", name)
		}
		m.outputs[i] = known[name]
	}
	return g, nil
}

// same tells whether n's first output is its first input, in another type of real
// numbers perhaps.
func (m *model) same(n *node) bool {
	switch n.op {
	case "Identity", "Dropout":
		return true
	case "Cast":
		// Whoever takes a constant looks at its own type.
		return slices.Contains(realTypes, n.integer("to", 0)) || m.tensors[n.input(0)] != nil
	case "CastLike":
		like := m.tensors[n.input(1)]
		return like == nil || slices.Contains(realTypes, like.typ)
	}
	return false
}

// A plane is the activation that the walk along the graph has come to.
type plane struct {
	name     string
	size     int // height and width
	channels int
	last     bool  // the channels are the last dimension, not the second
	by       *node // computes it; nil for the picture
	flat     bool  // behind the mean: no height and width any more
}

// network follows the edges from the input to the output and takes down the
// MobileNetV2 on the way.
func (g *graph) network() (*float.Network, error) {
	net := &float.Network{}
	x, err := g.picture(net)
	if err != nil {
		return nil, err
	}
	if net.First, err = g.conv(&x, role{name: "first convolution", kernel: 3, active: true}); err != nil {
		return nil, err
	}
	for i := range modelfile.Blocks() {
		b, err := g.block(&x, i)
		if err != nil {
			return nil, err
		}
		net.Blocks = append(net.Blocks, b)
	}
	if net.Last, err = g.conv(&x, role{name: "last convolution", kernel: 1, active: true}); err != nil {
		return nil, err
	}
	if err := g.mean(&x); err != nil {
		return nil, err
	}
	return net, g.end(net, x)
}

// picture finds the input, and what its pixels stand for.
func (g *graph) picture(net *float.Network) (plane, error) {
	var inputs []value
	for _, in := range g.inputs {
		if g.tensors[in.name] == nil { // old files list the weights too
			inputs = append(inputs, in)
		}
	}
	if len(inputs) != 1 {
		return plane{}, fmt.Errorf("the graph has %d inputs; a MobileNetV2 has one, the picture", len(inputs))
	}
	in := inputs[0]
	x := plane{name: in.name, channels: 3}
	fail := fmt.Errorf("input %q: shape %v (0 is open); it must be one square RGB picture, [1 3 size size] or [1 size size 3]", in.name, in.dims)
	if len(in.dims) != 4 || in.dims[0] > 1 {
		return x, fail
	}
	x.last = in.dims[1] != 3
	height, width, channels := in.dims[2], in.dims[3], in.dims[1]
	standard := float.ImageNet
	if x.last {
		height, width, channels = in.dims[1], in.dims[2], in.dims[3]
		standard = float.Symmetric
	}
	if height != width || channels != 3 || height < 0 || height > 1<<16 {
		return x, fail
	}
	switch typ := in.typ; {
	case typ == 0, slices.Contains(realTypes, typ):
	case typ == typeUint8: // what is cast to real numbers is the byte
		standard = float.Normalization{Std: [3]float32{1, 1, 1}}
	case g.metadata[modelfile.MeanKey] == "":
		return x, fmt.Errorf("input %q: type %d, neither real numbers nor uint8 (%d), and nothing says what they stand for: set %s and %s in the file's metadata_props",
			in.name, typ, typeUint8, modelfile.MeanKey, modelfile.StdKey)
	}
	var err error
	if x.size = int(height); x.size == 0 {
		if x.size, err = modelfile.Size(g.metadata); err != nil {
			return x, err
		}
	}
	net.Size = x.size
	net.Pixels, err = modelfile.Pixels(g.metadata, standard)
	return x, err
}

// after gives the one node that computes with x, past those that only transpose
// it. Where residual is set, an addition may read x too. What a MobileNetV2
// would have there is for the message.
func (g *graph) after(x *plane, residual bool, what string) (*node, error) {
	for {
		var next *node
		for _, n := range g.readers[x.name] {
			switch {
			case residual && g.sums(n):
			case next != nil:
				return nil, n.errorf("reads %q, which in a MobileNetV2 only %v would read", x.name, next)
			default:
				next = n
			}
		}
		switch {
		case next != nil && next.op == "Transpose":
			if err := g.transpose(x, next); err != nil {
				return nil, err
			}
		case next != nil:
			return next, nil
		case len(g.readers[x.name]) > 0:
			return nil, g.readers[x.name][0].errorf("where a MobileNetV2 has %s", what)
		case x.by != nil:
			return nil, x.by.errorf("nothing follows; a MobileNetV2 goes on with %s", what)
		default:
			return nil, fmt.Errorf("input %q: nothing reads it; a MobileNetV2 goes on with %s", x.name, what)
		}
	}
}

// peek is after where it is not known what follows: nil if nothing, or several
// nodes.
func (g *graph) peek(x *plane) (*node, error) {
	for {
		readers := g.readers[x.name]
		if len(readers) != 1 {
			return nil, nil
		}
		if readers[0].op != "Transpose" {
			return readers[0], nil
		}
		if err := g.transpose(x, readers[0]); err != nil {
			return nil, err
		}
	}
}

// transpose follows a Transpose, which moves the channels of x.
func (g *graph) transpose(x *plane, n *node) error {
	perm := n.integers("perm")
	switch {
	case x.flat:
	case !x.last && slices.Equal(perm, []int64{0, 2, 3, 1}), x.last && slices.Equal(perm, []int64{0, 3, 1, 2}):
		x.last = !x.last
	default:
		return n.errorf("permutation %v; only the channels may move, to the end or back", perm)
	}
	return g.pass(x, n)
}

// pass makes n's output the one that the walk has come to. x must be n's first
// input.
func (g *graph) pass(x *plane, n *node) error {
	if n.input(0) != x.name {
		return n.errorf("%q must be its first input", x.name)
	}
	return g.output(x, n)
}

func (g *graph) output(x *plane, n *node) error {
	if len(n.outputs) == 0 || n.outputs[0] == "" {
		return n.errorf("it has no output")
	}
	x.name, x.by = n.outputs[0], n
	return nil
}

// sums tells whether n adds two activations.
func (g *graph) sums(n *node) bool {
	return n.op == "Add" && len(n.inputs) == 2 && g.tensors[n.inputs[0]] == nil && g.tensors[n.inputs[1]] == nil
}

// block reads the inverted residual block whose input is x.
func (g *graph) block(x *plane, index int) (b float.Block, err error) {
	named := func(name string, r role) role {
		r.name = fmt.Sprintf("%s convolution of block %d", name, index)
		return r
	}
	in := *x
	// Where nothing is to be expanded, files differ.
	expands := index > 0
	if !expands {
		n, err := g.after(x, true, "block 0")
		if err != nil {
			return b, err
		}
		expands = n.op == "Conv" && n.integer("group", 1) == 1 && x.channels > 1
	}
	if expands {
		c, err := g.conv(x, named("expand", role{kernel: 1, active: true, shared: true}))
		if err != nil {
			return b, err
		}
		b.Expand = &c
	}
	if b.Depthwise, err = g.conv(x, named("depthwise", role{kernel: 3, depthwise: true, active: true, shared: !expands})); err != nil {
		return b, err
	}
	if b.Project, err = g.conv(x, named("project", role{kernel: 1})); err != nil {
		return b, err
	}
	if b.Depthwise.Stride != 1 || in.channels != x.channels {
		return b, nil
	}
	n, err := g.after(x, false, fmt.Sprintf("the residual addition of block %d", index))
	if err != nil {
		return b, err
	}
	if !g.sums(n) || !slices.Contains(n.inputs, in.name) || in.name == x.name {
		return b, x.by.errorf("the input of block %d is not added to it, although it has stride 1 and as many channels", index)
	}
	if in.last != x.last {
		return b, n.errorf("adds different dimensions")
	}
	b.Residual = true
	return b, g.output(x, n)
}

// end reads what comes behind the mean: the classifier, if any, and what only
// changes the form of the result.
func (g *graph) end(net *float.Network, x plane) error {
	final := false // behind the last layer that computes
	for len(g.readers[x.name]) > 0 {
		n, err := g.after(&x, false, "the end, or a classifier")
		if err != nil {
			return err
		}
		switch n.op {
		case "Gemm", "MatMul", "Conv":
			if final || net.Classifier != nil {
				return n.errorf("another layer behind the end of a MobileNetV2")
			}
			c, err := g.classifier(&x, n)
			if err != nil {
				return err
			}
			net.Classifier = &c
		case "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose":
			if err := g.pass(&x, n); err != nil {
				return err
			}
		case "Gather":
			if err := g.gather(&x, n); err != nil {
				return err
			}
		case "Softmax", "LogSoftmax":
			if net.Classifier == nil {
				return n.errorf("there is no classifier before it")
			}
			final = true
			if err := g.pass(&x, n); err != nil {
				return err
			}
		default:
			return n.errorf("where a MobileNetV2 ends, or has a classifier or a softmax")
		}
	}
	if !slices.Contains(g.outputs, x.name) {
		return x.by.errorf("nothing follows, and its result is no output of the graph")
	}
	return nil
}

func (n *node) input(i int) string {
	if i >= len(n.inputs) {
		return ""
	}
	return n.inputs[i]
}

// integer gives an attribute, or the standard where the node has none.
func (n *node) integer(name string, standard int64) int64 {
	if a := n.attributes[name]; a != nil {
		return a.int
	}
	return standard
}

func (n *node) real(name string, standard float32) float32 {
	if a := n.attributes[name]; a != nil {
		return a.float
	}
	return standard
}

func (n *node) integers(name string) list {
	if a := n.attributes[name]; a != nil {
		return a.ints
	}
	return nil
}

func (n *node) text(name, standard string) string {
	if a := n.attributes[name]; a != nil {
		return a.text
	}
	return standard
}

// String is the node's operator, index and name.
func (n *node) String() string { return fmt.Sprintf("%s #%d %q", n.op, n.index, n.label()) }

// label is the node's name, or that of its first output where it has none.
func (n *node) label() string {
	if n.name == "" && len(n.outputs) > 0 {
		return n.outputs[0]
	}
	return n.name
}

func (n *node) errorf(format string, args ...any) error {
	return fmt.Errorf("%v: %w", n, fmt.Errorf(format, args...))
}

var errComputed = errors.New("it is computed when the model runs; fold the model's constants first, for example with onnxsim")

// constant gives the constant that is input i of n.
func (g *graph) constant(n *node, i int, what string) (*tensor, error) {
	name := n.input(i)
	if name == "" {
		return nil, n.errorf("no %s", what)
	}
	t := g.tensors[name]
	if t == nil {
		return nil, n.errorf("%s %q: %w", what, name, errComputed)
	}
	return t, nil
}

// integers gives the whole numbers that are input i of n.
func (g *graph) integers(n *node, i int, what string) (list, error) {
	t, err := g.constant(n, i, what)
	if err != nil {
		return nil, err
	}
	v, err := t.integers()
	if err != nil {
		return nil, n.errorf("%s: %w", what, err)
	}
	return v, nil
}

// numbers gives the weights that are input i of n, and counts them: nodes may
// share a tensor, and each gets a copy.
func (g *graph) numbers(n *node, i int, what string) (*tensor, []float32, error) {
	t, err := g.constant(n, i, what)
	if err != nil {
		return nil, nil, err
	}
	v, err := t.reals()
	if err != nil {
		return nil, nil, n.errorf("%s: %w", what, err)
	}
	if g.weights += len(v); g.weights > len(g.data) {
		return nil, nil, n.errorf("%s: %w", what, t.errorf("the layers have more weights than the file has bytes"))
	}
	return t, v, nil
}
