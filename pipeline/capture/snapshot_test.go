package capture_test

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tarsier/pipeline/capture"
)

// still is a camera that answers each request with one picture. Its answer may be changed while it runs.
type still struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  []time.Time
	addrs  map[string]bool // of who asked
}

func newStill(t *testing.T, answer http.HandlerFunc) *still {
	s := &still{answer: answer, addrs: map[string]bool{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, time.Now())
		s.addrs[r.RemoteAddr] = true
		a := s.answer
		s.mu.Unlock()
		a(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *still) set(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *still) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// host is where it is, and login the same with a user and a password.
func (s *still) host() string { return strings.TrimPrefix(s.URL, "http://") }

func (s *still) login(password string) string {
	return "http://" + user + ":" + password + "@" + s.host() + "/snap.jpg"
}

func gives(kind string, b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Write(b)
	}
}

func says(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", status) }
}

// grey is a picture of any size.
func grey(t *testing.T, w, h int, encode func(*bytes.Buffer, image.Image) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, nil) }
func asPNG(b *bytes.Buffer, m image.Image) error  { return png.Encode(b, m) }

func TestSnapshots(t *testing.T) {
	t.Parallel()
	owl, err := os.ReadFile(photo(t, "owl.jpg"))
	if err != nil {
		t.Fatal(err)
	}

	// Each question is a request, on one connection, and no picture is older than its request.
	t.Run("polled", func(t *testing.T) {
		t.Parallel()
		s := newStill(t, gives("image/jpeg; charset=UTF-8", owl))
		c := runCamera(t, capture.Options{Source: s.URL + "/cgi-bin/snapshot.cgi?channel=1"})
		var f capture.Frame
		c.newest(&f)
		c.waits(true)
		var last time.Duration
		for range 10 {
			before := time.Now()
			c.newest(&f)
			if f.Stream <= last || time.Since(f.Taken) > time.Since(before)+100*time.Millisecond {
				t.Errorf("a picture of %v after one of %v, taken %v ago, asked for %v ago", f.Stream, last, time.Since(f.Taken), time.Since(before))
			}
			last = f.Stream
		}
		s.mu.Lock()
		asked, connections := s.asked, len(s.addrs)
		s.mu.Unlock()
		if len(asked) < 11 || len(asked) > 12 || connections != 1 {
			t.Errorf("%d requests for 11 pictures, over %d connections", len(asked), connections)
		}
		if d := asked[len(asked)-1].Sub(asked[0]) / time.Duration(len(asked)-1); d < 90*time.Millisecond {
			t.Errorf("a request each %v", d)
		}
		j, err := c.JPEG(c.ctx, 0)
		if m, _, e := image.DecodeConfig(bytes.NewReader(j)); err != nil || e != nil || m.Width != f.Width {
			t.Errorf("its JPEG is %+v; %v, %v", m, err, e)
		}
		// Nobody asks, and it is no reason to go away or to ask the camera; what is there then is too old to be given.
		n := s.requests()
		select {
		case st := <-c.status:
			t.Errorf("unasked, it is online: %v (%v)", st.online, st.err)
		case <-time.After(5 * time.Second):
		}
		if more := s.requests(); more > n+1 {
			t.Errorf("%d requests that nobody asked for", more-n)
		}
		c.newest(&f)
		if age := time.Since(f.Taken); age > time.Second {
			t.Errorf("after a while, a picture is %v old", age)
		}
	})
	t.Run("PNG", func(t *testing.T) {
		t.Parallel()
		s := newStill(t, gives("image/png", grey(t, 320, 200, asPNG)))
		c := runCamera(t, capture.Options{Source: s.URL})
		var f capture.Frame
		c.newest(&f)
		if f.Width != 320 || f.Height != 200 {
			t.Errorf("%dx%d", f.Width, f.Height)
		}
	})
	t.Run("other size", func(t *testing.T) {
		t.Parallel()
		s := newStill(t, gives("image/jpeg", grey(t, 640, 480, asJPEG)))
		c := runCamera(t, capture.Options{Source: s.URL})
		var f capture.Frame
		c.newest(&f)
		s.set(gives("image/jpeg", grey(t, 320, 240, asJPEG)))
		c.newest(&f)
		for f.Width != 320 {
			c.newest(&f)
		}
		c.waits(true)
		if len(c.status) > 0 {
			t.Errorf("it went away for it: %v", <-c.status)
		}
	})
	t.Run("ails, and is well again", func(t *testing.T) {
		t.Parallel()
		s := newStill(t, gives("image/jpeg", owl))
		c := runCamera(t, capture.Options{Source: s.login(password)})
		var f capture.Frame
		c.newest(&f)
		c.waits(true)
		s.set(says(http.StatusInternalServerError))
		got := make(chan struct{})
		go func() {
			defer close(got)
			c.Newest(c.ctx, &f)
		}()
		c.waits(false, s.host(), "500 Internal Server Error")
		s.set(gives("image/jpeg", owl))
		c.waits(true)
		<-got
		c.secretless()
	})
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		s := newStill(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "image/jpeg")
			w.Write(owl[:1000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		c := runCamera(t, capture.Options{Source: s.login(password)})
		c.waits(false, s.host(), "does not answer")
		c.secretless()
	})
	t.Run("huge", func(t *testing.T) {
		t.Parallel()
		s := newStill(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/jpeg")
			for chunk := make([]byte, 1<<20); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		})
		c := runCamera(t, capture.Options{Source: s.URL})
		c.waits(false, s.host(), "MiB")
	})
	for name, k := range map[string]struct {
		answer http.HandlerFunc
		words  []string
	}{
		"enormous":     {gives("image/png", enormous(t)), []string{"60000x60000", "larger"}},
		"no picture":   {gives("image/jpeg", []byte("GIF89a and so on")), []string{"no picture that can be decoded"}},
		"cut off":      {gives("image/png", grey(t, 320, 200, asPNG)[:60]), []string{"no picture that can be decoded"}},
		"empty":        {gives("image/jpeg", nil), []string{"no picture that can be decoded"}},
		"a web page":   {gives("text/html; charset=utf-8", []byte("<html>log in</html>")), []string{"web page"}},
		"no such path": {says(http.StatusNotFound), []string{"path", "404"}},
		"forbidden":    {says(http.StatusForbidden), []string{"refuses the login"}},
		"a circle": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/"+password, http.StatusFound) }, []string{
			"from one address to the next",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStill(t, k.answer)
			c := runCamera(t, capture.Options{Source: s.login(password)})
			c.waits(false, append(k.words, s.host())...)
			c.stop()
			c.secretless()
			if strings.Contains(c.log.String(), "ended unexpectedly") {
				t.Error("tarsier-capture died of it")
			}
		})
	}
}

