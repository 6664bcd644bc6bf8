package mnv2

import (
	"errors"
	"fmt"
	"sync"
)

// A Runner runs a model on one picture after the other. It is for one
// goroutine at a time; a Model makes as many as are wanted. Close ends the
// threads it keeps.
type Runner struct {
	m   *Model
	mem *memory

	rgb    []byte
	pixels *[256]int8

	embedding, logits, scores []float32

	// Every thread but the caller's waits for the next stage to share in.
	start  []chan int
	done   sync.WaitGroup // the current stage
	ended  sync.WaitGroup
	closed bool
}

// NewRunner makes a runner, with all the memory that it will ever need.
func (m *Model) NewRunner() *Runner {
	var need measure
	m.layout(&need)
	r := &Runner{
		m:         m,
		mem:       m.layout(&arena{make([]int8, need.size)}),
		pixels:    &m.pixels,
		embedding: make([]float32, m.facts.Embedding),
	}
	if m.facts.Classes > 0 {
		r.logits = make([]float32, m.facts.Classes)
		r.scores = make([]float32, m.facts.Classes)
	}
	for i := 1; i < m.threads; i++ {
		start := make(chan int, 1)
		r.start = append(r.start, start)
		r.ended.Add(1)
		go func() {
			defer r.ended.Done()
			for stage := range start {
				r.share(stage, i)
				r.done.Done()
			}
		}()
	}
	return r
}

// Close ends the runner's threads and waits for them. It cannot run any more.
func (r *Runner) Close() {
	if r.closed {
		return
	}
	r.closed = true
	for _, start := range r.start {
		close(start)
	}
	r.ended.Wait()
}

// Run classifies a picture of Size x Size pixels of three bytes, red, green
// and blue. It allocates nothing, and does not keep the picture.
func (r *Runner) Run(rgb []byte) error {
	if r.closed {
		return errors.New("mnv2: run after the runner was closed")
	}
	if size := r.m.facts.Size; len(rgb) != size*size*3 {
		return fmt.Errorf("mnv2: picture of %d bytes: want %d, %dx%d pixels of red, green and blue",
			len(rgb), size*size*3, size, size)
	}
	r.rgb = rgb
	for stage := range len(r.m.blocks) + 1 {
		r.fork(stage)
	}
	if r.m.classifier != nil {
		r.fork(len(r.m.blocks) + 1)
	}
	r.rgb = nil
	dequantize(r.embedding, r.mem.embedding, r.m.embedding)
	if r.scores != nil {
		dequantize(r.logits, r.mem.logits, r.m.logits)
		softmax(r.scores, r.mem.logits[:len(r.scores)], &r.m.exp)
	}
	return nil
}

// Scores gives the probability of each class, or nil without a classifier.
// The next Run overwrites it.
func (r *Runner) Scores() []float32 { return r.scores }

// Logits gives what the classifier says of each class, or nil without one. The
// next Run overwrites it.
func (r *Runner) Logits() []float32 { return r.logits }

// Embedding gives the mean over all pixels of the last convolution. The next
// Run overwrites it.
func (r *Runner) Embedding() []float32 { return r.embedding }

// fork has all threads do their share of a stage, and waits for them.
func (r *Runner) fork(stage int) {
	r.done.Add(len(r.start))
	for _, start := range r.start {
		start <- stage
	}
	r.share(stage, 0)
	r.done.Wait()
}

// share does what thread i does of a stage: the blocks, in order, then the
// last convolution with the mean, then the classifier. What a thread does
// depends on nothing but i, so the result does not depend on time.
func (r *Runner) share(stage, i int) {
	w := &r.mem.workers[i]
	switch blocks := len(r.m.blocks); stage {
	default:
		rows := r.m.blocks[stage].out
		r.block(stage, w, i*rows/r.m.threads, (i+1)*rows/r.m.threads)
	case blocks:
		r.last(w, i)
	case blocks + 1:
		r.classifier(w, i)
	}
}

func dequantize(dst []float32, src []int8, q Quantization) {
	src = src[:len(dst)]
	for i := range dst {
		dst[i] = q.Scale * float32(int32(src[i])-q.Zero)
	}
}
