package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // for the size of what is not decoded yet
	_ "image/png"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gocv.io/x/gocv"

	"tarsier/pipeline/capture/wire"
)

// Limits of what is asked of a camera that answers each request with one picture, and of what it answers.
const (
	snapshotPeriod = 100 * time.Millisecond // between requests, at least
	snapshotFresh  = time.Second            // what is older when it is asked for is not given
	maxSnapshot    = 32 << 20               // bytes
	maxRedirects   = 3
)

// http looks once at what the address answers: one picture, and it is asked for each; anything else is for FFmpeg.
func (s *stream) http() *wire.Fault {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	c, err := newSnapshots(s.src.uri)
	if err != nil {
		return s.video()
	}
	defer c.client.CloseIdleConnections()
	started := time.Now()
	for first := true; ; first = false {
		asked := time.Now()
		kind, err := c.get(ctx)
		switch {
		case ctx.Err() != nil:
			return errStopped
		case err == nil:
		case !first:
			return fault(wire.ReasonBroken, "%s: %v", s.src.shown, err)
		case errors.Is(err, errNoPicture) && strings.HasSuffix(kind, "html"):
			return fault(wire.ReasonUnusable, "%s: it answers with a web page, not with pictures; check what follows the host in its source", s.src.shown)
		case errors.Is(err, errNoPicture):
			c.client.CloseIdleConnections()
			return s.video()
		default:
			lines := []string{err.Error()}
			reason, advice := diagnose(lines)
			if status := (statusError)(""); reason == wire.ReasonUnusable && !errors.As(err, &status) && !errors.Is(err, errTooLarge) {
				return s.video() // what is not quite HTTP is to FFmpeg
			}
			return fault(reason, "%s: %s%s", s.src.shown, advice, because(lines))
		}
		p := s.room()
		if p == nil {
			return errStopped
		}
		m, err := decode(c.body.Bytes())
		if err != nil {
			return fault(wire.ReasonUnusable, "%s: %v", s.src.shown, err)
		}
		p.mat.Close()
		p.mat, p.taken, p.stream = m, asked, asked.Sub(started)
		s.publish(p, true)
		s.mu.Lock()
		s.polled = true
		s.mu.Unlock()
		if !s.question() || !s.pause(asked.Add(snapshotPeriod)) {
			return errStopped
		}
	}
}

// question waits until one waits for a picture; false when the stream is to end.
func (s *stream) question() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dozing = true
	for !s.stopped && (!s.waiting || s.newest != nil) {
		s.change.Wait()
	}
	s.dozing = false
	s.last = time.Now() // until now it waited for us
	return !s.stopped
}

// decode makes a picture of what a camera answered. One that claims to be larger than any would take all memory.
func decode(b []byte) (gocv.Mat, error) {
	if c, _, err := image.DecodeConfig(bytes.NewReader(b)); err == nil && max(c.Width, c.Height) > wire.MaxWidth {
		return gocv.Mat{}, fmt.Errorf("a picture of %dx%d is larger than %d pixels; make it smaller", c.Width, c.Height, wire.MaxWidth)
	}
	if t := http.DetectContentType(b); t == "image/jpeg" || t == "image/png" {
		m, err := gocv.IMDecode(b, gocv.IMReadColor)
		if err == nil && !m.Empty() {
			return m, nil
		}
		m.Close()
	}
	return gocv.Mat{}, errors.New("what it answers is no picture that can be decoded")
}

// snapshots asks an address for pictures.
type snapshots struct {
	client http.Client
	url    string
	body   bytes.Buffer
}

func newSnapshots(source string) (*snapshots, error) {
	u, err := url.Parse(source)
	if err != nil {
		return nil, err
	}
	l := &login{host: u.Host, user: u.User.Username(), transport: &http.Transport{
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		IdleConnTimeout:        time.Minute,
		// Cameras sign their own certificates, and FFmpeg does not ask for better.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	l.password, _ = u.User.Password()
	u.User = nil
	return &snapshots{url: u.String(), client: http.Client{
		Transport: l,
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return statusError("it is sent from one address to the next")
			}
			return nil
		},
	}}, nil
}

// statusError is an answer that is none.
type statusError string

func (e statusError) Error() string { return string(e) }

var (
	errNoPicture = errors.New("it answers with no picture")
	errTooLarge  = fmt.Errorf("a picture has more than %d MiB", maxSnapshot>>20)
)

// get asks for one picture, which is in c.body then, and tells the kind of the answer.
func (c *snapshots) get(ctx context.Context) (kind string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.client.Do(r)
	if err != nil {
		// The URL is known.
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return "", late(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", statusError("it answers " + resp.Status)
	}
	kind, _, _ = strings.Cut(resp.Header.Get("Content-Type"), ";")
	if t, _, err := mime.ParseMediaType(kind); err == nil {
		kind = t
	}
	if !strings.HasPrefix(kind, "image/") {
		return kind, fmt.Errorf("%w, but %q", errNoPicture, kind)
	}
	c.body.Reset()
	switch n, err := c.body.ReadFrom(io.LimitReader(resp.Body, maxSnapshot+1)); {
	case err != nil:
		return kind, late(err)
	case n > maxSnapshot:
		return kind, errTooLarge
	}
	return kind, nil
}

// late says in our words that time is up.
func late(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no picture for %v: timed out", patience)
	}
	return err
}
