package mnv2

import (
	"errors"
	"fmt"
	"time"

	"tarsier/mnv2/internal/kernels"
)

// A Runner runs a model on one picture after the other, or on several at once.
// It is for one goroutine at a time; a Model makes as many as are wanted. Close
// ends the threads it keeps.
type Runner struct {
	m      *Model
	mem    *memory
	pixels *pixelTable
	team   *team

	// For each picture of the largest batch until now.
	late    []late
	results []Result

	// The classifier's input and output: a pixel for each picture.
	embeddings, logits []int8

	// What the threads do now: a stage of a block for one of the pictures.
	stage    stage
	block    int
	picture  int
	rgb      []byte
	pictures int // in the batch
	n        int // things the stage is about; see share
	unit     int
	units    int
	jobs     int

	laps   []time.Duration // of the parts of a run; see Profile
	lapped time.Time       // when the last one ended

	closed bool
}

// A Result is what a network says of one picture.
type Result struct {
	Scores    []float32 // the probability of each class; nil without a classifier
	Logits    []float32 // what the classifier says of each class; nil without one
	Embedding []float32 // the mean over all pixels of the last convolution
}

// NewRunner makes a runner, with all the memory that it needs for one picture
// at a time.
func (m *Model) NewRunner() *Runner {
	var need measure
	m.layout(&need)
	r := &Runner{
		m:      m,
		mem:    m.layout(&arena{make([]int8, need.size)}),
		pixels: m.pixels,
	}
	r.grow(1)
	r.team = newTeam(m.threads, 4*m.threads, m.on, r.do)
	return r
}

// grow makes room for a batch of n pictures.
func (r *Runner) grow(n int) {
	m := r.m
	for len(r.results) < n {
		var need measure
		m.layoutLate(&need)
		r.late = append(r.late, m.layoutLate(&arena{make([]int8, need.size)}))
		result := Result{Embedding: make([]float32, m.facts.Embedding)}
		if m.classifier != nil {
			result.Logits = make([]float32, m.facts.Classes)
			result.Scores = make([]float32, m.facts.Classes)
		}
		r.results = append(r.results, result)
	}
	r.embeddings = make([]int8, n*kernels.Pad(m.last.Out))
	if m.classifier != nil {
		r.logits = make([]int8, n*kernels.Pad(m.classifier.Out))
	}
}

// Close ends the runner's threads and waits for them. It cannot run any more.
func (r *Runner) Close() {
	r.closed = true
	r.team.close()
}

// Run classifies a picture of Size x Size pixels of three bytes, red, green
// and blue. It allocates nothing, and does not keep the picture.
func (r *Runner) Run(rgb []byte) error { return r.RunBatch(rgb) }

// RunBatch classifies several pictures, with the same results as one after the
// other. It is faster where weights are what costs time: of the late layers,
// which have many of them and few pixels, they are read once for all pictures.
// It allocates when a batch is larger than all before it.
func (r *Runner) RunBatch(pictures ...[]byte) error {
	if r.closed {
		return errors.New("mnv2: run after the runner was closed")
	}
	for _, rgb := range pictures {
		if size := r.m.facts.Size; len(rgb) != size*size*3 {
			return fmt.Errorf("mnv2: picture of %d bytes: want %d, %dx%d pixels of red, green and blue",
				len(rgb), size*size*3, size, size)
		}
	}
	if len(pictures) > len(r.results) {
		r.grow(len(pictures))
	}
	r.pictures = len(pictures)
	r.team.start()
	for i, rgb := range pictures {
		r.rgb = rgb
		for b := range r.m.late {
			r.runBlock(b, i)
			r.lap()
		}
	}
	r.rgb = nil
	for b := r.m.late; b < len(r.m.blocks); b++ {
		for i := range pictures {
			r.runBlock(b, i)
		}
		r.lap()
	}
	for i := range pictures {
		r.picture = i
		r.run(lastAndMean)
	}
	r.lap()
	if r.m.classifier != nil && len(pictures) > 0 {
		r.run(classifier)
		r.lap()
	}
	r.team.rest()
	for i := range pictures {
		r.read(i)
	}
	return nil
}

// Result gives what the last run says of its i-th picture. The next run
// overwrites it.
func (r *Runner) Result(i int) Result { return r.results[i] }

// Scores gives the probability of each class, or nil without a classifier.
// The next Run overwrites it.
func (r *Runner) Scores() []float32 { return r.results[0].Scores }

// Logits gives what the classifier says of each class, or nil without one. The
// next Run overwrites it.
func (r *Runner) Logits() []float32 { return r.results[0].Logits }

// Embedding gives the mean over all pixels of the last convolution. The next
// Run overwrites it.
func (r *Runner) Embedding() []float32 { return r.results[0].Embedding }
