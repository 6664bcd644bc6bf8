package wire

import (
	"regexp"
	"strings"
)

var (
	// What follows a scheme, up to where a log line or a pipeline goes on. A quote or blank cannot be in a URL.
	address = regexp.MustCompile(`://[^\s"'<>]+`)

	// Names that cameras, FFmpeg and GStreamer elements give to what must not be seen, and the value. Some cameras join
	// parameters with `_` in the path (/user=admin_password=x_channel=1.sdp): there the rest goes too.
	parameter = regexp.MustCompile(`(?i)(^|[^a-z0-9])((?:user|proxy|http|access|auth|api|private|stream)?[-_]?` +
		`(?:user(?:name|id)?|usr|uid|login(?:name|use|pas)?|id|pass(?:word|wd|phrase)?|pwd|pw|token|key|auth|secret|sig(?:nature)?|session(?:id)?|response)` +
		`\s?=\s?)("[^"]*"|'[^']*'|[^&\s"'<>]+)`)

	header = regexp.MustCompile(`(?i)((?:basic|bearer)\s+)[a-z0-9+/=._~-]{4,}`)
)

const hidden = "***"

// Redact hides the credentials in a source, or in a message that quotes one: user and password before the host of a URL, and parameters
// whose name says that they are one. It rather hides too much: in `rtsp://a:b/c@d` the password may hold the slash.
func Redact(s string) string {
	s = address.ReplaceAllStringFunc(s, func(u string) string {
		rest := u[len("://"):]
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		at := strings.LastIndexByte(rest, '@')
		if at < 0 || !strings.ContainsAny(rest[:end], ":@") {
			return u
		}
		return "://" + hidden + rest[at:]
	})
	s = parameter.ReplaceAllStringFunc(s, func(p string) string {
		m := parameter.FindStringSubmatch(p)
		if strings.HasPrefix(m[3], hidden) {
			return p // done before, and what follows is not the value's
		}
		return m[1] + m[2] + hidden
	})
	return header.ReplaceAllString(s, "${1}"+hidden)
}
