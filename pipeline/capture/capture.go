// Package capture is the daemon's side of a camera. It takes a source as the config has it, and gives pictures: squares of RGB,
// Size*Size*3 bytes, one for each region or tile, with the time each was taken.
//
// The work is done by tarsier-capture, a process a camera, which is started as a child or connected to through a socket of systemd's
// and spoken to with package wire. Camera keeps one running for as long as its context lasts: it kills what hangs and starts again
// what died. Open is for those who read files and want to know of every error.
package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"tarsier/pipeline/capture/wire"
)

// Options say what to open, and what to make of its pictures.
type Options struct {
	Name       string // the camera's, for logs
	Source     string // as in the config; only ever shown redacted
	Loop       bool   // a file starts over at its end
	EveryFrame bool   // a file's pictures come as fast as asked and none is left out; else it is played at its own speed, as a camera
	Fit        string // stretch, crop or tiles
	Regions    []Region
	Size       int    // edge of the pictures in pixels; 0: 224
	Rate       int    // pictures a second that are wanted, if they are more than 15: a camera on a cable has modes to choose from
	Child      string // path of tarsier-capture; "" with no Socket: looked for beside this program, then in the path
	Socket     string // the Unix socket where systemd starts one for each connection; used when Child is ""
	Log        *slog.Logger
	// Status is called when pictures begin to arrive, cease to, or cannot arrive for another reason than before.
	Status func(online bool, err error)
}

// Region is a part of the picture.
type Region struct {
	Name string
	Box  [4]float64 // x, y, width, height as fractions of the picture
}

// Frame is what was cut from one picture of a source. Its memory is used again by the next call it is given to.
type Frame struct {
	Taken         time.Time
	Stream        time.Duration // the stream's own time stamp, from zero
	Width, Height int           // of the whole picture
	Pictures      []Picture

	pixels []byte
}

// Picture is a square of RGB. Those with the same region are its tiles.
type Picture struct {
	Region int // index in Options.Regions
	RGB    []byte
}

// ErrOffline is wrapped by what JPEG gives while no picture arrives.
var ErrOffline = errors.New("no pictures arrive")

// Redact hides the credentials in a source, or in a message that quotes one.
func Redact(s string) string { return wire.Redact(s) }

// How long things may take.
const (
	openTimeout  = 15 * time.Second        // from the question for a source to its first picture
	idleTimeout  = 3500 * time.Millisecond // without a picture: that it is offline is to be known within 5 s
	quietTimeout = 4 * time.Second         // without a word from tarsier-capture, which speaks each second
	maxAge       = time.Minute             // of a picture when it comes; one of a file may have waited for a question
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	steadyAfter  = 5 * time.Second        // with pictures, and pauses are short again
	doubt        = 500 * time.Millisecond // with pictures, before they are said to arrive from a source that broke off at once
)

// Camera keeps a source open.
type Camera struct {
	opts Options

	mu      sync.Mutex
	session *Session      // delivers; else nil
	changed chan struct{} // closed when session changes

	status  sync.Mutex // serializes calls of Status, and guards what follows
	known   bool
	online  bool
	err     error
	picture time.Time // the last that is known of
}

// New makes a camera; Run opens it.
func New(o Options) *Camera {
	return &Camera{opts: o.defaults(), changed: make(chan struct{})}
}

func (o Options) defaults() Options {
	if o.Size == 0 {
		o.Size = 224
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Log = o.Log.With("camera", o.Name)
	return o
}

// Run keeps the camera open until ctx ends, and returns nil then. An error is about the options: no retry would mend it.
func (c *Camera) Run(ctx context.Context) error {
	if _, err := c.opts.question(c.opts.Source); err != nil {
		return fmt.Errorf("camera %s: %w", c.opts.Name, err)
	}
	watching := make(chan struct{})
	defer func() { <-watching }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(watching)
		c.watch(ctx)
	}()

	var s *Session // kept while all it does is refuse: a start costs more than a question
	defer func() {
		if s != nil {
			s.Close()
		}
	}()
	pause := firstPause
	var last outcome
	for ctx.Err() == nil {
		began := time.Now()
		var err error
		s, last, err = c.attempt(ctx, s, last == brief)
		if ctx.Err() != nil {
			return nil
		}
		end := errors.Is(err, io.EOF)
		if end && s != nil {
			s.Close()
			s = nil
		}
		if last == steady {
			pause = firstPause
		}
		c.fail(err, pause == firstPause)
		if end {
			// To start it over is what loop is for.
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
		// A camera that let us wait may be back by now.
		case <-time.After(max(firstPause, time.Until(began.Add(pause)))):
		}
		pause = min(2*pause, longestPause)
	}
	return nil
}

