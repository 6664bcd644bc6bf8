package web

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// However many look, a camera is asked once; and who asked first may go.
func TestPicturesAreShared(t *testing.T) {
	var asked atomic.Int64
	started, goOn := make(chan struct{}), make(chan struct{})
	p := pictures{of: map[string]*picture{}, take: func(ctx context.Context, _ string, _ int) ([]byte, error) {
		asked.Add(1)
		close(started)
		<-goOn
		return []byte("jpeg"), ctx.Err()
	}}
	first, leave := context.WithCancel(t.Context())
	var viewers sync.WaitGroup
	look := func(ctx context.Context) {
		viewers.Add(1)
		go func() {
			defer viewers.Done()
			if jpeg, err := p.newest(ctx, "porch", pictureWidth); ctx.Err() == nil && (string(jpeg) != "jpeg" || err != nil) {
				t.Errorf("%q, %v", jpeg, err)
			}
		}()
	}
	look(first)
	<-started
	for range 50 {
		look(t.Context())
	}
	leave()
	close(goOn)
	viewers.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("the camera was asked %d times", n)
	}
}

// Names of cameras that there are not leave nothing behind.
func TestPicturesOfNobody(t *testing.T) {
	p := pictures{of: map[string]*picture{}, take: func(context.Context, string, int) ([]byte, error) { return nil, ErrNoCamera }}
	if _, err := p.newest(t.Context(), "attic", pictureWidth); !errors.Is(err, ErrNoCamera) || len(p.of) != 0 {
		t.Errorf("%v, and %d are kept", err, len(p.of))
	}
}

func TestEventPicture(t *testing.T) {
	o := testOptions()
	o.Memory = NewMemory()
	o.Memory.Remember(true)
	o.Memory.Add([]byte("a jpeg"), event(7, "porch", "door"))
	h, err := Handler(o)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request("/events/7/picture.jpg"))
	if w.Body.String() != "a jpeg" || w.Header().Get("Content-Type") != "image/jpeg" {
		t.Errorf("%s: %q", w.Header().Get("Content-Type"), w.Body)
	}
}
