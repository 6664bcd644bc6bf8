package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tarsier/pipeline"
)

// A listener is a page that hears the stream.
type listener struct {
	t       *testing.T
	scanner *bufio.Scanner
}

func listen(t *testing.T, base, query string) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/stream?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newClient().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { got.Body.Close() })
	if kind := got.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("%s: %s", got.Status, kind)
	}
	s := bufio.NewScanner(got.Body)
	s.Buffer(nil, 1<<20)
	return &listener{t, s}
}

// next gives what comes next of a kind, and false if the stream ends.
func (l *listener) next(kind string, to any) bool {
	l.t.Helper()
	of := ""
	for l.scanner.Scan() {
		if name, ok := strings.CutPrefix(l.scanner.Text(), "event: "); ok {
			of = name
		}
		if data, ok := strings.CutPrefix(l.scanner.Text(), "data: "); ok && of == kind {
			if err := json.Unmarshal([]byte(data), to); err != nil {
				l.t.Fatalf("%s: %v", data, err)
			}
			return true
		}
	}
	return false
}

func (l *listener) must(kind string, to any) {
	l.t.Helper()
	if !l.next(kind, to) {
		l.t.Fatalf("no %s came: %v", kind, l.scanner.Err())
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	o := testOptions()
	o.Memory = NewMemory()
	o.Memory.Remember(true)
	h := o.Memory.Camera("porch", []string{"door"})[0]
	h.Begin(testLabels, pipeline.Thresholds{Enter: 0.6})
	h.Frame(at(time.Minute), []float32{0.5, 0, 0, 0})
	o.Memory.Add(nil, event(1, "porch", "door"))
	base := serve(t, o)

	l := listen(t, base, "camera=porch&region=door")
	var events []SeenEvent
	var state View
	var whole RegionHistory
	l.must("events", &events)
	l.must("state", &state)
	l.must("history", &whole)
	if len(events) != 1 || state.Node != "porch-pi" || len(whole.Times) != 1 || len(whole.Events) != 1 {
		t.Errorf("it begins with %+v, %+v, %+v", events, state, whole)
	}
	// Another page comes; what is new reaches both, and what is whole is the same with what is new.
	h.Frame(at(time.Minute+time.Second), []float32{0.4, 0, 0, 0})
	other := listen(t, base, "camera=porch&region=door")
	var second RegionHistory
	other.must("history", &second)
	o.Memory.Add([]byte("jpeg"), event(2, "porch", "door"))
	var made SeenEvent
	l.must("event", &made)
	if made.Seq != 2 || !made.Picture {
		t.Errorf("the event is %+v", made)
	}
	h.Frame(at(time.Minute+2*time.Second), []float32{0.3, 0, 0, 0})
	for end := int64(time.Minute + 2*time.Second); ; {
		var d Delta
		other.must("scores", &d)
		if n := len(d.Times); n > 0 {
			if d.Times[n-1] != end || len(second.Times)+n != 3 {
				t.Errorf("after %d frames came %+v", len(second.Times), d)
			}
			break
		}
	}
	// A label that nobody has heard of: everything is told again, to all.
	h.Frame(at(time.Minute+3*time.Second), []float32{0.3, 0, 0, 0.2})
	for _, page := range []*listener{l, other} {
		page.must("history", &whole)
		if len(whole.Labels) != 2 || len(whole.Times) != 4 {
			t.Errorf("the whole is %+v", whole)
		}
	}
	// A region that there is not, yet.
	none := listen(t, base, "camera=attic&region=frame")
	none.must("state", &state)
	o.Memory.Camera("attic", []string{"frame"})[0].Begin(testLabels, pipeline.Thresholds{})
	none.must("history", &whole)
}

// While nobody listens nothing is looked at, and what 50 are told is made once.
func TestStreamIsShared(t *testing.T) {
	t.Parallel()
	o := testOptions()
	var views atomic.Int64
	view := o.View
	o.View = func() View {
		views.Add(1)
		return view()
	}
	base := serve(t, o)
	if n := views.Load(); n != 0 {
		t.Errorf("with nobody there are %d views", n)
	}
	var pages []*listener
	for range 50 {
		pages = append(pages, listen(t, base, ""))
	}
	var v View
	for range 3 {
		for _, l := range pages {
			l.must("state", &v)
		}
	}
	if n := views.Load(); n > 50 { // each may have come at a time of its own
		t.Errorf("for 3 states of 50 pages there were %d views", n)
	}
}

// A page that does not read is hung up on; nobody waits for it.
func TestSlowPage(t *testing.T) {
	t.Parallel()
	o := testOptions()
	o.Memory = NewMemory()
	o.Memory.Remember(true)
	base := serve(t, o)
	slow := dial(t, base, "GET /api/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	quick := listen(t, base, "")
	var v View
	quick.must("state", &v)
	e := event(0, "porch", "door")
	e.Label = strings.Repeat("owl", 10_000)
	longest := time.Duration(0)
	for i := range uint64(600) { // far more than the connection holds
		e.Seq = i + 1
		before := time.Now()
		o.Memory.Add(nil, e)
		longest = max(longest, time.Since(before))
		if i%8 == 0 { // it keeps up
			quick.must("event", &e)
			for e.Seq < i+1 {
				quick.must("event", &e)
			}
			e.Seq = i + 1
		}
	}
	if longest > writePatience/2 {
		t.Errorf("an event waited %v for a page", longest)
	}
	quick.must("state", &v)
	if _, err := io.Copy(io.Discard, slow); err != nil {
		t.Errorf("the slow page is not hung up on: %v", err)
	}
}

// When the server ends, so do its streams.
func TestStreamEnds(t *testing.T) {
	s := newStream(testOptions().View, NewMemory())
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	defer server.Close()
	l := listen(t, server.URL, "")
	var v View
	l.must("state", &v)
	s.close()
	if l.next("nothing", &v) {
		t.Error("it goes on")
	}
	r, err := newClient().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a page that comes after that is told %s", r.Status)
	}
	if s.join(regionName{}) != nil {
		t.Error("and let in")
	}
}

// All labels of many cameras are left at one moment.
func TestBurst(t *testing.T) {
	o := testOptions()
	o.Memory = NewMemory()
	o.Memory.Remember(true)
	l := listen(t, serve(t, o), "")
	var v View
	l.must("state", &v)
	var burst []pipeline.Event
	for i := range uint64(100) {
		burst = append(burst, event(i+1, "porch", "door"))
	}
	o.Memory.Add(nil, burst...)
	var e SeenEvent
	for e.Seq < 100 {
		l.must("event", &e)
	}
}

// A page that comes while events are made misses none: the list that it gets has all that it was told before.
func TestEventsWhileItOpens(t *testing.T) {
	m := NewMemory()
	m.Remember(true)
	h := m.Camera("porch", []string{"door"})[0]
	h.Begin(testLabels, pipeline.Thresholds{})
	scores := []float32{.1, .2, .3, .4}
	for f := range 6000 { // so that its message takes a while to make
		h.Frame(at(time.Duration(f+1)*historyEvery), scores)
	}
	s := newStream(func() View { return View{} }, m)
	defer s.close()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for seq := uint64(1); ; seq++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				m.Add(nil, event(seq, "porch", "gate"))
			}
		}
	}()
	for range 10 {
		v := s.join(regionName{"porch", "door"})
		told := uint64(0)
		for open := false; !open; {
			kind, data, _ := strings.Cut(string(<-v.messages), "\ndata: ")
			switch kind {
			case "event: event":
				var e SeenEvent
				if err := json.Unmarshal([]byte(data), &e); err != nil {
					t.Fatal(err)
				}
				told = e.Seq
			case "event: events":
				open = true
				var all []SeenEvent
				if err := json.Unmarshal([]byte(data), &all); err != nil {
					t.Fatal(err)
				}
				if told > 0 && (len(all) == 0 || all[0].Seq < told) {
					t.Errorf("the list that comes after event %d does not have it", told)
				}
			}
		}
		s.leave(v)
	}
	close(stop)
	<-done
}
