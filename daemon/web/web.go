// Package web serves what the daemon is doing over HTTP: a page for people,
// metrics for Prometheus (text exposition format 0.0.4), health for whoever
// restarts what is ill, and pictures. It takes a View and gives nothing back
// to the daemon.
package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
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

	Time   pipeline.Time `json:"time"`
	Board  string        `json:"board"`
	Memory struct {
		RSS       int64  `json:"rss"`       // of the daemon in bytes
		Available *int64 `json:"available"` // of the board; null: a sandbox hides it
	} `json:"memory"`

	Started      time.Time `json:"started"`
	TemperatureC *float64  `json:"temperature_c"` // of the hottest zone; null: the board has no sensor
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

	AgeS   *float64             `json:"age_s"` // since the last classified picture was taken; null: there was none
	Stages map[string]Histogram `json:"-"`     // of each stage, since the start
	Events map[string]uint64    `json:"-"`     // made since the start, by type
}

// A Region is what one region shows now.
type Region struct {
	Name  string           `json:"name"`
	Box   [4]float64       `json:"box"` // x, y, width, height as fractions of the picture
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

	QueuedBytes     int64  `json:"queued_bytes"`
	MessagesDropped uint64 `json:"messages_dropped"` // scores and stats
	Reconnects      uint64 `json:"reconnects"`
}

// Options are what a Server needs.
type Options struct {
	Listen       string // host:port
	PasswordFile string // "" = no password; the user's name is not looked at
	View         func() View
	// Picture gives a camera's newest picture as a JPEG of that width.
	Picture func(ctx context.Context, camera string, width int) ([]byte, error)
	// Memory is the past that the page shows; nil: none.
	Memory *Memory
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
	var s *site
	var listener net.Listener
	for said := ""; ; {
		var err error
		if s, err = newSite(o); err == nil {
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
		Handler:           s.handler,
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
	defer s.stream.close()
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

// A site is what Run serves.
type site struct {
	Options
	stream   *stream
	pictures pictures
	handler  http.Handler
}

// newSite's error is that of the password file.
func newSite(o Options) (*site, error) {
	if o.Memory == nil {
		o.Memory = NewMemory()
	}
	s := &site{Options: o, stream: newStream(o.View, o.Memory), pictures: pictures{take: o.Picture, of: map[string]*picture{}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "page.html") })
	mux.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, r.PathValue("file")) })
	mux.HandleFunc("GET /api/state", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, o.View()) })
	mux.HandleFunc("GET /api/stream", s.stream.serve)
	mux.HandleFunc("GET /api/history", s.history)
	mux.HandleFunc("GET /api/events", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, o.Memory.Events()) })
	mux.HandleFunc("GET /events/{seq}/picture.jpg", s.eventPicture)
	mux.HandleFunc("GET /cameras/{name}/picture.jpg", s.picture)
	mux.Handle("GET /metrics", Metrics(o.View))
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
	open.HandleFunc("GET /healthz", o.health)
	open.HandleFunc("GET /readyz", o.ready)
	open.Handle("/", handler)
	s.handler = withHeaders(withoutBody(fromHere(open)))
	return s, nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// history gives the scores of a region's last minutes.
func (s *site) history(w http.ResponseWriter, r *http.Request) {
	camera, region := r.URL.Query().Get("camera"), r.URL.Query().Get("region")
	h := s.Memory.History(camera, region)
	if h == nil {
		http.Error(w, fmt.Sprintf("there is no region %q of a camera %q", region, camera), http.StatusNotFound)
		return
	}
	writeJSON(w, h.Recording())
}

// eventPicture gives what the camera saw at one of the last events.
func (s *site) eventPicture(w http.ResponseWriter, r *http.Request) {
	seq, _ := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	jpeg := s.Memory.picture(seq)
	if jpeg == nil {
		http.Error(w, "there is no picture of that event, or no more", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(jpeg)
}

// picture gives a camera's newest picture.
func (s *site) picture(w http.ResponseWriter, r *http.Request) {
	width := pictureWidth
	if text := r.URL.Query().Get("width"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 16 || n > maxPictureWidth {
			http.Error(w, fmt.Sprintf("width is %q; it must be 16 to %d", text, maxPictureWidth), http.StatusBadRequest)
			return
		}
		width = n
	}
	jpeg, err := s.pictures.newest(r.Context(), r.PathValue("name"), width)
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

// contentPolicy allows what is from here and in a file of its own, and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

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
