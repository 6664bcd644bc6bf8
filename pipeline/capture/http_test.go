package capture_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tarsier/pipeline/capture"
)

var pid = os.Getpid()

// A camera as many are: JPEGs one after the other over HTTP, for those who know the password.
func TestMJPEG(t *testing.T) {
	t.Parallel()
	var photos [][]byte
	for _, name := range []string{"owl.jpg", "hot_dog.jpg"} {
		b, err := os.ReadFile(photo(t, name))
		if err != nil {
			t.Fatal(err)
		}
		photos = append(photos, b)
	}
	var frozen atomic.Bool
	closing := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, pass, _ := r.BasicAuth()
		switch {
		case r.URL.Path != "/video":
			http.NotFound(w, r)
			return
		case name != user || pass != password:
			w.Header().Set("WWW-Authenticate", `Basic realm="camera"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		for n := 0; ; n++ {
			if !frozen.Load() {
				p := photos[n%len(photos)]
				fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", len(p))
				w.Write(p)
				fmt.Fprint(w, "\r\n")
				w.(http.Flusher).Flush()
			}
			select {
			case <-closing:
				return
			case <-r.Context().Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}))
	defer s.Close()
	defer close(closing)
	host := strings.TrimPrefix(s.URL, "http://")
	login := "http://" + user + ":" + password + "@" + host

	t.Run("plays", func(t *testing.T) {
		c := runCamera(t, capture.Options{Source: login + "/video"})
		var f capture.Frame
		c.newest(&f)
		c.waits(true)
		for range 20 {
			c.newest(&f)
			if age := time.Since(f.Taken); age < 0 || age > time.Second {
				t.Errorf("a picture is %v old", age)
			}
		}
		frozen.Store(true)
		start := time.Now()
		c.waits(false, host)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("that took %v", d)
		}
		frozen.Store(false)
		c.until(true)
		c.secretless()
	})
	t.Run("refused", func(t *testing.T) {
		c := runCamera(t, capture.Options{Source: "http://" + user + ":wr0ng" + password + "@" + host + "/video"})
		c.waits(false, host, "refuses the login")
		c.secretless()
	})
	t.Run("refused, in the query", func(t *testing.T) {
		c := runCamera(t, capture.Options{Source: "http://" + host + "/video?user=" + user + "&pwd=" + password})
		c.waits(false, host, "refuses the login")
		c.secretless()
	})
	t.Run("no such path", func(t *testing.T) {
		c := runCamera(t, capture.Options{Source: login + "/none"})
		c.waits(false, host+"/none", "path")
		c.secretless()
	})
}

func TestGStreamer(t *testing.T) {
	t.Parallel()
	for _, plugin := range []string{"libgstapp.so", "libgstvideotestsrc.so", "libgstvideoconvert*.so"} {
		if found, _ := filepath.Glob("/usr/lib/*/gstreamer-1.0/" + plugin); len(found) == 0 {
			missing(t, "GStreamer's "+plugin+" is not installed (apt-get install gstreamer1.0-plugins-base)")
		}
	}
	c := runCamera(t, capture.Options{Source: "gst:videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=20/1"})
	var f capture.Frame
	c.newest(&f)
	c.waits(true)
	for range 10 {
		c.newest(&f)
	}
	if f.Width != 320 || f.Height != 240 {
		t.Errorf("%dx%d", f.Width, f.Height)
	}
	if age := time.Since(f.Taken); age < 0 || age > time.Second {
		t.Errorf("a picture is %v old", age)
	}
	// videotestsrc's first bar is white, its second yellow.
	if p := f.Pictures[0].RGB[(100*224+48)*3:]; p[0] < 180 || p[1] < 180 || p[2] > 40 {
		t.Errorf("yellow is %v", p[:3])
	}
}

// OpenCV would wait without end for a pipeline that cannot be made.
func TestGStreamerMissing(t *testing.T) {
	t.Parallel()
	c := runCamera(t, capture.Options{Source: "gst:nosuchthing ! video/x-raw,width=320"})
	c.waits(false, "nosuchthing", "no element")
}
