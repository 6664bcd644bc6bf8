package publish

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// Try leaves no trace at the broker: not even its last will.
func TestTry(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	all := subscribe(t, b.url(), "#")
	if err := Try(t.Context(), Options{Node: "node", Brokers: []string{b.url()}}); err != nil {
		t.Fatal(err)
	}
	all.send("the/end", "", false)
	if m := <-all.got; m.Topic() != "the/end" {
		t.Errorf("%s is published: %s", m.Topic(), m.Payload())
	}
	b.stop()
	if err := Try(t.Context(), Options{Brokers: []string{b.url()}}); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("a broker that is off: %v", err)
	}
}

// Who has no login is told so, and who leaves is not kept.
func TestTryRefused(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "allow_anonymous false\n")
	o := Options{Brokers: []string{b.url()}}
	if err := Try(t.Context(), o); !errors.Is(err, ErrLogin) {
		t.Errorf("a broker that wants a login: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Try(ctx, o); !errors.Is(err, context.Canceled) || errors.Is(err, ErrLogin) {
		t.Errorf("when nobody waits any more: %v", err)
	}
}