// enormous is the beginning of a PNG that would take ten gigabytes.
func enormous(t *testing.T) []byte {
	b := grey(t, 1, 1, asPNG)
	copy(b[16:], []byte{0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60})
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

// A camera asks for the login by Basic or Digest, and gets it by no other way; who it sends us to gets nothing.
func TestSnapshotLogin(t *testing.T) {
	t.Parallel()
	owl, err := os.ReadFile(photo(t, "owl.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	basic := func(w http.ResponseWriter, r *http.Request) {
		if name, pass, _ := r.BasicAuth(); name != user || pass != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="camera"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		gives("image/jpeg", owl)(w, r)
	}
	for name, answer := range map[string]http.HandlerFunc{"basic": basic, "digest": digest(owl)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStill(t, answer)
			c := runCamera(t, capture.Options{Source: s.login(password)})
			var f capture.Frame
			for range 12 {
				c.newest(&f)
			}
			c.secretless()
		})
		t.Run(name+", wrong", func(t *testing.T) {
			t.Parallel()
			s := newStill(t, answer)
			c := runCamera(t, capture.Options{Source: s.login("wr0ng" + password)})
			c.waits(false, s.host(), "refuses the login", "401")
			c.secretless()
		})
	}
	t.Run("sent elsewhere", func(t *testing.T) {
		t.Parallel()
		thief := newStill(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Errorf("another host gets %q", r.Header.Get("Authorization"))
			}
			basic(w, r)
		})
		s := newStill(t, func(w http.ResponseWriter, r *http.Request) {
			if _, _, ok := r.BasicAuth(); !ok {
				basic(w, r)
				return
			}
			http.Redirect(w, r, thief.URL+"/snap.jpg", http.StatusFound)
		})
		c := runCamera(t, capture.Options{Source: s.login(password)})
		c.waits(false, "refuses the login")
		if thief.requests() == 0 {
			t.Error("it was never asked")
		}
		c.secretless()
	})
}

var digestParameter = regexp.MustCompile(`(\w+)="?([^",]*)"?`)

// digest is Digest as a camera checks it: each nonce is good for five requests, counted.
func digest(picture []byte) http.HandlerFunc {
	sum := func(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }
	var mu sync.Mutex
	nonce, count := 0, 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		p := map[string]string{}
		for _, m := range digestParameter.FindAllStringSubmatch(r.Header.Get("Authorization"), -1) {
			p[m[1]] = m[2]
		}
		want := sum(strings.Join([]string{
			sum(user + ":camera:" + password), fmt.Sprint("n", nonce), fmt.Sprintf("%08x", count+1), p["cnonce"], "auth", sum("GET:" + r.URL.RequestURI()),
		}, ":"))
		if p["response"] != want || p["nonce"] != fmt.Sprint("n", nonce) || p["username"] != user || count == 5 {
			nonce, count = nonce+1, 0
			w.Header().Add("WWW-Authenticate", fmt.Sprintf(`Digest realm="camera", qop="auth,auth-int", nonce="n%d", opaque="o", stale=TRUE`, nonce))
			w.Header().Add("WWW-Authenticate", `Basic realm="camera"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		count++
		gives("image/jpeg", picture)(w, r)
	}
}
