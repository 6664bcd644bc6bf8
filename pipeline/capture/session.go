package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"tarsier/pipeline/capture/wire"
)

// Session is one tarsier-capture that is spoken to. Questions may come from any goroutine; they are answered one at a time.
type Session struct {
	opts  Options
	conn  net.Conn
	child *child        // nil: it is systemd's
	ended chan struct{} // closed when nobody listens any more
	total int           // of the source that is open

	// For Camera, who need not ask to know how its source is: when the last picture came, and what broke it.
	arrived chan time.Time
	broken  chan error

	turn     chan struct{} // held from a question to its answer
	answered chan struct{}
	reply    reply // written by listen before answered, read by who has the turn

	mu        sync.Mutex
	out       []byte
	asking    bool  // a question is out
	abandoned bool  // and nobody waits for the answer
	failed    error // why it is over
}

type reply struct {
	err    error
	total  int // of the last Opened
	head   wire.Pictures
	at     time.Time // when it came
	pixels []byte
}

// Open starts a tarsier-capture and opens the source; an error is the caller's, nothing is tried again. Close ends it.
func Open(ctx context.Context, o Options) (*Session, error) {
	o = o.defaults()
	if _, err := o.question(o.Source); err != nil {
		return nil, err
	}
	s, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := s.Reopen(ctx, o.Source); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// question asks for a source.
func (o Options) question(source string) (*wire.Open, error) {
	q := &wire.Open{Version: wire.Version, Name: o.Name[:min(len(o.Name), wire.MaxName)], Source: source, Loop: o.Loop, Every: o.EveryFrame}
	var err error
	if q.Fit, err = wire.ParseFit(o.Fit); err != nil {
		return nil, err
	}
	q.Size = uint16(min(max(o.Size, 0), wire.MaxSize+1))
	for _, r := range o.Regions {
		q.Regions = append(q.Regions, r.Box)
	}
	return q, q.Check()
}

// start connects to a tarsier-capture and hears its first word.
func start(ctx context.Context, o Options) (*Session, error) {
	s := &Session{
		opts: o, ended: make(chan struct{}),
		arrived: make(chan time.Time, 1), broken: make(chan error, 1),
		turn: make(chan struct{}, 1), answered: make(chan struct{}, 1),
	}
	var err error
	if o.Child == "" && o.Socket != "" {
		var d net.Dialer
		if s.conn, err = d.DialContext(ctx, "unix", o.Socket); err != nil {
			return nil, fmt.Errorf("connect to tarsier-capture (is tarsier-capture.socket started?): %w", err)
		}
	} else if s.conn, s.child, err = startChild(o); err != nil {
		return nil, err
	}
	d := wire.NewDecoder(s.conn)
	// A slow card takes its time to load OpenCV's libraries.
	s.conn.SetReadDeadline(time.Now().Add(openTimeout))
	stop := context.AfterFunc(ctx, func() { s.conn.SetReadDeadline(time.Unix(1, 0)) })
	m, err := d.Read()
	stop()
	if h, ok := m.(*wire.Hello); err == nil && !ok {
		err = fmt.Errorf("%w: %T before its version", wire.ErrMalformed, m)
	} else if err == nil && h.Version != wire.Version {
		err = fmt.Errorf("tarsier-capture is another version (%s; this tarsier speaks version %d of the messages): install both from one build and restart tarsier", h.Build, wire.Version)
	}
	if err != nil {
		close(s.ended)
		if ctx.Err() != nil {
			err = ctx.Err()
		} else {
			err = s.explain(err)
		}
		s.Close()
		return nil, err
	}
	go s.listen(d)
	return s, nil
}

// explain says what an error on the socket means.
func (s *Session) explain(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("tarsier-capture hangs: not a word from it for %v", quietTimeout)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case s.child != nil:
		// Who closed the socket is dead or dying, and keeps its own exit status.
		return fmt.Errorf("tarsier-capture ended unexpectedly: %w", s.child.kill())
	}
	return errors.New("tarsier-capture ended unexpectedly: its journal may say why (journalctl -u 'tarsier-capture@*')")
}

// Close ends tarsier-capture and waits for it.
func (s *Session) Close() error {
	s.conn.Close()
	if s.child != nil {
		s.child.kill()
	}
	<-s.ended
	return nil
}

// Dead tells that tarsier-capture is gone, and with it the session.
func (s *Session) Dead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed != nil
}

// Reopen opens another source with the same options. To start a tarsier-capture for each takes longer than most
// pictures do; so after an error the next source may be tried, unless Dead.
func (s *Session) Reopen(ctx context.Context, source string) error {
	q, err := s.opts.question(source)
	if err != nil {
		return err
	}
	if err := s.ask(ctx, q); err != nil {
		return err
	}
	defer s.release()
	s.total = s.reply.total
	return s.reply.err
}

// Total is how many pictures the source says it holds, 0 if it does not say. It belongs to whoever calls Reopen.
func (s *Session) Total() int { return s.total }

// Newest waits for a picture newer than the last answered.
func (s *Session) Newest(ctx context.Context, f *Frame) error {
	return s.frame(ctx, &wire.Newest{}, f)
}

// Next gives the picture after the last answered, of a file opened with EveryFrame; at its end io.EOF.
func (s *Session) Next(ctx context.Context, f *Frame) error {
	err := s.frame(ctx, &wire.Next{}, f)
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return err
}

