package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	streamEvery   = time.Second
	streamSoon    = 200 * time.Millisecond // for a page that came meanwhile
	streamWaits   = 128                    // messages for a page that is slow, and events of one moment; with one more it is hung up on, and comes again
	writePatience = 10 * time.Second       // for one message
)

// A stream tells pages what is new, as server-sent events (HTML Living Standard, section 9.2): `events`, the last ones, at its start; `state`
// each second; `event` when one is made; and of the region that a page plots `history`, all of it, then `scores`, what is new.
// What it tells is made once for all pages, and only while there are any. A page that does not listen is hung up on: nobody waits for it.
type stream struct {
	view   func() View
	memory *Memory
	wake   chan struct{} // somebody came

	mu      sync.Mutex
	closed  bool
	viewers map[*viewer]struct{}
	stop    context.CancelFunc // of run, which runs while there are viewers
	running sync.WaitGroup     // run and viewers
}

// A viewer is a page.
type viewer struct {
	region   regionName
	messages chan []byte // closed when it is hung up on
	told     bool        // what there was when it came
}

type regionName struct{ camera, region string }

// A plotted region is one that somebody plots.
type plotted struct {
	history *History
	known   map[int]bool // the classes that pages know of
}

func newStream(view func() View, memory *Memory) *stream {
	s := &stream{view: view, memory: memory, viewers: map[*viewer]struct{}{}, wake: make(chan struct{}, 1)}
	memory.listen(func(e SeenEvent) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.viewers) == 0 {
			return
		}
		m := message("event", e)
		for v := range s.viewers {
			s.send(v, m)
		}
	})
	return s
}

// message is one of the stream. What it carries always has a JSON, which has no line end.
func message(kind string, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("no JSON for %s %+v: %v", kind, v, err))
	}
	return fmt.Appendf(make([]byte, 0, len(b)+32), "event: %s\ndata: %s\n\n", kind, b)
}

// serve tells one page until it goes.
func (s *stream) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v := s.join(regionName{q.Get("camera"), q.Get("region")})
	if v == nil {
		http.Error(w, "the server ends", http.StatusServiceUnavailable)
		return
	}
	defer s.leave(v)
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // that of the server is for requests
	w.Header().Set("Content-Type", "text/event-stream")
	_ = c.Flush() // it is open, and what it carries comes soon
	for {
		select {
		case <-r.Context().Done():
			return
		case m, ok := <-v.messages:
			if !ok {
				return
			}
			_ = c.SetWriteDeadline(time.Now().Add(writePatience))
			if _, err := w.Write(m); err != nil {
				return
			}
			if err := c.Flush(); err != nil {
				return
			}
		}
	}
}

// join takes a page in; nil if the server ends.
func (s *stream) join(region regionName) *viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	v := &viewer{region: region, messages: make(chan []byte, streamWaits)}
	s.viewers[v] = struct{}{}
	s.running.Add(1)
	if s.stop == nil {
		var ctx context.Context
		ctx, s.stop = context.WithCancel(context.Background())
		s.running.Add(1)
		go s.run(ctx)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return v
}

// leave is called by each viewer's serve, once.
func (s *stream) leave(v *viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangUp(v)
	s.running.Done()
}

// hangUp ends a viewer that is not ended yet; the caller holds s.mu.
func (s *stream) hangUp(v *viewer) {
	if _, there := s.viewers[v]; !there {
		return
	}
	delete(s.viewers, v)
	close(v.messages)
	if len(s.viewers) == 0 {
		s.stop()
		s.stop = nil
	}
}

// send never waits; the caller holds s.mu.
func (s *stream) send(v *viewer, message []byte) {
	if message == nil {
		return
	}
	select {
	case v.messages <- message:
	default:
		s.hangUp(v)
	}
}

// close hangs up on everybody and waits until all is quiet.
func (s *stream) close() {
	s.mu.Lock()
	s.closed = true
	for v := range s.viewers {
		s.hangUp(v)
	}
	s.mu.Unlock()
	s.running.Wait()
}

// run tells what is new until nobody is left.
func (s *stream) run(ctx context.Context) {
	defer s.running.Done()
	regions := map[regionName]*plotted{}
	defer func() { s.plot(regions, nil) }()
	for ctx.Err() == nil {
		select {
		case <-s.wake:
		default:
		}
		s.tell(regions)
		select {
		case <-ctx.Done():
		case <-time.After(streamEvery):
		case <-s.wake:
			select {
			case <-ctx.Done():
			case <-time.After(streamSoon):
			}
		}
	}
}

// tell tells everybody once.
func (s *stream) tell(regions map[regionName]*plotted) {
	state := message("state", s.view())
	came := map[*viewer]bool{}
	wanted := map[regionName]bool{} // and whether somebody came for it
	s.mu.Lock()
	for v := range s.viewers {
		came[v] = !v.told
		wanted[v.region] = wanted[v.region] || !v.told
		v.told = true
	}
	s.mu.Unlock()

	whole, news := s.plot(regions, wanted)

	s.mu.Lock()
	defer s.mu.Unlock()
	var events []byte // made now: what was told before is in it, and what comes is told after it
	for v := range s.viewers {
		first, here := came[v]
		switch {
		case !here:
			continue // it came meanwhile: the next time
		case first:
			if events == nil {
				events = message("events", s.memory.Events())
			}
			s.send(v, events)
			s.send(v, state)
			s.send(v, whole[v.region])
		default:
			s.send(v, state)
			s.send(v, news[v.region])
		}
	}
}

// plot makes the messages of regions that are wanted: for those who came, and for those who know what was told before.
func (s *stream) plot(regions map[regionName]*plotted, wanted map[regionName]bool) (whole, news map[regionName][]byte) {
	for name, p := range regions {
		if _, yes := wanted[name]; !yes || s.memory.History(name.camera, name.region) != p.history {
			p.history.unwatched()
			delete(regions, name)
		}
	}
	whole, news = map[regionName][]byte{}, map[regionName][]byte{}
	for name, somebodyCame := range wanted {
		h := s.memory.History(name.camera, name.region)
		if h == nil {
			continue
		}
		p := regions[name]
		anew := p == nil
		if p != nil && !somebodyCame {
			d := h.news()
			if anew = p.novel(d); !anew {
				news[name] = message("scores", d)
				continue
			}
		}
		all, d := h.whole()
		whole[name] = message("history", all)
		if anew || p.novel(d) {
			regions[name] = &plotted{h, all.known}
			news[name] = whole[name]
		} else {
			news[name] = message("scores", d)
		}
	}
	return whole, news
}

// novel says whether what is new can only be told as a whole: a label that pages do not know of is worth showing.
func (p *plotted) novel(d *Delta) bool {
	if d == nil || d.renewed {
		return true
	}
	for _, frame := range d.Frames {
		for i := 0; i < len(frame); i += 2 {
			if frame[i+1] >= shownScore && !p.known[int(frame[i])] {
				return true
			}
		}
	}
	return false
}
