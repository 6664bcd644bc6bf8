package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"tarsier/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testOptions() Options {
	label, throttled := "water bottle", true
	return Options{
		View: func() View {
			return View{
				Node: "porch-pi", Model: "mobilenet_v2", WidthMult: 1, Kernel: "portable",
				Cameras: []Camera{{
					Name: "porch", Online: true, Frames: 12, Dropped: 3, Latency: map[string]float64{"infer": 8},
					Regions: []Region{{Name: "door", State: pipeline.State{Label: &label, Entered: make([]pipeline.Entered, 1)}}},
				}},
				Broker:    Broker{Connected: true, Queued: 2, QueueError: "no space left on device"},
				Throttled: &throttled,
			}
		},
		Picture: func(_ context.Context, camera string, width int) ([]byte, error) {
			switch camera {
			case "porch":
				return []byte(fmt.Sprintf("jpeg %d", width)), nil
			case "dark":
				return nil, errors.New("no pictures arrive")
			}
			return nil, ErrNoCamera
		},
		Alive: func(context.Context) error { return nil },
		Log:   slog.New(slog.DiscardHandler),
	}
}

// Handler is what Run serves.
func Handler(o Options) (http.Handler, error) {
	s, err := newSite(o)
	if err != nil {
		return nil, err
	}
	return s.handler, nil
}

func TestHandler(t *testing.T) {
	h, err := Handler(testOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		code int
		has  string
	}{
		{"/", 200, "<title>tarsier</title>"},
		{"/healthz", 200, "ok"},
		{"/api/state", 200, `"label":"water bottle"`},
		{"/cameras/porch/picture.jpg", 200, "jpeg 640"},
		{"/cameras/porch/picture.jpg?width=320", 200, "jpeg 320"},
		{"/cameras/porch/picture.jpg?width=9", 400, "must be 16 to 1920"},
		{"/cameras/porch/picture.jpg?width=wide", 400, "must be 16 to 1920"},
		{"/cameras/dark/picture.jpg", 503, "no pictures arrive"},
		{"/cameras/attic/picture.jpg", 404, "no such camera"},
		{"/api/state", 200, `"queue_error":"no space left on device"`},
		{"/api/state", 200, `"throttled":true`},
		{"/api/events", 200, `[]`},
		{"/api/history?camera=porch&region=attic", 404, `no region "attic"`},
		{"/events/7/picture.jpg", 404, "no picture"},
		{"/events/seven/picture.jpg", 404, "no picture"},
		{"/static/page.js", 200, "use strict"},
		{"/static/..%2fweb.go", 404, ""},
		{"/static/nothing", 404, ""},
		{"/nothing", 404, ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(c.path))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.has) {
			t.Errorf("GET %s gives %d %q, want %d with %q", c.path, w.Code, w.Body, c.code, c.has)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("GET %s: no security headers", c.path)
		}
	}
}

// request is one for this machine.
func request(path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "localhost:8585"
	return r
}

func TestForeignHost(t *testing.T) {
	o := testOptions()
	o.Listen = "127.0.0.1:8585"
	h, err := Handler(o)
	if err != nil {
		t.Fatal(err)
	}
	for host, code := range map[string]int{
		"127.0.0.1:8585": 200, "localhost:8585": 200, "localhost": 200, "[::1]:8585": 200, "evil.example": 403, "evil.example:8585": 403, "": 403,
	} {
		r := request("/cameras/porch/picture.jpg")
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != code {
			t.Errorf("for host %q: %d, want %d", host, w.Code, code)
		}
	}
}

func TestPassword(t *testing.T) {
	o := testOptions()
	o.PasswordFile = filepath.Join(t.TempDir(), "password")
	if _, err := Handler(o); err == nil || !strings.Contains(err.Error(), o.PasswordFile) {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(o.PasswordFile, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Handler(o); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("with an empty file: %v", err)
	}
	if err := os.WriteFile(o.PasswordFile, []byte("moonlight\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := Handler(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, password string
		code           int
	}{
		{"/", "", 401},
		{"/api/state", "sunshine", 401},
		{"/api/stream", "", 401},
		{"/api/history", "", 401},
		{"/api/events", "", 401},
		{"/events/1/picture.jpg", "", 401},
		{"/static/page.js", "", 401},
		{"/metrics", "", 401},
		{"/cameras/porch/picture.jpg", "", 401},
		{"/api/state", "moonlight", 200},
		{"/healthz", "", 200},
	} {
		r := request(c.path)
		if c.password != "" {
			r.SetBasicAuth("anyone", c.password)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.code {
			t.Errorf("GET %s with password %q gives %d, want %d", c.path, c.password, w.Code, c.code)
		}
	}
}

// TestAddressInUse: the first line says so, and Run serves nobody but ends
// when it is told.
func TestAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	said := make(lineWriter, 4)
	o := testOptions()
	o.Listen, o.Log = taken.Addr().String(), slog.New(slog.NewJSONHandler(said, nil))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Add(1)
	go func() {
		defer running.Done()
		if err := Run(ctx, o); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	var line struct{ Msg, Listen, Error string }
	if err := json.Unmarshal(<-said, &line); err != nil || line.Listen != o.Listen || !strings.Contains(line.Error, "in use") {
		t.Errorf("said %+v, %v", line, err)
	}
	cancel()
	running.Wait()
}

func TestRun(t *testing.T) {
	base := serve(t, testOptions())
	r, err := newClient().Get(base + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if string(body) != "ok\n" {
		t.Errorf("healthz says %q", body)
	}
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// serve runs a server until the test ends, and gives its URL.
func serve(t *testing.T, o Options) string {
	t.Helper()
	said := make(lineWriter, 4)
	o.Listen, o.Log = "127.0.0.1:0", slog.New(slog.NewJSONHandler(said, nil))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- Run(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	var line struct{ URL string }
	if err := json.Unmarshal(<-said, &line); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(line.URL, "/")
}

// A lineWriter hands over each line that is written.
type lineWriter chan []byte

func (w lineWriter) Write(b []byte) (int, error) {
	w <- append([]byte(nil), b...)
	return len(b), nil
}
