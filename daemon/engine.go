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

// classify runs a frame's pictures and stores each region's scores, of
// several tiles the best, in scores. It returns the time the network took.
// Each picture waits for a turn of its own: a camera with many regions must
// not keep the others waiting, nor a stop.
func (e *engine) classify(ctx context.Context, m *model, f *capture.Frame, scores [][]float32) (took time.Duration, err error) {
	for _, s := range scores {
		clear(s)
	}
	for _, p := range f.Pictures {
		if p.Region >= len(scores) {
			return 0, fmt.Errorf("a picture of region %d, but there are %d", p.Region, len(scores))
		}
		d, err := e.run(ctx, m, p.RGB, scores[p.Region])
		if err != nil {
			return 0, err
		}
		took += d
	}
	return took, nil
}

// run classifies one picture, when it is its turn.
func (e *engine) run(ctx context.Context, m *model, rgb []byte, best []float32) (time.Duration, error) {
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
	if err := e.runner.Run(rgb); err != nil {
		return 0, err
	}
	pipeline.BestOf(best, e.runner.Scores())
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
