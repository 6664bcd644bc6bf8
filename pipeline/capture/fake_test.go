package capture_test

import (
	"context"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"tarsier/pipeline/capture"
	"tarsier/pipeline/capture/wire"
)

// fake is the child's end of the socket, for those that misbehave.
func fake() net.Conn {
	conn, err := net.FileConn(os.NewFile(3, "socket"))
	if err != nil {
		panic(err)
	}
	return conn
}

// asked says Hello and waits for the first question.
func asked() net.Conn {
	conn := fake()
	conn.Write(wire.Append(nil, &wire.Hello{Version: wire.Version, Build: "fake"}))
	wire.NewDecoder(conn).Read()
	return conn
}

func forever(conn net.Conn) { conn.Read(make([]byte, 1)) }

func garbage() {
	conn := fake()
	conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	forever(conn)
}

func wrongVersion() {
	conn := fake()
	conn.Write(wire.Append(nil, &wire.Hello{Version: wire.Version + 1, Build: "tarsier-capture 9.9"}))
	forever(conn)
}

func silence() { forever(asked()) }

func unasked() {
	conn := asked()
	conn.Write(wire.Append(nil, &wire.Opened{Width: 640, Height: 480}))
	conn.Write(wire.Append(nil, &wire.Image{Length: 1 << 20}))
	forever(conn)
}

func huge() {
	conn := asked()
	b := wire.Append(nil, &wire.Opened{Width: 640, Height: 480})
	b[4], b[7] = 0xff, 0xff
	conn.Write(b)
	forever(conn)
}

func foreign() {
	conn := asked()
	conn.Write(wire.Append(nil, &wire.Open{Version: wire.Version, Source: "x", Size: 224, Regions: []wire.Box{{0, 0, 1, 1}}}))
	forever(conn)
}

// answers opens, tells of a first picture, and gives to the next question what says.
func answers(what func(net.Conn)) {
	conn := fake()
	d := wire.NewDecoder(conn)
	conn.Write(wire.Append(nil, &wire.Hello{Version: wire.Version, Build: "fake"}))
	d.Read()
	conn.Write(wire.Append(nil, &wire.Opened{Width: 640, Height: 480}))
	d.Read()
	what(conn)
	forever(conn)
}

// pictures are for one question, of some age and regions.
func pictures(age time.Duration, regions ...uint16) []byte {
	b := wire.Append(nil, &wire.Pictures{Age: age, Width: 640, Height: 480, Size: 224, Regions: regions})
	return append(b, make([]byte, len(regions)*224*224*3)...)
}

func crossed() {
	answers(func(conn net.Conn) {
		conn.Write(append(wire.Append(nil, &wire.Image{Length: 10}), make([]byte, 10)...))
	})
}

func ancient() { answers(func(conn net.Conn) { conn.Write(pictures(math.MaxInt64, 0)) }) }
func doubled() { answers(func(conn net.Conn) { conn.Write(pictures(0, 0, 0)) }) }

func flood() {
	answers(func(conn net.Conn) {
		for {
			if _, err := conn.Write(wire.Append(nil, &wire.Pulse{Pictures: 1})); err != nil {
				return
			}
		}
	})
}

func withholds() {
	answers(func(conn net.Conn) {
		for n := uint64(1); ; n += 10 {
			if _, err := conn.Write(wire.Append(nil, &wire.Pulse{Pictures: n})); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	})
}

// What a child does wrong is said in a line, and no reason to fail: it is started again.
func TestChildMisbehaves(t *testing.T) {
	for part, words := range map[string][]string{
		"garbage": {"malformed"},
		"version": {"another version", "9.9", "one build"},
		"quits":   {"ended unexpectedly", "exit status 0", "no such library"},
		"silence": {"hangs"},
		"huge":    {"malformed", "bytes"},
		"foreign": {"malformed", "Open"},
	} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			c := runCamera(t, capture.Options{Source: "any", Child: as(t, part)})
			c.waits(false, words...)
		})
	}
	for part, words := range map[string][]string{
		"unasked":   {"malformed", "nobody asked"},
		"crossed":   {"malformed", "Image", "Newest"},
		"ancient":   {"old"},
		"doubled":   {"malformed", "region"},
		"flood":     {"malformed", "in a minute"},
		"withholds": {"hangs", "gives none"},
	} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			c := runCamera(t, capture.Options{Source: "any", Child: as(t, part)})
			ctx, cancel := context.WithCancel(c.ctx)
			asking := make(chan struct{})
			go func() {
				defer close(asking)
				if err := c.Newest(ctx, &capture.Frame{}); err == nil {
					t.Error("a picture came of it")
				}
			}()
			defer func() { <-asking }()
			defer cancel()
			c.waits(true)
			for _, w := range words {
				eventually(t, w, func() bool { return strings.Contains(c.log.String(), w) })
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		c := runCamera(t, capture.Options{Source: "any", Child: "/nonexistent/tarsier-capture"})
		c.waits(false, "/nonexistent/tarsier-capture", "go build", "deploy/setup")
	})
	t.Run("no socket", func(t *testing.T) {
		c := runCamera(t, capture.Options{Source: "any", Socket: "/nonexistent/capture.sock"})
		c.waits(false, "/nonexistent/capture.sock", "tarsier-capture.socket")
	})
}

func TestVersions(t *testing.T) {
	t.Parallel()
	v, err := capture.Versions(deadline(t), needChild(t))
	if err != nil || !strings.Contains(v, "OpenCV 4.") {
		t.Errorf("%q, %v", v, err)
	}
	if _, err := capture.Versions(deadline(t), "/nonexistent"); err == nil {
		t.Error("no error for a program that is not there")
	}
}
