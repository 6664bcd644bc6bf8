package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tarsier/mnv2"
	"tarsier/pipeline"
	"tarsier/pipeline/capture"
)

// An engine runs the network for all cameras, one picture at a time: cameras
// wait for their turn in the order they came.
type engine struct {
	turn chan struct{} // holds the one token of who may run a network

	mu       sync.Mutex
	now      *running
	pictures int           // classified since usage was asked for
	busy     time.Duration // what that took
}

// running is a model and its runner, for as long as somebody uses it: a frame
// is classified by the model that it began with.
type running struct {
	model  *model
	runner *mnv2.Runner
	users  int // frames on their way, and one more while it is the engine's
}

func newEngine(m *model) *engine {
	e := &engine{turn: make(chan struct{}, 1), now: &running{m, m.engine.NewRunner(), 1}}
	e.turn <- struct{}{}
	return e
}

// errOtherModel says that the pictures were made for a model that has been
// replaced since by one of other labels.
var errOtherModel = errors.New("the model was replaced")

// batch is how many pictures of a frame run together in one turn. More would
// save little, and keep the other cameras waiting, and a stop.
const batch = 4

// classify runs a frame's pictures, which were made for m, and stores each
// region's scores, of several tiles the best, in scores. It returns the model
// that ran, m or another of the same labels, and the time it took. Each batch
// of pictures waits for a turn of its own.
func (e *engine) classify(ctx context.Context, m *model, f *capture.Frame, scores [][]float32) (by *model, took time.Duration, err error) {
	for _, s := range scores {
		clear(s)
	}
	for _, p := range f.Pictures {
		if p.Region >= len(scores) {
			return nil, 0, fmt.Errorf("a picture of region %d, but there are %d", p.Region, len(scores))
		}
	}
	r := e.use(m)
	if r == nil {
		return nil, 0, errOtherModel
	}
	defer e.leave(r)
	for pictures := f.Pictures; len(pictures) > 0; {
		n := min(batch, len(pictures))
		d, err := e.run(ctx, r, pictures[:n], scores)
		if err != nil {
			return nil, 0, err
		}
		took += d
		pictures = pictures[n:]
	}
	e.count(r, len(f.Pictures), took)
	return r.model, took, nil
}

// use takes the model that runs, or gives nil if that has no use for what was
// made for m.
func (e *engine) use(m *model) *running {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.now.model.replaces(m) {
		return nil
	}
	e.now.users++
	return e.now
}

// leave ends a use; the last one ends the runner.
func (e *engine) leave(r *running) {
	e.mu.Lock()
	r.users--
	last := r.users == 0
	e.mu.Unlock()
	if last {
		r.runner.Close()
	}
}

// run classifies a batch, when it is its turn.
func (e *engine) run(ctx context.Context, r *running, pictures []capture.Picture, scores [][]float32) (time.Duration, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-e.turn:
	}
	defer func() { e.turn <- struct{}{} }()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	start := time.Now()
	var rgb [batch][]byte
	for i, p := range pictures {
		rgb[i] = p.RGB
	}
	if err := r.runner.RunBatch(rgb[:len(pictures)]...); err != nil {
		return 0, err
	}
	for i, p := range pictures {
		pipeline.BestOf(scores[p.Region], r.runner.Result(i).Scores)
	}
	return time.Since(start), nil
}

// swap makes another model the one that runs. Frames on their way keep the old
// one, and swap does not wait for them.
func (e *engine) swap(m *model) {
	next := &running{m, m.engine.NewRunner(), 1}
	e.mu.Lock()
	old := e.now
	e.now, e.pictures, e.busy = next, 0, 0
	e.mu.Unlock()
	e.leave(old)
}

func (e *engine) count(r *running, pictures int, took time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r == e.now {
		e.pictures += pictures
		e.busy += took
	}
}

// usage gives how many pictures the model that runs has classified since the
// last call or swap, and what that took.
func (e *engine) usage() (pictures int, busy time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	pictures, busy = e.pictures, e.busy
	e.pictures, e.busy = 0, 0
	return pictures, busy
}

// alone runs something when it is its turn, as soon as it can where there is no engine yet, and tells how long that took.
func (e *engine) alone(f func() error) (time.Duration, error) {
	if e != nil {
		<-e.turn
		defer func() { e.turn <- struct{}{} }()
	}
	start := time.Now()
	err := f()
	return time.Since(start), err
}

// alive waits for a turn.
func (e *engine) alive(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("waited for the engine: %w", ctx.Err())
	case <-e.turn:
		e.turn <- struct{}{}
		return nil
	}
}

// close ends it when no frame is on its way any more.
func (e *engine) close() { e.leave(e.now) }