func (s *Session) frame(ctx context.Context, q wire.Message, f *Frame) error {
	if err := s.ask(ctx, q); err != nil {
		return err
	}
	defer s.release()
	r := &s.reply
	if r.err != nil {
		return r.err
	}
	f.pixels, r.pixels = r.pixels, f.pixels
	f.Taken, f.Stream = r.at.Add(-r.head.Age), r.head.Stream
	f.Width, f.Height = int(r.head.Width), int(r.head.Height)
	f.Pictures = f.Pictures[:0]
	n := s.opts.Size * s.opts.Size * 3
	for i, region := range r.head.Regions {
		f.Pictures = append(f.Pictures, Picture{Region: int(region), RGB: f.pixels[i*n : (i+1)*n : (i+1)*n]})
	}
	return nil
}

// JPEG encodes the whole picture that the last answer was cut from, width pixels wide; 0, or more than it has, leaves it as it is.
func (s *Session) JPEG(ctx context.Context, width int) ([]byte, error) {
	if err := s.ask(ctx, &wire.JPEG{Width: uint32(min(max(width, 0), wire.MaxWidth))}); err != nil {
		return nil, err
	}
	defer s.release()
	if s.reply.err != nil {
		return nil, s.reply.err
	}
	b := s.reply.pixels
	s.reply.pixels = nil // it is the caller's
	return b, nil
}

// ask sends a question and waits for its answer in s.reply; without an error the caller releases it.
func (s *Session) ask(ctx context.Context, q wire.Message) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
		return s.failure()
	}
	s.mu.Lock()
	s.asking = true
	s.out = wire.Append(s.out[:0], q)
	_, err := s.conn.Write(s.out)
	s.mu.Unlock()
	if err != nil {
		// listen knows better why.
		<-s.ended
		return s.failure()
	}
	select {
	case <-s.answered:
		return nil
	case <-s.ended:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.answered: // in the meantime
		return nil
	default:
	}
	if s.failed != nil {
		return s.failed
	}
	s.abandoned = true
	return ctx.Err()
}

func (s *Session) release() { <-s.turn }

func (s *Session) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// listen hears everything that tarsier-capture says until it falls silent.
func (s *Session) listen(d *wire.Decoder) {
	defer close(s.ended)
	for {
		s.conn.SetReadDeadline(time.Now().Add(quietTimeout))
		m, err := d.Read()
		if err == nil {
			err = s.hear(d, m)
		}
		if err == nil {
			continue
		}
		err = s.explain(err)
		s.mu.Lock()
		s.failed = err
		s.mu.Unlock()
		s.breaks(err)
		// Of no use any more, and systemd's ends by this.
		s.conn.Close()
		return
	}
}

func (s *Session) hear(d *wire.Decoder, m wire.Message) error {
	switch m := m.(type) {
	case *wire.Pulse:
		switch {
		case m.Pictures == 0 && m.Idle > openTimeout:
			hint := ""
			if strings.HasPrefix(s.opts.Source, "gst:") || strings.HasPrefix(s.opts.Source, "csi:") {
				// OpenCV waits without end for a pipeline that has a part missing.
				hint = "; try the pipeline with gst-launch-1.0: a part of it may be misspelt or not installed"
			}
			return fmt.Errorf("%s: no first picture for %v%s", Redact(s.opts.Source), m.Idle.Round(time.Second), hint)
		case m.Pictures > 0 && m.Idle > idleTimeout:
			return fmt.Errorf("%s: no picture for %v", Redact(s.opts.Source), m.Idle.Round(100*time.Millisecond))
		case m.Pictures > 0:
			s.arrives(time.Now().Add(-m.Idle))
		}
		return nil
	case *wire.Fault:
		err := &wire.Fault{Reason: m.Reason, Text: m.Text}
		if m.Reason != wire.ReasonAsked {
			s.breaks(err)
		}
		if !m.Pending {
			return nil
		}
		return s.answer(func(r *reply) error {
			r.err = err
			return nil
		})
	case *wire.Opened:
		select {
		case <-s.broken: // what an earlier source left
		default:
		}
		total := int(m.Total)
		return s.answer(func(r *reply) error {
			r.total = total
			return nil
		})
	case *wire.Image:
		return s.answer(func(r *reply) error {
			r.pixels = make([]byte, d.Extra())
			return d.Pixels(r.pixels)
		})
	case *wire.Pictures:
		now := time.Now()
		for _, r := range m.Regions {
			if int(r) >= len(s.opts.Regions) {
				return fmt.Errorf("%w: region %d of %d", wire.ErrMalformed, r, len(s.opts.Regions))
			}
		}
		if int(m.Size) != s.opts.Size {
			return fmt.Errorf("%w: pictures of %d pixels, not %d", wire.ErrMalformed, m.Size, s.opts.Size)
		}
		return s.answer(func(r *reply) error {
			regions := append(r.head.Regions[:0], m.Regions...)
			r.at, r.head = now, *m
			r.head.Regions = regions
			if n := d.Extra(); cap(r.pixels) < n {
				r.pixels = make([]byte, n)
			} else {
				r.pixels = r.pixels[:n]
			}
			return d.Pixels(r.pixels)
		})
	}
	return fmt.Errorf("%w: %T is nothing for a daemon", wire.ErrMalformed, m)
}

// answer fills the reply and hands it over.
func (s *Session) answer(fill func(*reply) error) error {
	s.mu.Lock()
	asking := s.asking
	s.mu.Unlock()
	if !asking {
		return fmt.Errorf("%w: an answer that nobody asked for", wire.ErrMalformed)
	}
	s.reply.err = nil
	if err := fill(&s.reply); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking = false
	if s.abandoned {
		s.abandoned = false
		s.release()
	} else {
		s.answered <- struct{}{}
	}
	return nil
}

// arrives and breaks leave the latest for Camera; a Session of its own has nobody who takes it.
func (s *Session) arrives(at time.Time) {
	select {
	case <-s.arrived:
	default:
	}
	s.arrived <- at
}

func (s *Session) breaks(err error) {
	select {
	case s.broken <- err:
	default: // the first is the cause
	}
}
