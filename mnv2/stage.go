package mnv2

import "tarsier/mnv2/internal/kernels"

// A stage is what the threads do between two points at which they wait for
// each other.
type stage int

const (
	earlyBlock  stage = iota // a block row by row: threads share the rows
	convolve                 // a late block up to its depthwise convolution: the channels
	project                  // the rest of it: the pixels
	lastAndMean              // the last convolution and its mean: the channels
	classifier               // for all pictures: the classes
)

// runBlock runs block i for one picture.
func (r *Runner) runBlock(i, picture int) {
	r.block, r.picture = i, picture
	if r.m.blocks[i].whole {
		r.run(convolve)
		r.run(project)
	} else {
		r.run(earlyBlock)
	}
}

// run has all threads do their share of a stage, and waits for them.
func (r *Runner) run(s stage) {
	r.stage = s
	r.team.work()
}

// share does what thread i does of the stage. It depends on nothing but i, so
// the result does not depend on time.
func (r *Runner) share(i int) {
	m := r.m
	w := &r.mem.workers[i]
	b := &m.blocks[r.block]
	tile := kernels.Pixels{Data: r.mem.tile, Stride: b.out * b.out * kernels.Group}
	switch r.stage {
	case earlyBlock:
		from, to := r.part(i, b.out, b.pass())
		r.rows(b, w, r.input(), r.output(), from, to)
	case convolve:
		from, to := r.part(i, b.depthwise.Out, b.step)
		w.ring.reset(b.ringRows(), b.in, b.ringChannels(), b.pad, b.zero, 0)
		if from < to {
			r.convolve(b, w, r.input(), tile, 0, b.out, from, to)
		}
	case project:
		from, to := r.part(i, b.out*b.out, 1)
		if from < to {
			r.project(b, w, r.input(), r.output(), tile.At(0, from), from, to)
		}
	case lastAndMean:
		from, to := r.part(i, m.last.Out, m.set.Step)
		r.lastAndMean(w, r.output(), from, to)
	case classifier:
		from, to := r.part(i, m.classifier.Out, m.set.Step)
		if from < to {
			src := kernels.Pixels{Data: r.embeddings, Stride: len(r.results) * kernels.Group}
			dst := kernels.Pixels{Data: r.logits, Stride: len(r.results) * kernels.Group}
			m.set.Pointwise(dst.At(from, 0), src, r.pictures, m.classifier, from, to, w.scratch)
		}
	}
}

// part is thread i's part of n things, of which unit stay together.
func (r *Runner) part(i, n, unit int) (from, to int) {
	units := (n + unit - 1) / unit
	threads := r.m.threads
	return min(i*units/threads*unit, n), min((i+1)*units/threads*unit, n)
}

// input is what the block reads.
func (r *Runner) input() kernels.Pixels {
	if r.block == 0 {
		return kernels.Pixels{} // its input is made row by row
	}
	return r.outputOf(r.block - 1)
}

// output is what the block writes.
func (r *Runner) output() kernels.Pixels { return r.outputOf(r.block) }

func (r *Runner) outputOf(block int) kernels.Pixels {
	outputs := &r.mem.outputs
	if block >= r.m.late-1 {
		outputs = &r.late[r.picture].outputs
	}
	size := r.m.blocks[block].out
	return kernels.Pixels{Data: outputs[block%2], Stride: size * size * kernels.Group}
}
