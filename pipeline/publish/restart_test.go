package publish

import (
	"os"
	"testing"
	"time"

	"tarsier/pipeline"
)

// After a crash what was entered is left, numbers go on, and what the broker has acknowledged does not come again. What the broker has
// not heard of comes first.
func TestRestart(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	s := subscribe(t, b.url(), "tarsier/#")
	enter := func(label string, index int) pipeline.Event {
		e := anEvent
		e.Type, e.Reason, e.Label, e.Index = pipeline.Enter, "", label, index
		return e
	}
	p := run(t, Options{Brokers: []string{b.url()}, QueueDir: t.TempDir()})
	p.Events(enter("cat", 1), enter("dog", 2))
	p.Events(anEvent) // a leave that belongs to nothing
	s.events(1, 3)
	eventually(t, "all are acknowledged", func() bool { return p.Stats().Queued == 0 })
	b.stop()
	p.expectConnected(false)
	leave := enter("cat", 1)
	leave.Type, leave.Reason = pipeline.Leave, pipeline.ByScore
	p.Events(leave, enter("owl", 3))
	eventually(t, "both are on disk", func() bool {
		e, _ := p.queue.Next()
		return e.Seq == 5
	})
	crashed := t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(p.opts.QueueDir)); err != nil {
		t.Fatal(err)
	}
	p.stop()
	b.start()
	s = subscribeAs(t, "another", b.url(), "tarsier/#")
	next := run(t, Options{Brokers: []string{b.url()}, QueueDir: crashed})
	events := s.events(4, 7)
	for i, want := range []struct{ kind, reason, label string }{
		{"leave", "score", "cat"}, {"enter", "", "owl"}, {"leave", "restarted", "dog"}, {"leave", "restarted", "owl"},
	} {
		if e := events[i]; e.Type != want.kind || e.Reason != want.reason || e.Label != want.label || e.Camera != "porch" {
			t.Errorf("%+v, want %+v", e, want)
		}
	}
	next.stop()
	if orphans := run(t, Options{Brokers: []string{b.url()}, QueueDir: crashed}).queue.Orphans(); len(orphans) > 0 {
		t.Errorf("left again: %+v", orphans)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}
