// Package deploy_test tries the scripts of this folder against servers and
// disks that misbehave.
package deploy_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const model = "mobilenet_v2_1.0_224_quant.tflite"

// files are what get-models leaves, and where the test data has them.
var files = map[string]string{
	model:                     "models/" + model,
	"labels.txt":              "models/imagenet_labels.txt",
	"photos/cat.bmp":          "photos/cat.bmp",
	"photos/grace_hopper.bmp": "photos/grace_hopper.bmp",
	"photos/hot_dog.jpg":      "photos/hot_dog.jpg",
	"photos/owl.jpg":          "photos/owl.jpg",
	"photos/parrot.jpg":       "photos/parrot.jpg",
}

// missing skips a test that lacks something; where CI=true it fails.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func testdata(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("TARSIER_TESTDATA")
	if dir == "" {
		dir = "../../shared"
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		missing(t, "needs the test data (TARSIER_TESTDATA): %v", err)
	}
	return data
}

// A mirror serves the files as the real place does. The model's n-th request
// goes to faults[n], as long as there are some.
type mirror struct {
	url    string
	faults []http.HandlerFunc

	mu     sync.Mutex
	asked  int      // requests for anything
	ranges []string // Range of each request for the model
}

func serve(t *testing.T, faults ...http.HandlerFunc) *mirror {
	t.Helper()
	content := map[string][]byte{}
	for _, from := range files {
		content["/"+filepath.Base(from)] = testdata(t, from)
	}
	m := &mirror{faults: faults}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var fault http.HandlerFunc
		m.mu.Lock()
		m.asked++
		if r.URL.Path == "/"+model {
			m.ranges = append(m.ranges, r.Header.Get("Range"))
			if n := len(m.ranges); n <= len(m.faults) {
				fault = m.faults[n-1]
			}
		}
		m.mu.Unlock()
		data, ok := content[r.URL.Path]
		switch {
		case fault != nil:
			fault(w, r)
		case !ok:
			http.NotFound(w, r)
		default:
			http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader(data))
		}
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	m.url = server.URL
	return m
}

// get runs get-models and returns what it said.
func (m *mirror) get(t *testing.T, dir string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "./get-models", dir)
	c.Env = append(os.Environ(), "TARSIER_MODELS_URL="+m.url, "TARSIER_MODELS_STALL=1", "no_proxy=127.0.0.1")
	out, err := c.CombinedOutput()
	return string(out), err
}

// whole fails unless dir holds the right files and no others.
func whole(t *testing.T, dir string) {
	t.Helper()
	for to, from := range files {
		got, err := os.ReadFile(filepath.Join(dir, to))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, testdata(t, from)) {
			t.Errorf("%s: not what the test data has as %s", to, from)
		}
	}
	if left := list(t, dir); len(left) != len(files) {
		t.Errorf("left in the folder: %v", left)
	}
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The faults. Each takes the model's bytes from the test data.

// part sends the first n bytes of what was asked for as if all were to come,
// then calls end.
func part(t *testing.T, n int, end func(*http.Request)) http.HandlerFunc {
	data := testdata(t, files[model])
	return func(w http.ResponseWriter, r *http.Request) {
		from := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(data[from:min(from+n, len(data))])
		w.(http.Flusher).Flush()
		end(r)
		panic(http.ErrAbortHandler)
	}
}

func breakOff(*http.Request) {}
func stall(r *http.Request)  { <-r.Context().Done() }

// noRange sends everything, whatever part was asked for.
func noRange(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", code) }
}

