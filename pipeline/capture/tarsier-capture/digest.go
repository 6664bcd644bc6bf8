package main

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// login answers a camera that asks who it is: Digest (RFC 7616), as most do, or Basic. It is sent to no other host than the source's, which a
// camera may send us away from.
type login struct {
	transport      http.RoundTripper
	host           string
	user, password string

	challenge map[string]string // of the Digest that it asked for last; nil: none
	basic     bool              // it asked for Basic
	count     int               // requests with this challenge
}

// RoundTrip asks a second time where the first answer is the question who we are.
func (l *login) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != l.host || l.user == "" && l.password == "" {
		return l.transport.RoundTrip(r)
	}
	resp, err := l.transport.RoundTrip(l.sign(r))
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !l.asked(resp.Header.Values("WWW-Authenticate")) {
		return resp, err
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // the connection is good for more
	resp.Body.Close()
	return l.transport.RoundTrip(l.sign(r))
}

var parameters = regexp.MustCompile(`([a-zA-Z0-9*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))`)

// asked takes the best challenge that we can answer.
func (l *login) asked(challenges []string) bool {
	l.challenge, l.basic, l.count = nil, false, 0
	for _, c := range challenges {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(c), " ")
		switch strings.ToLower(scheme) {
		case "basic":
			l.basic = true
		case "digest":
			p := map[string]string{}
			for _, m := range parameters.FindAllStringSubmatch(rest, -1) {
				p[strings.ToLower(m[1])] = m[2] + m[3]
			}
			if l.challenge == nil && digests[strings.ToUpper(p["algorithm"])] != nil {
				l.challenge = p
			}
		}
	}
	return l.challenge != nil || l.basic
}

var digests = map[string]func() hash.Hash{"": md5.New, "MD5": md5.New, "SHA-256": sha256.New}

// sign makes a request that says who we are, as far as it is known how.
func (l *login) sign(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	switch {
	case l.challenge != nil:
		l.count++
		r.Header.Set("Authorization", l.digest(r.Method, r.URL.RequestURI(), strings.ToLower(rand.Text())))
	case l.basic:
		r.SetBasicAuth(l.user, l.password)
	}
	return r
}

func (l *login) digest(method, uri, cnonce string) string {
	c := l.challenge
	sum := func(parts ...string) string {
		h := digests[strings.ToUpper(c["algorithm"])]()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	who, what := sum(l.user, c["realm"], l.password), sum(method, uri)
	s := fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s"`, l.user, c["realm"], c["nonce"], uri)
	if slices.Contains(strings.FieldsFunc(c["qop"], func(r rune) bool { return r == ',' || r == ' ' }), "auth") {
		nc := fmt.Sprintf("%08x", l.count)
		s += fmt.Sprintf(`, qop=auth, nc=%s, cnonce="%s", response="%s"`, nc, cnonce, sum(who, c["nonce"], nc, cnonce, "auth", what))
	} else {
		s += fmt.Sprintf(`, response="%s"`, sum(who, c["nonce"], what))
	}
	for _, name := range []string{"algorithm", "opaque"} {
		if v, ok := c[name]; ok {
			s += fmt.Sprintf(`, %s="%s"`, name, v)
		}
	}
	return s
}