// outcome is what became of an attempt to open a source.
type outcome int

const (
	none   outcome = iota // no picture came
	brief                 // it broke off soon
	steady                // it lasted
)

// attempt opens the source, in s or where that is nil a new session, and returns when it failed, with the session if it can be asked again.
func (c *Camera) attempt(ctx context.Context, s *Session, doubtful bool) (_ *Session, o outcome, err error) {
	if s == nil {
		if s, err = start(ctx, c.opts); err != nil {
			return nil, none, err
		}
	}
	if err = s.Reopen(ctx, c.opts.Source); err == nil {
		o, err = c.deliver(ctx, s, doubtful)
	}
	if s.Dead() {
		s.Close()
		s = nil
	}
	return s, o, err
}

// deliver lets Newest have the session until it breaks. One that is doubtful counts when it has given more than its first picture: a camera
// that gives no other, over and over, is not online each time.
func (c *Camera) deliver(ctx context.Context, s *Session, doubtful bool) (outcome, error) {
	opened := time.Now()
	if !doubtful {
		c.seen(opened)
	}
	c.offer(s)
	defer c.offer(nil)
	for {
		select {
		case <-ctx.Done():
			return none, ctx.Err()
		case at := <-s.arrived:
			if doubtful = doubtful && at.Sub(opened) < doubt; !doubtful {
				c.seen(at)
			}
		case err := <-s.broken:
			// What must only be opened again did deliver.
			if f := (*wire.Fault)(nil); time.Since(opened) > steadyAfter || errors.As(err, &f) && f.Reason == wire.ReasonAgain {
				return steady, err
			}
			return brief, err
		}
	}
}

func (c *Camera) offer(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s
	close(c.changed)
	c.changed = make(chan struct{})
}

// Newest waits for a picture newer than the last it gave, through whatever happens to the camera; its only error is the context's.
func (c *Camera) Newest(ctx context.Context, f *Frame) error {
	for {
		c.mu.Lock()
		s, changed := c.session, c.changed
		c.mu.Unlock()
		if s != nil {
			err := s.Newest(ctx, f)
			if f := (*wire.Fault)(nil); err == nil || ctx.Err() != nil || errors.As(err, &f) && f.Reason == wire.ReasonAsked {
				return err
			}
		}
		// Run knows why it failed, and tells Status.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// JPEG encodes the whole picture that the last answer was cut from, width pixels wide; 0, or more than it has, leaves it as it is.
func (c *Camera) JPEG(ctx context.Context, width int) ([]byte, error) {
	c.mu.Lock()
	s := c.session
	c.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("camera %s: %w", c.opts.Name, ErrOffline)
	}
	return s.JPEG(ctx, width)
}

// seen notes when the last picture came.
func (c *Camera) seen(at time.Time) {
	c.status.Lock()
	defer c.status.Unlock()
	if at.After(c.picture) {
		c.picture = at
	}
	if time.Since(c.picture) < idleTimeout {
		c.tell(true, nil)
	}
}

// fail notes why there are none. A stream that breaks off once and is back in no time was not away; watch knows when it is not back.
func (c *Camera) fail(err error, once bool) {
	c.status.Lock()
	defer c.status.Unlock()
	if f := (*wire.Fault)(nil); c.online && once && (!errors.As(err, &f) || f.Reason == wire.ReasonBroken || f.Reason == wire.ReasonAgain) {
		c.opts.Log.Warn("camera interrupted", "error", err)
		c.err = err
		return
	}
	c.tell(false, err)
}

// watch sees that pictures cease to come.
func (c *Camera) watch(ctx context.Context) {
	t := time.NewTicker(idleTimeout / 16)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		c.status.Lock()
		if c.online && time.Since(c.picture) >= idleTimeout {
			err := c.err
			if err == nil {
				err = fmt.Errorf("%s: no picture for %v", Redact(c.opts.Source), idleTimeout)
			}
			c.tell(false, err)
		}
		c.status.Unlock()
	}
}

// tell calls Status with what is new; the caller holds c.status.
func (c *Camera) tell(online bool, err error) {
	same := c.known && c.online == online && (online || c.err != nil && gist(err) == gist(c.err))
	c.known, c.online, c.err = true, online, err
	if same {
		return
	}
	if online {
		c.opts.Log.Info("camera online")
	} else {
		c.opts.Log.Warn("camera offline", "error", err)
	}
	if c.opts.Status != nil {
		c.opts.Status(online, err)
	}
}

// gist leaves out what is in brackets: what FFmpeg complains of is different each time.
func gist(err error) string {
	s, _, _ := strings.Cut(err.Error(), " (")
	return s
}