func TestGetModelsRecovers(t *testing.T) {
	data := testdata(t, files[model])
	for _, c := range []struct {
		name   string
		before []byte // of the .part
		faults []http.HandlerFunc
		ranges []string
	}{
		{"nothing wrong", nil, nil, []string{""}},
		{
			"breaks off twice", nil,
			[]http.HandlerFunc{part(t, 1<<20, breakOff), part(t, 1<<20, breakOff)},
			[]string{"", "bytes=1048576-", "bytes=2097152-"},
		},
		{"stalls", nil, []http.HandlerFunc{part(t, 1<<16, stall)}, []string{"", "bytes=65536-"}},
		{"stalls before the first byte", nil, []http.HandlerFunc{func(_ http.ResponseWriter, r *http.Request) { stall(r) }}, []string{"", ""}},
		{
			"breaks off, ignores Range", nil,
			[]http.HandlerFunc{part(t, 1<<20, breakOff), noRange(data), noRange(data)},
			[]string{"", "bytes=1048576-", ""},
		},
		{"is busy", nil, []http.HandlerFunc{status(503), status(429)}, []string{"", "", ""}},
		{"wrong bytes once", nil, []http.HandlerFunc{noRange([]byte("<html>Sign in to this network</html>"))}, []string{"", ""}},
		{"left from an earlier run", data[:1000], nil, []string{"bytes=1000-"}},
		{"left from an earlier run, wrong", []byte("something else"), nil, []string{"bytes=14-", ""}},
		{"left from an earlier run, too long", append(data[:len(data):len(data)], "more"...), nil, []string{fmt.Sprintf("bytes=%d-", len(data)+4), ""}},
		{"left from an earlier run, whole", data, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if c.before != nil {
				if err := os.WriteFile(filepath.Join(dir, model+".part"), c.before, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			m := serve(t, c.faults...)
			out, err := m.get(t, dir)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			whole(t, dir)
			if got, want := fmt.Sprintf("%q", m.ranges), fmt.Sprintf("%q", c.ranges); got != want {
				t.Errorf("asked for the ranges %s, not %s\n%s", got, want, out)
			}
		})
	}
}

func TestGetModelsGivesUp(t *testing.T) {
	wrong := noRange([]byte("<html>Sign in to this network</html>"))
	for _, c := range []struct {
		name   string
		faults []http.HandlerFunc
		asked  int
		says   string
		keeps  string // what may stay, to go on from
	}{
		{"not found", []http.HandlerFunc{status(404)}, 1, "/" + model + ": The requested URL returned error: 404: look at TARSIER_MODELS_URL", ""},
		{"wrong bytes", []http.HandlerFunc{wrong, wrong}, 2, "/" + model + ": not the file that is wanted", ""},
		{
			"always breaks off",
			[]http.HandlerFunc{part(t, 9, breakOff), part(t, 9, breakOff), part(t, 9, breakOff), part(t, 9, breakOff), part(t, 9, breakOff)},
			5, "/" + model + ": no success in 5 tries", model + ".part",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			m := serve(t, c.faults...)
			out, err := m.get(t, dir)
			if err == nil || !strings.Contains(out, c.says) {
				t.Errorf("%v; does not say %q:\n%s", err, c.says, out)
			}
			if m.asked != c.asked {
				t.Errorf("asked %d times, not %d\n%s", m.asked, c.asked, out)
			}
			if left := strings.Join(list(t, dir), " "); left != c.keeps {
				t.Errorf("left in the folder: %q, not %q", left, c.keeps)
			}
		})
	}
}

func TestGetModelsFetchesOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := serve(t)
	if out, err := m.get(t, dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := m.get(t, dir); err != nil || out != "" {
		t.Errorf("again: %v, says %q", err, out)
	}
	if m.asked != len(files) {
		t.Errorf("%d requests for %d files", m.asked, len(files))
	}
	if err := os.WriteFile(filepath.Join(dir, "labels.txt"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := m.get(t, dir); err != nil || m.asked != len(files)+1 {
		t.Errorf("a damaged file: %v, %d requests\n%s", err, m.asked, out)
	}
	whole(t, dir)
}

func TestGetModelsDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small disk")
	}
	m := serve(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		missing(t, "cannot mount a small disk: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	out, err := m.get(t, dir)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := lines[len(lines)-1]
	if err == nil || !strings.HasPrefix(last, "get-models: cannot write "+filepath.Join(dir, model)) || !strings.Contains(last, "free: make room") {
		t.Errorf("%v:\n%s", err, out)
	}
	if left := list(t, dir); len(left) != 0 {
		t.Errorf("left on the full disk: %v", left)
	}
}
