// Package web serves what the daemon is doing over HTTP: a page for people,
// metrics for Prometheus (text exposition format 0.0.4), health for whoever
// restarts what is ill, and pictures. It takes a View and gives nothing back
// to the daemon.
package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tarsier/pipeline"
)

// A View is what the daemon is doing at one moment.
type View struct {
	Node      string   `json:"node"`
	Version   string   `json:"version"`
	Model     string   `json:"model"`
	WidthMult float64  `json:"width_mult"`
	Kernel    string   `json:"kernel"`
	Cameras   []Camera `json:"cameras"`
	Broker    Broker   `json:"broker"`
	Throttled *bool    `json:"throttled"` // the board slows its CPU down; null: it does not say
}

// A Camera is how one camera does. Times are in milliseconds.
type Camera struct {
	Name    string             `json:"name"`
	Online  bool               `json:"online"`
	Paused  bool               `json:"paused"`
	Error   string             `json:"error,omitempty"` // why it is not online
	Frames  uint64             `json:"frames"`          // classified since the start
	Dropped uint64             `json:"dropped"`
	Latency map[string]float64 `json:"latency_ms"` // median of each stage
	Regions []Region           `json:"regions"`
}

// A Region is what one region shows now.
type Region struct {
	Name  string           `json:"name"`
	State pipeline.State   `json:"state"`
	Top   []pipeline.Score `json:"top"`
}

// A Broker is how publishing does.
type Broker struct {
	Connected bool   `json:"connected"`
	Queued    int    `json:"queued"` // events that wait
	Sent      uint64 `json:"sent"`
	Dropped   uint64 `json:"dropped"`
	Error     string `json:"error,omitempty"`
	// QueueError is why events do not reach the disk; they wait in memory.
	QueueError string `json:"queue_error,omitempty"`
}

// Options are what a Server needs.
type Options struct {
	Listen       string // host:port
	PasswordFile string // "" = no password; the user's name is not looked at
	View         func() View
	// Picture gives a camera's newest picture as a JPEG of that width.
	Picture func(ctx context.Context, camera string, width int) ([]byte, error)
	// Alive says what is wrong if the daemon hangs.
	Alive func(ctx context.Context) error
	Log   *slog.Logger
}

// ErrNoCamera is what Options.Picture returns for a camera that there is not.
var ErrNoCamera = errors.New("no such camera")

const (
	retryListen     = 5 * time.Second
	maxPictureWidth = 1920
	maxConnections  = 256 // a browser makes up to six
	maxHeader       = 16 << 10
)

// Run serves until ctx ends. An address that is in use, or a password file
// that is not there, is reported once and tried again until that is mended:
// the daemon's work does not depend on it.
func Run(ctx context.Context, o Options) error {
	var handler http.Handler
	var listener net.Listener
	for said := ""; ; {
		var err error
		if handler, err = Handler(o); err == nil {
			if listener, err = new(net.ListenConfig).Listen(ctx, "tcp", o.Listen); err == nil {
				break
			}
			err = fmt.Errorf("%w; free the address, or set http.listen to another", err)
		}
		if err.Error() != said && ctx.Err() == nil {
			said = err.Error()
			o.Log.Error("no web page yet; events are published all the same", "listen", o.Listen, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryListen):
		}
	}
	o.Log.Info("web page", "url", "http://"+listener.Addr().String()+"/")
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		ConnState:         limit(maxConnections),
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the web page on %s: %w", o.Listen, err)
	}
	return nil
}

// limit closes connections beyond so many at once.
func limit(most int64) func(net.Conn, http.ConnState) {
	var open atomic.Int64
	return func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if open.Add(1) > most {
				c.Close()
			}
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
}

//go:embed page.html
var page []byte

// Handler is what Run serves. Its error is that of the password file.
func Handler(o Options) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(&collector{o.View}); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	})
	mux.HandleFunc("GET /api/state", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(o.View())
	})
	mux.HandleFunc("GET /cameras/{name}/picture.jpg", func(w http.ResponseWriter, r *http.Request) {
		o.picture(w, r)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	var handler http.Handler = mux
	if o.PasswordFile != "" {
		b, err := os.ReadFile(o.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("read http.password_file: %w", err)
		}
		password := strings.TrimRight(string(b), "\r\n")
		if password == "" {
			return nil, fmt.Errorf("read http.password_file: %s is empty", o.PasswordFile)
		}
		handler = withPassword(handler, password)
	} else {
		handler = withLocalHost(handler, o.Listen)
	}
	// Health says nothing about anyone, and who asks for it has no password.
	open := http.NewServeMux()
	open.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		if err := o.Alive(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	open.Handle("/", handler)
	return withHeaders(withoutBody(fromHere(open))), nil
}

func (o *Options) picture(w http.ResponseWriter, r *http.Request) {
	width := 640
	if s := r.URL.Query().Get("width"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 16 || n > maxPictureWidth {
			http.Error(w, fmt.Sprintf("width is %q; it must be 16 to %d", s, maxPictureWidth), http.StatusBadRequest)
			return
		}
		width = n
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	jpeg, err := o.Picture(ctx, r.PathValue("name"), width)
	switch {
	case errors.Is(err, ErrNoCamera):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(jpeg)
	}
}

func withPassword(next http.Handler, password string) http.Handler {
	want := sha256.Sum256([]byte(password)) // of one length, whatever is given
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, given, _ := r.BasicAuth()
		got := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="tarsier"`)
			w.Header().Set("Connection", "close") // it is kept for those who know
			http.Error(w, "a password is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withLocalHost keeps out pages of other sites whose name was made to point
// here (DNS rebinding): where no password is asked for, a request must be for
// this machine by its address, as localhost, or as what is listened on.
func withLocalHost(next http.Handler, listen string) http.Handler {
	own, _, _ := net.SplitHostPort(listen)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.Trim(host, "[]")
		if host != "localhost" && host != own && net.ParseIP(host) == nil {
			http.Error(w, "this page is for this machine; beyond it, set http.password_file", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// fromHere keeps out what pages of other sites ask for in a visitor's browser,
// which may know the password; the visitor may follow a link. Who is no
// browser says nothing of where it comes from.
func fromHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		foreign := false
		if origin := r.Header.Get("Origin"); origin != "" {
			u, err := url.Parse(origin)
			foreign = err != nil || !strings.EqualFold(u.Host, r.Host)
		}
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "same-origin", "none":
		default:
			foreign = foreign || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
		}
		if foreign {
			http.Error(w, "this is not for pages of other sites", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withoutBody refuses what nobody here would read.
func withoutBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			http.Error(w, "a request has no body here", http.StatusRequestEntityTooLarge)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// contentPolicy allows the page its own script and style, and nothing else
// that is not from here.
var contentPolicy = "default-src 'self'; script-src " + hashOf("script") + "; style-src " + hashOf("style") +
	"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// hashOf is that of an element of the page, as a content security policy has
// it.
func hashOf(element string) string {
	_, rest, _ := bytes.Cut(page, []byte("<"+element+">"))
	text, _, found := bytes.Cut(rest, []byte("</"+element+">"))
	if !found {
		panic("page.html has no " + element)
	}
	sum := sha256.Sum256(text)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", contentPolicy)
		next.ServeHTTP(w, r)
	})
}
