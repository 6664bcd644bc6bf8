package web

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestHealth(t *testing.T) {
	online, offline, paused := Camera{Name: "porch", Online: true}, Camera{Name: "garden"}, Camera{Name: "attic", Paused: true}
	for name, c := range map[string]struct {
		hangs     error
		away      bool
		cameras   []Camera
		health    int
		healthy   string
		ready     int
		readiness string
	}{
		"all is well":             {nil, false, []Camera{online, paused}, 200, "ok\n", 200, "ready\n"},
		"it hangs":                {errors.New("it hangs"), false, []Camera{online}, 503, "it hangs\n", 503, "it hangs\n"},
		"the broker is away":      {nil, true, []Camera{online}, 200, "ok\n", 503, "no connection to the broker\n"},
		"some cameras are away":   {nil, false, []Camera{offline, online}, 200, "ok\n", 200, "ready\n"},
		"those that run are away": {nil, false, []Camera{offline, paused}, 200, "ok\n", 503, "no camera is online\n"},
		"all cameras are paused":  {nil, false, []Camera{paused}, 200, "ok\n", 200, "ready\n"},
		"nothing is well":         {errors.New("it hangs"), true, []Camera{offline}, 503, "it hangs\n", 503, "it hangs\nno connection to the broker\nno camera is online\n"},
	} {
		o := testOptions()
		o.Alive = func(context.Context) error { return c.hangs }
		o.View = func() View { return View{Cameras: c.cameras, Broker: Broker{Connected: !c.away}} }
		o.PasswordFile = filepath.Join(t.TempDir(), "password") // which is not asked for
		if err := os.WriteFile(o.PasswordFile, []byte("moonlight\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := Handler(o)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]struct {
			code int
			body string
		}{"/healthz": {c.health, c.healthy}, "/readyz": {c.ready, c.readiness}} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(path))
			if w.Code != want.code || w.Body.String() != want.body {
				t.Errorf("%s: GET %s gives %d %q, want %d %q", name, path, w.Code, w.Body, want.code, want.body)
			}
		}
	}
}
