package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxSource is what the capture program takes.
const maxSource = 4096

var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

const names = "1 to 64 of the letters A-Z, a-z, digits, _ and -"

// rules say of a text what is allowed instead, or "" if it is fine; found is what to quote, "" for the text itself.
var rules = map[string]func(text string) (found, allowed string){
	"name": func(s string) (string, string) {
		if !name.MatchString(s) {
			return "", names
		}
		return "", ""
	},
	"node": func(s string) (string, string) {
		if s != "" && !name.MatchString(s) {
			return "", names + `; "" for the host name`
		}
		return "", ""
	},
	"label": func(s string) (string, string) {
		if s == "" {
			return "", "a label of the model's labels.txt"
		}
		return "", ""
	},
	"source": source,
	"broker": broker,
	"topic": func(s string) (string, string) {
		if s == "" || !isTopic(s) {
			return "", "the start of a topic, such as tarsier or home/tarsier: no + or #, no / at either end, no $ at the start"
		}
		return "", ""
	},
	"prefix": func(s string) (string, string) {
		if s != "" && !isTopic(s) {
			return "", `the start of a topic, such as homeassistant: no + or #, no / at either end, no $ at the start; "" for no discovery`
		}
		return "", ""
	},
	"listen": func(s string) (string, string) {
		host, port, err := net.SplitHostPort(s)
		if s != "" && (err != nil || !isPort(port) || strings.ContainsAny(host, "/@ ")) {
			return "", `an address and a port such as 127.0.0.1:8585; "" for no page`
		}
		return "", ""
	},
}

// source never quotes what may hold a password.
func source(s string) (found, allowed string) {
	const sources = "/dev/videoN or a name under /dev/v4l/by-id, csi:N, a file, rtsp://, http://, or gst: and a GStreamer pipeline"
	scheme, rest, isURL := strings.Cut(s, "://")
	switch {
	case s == "":
		return "", sources
	case len(s) > maxSource:
		return fmt.Sprintf("%d bytes", len(s)), fmt.Sprintf("%d at most", maxSource)
	case strings.HasPrefix(s, "gst:"):
		if strings.TrimSpace(s[len("gst:"):]) == "" {
			return "", "gst: and a GStreamer pipeline"
		}
	case strings.HasPrefix(s, "csi:"):
		if n, err := strconv.ParseUint(s[len("csi:"):], 10, 8); err != nil || s != fmt.Sprintf("csi:%d", n) {
			return "", "csi: and the number of a camera, 0 for the first"
		}
	case isURL && !slices.Contains([]string{"rtsp", "rtsps", "http", "https"}, scheme):
		return quote(scheme + "://"), sources
	case isURL && strings.ContainsAny(s, " \t\"'<>"):
		// A password that a log line would not show to its end could not be taken out of it.
		return "a URL with a blank, a quote, < or >", "%20, %22 (\"), %27 ('), %3C (<) and %3E (>) instead"
	case isURL:
		host, _, _ := strings.Cut(strings.NewReplacer("?", "/", "#", "/").Replace(rest), "/")
		if host[strings.LastIndex(host, "@")+1:] == "" {
			return "a URL without a host", scheme + "://host/path"
		}
	}
	return "", ""
}

func broker(s string) (found, allowed string) {
	const brokers = "tcp://, ssl://, ws:// or wss://, then host:port"
	u, err := url.Parse(s)
	switch {
	case strings.Contains(s, "@"):
		return "a URL with a user name or password", "tcp://host:port; the name belongs in mqtt.username, the password in the file that mqtt.password_file names"
	case err != nil || u.Hostname() == "" || !slices.Contains([]string{"tcp", "ssl", "ws", "wss"}, u.Scheme):
		return "", brokers
	case u.Port() != "" && (!isPort(u.Port()) || u.Port() == "0") || strings.HasSuffix(u.Host, ":"):
		return "", "a port from 1 to 65535"
	case u.Fragment != "" || (u.Scheme == "tcp" || u.Scheme == "ssl") && (u.RawQuery != "" || strings.Trim(u.Path, "/") != ""):
		return "", brokers + "; a path only with ws:// and wss://"
	}
	return "", ""
}

