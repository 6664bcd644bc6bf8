package mnv2

import "tarsier/mnv2/internal/kernels"

// A stage is what the threads do between two points at which they wait for
// each other.
type stage int

const (
	blockRows   stage = iota // a block: threads share the rows
	convolve                 // a block up to its depthwise convolution: the channels
	project                  // the rest of it: the rows
	lastAndMean              // the last convolution and its mean: the channels
	classifier               // for all pictures: the classes
)

// runBlock runs block i for one picture.
func (r *Runner) runBlock(i, picture int) {
	r.block, r.picture = i, picture
	if r.m.blocks[i].byChannel {
		r.run(convolve)
		r.run(project)
	} else {
		r.run(blockRows)
	}
}

// run has the threads do a stage.
func (r *Runner) run(s stage) {
	r.stage = s
	m := r.m
	b := &m.blocks[r.block]
	switch s {
	case blockRows:
		// Neighbouring jobs expand the same rows again: as few jobs as threads.
		unit := b.unit()
		if b.out%(unit*m.threads) != 0 {
			unit = 1 // a row alone costs less than a thread that waits for another's two
		}
		r.share(b.out, unit, m.threads)
	case convolve:
		r.share(b.depthwise.Out, b.step, 4*m.threads)
	case project:
		r.share(b.out, b.together, m.threads)
	case lastAndMean:
		r.share(m.last.Out, m.headStep, 4*m.threads)
	case classifier:
		r.share(m.classifier.Out, m.set.Step, m.threads)
	}
}

// share divides n things, of which unit stay together, into so many jobs at
// most, one if there is one thread, and has them done.
func (r *Runner) share(n, unit, most int) {
	r.n, r.unit, r.units = n, unit, (n+unit-1)/unit
	r.jobs = min(most, r.units)
	if r.m.threads == 1 {
		r.jobs = 1
	}
	r.team.work(r.jobs)
}

// do does one of the stage's jobs. What it does depends on nothing but its
// number, so the result does not depend on time.
func (r *Runner) do(member, job int) {
	from := job * r.units / r.jobs * r.unit
	to := min((job+1)*r.units/r.jobs*r.unit, r.n)
	m := r.m
	w := &r.mem.workers[member]
	b := &m.blocks[r.block]
	image := tile{r.mem.tile, 0}
	switch r.stage {
	case blockRows:
		r.rows(b, w, r.input(), r.output(), from, to)
	case convolve:
		r.channels(b, w, r.input(), image, from, to)
	case project:
		r.project(b, w, r.input(), r.output(), image, from, to)
	case lastAndMean:
		r.lastAndMean(w, r.output(), from, to)
	case classifier:
		src := kernels.Pixels{Data: r.embeddings, Stride: len(r.results) * kernels.Group}
		dst := kernels.Pixels{Data: r.logits, Stride: len(r.results) * kernels.Group}
		m.set.Pointwise(dst.At(from, 0), src, r.pictures, m.classifier, from, to, w.scratch)
	}
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
