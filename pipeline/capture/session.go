package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
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

	unasked int       // messages that answered nothing
	since   time.Time // this; they are listen's
	passed  int       // pulses that told of pictures while a question for one had no answer for long; listen's too

	turn     chan struct{} // held from a question to its answer
	answered chan struct{}
	reply    reply // written by listen before answered, read by who has the turn

	mu        sync.Mutex
	out       []byte
	asking    wire.Message // the question that is out; nil: none
	asked     time.Time    // when it went out
	before    uint64       // pictures that had come by then
	pictures  uint64       // that have come by the last pulse
	abandoned bool         // nobody waits for its answer
	failed    error        // why it is over
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
	q.Rate = uint16(min(max(o.Rate, 0), math.MaxUint16))
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
	s.asking, s.asked, s.before = q, time.Now(), s.pictures
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
		if err := s.speaks(); err != nil {
			return err
		}
		switch {
		case s.withholds(m.Pictures):
			return fmt.Errorf("tarsier-capture hangs: it has pictures of %s, and gives none", Redact(s.opts.Source))
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
			return s.speaks()
		}
		return s.answer(m, func(r *reply) error {
			r.err = err
			return nil
		})
	case *wire.Opened:
		// What an earlier source left.
		select {
		case <-s.broken:
		default:
		}
		select {
		case <-s.arrived:
		default:
		}
		total := int(m.Total)
		return s.answer(m, func(r *reply) error {
			r.total = total
			return nil
		})
	case *wire.Image:
		return s.answer(m, func(r *reply) (err error) {
			r.pixels, err = pixels(nil, d)
			return err
		})
	case *wire.Pictures:
		now := time.Now()
		if err := s.check(m); err != nil {
			return err
		}
		return s.answer(m, func(r *reply) (err error) {
			regions := append(r.head.Regions[:0], m.Regions...)
			r.at, r.head = now, *m
			r.head.Regions = regions
			r.pixels, err = pixels(r.pixels[:0], d)
			return err
		})
	}
	return fmt.Errorf("%w: %T is nothing for a daemon", wire.ErrMalformed, m)
}

// maxUnasked is how often tarsier-capture may speak in a minute without being asked. It does so each second, and a daemon that was
// kept from listening finds what was said meanwhile.
const maxUnasked = 1000

// speaks notes that it was not asked. Who cannot stop would keep a processor busy with listening.
func (s *Session) speaks() error {
	if now := time.Now(); now.Sub(s.since) > time.Minute {
		s.unasked, s.since = 0, now
	}
	if s.unasked++; s.unasked > maxUnasked {
		return fmt.Errorf("%w: more than %d in a minute that nobody asked for", wire.ErrMalformed, maxUnasked)
	}
	return nil
}

// withholds says whether a question for a picture waits for long while pictures come, told by two pulses since one may have overtaken the answer.
func (s *Session) withholds(pictures uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pictures = pictures
	_, open := s.asking.(*wire.Open)
	if s.asking == nil || open || pictures <= s.before+1 || time.Since(s.asked) < idleTimeout {
		s.passed = 0
		return false
	}
	s.passed++
	return s.passed > 1
}

// check compares pictures with what was asked for: each region once and in order or, in tiles, at least once.
func (s *Session) check(m *wire.Pictures) error {
	next := 0
	for _, r := range m.Regions {
		switch {
		case int(r) == next:
			next++
		case int(r) != next-1 || s.opts.Fit != "tiles":
			return fmt.Errorf("%w: region %d where %d is due", wire.ErrMalformed, r, next)
		}
	}
	switch {
	case next != len(s.opts.Regions):
		return fmt.Errorf("%w: pictures of %d regions, not %d", wire.ErrMalformed, next, len(s.opts.Regions))
	case int(m.Size) != s.opts.Size:
		return fmt.Errorf("%w: pictures of %d pixels, not %d", wire.ErrMalformed, m.Size, s.opts.Size)
	case !s.opts.EveryFrame && m.Age > maxAge:
		return fmt.Errorf("%s: tarsier-capture gives a picture that is %v old", Redact(s.opts.Source), m.Age.Round(time.Second))
	}
	return nil
}

// pixels reads what follows a message into b, and takes memory only as it comes: a length is no more than a claim.
func pixels(b []byte, d *wire.Decoder) ([]byte, error) {
	for d.Extra() > 0 {
		n := len(b)
		if n == cap(b) {
			b = slices.Grow(b, min(d.Extra(), max(n, 1<<20)))
		}
		b = b[:min(cap(b), n+d.Extra())]
		if err := d.Pixels(b[n:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// answers says whether m may be the answer to q.
func answers(q, m wire.Message) (ok bool) {
	switch m.(type) {
	case *wire.Fault:
		return true
	case *wire.Opened:
		_, ok = q.(*wire.Open)
	case *wire.Image:
		_, ok = q.(*wire.JPEG)
	case *wire.Pictures:
		if _, ok = q.(*wire.Newest); !ok {
			_, ok = q.(*wire.Next)
		}
	}
	return ok
}

// answer fills the reply with m and hands it over.
func (s *Session) answer(m wire.Message, fill func(*reply) error) error {
	s.mu.Lock()
	q := s.asking
	s.mu.Unlock()
	if q == nil {
		return fmt.Errorf("%w: an answer that nobody asked for", wire.ErrMalformed)
	}
	if !answers(q, m) {
		return fmt.Errorf("%w: %T as the answer to %T", wire.ErrMalformed, m, q)
	}
	s.reply.err = nil
	if err := fill(&s.reply); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking = nil
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
