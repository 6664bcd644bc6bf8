package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tarsier/mnv2"
	"tarsier/pipeline"
	"tarsier/pipeline/capture"
)

// An engine runs the network for all cameras, one picture at a time: cameras
// wait for their turn in the order they came.
type engine struct {
	turn   chan struct{} // holds the one token of who may use what is below
	model  *model
	runner *mnv2.Runner
}

func newEngine(m *model) *engine {
	e := &engine{turn: make(chan struct{}, 1), model: m, runner: m.engine.NewRunner()}
	e.turn <- struct{}{}
	return e
}

// errOtherModel says that the pictures were made for a model that has been
// replaced since.
var errOtherModel = errors.New("the model was replaced")

// batch is how many pictures of a frame run together in one turn. More would
// save little, and keep the other cameras waiting, and a stop.
const batch = 4

// classify runs a frame's pictures and stores each region's scores, of
// several tiles the best, in scores. It returns the time the network took.
// Each batch of pictures waits for a turn of its own.
func (e *engine) classify(ctx context.Context, m *model, f *capture.Frame, scores [][]float32) (took time.Duration, err error) {
	for _, s := range scores {
		clear(s)
	}
	for _, p := range f.Pictures {
		if p.Region >= len(scores) {
			return 0, fmt.Errorf("a picture of region %d, but there are %d", p.Region, len(scores))
		}
	}
	for pictures := f.Pictures; len(pictures) > 0; {
		n := min(batch, len(pictures))
		d, err := e.run(ctx, m, pictures[:n], scores)
		if err != nil {
			return 0, err
		}
		took += d
		pictures = pictures[n:]
	}
	return took, nil
}

// run classifies a batch, when it is its turn.
func (e *engine) run(ctx context.Context, m *model, pictures []capture.Picture, scores [][]float32) (time.Duration, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-e.turn:
	}
	defer func() { e.turn <- struct{}{} }()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if e.model != m {
		return 0, errOtherModel
	}
	start := time.Now()
	var rgb [batch][]byte
	for i, p := range pictures {
		rgb[i] = p.RGB
	}
	if err := e.runner.RunBatch(rgb[:len(pictures)]...); err != nil {
		return 0, err
	}
	for i, p := range pictures {
		pipeline.BestOf(scores[p.Region], e.runner.Result(i).Scores)
	}
	return time.Since(start), nil
}

// swap makes another model the one that runs.
func (e *engine) swap(m *model) {
	<-e.turn
	e.runner.Close()
	e.model, e.runner = m, m.engine.NewRunner()
	e.turn <- struct{}{}
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

func (e *engine) close() {
	<-e.turn
	e.runner.Close()
}
