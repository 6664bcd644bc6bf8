package web

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// patience is how long anything may take that must happen.
const patience = 60 * time.Second

// dial opens a connection to a server and says something.
func dial(t *testing.T, base, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	// Who was closed already may hear of it here.
	_, _ = io.WriteString(c, text)
	return c
}

// answer is the status of the next answer, 0 if the connection ends instead.
func answer(t *testing.T, c net.Conn) int {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err, ok := err.(net.Error); ok && err.Timeout() {
		t.Fatal("neither an answer nor an end")
	}
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, r.Body)
	r.Body.Close()
	return r.StatusCode
}

const health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"

// Who never ends its request is hung up on, and nobody else waits for it.
func TestSlowRequest(t *testing.T) {
	t.Parallel()
	base := serve(t, testOptions())
	var slow []net.Conn
	for range 20 {
		slow = append(slow, dial(t, base, health))
	}
	if code := answer(t, dial(t, base, health+"\r\n")); code != 200 {
		t.Errorf("another is told %d", code)
	}
	for _, c := range slow {
		if code := answer(t, c); code != 0 && code != http.StatusRequestTimeout {
			t.Errorf("the slow one is told %d", code)
		}
	}
}

// Nobody fills the memory.
func TestLargeRequest(t *testing.T) {
	t.Parallel()
	base := serve(t, testOptions())
	large := strings.Repeat("x", 4*maxHeader)
	for name, c := range map[string]struct {
		request string
		code    int
	}{
		"a header":         {health + "X-Large: " + large + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"a path":           {"GET /" + large + " HTTP/1.1\r\nHost: localhost\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"a body to come":   {health + "Content-Length: 1000000000\r\n\r\n", http.StatusRequestEntityTooLarge},
		"a body in chunks": {health + "Transfer-Encoding: chunked\r\n\r\n", http.StatusRequestEntityTooLarge},
	} {
		conn := dial(t, base, c.request)
		if code := answer(t, conn); code != c.code {
			t.Errorf("%s: %d, want %d", name, code, c.code)
		}
	}
}

// Beyond the limit a connection is closed; the others are served, and when
// they end there is room again.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	base := serve(t, testOptions())
	var served []net.Conn
	for i := range maxConnections {
		c := dial(t, base, health+"\r\n")
		if code := answer(t, c); code != 200 { // and it is kept
			t.Fatalf("connection %d: %d", i, code)
		}
		served = append(served, c)
	}
	if code := answer(t, dial(t, base, health+"\r\n")); code != 0 {
		t.Errorf("one too many is told %d", code)
	}
	for _, c := range served {
		fmt.Fprint(c, health+"\r\n")
		if code := answer(t, c); code != 200 {
			t.Errorf("one that was there is told %d", code)
		}
		c.Close()
	}
	for end := time.Now().Add(patience); answer(t, dial(t, base, health+"\r\n")) != 200; {
		if time.Now().After(end) {
			t.Fatal("there is never room again")
		}
	}
}

// The pages of other sites get nothing from a visitor's browser.
func TestForeignOrigin(t *testing.T) {
	t.Parallel()
	base := serve(t, testOptions())
	for _, c := range []struct {
		what   string
		header map[string]string
		code   int
	}{
		{"no browser", nil, 200},
		{"our page", map[string]string{"Origin": base, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 200},
		{"an address that was typed", map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		{"a link elsewhere", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		{"a frame elsewhere", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403},
		{"an image elsewhere", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403},
		{"another port's page", map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403},
		{"a script elsewhere", map[string]string{"Origin": "https://evil.example"}, 403},
		{"another port's script", map[string]string{"Origin": "http://127.0.0.1:1"}, 403},
		{"a page without an origin", map[string]string{"Origin": "null"}, 403},
		{"nonsense", map[string]string{"Origin": "http://[::"}, 403},
	} {
		for _, path := range []string{"/", "/static/page.js", "/api/state", "/api/events", "/cameras/porch/picture.jpg", "/metrics", "/healthz"} {
			r, err := http.NewRequest(http.MethodGet, base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			got, err := newClient().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got.Body.Close()
			if got.StatusCode != c.code {
				t.Errorf("%s, %s: %d, want %d", c.what, path, got.StatusCode, c.code)
			}
		}
	}
}

// With a password: strangers get nothing, hold no connection, and lock nobody
// out.
func TestStrangers(t *testing.T) {
	t.Parallel()
	o := testOptions()
	o.PasswordFile = filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(o.PasswordFile, []byte("moonlight\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := serve(t, o)
	state := "GET /api/state HTTP/1.1\r\nHost: porch-pi.example\r\nAuthorization: Basic %s\r\n\r\n"
	for range 2 * maxConnections {
		c := dial(t, base, fmt.Sprintf(state, base64.StdEncoding.EncodeToString([]byte("admin:sunshine"))))
		if code := answer(t, c); code != http.StatusUnauthorized {
			t.Fatalf("a stranger is told %d", code)
		}
		if code := answer(t, c); code != 0 {
			t.Fatalf("a stranger's connection goes on with %d", code)
		}
	}
	c := dial(t, base, fmt.Sprintf(state, base64.StdEncoding.EncodeToString([]byte("owner:moonlight"))))
	if code := answer(t, c); code != 200 {
		t.Errorf("the owner is told %d", code)
	}
}

// The policy allows what the page has, and nothing else: all of it is in files of its own.
func TestContentPolicy(t *testing.T) {
	h, err := Handler(testOptions())
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(path))
		return w
	}
	w := get("/")
	page := w.Body.String()
	policy := w.Header().Get("Content-Security-Policy")
	if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy is %s", policy)
	}
	for _, inline := range []string{`<style`, `<script>`, `(?s)<script[^>]*>[^<]`, `\sstyle=`, `\son[a-z]+=`, `https?:`} {
		if found := regexp.MustCompile(inline).FindString(page); found != "" {
			t.Errorf("the policy does not allow the page's %s", found)
		}
	}
	files := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(files) < 5 {
		t.Errorf("the page has the files %v", files)
	}
	for _, f := range files {
		w := get("/" + f[1])
		if w.Code != 200 || w.Header().Get("ETag") == "" {
			t.Errorf("GET %s: %d", f[1], w.Code)
		}
		r := request("/" + f[1])
		r.Header.Set("If-None-Match", w.Header().Get("ETag"))
		again := httptest.NewRecorder()
		if h.ServeHTTP(again, r); again.Code != http.StatusNotModified {
			t.Errorf("GET %s again: %d", f[1], again.Code)
		}
	}
	for _, name := range []string{"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"} {
		if v := w.Header().Get(name); v != "same-origin" {
			t.Errorf("%s: %q", name, v)
		}
	}
}

// What is from outside becomes text and never HTML.
func TestNoHTML(t *testing.T) {
	files, err := fs.Glob(static, "static/*.js")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		b, err := static.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "static/uplot.js" { // it is given no text from outside
			continue
		}
		for _, way := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser"} {
			if strings.Contains(string(b), way) {
				t.Errorf("%s: %s", name, way)
			}
		}
	}
}
