package web

import (
	"context"
	"errors"
	"sync"
	"time"
)

// pictureWidth is what the page shows, and pictureAge how old it may be: whoever looks, a camera is asked for one picture in that time.
const (
	pictureWidth = 640
	pictureAge   = 900 * time.Millisecond
	pictureWait  = 5 * time.Second
)

// pictures are the cameras' newest, shared by all who look.
type pictures struct {
	take func(ctx context.Context, camera string, width int) ([]byte, error)

	mu sync.Mutex
	of map[string]*picture // of each camera
}

type picture struct {
	turn  chan struct{} // holds the one token of who may use what is below
	taken time.Time
	width int
	jpeg  []byte
	err   error
}

// newest gives a picture of that width. One is kept: pages all ask for the same.
func (p *pictures) newest(ctx context.Context, camera string, width int) ([]byte, error) {
	p.mu.Lock()
	c := p.of[camera]
	if c == nil {
		c = &picture{turn: make(chan struct{}, 1)}
		c.turn <- struct{}{}
		p.of[camera] = c
	}
	p.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.turn:
	}
	defer func() { c.turn <- struct{}{} }()
	if c.width == width && time.Since(c.taken) < pictureAge {
		return c.jpeg, c.err
	}
	// It is for those too who come while it is taken: who asked first may be gone by then.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pictureWait)
	defer cancel()
	c.jpeg, c.err = p.take(ctx, camera, width)
	c.taken, c.width = time.Now(), width
	if errors.Is(c.err, ErrNoCamera) {
		p.mu.Lock()
		delete(p.of, camera) // any name may be asked for
		p.mu.Unlock()
	}
	return c.jpeg, c.err
}
