package main

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"tarsier/pipeline/capture/wire"
)

// server is the child's end of the socket: one goroutine listens, one answers, one tells that all is well.
type server struct {
	conn      net.Conn
	stderr    *stderrFilter
	questions chan wire.Message
	news      chan struct{} // there may be something to tell before the next pulse

	mu     sync.Mutex // serializes writing, and guards what follows
	buf    []byte
	stream *stream   // nil: nothing is open
	asking bool      // a question has no answer yet
	opened time.Time // when a source was asked for that is not there yet; else zero
}

// listen takes questions until the socket ends. It never waits for an answer, so that the end is seen while OpenCV blocks; a
// daemon that asks again before it has its answer breaks the rules, and the connection with it.
func (s *server) listen() {
	s.send(&wire.Hello{Version: wire.Version, Build: version()}, nil)
	d := wire.NewDecoder(s.conn)
	for {
		m, err := d.Read()
		if err != nil {
			return
		}
		switch q := m.(type) {
		case *wire.Open:
			// The decoder reuses its values.
			o := *q
			o.Regions = slices.Clone(q.Regions)
			m = &o
		case *wire.JPEG:
			j := *q
			m = &j
		case *wire.Newest, *wire.Next:
		default:
			s.stderr.printf("the daemon sent %T, which is no question", m)
			return
		}
		s.mu.Lock()
		s.asking = true
		s.mu.Unlock()
		s.questions <- m
	}
}

func (s *server) answer() {
	var c cutter
	for q := range s.questions {
		var err error
		switch q := q.(type) {
		case *wire.Open:
			err = s.open(q, &c)
		case *wire.Newest:
			err = s.picture(&c, false)
		case *wire.Next:
			err = s.picture(&c, true)
		case *wire.JPEG:
			err = s.jpeg(&c, int(q.Width))
		}
		if err != nil {
			var f *wire.Fault
			if !errors.As(err, &f) {
				f = fault(wire.ReasonBroken, "%v", err)
			}
			s.send(&wire.Fault{Pending: true, Reason: f.Reason, Text: f.Text}, nil)
		}
		s.mu.Lock()
		s.asking = false
		st := s.stream
		s.mu.Unlock()
		if st != nil && st.over() {
			select {
			case s.news <- struct{}{}:
			default:
			}
		}
	}
}

func (s *server) open(o *wire.Open, c *cutter) error {
	if o.Version != wire.Version {
		return fault(wire.ReasonAsked, "tarsier speaks version %d of the messages, tarsier-capture %d: both must be of one build; restart tarsier", o.Version, wire.Version)
	}
	s.mu.Lock()
	old := s.stream
	s.stream, s.opened = nil, time.Now()
	s.mu.Unlock()
	if old != nil {
		old.close()
	}
	c.set(o)
	s.stderr.name(o.Name)
	st, err := openStream(o, s.stderr, s.news)
	s.mu.Lock()
	s.stream, s.opened = st, time.Time{}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	opened, err := st.first()
	if err != nil {
		return err
	}
	if w, h := opened.Width, opened.Height; max(w, h) > wire.MaxWidth {
		return fault(wire.ReasonUnusable, "%s: a picture of %dx%d is larger than %d pixels; make it smaller", st.src.shown, w, h, wire.MaxWidth)
	}
	s.send(opened, nil)
	return nil
}

var errNothingOpen = fault(wire.ReasonAsked, "no source is open")

func (s *server) picture(c *cutter, every bool) error {
	if s.stream == nil {
		return errNothingOpen
	}
	if every && !s.stream.every {
		return fault(wire.ReasonAsked, "every picture was asked of a source that was opened as a camera")
	}
	p, err := s.stream.take()
	if err != nil {
		return err
	}
	head, pixels, err := c.cut(p.mat)
	if err != nil {
		return err
	}
	head.Age = max(0, time.Since(p.taken))
	head.Stream = max(0, p.stream)
	s.send(head, pixels)
	return nil
}

func (s *server) jpeg(c *cutter, width int) error {
	if s.stream == nil {
		return errNothingOpen
	}
	p := s.stream.answered
	if p == nil {
		return fault(wire.ReasonAsked, "a JPEG was asked for before any picture")
	}
	data, err := c.jpeg(p.mat, width)
	if err != nil {
		return err
	}
	defer data.Close()
	b := data.GetBytes()
	s.send(&wire.Image{Length: uint32(len(b))}, b)
	return nil
}

// pulse also carries the news that a source broke while nobody asked. It holds the lock throughout, so that what it says of a
// source is said before another one is open.
func (s *server) pulse(every time.Duration) {
	for tick := time.Tick(every); ; {
		select {
		case <-tick:
			watchdog()
			if has, may := memory(); has > may/10*9 {
				s.stderr.printf("it has %d of the %d MiB of memory that it may have, and ends: something leaks", has>>20, may>>20)
				os.Exit(1)
			}
		case <-s.news:
		}
		s.mu.Lock()
		p := wire.Pulse{}
		if !s.opened.IsZero() {
			p.Idle = time.Since(s.opened)
		}
		if s.stream != nil {
			var err *wire.Fault
			// Who has asked hears of it by the answer, or after the last picture.
			p.Pictures, p.Idle, err = s.stream.state(!s.asking)
			if err != nil {
				s.write(&wire.Fault{Reason: err.Reason, Text: err.Text}, nil)
			}
		}
		s.write(&p, nil)
		s.mu.Unlock()
	}
}

func (s *server) send(m wire.Message, pixels []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(m, pixels)
}

// write sends a message and the pixels after it. Who cannot be written to is gone. The caller holds s.mu.
func (s *server) write(m wire.Message, pixels []byte) {
	s.buf = wire.Append(s.buf[:0], m)
	_, err := s.conn.Write(s.buf)
	if err == nil && len(pixels) > 0 {
		_, err = s.conn.Write(pixels)
	}
	if err != nil {
		os.Exit(0)
	}
}