func isTopic(s string) bool {
	return !strings.ContainsAny(s, "+#") && !strings.HasPrefix(s, "/") && !strings.HasSuffix(s, "/") && !strings.HasPrefix(s, "$") && len(s) <= 256
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// check finds the mistakes that need more than one value to see.
func (l *loader) check(c *Config) {
	if len(c.Cameras) == 0 {
		l.wrong("cameras", "at least one camera: - {name: porch, source: /dev/video0}")
	}
	all := scope{path: "thresholds", Overrides: &c.Thresholds}
	l.checkThresholds(all)
	l.checkUnique("cameras", "name", len(c.Cameras), func(i int) string { return c.Cameras[i].Name })
	for i := range c.Cameras {
		camera, path := &c.Cameras[i], fmt.Sprintf("cameras[%d]", i)
		one := scope{path: path + ".thresholds", Overrides: &camera.Thresholds}
		l.checkThresholds(all, one)
		l.checkUnique(path+".regions", "name", len(camera.Regions), func(i int) string { return camera.Regions[i].Name })
		for i := range camera.Regions {
			region, path := &camera.Regions[i], fmt.Sprintf("%s.regions[%d]", path, i)
			l.checkBox(path+".box", region.Box)
			l.checkThresholds(all, one, scope{path: path + ".thresholds", Overrides: &region.Thresholds})
		}
	}
	l.checkMQTT(&c.MQTT)
	if host, _, err := net.SplitHostPort(c.HTTP.Listen); err == nil && c.HTTP.PasswordFile == "" && !isLoopback(host) {
		l.wrong("http.listen", "beyond this machine only with http.password_file; 127.0.0.1:8585 needs none")
	}
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || host == "localhost"
}

func (l *loader) checkMQTT(m *MQTT) {
	if len(m.Brokers) == 0 {
		l.wrong("mqtt.brokers", "at least one broker, such as tcp://localhost:1883")
	}
	if m.PasswordFile != "" && m.Username == "" {
		l.wrong("mqtt.username", "a name, since mqtt.password_file is set: MQTT knows no password without one")
	}
	switch {
	case m.TLS.CertFile != "" && m.TLS.KeyFile == "":
		l.wrong("mqtt.tls.key_file", "the key's file, since cert_file is set")
	case m.TLS.CertFile == "" && m.TLS.KeyFile != "":
		l.wrong("mqtt.tls.cert_file", "the certificate's file, since key_file is set")
	}
	encrypted := slices.ContainsFunc(m.Brokers, func(b string) bool { return strings.HasPrefix(b, "ssl:") || strings.HasPrefix(b, "wss:") })
	if encrypted || l.failed["mqtt.brokers"] {
		return
	}
	for _, f := range [][2]string{{"ca_file", m.TLS.CAFile}, {"cert_file", m.TLS.CertFile}, {"key_file", m.TLS.KeyFile}} {
		if f[1] != "" {
			l.wrong("mqtt.tls."+f[0], "only with an ssl:// or wss:// broker: the others are not encrypted")
		}
	}
}

// checkUnique takes the n entries of the list at path, and what of each must be unlike that of the others.
func (l *loader) checkUnique(path, key string, n int, text func(i int) string) {
	first := make(map[string]int, n)
	for i := range n {
		s := text(i)
		at, has := first[s]
		switch {
		case s == "": // said already
		case has:
			entry := fmt.Sprintf("%s[%d]", path, i)
			if key != "" {
				entry += "." + key
			}
			l.wrong(entry, fmt.Sprintf("each once; %s[%d] is that already", path, at))
		default:
			first[s] = i
		}
	}
}

func (l *loader) checkBox(path string, box [4]float64) {
	for i := range box {
		if l.failed[fmt.Sprintf("%s[%d]", path, i)] {
			return
		}
	}
	const slack = 1e-9 // 0.7 + 0.3 may be a little more than 1
	switch x, y, width, height := box[0], box[1], box[2], box[3]; {
	case l.failed[path]:
	case width <= 0:
		l.wrong(path+"[2]", "a width above 0")
	case height <= 0:
		l.wrong(path+"[3]", "a height above 0")
	case x+width > 1+slack:
		l.wrongBecause(path, fmt.Sprintf("x %v and width %v", x, width), "a box within the frame: together at most 1")
	case y+height > 1+slack:
		l.wrongBecause(path, fmt.Sprintf("y %v and height %v", y, height), "a box within the frame: together at most 1")
	}
}

// A scope is a place where thresholds stand.
type scope struct {
	*Overrides
	path string
}

// A limit is the threshold that holds, and the key that says so. Of two, the one with the higher rank is the more special.
type limit struct {
	value float64
	key   string
	rank  int
}

// checkThresholds checks the last of some scopes, each of which overrides those before it, as it holds with them.
func (l *loader) checkThresholds(scopes ...scope) {
	last := scopes[len(scopes)-1]
	l.checkUnique(last.path+".only", "", len(last.Only), func(i int) string { return last.Only[i] })
	l.checkUnique(last.path+".labels", "label", len(last.Labels), func(i int) string { return last.Labels[i].Label })

	var enter, leave limit
	for rank, s := range scopes {
		enter.override(s.Enter, s.path+".enter", rank)
		leave.override(s.Leave, s.path+".leave", rank)
	}
	l.checkOrder(enter, leave)

	type pair struct{ enter, leave limit }
	labels := make(map[string]*pair)
	var order []string
	for rank, s := range scopes {
		for i, label := range s.Labels {
			path := fmt.Sprintf("%s.labels[%d]", s.path, i)
			if label.Enter == nil && label.Leave == nil && rank == len(scopes)-1 {
				l.wrongBecause(path, "neither enter nor leave", "either or both: without them the entry says nothing")
			}
			if labels[label.Label] == nil {
				labels[label.Label] = &pair{enter, leave}
				order = append(order, label.Label)
			}
			p := labels[label.Label]
			p.enter.override(label.Enter, path+".enter", len(scopes)+rank)
			p.leave.override(label.Leave, path+".leave", len(scopes)+rank)
		}
	}
	for _, label := range order {
		l.checkOrder(labels[label].enter, labels[label].leave)
	}
}

func (limit *limit) override(value *float64, key string, rank int) {
	if value != nil {
		limit.value, limit.key, limit.rank = *value, key, rank
	}
}

// checkOrder reports a leave above its enter at the more special of the two, or at the one that is not a default.
func (l *loader) checkOrder(enter, leave limit) {
	if leave.value <= enter.value || l.failed[enter.key] || l.failed[leave.key] {
		return
	}
	_, given := l.given[leave.key]
	if enter.rank > leave.rank || enter.rank == leave.rank && !given {
		l.wrong(enter.key, fmt.Sprintf("at least %v, which is %s", leave.value, leave.key))
	} else {
		l.wrong(leave.key, fmt.Sprintf("at most %v, which is %s", enter.value, enter.key))
	}
}
