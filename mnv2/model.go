// Package mnv2 runs quantized MobileNetV2 networks (Sandler et al., arXiv
// 1801.04381), and nothing else, on CPUs.
//
// It takes a Network, which package tflite reads from a file, and pictures of
// Size x Size pixels, three bytes (red, green, blue) each, row by row from the
// top. It gives the scores of the classes (their softmax, 0..1), the logits,
// and the embedding: the mean over all pixels of the last convolution.
//
// A Model is read-only and serves any number of goroutines, each with a Runner
// of its own.
//
// The arithmetic is that of TensorFlow Lite's 8-bit quantization specification,
// rounded as XNNPACK rounds it. A result depends on the network and the picture
// alone: it is the same, bit for bit, on every CPU and with any number of
// threads.
//
// # How a block runs
//
// At width 1.0 the expanded tensors have 3.8 million values, and the depthwise
// ones 2.3 million. Written by one layer and read by the next, that would be 190
// thousand lines of 64 bytes through the first cache. So a block is one loop,
// over bands of rows and, within them, steps of channels: a step expands a row
// or two into a ring, which has the last three or four, and convolves them at
// once. A step's rows of the ring, of the input and of the output, and its
// weights, have 24 KiB. The expanded tensor never leaves the first cache; the
// depthwise one does, as a tile of one band, for 72 thousand lines, and is
// projected in parts of up to 16 KiB, past which the weights go. Late blocks have
// more weights than inputs. Their band is all of the rows, so that weights are
// read but once. At one thread all of it takes 0.5 MB.
//
// Values lie in planes, 16 channels wide, as the convolutions leave them: the
// depthwise kernels interleave four rows when they load a column, so that a
// 32-bit lane has three taps of a channel for one output row, and three for the
// next. With dot products that is 6 multiplications, and 4 shuffles for two
// vectors of them, where 18 widening ones would be. Were the rows interleaved
// when they are written, each would have to be written once for each of its
// places in a lane.
package mnv2

import (
	"fmt"
	"os"
	"runtime"

	"tarsier/mnv2/internal/kernels"
)

// Options say how a network is run. The zero value is a good choice.
type Options struct {
	// Threads is how many goroutines share the work of one run; 0 means one
	// for each physical core, and where cores differ in speed (big.LITTLE) for
	// each of the fast ones. Where they differ, threads stay on the fastest.
	Threads int

	// Kernel names the implementation of the arithmetic, one of Kernels. ""
	// means the one in the environment variable TARSIER_KERNEL, or else the
	// fastest that this CPU runs.
	Kernel string
}

// Kernels lists the implementations that this CPU runs, fastest first.
func Kernels() []string { return kernels.Names() }

// A Model is a network that has been checked, packed for one kernel and
// planned for a number of threads.
type Model struct {
	facts   Facts
	parts   []Part
	set     *kernels.Set
	threads int
	on      *affinity // the cores that threads stay on; nil: any

	pixels     *pixelTable
	first      *kernels.Layer
	firstPad   Padding
	firstSize  int  // height and width of its output
	inputZero  int8 // stands for padding
	blocks     []block
	late       int // the first late block
	last       *kernels.Layer
	headStep   int // channels of it that exist at a time
	mean       *kernels.Mean
	embedding  Quantization
	classifier *kernels.Layer // nil: a feature extractor
	logits     Quantization
	exp        [256]float64 // see exponentials
}

// block is an inverted residual block, packed.
type block struct {
	expand    *kernels.Layer // nil: block 0 may have none
	depthwise *kernels.Layer
	project   *kernels.Layer
	add       *kernels.Add // nil: no residual

	in, out int // height and width
	stride  int
	pad     Padding
	zero    int8 // stands for padding
	stem    bool // block 0: its input comes row by row from the first convolution

	// How it is cut up, see plan.
	band     int // rows that are made step by step
	step     int // channels of a step
	together int // rows that are projected in one go

	// late blocks have more weights than inputs. A band is all of the rows, so
	// that each weight is read but once, and the ring has the channels of a step.
	late bool
	// byChannel has threads share the channels of a late block, then the rows of
	// its output, and not rows all along: too many would be expanded twice.
	byChannel bool
}

// New checks that the network is a MobileNetV2 and prepares it to be run. It
// does not change the network, and keeps none of it.
func New(n *Network, o Options) (*Model, error) {
	if err := n.check(); err != nil {
		return nil, fmt.Errorf("network %q: %w", n.Name, err)
	}
	name := o.Kernel
	if name == "" {
		name = os.Getenv("TARSIER_KERNEL")
	}
	set, err := kernels.Select(name)
	if err != nil {
		return nil, err
	}
	if o.Threads < 0 || o.Threads > maxThreads {
		return nil, fmt.Errorf("%d threads: want 0 (one for each core) to %d", o.Threads, maxThreads)
	}
	m := &Model{facts: n.facts(), parts: n.parts(), set: set, threads: o.Threads}
	cpus, big := machineCores()
	if m.threads == 0 {
		m.threads = min(big, runtime.GOMAXPROCS(0), maxThreads)
	}
	if big < len(cpus) {
		m.on = onCPUs(cpus[:min(m.threads, len(cpus))])
	}
	m.pack(n)
	return m, nil
}

// maxThreads keeps a mistyped number from becoming as many goroutines. More
// than the rows of the largest layer have nothing to do.
const maxThreads = 256

// Facts tells what the network is.
func (m *Model) Facts() Facts { return m.facts }

// Kernel names the implementation that runs the model.
func (m *Model) Kernel() string { return m.set.Name }

// Threads is how many goroutines share the work of one run.
func (m *Model) Threads() int { return m.threads }
