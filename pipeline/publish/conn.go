package publish

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sys/unix"
)

// schemes are the ones a broker may have, with their default ports.
var schemes = map[string]string{"tcp": "1883", "ssl": "8883", "ws": "80", "wss": "443"}

// parseBroker makes the URL of a broker complete.
func parseBroker(broker string) (*url.URL, error) {
	u, err := url.Parse(broker)
	if err != nil {
		// url.Error repeats the URL, which may hold a password.
		return nil, errors.New("its URL cannot be parsed: want tcp://, ssl://, ws:// or wss:// and host:port")
	}
	port, ok := schemes[u.Scheme]
	switch {
	case !ok || u.Hostname() == "":
		return nil, fmt.Errorf("%s is no broker URL: want tcp://, ssl://, ws:// or wss:// and host:port", u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("%s holds credentials: use username and password_file instead", u.Redacted())
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}

// stall is how long a write may make no progress before the connection counts as dead.
const stall = 10 * time.Second

// A conn is a connection on which nobody waits for the network: what is written is kept and sent by a goroutine of
// the conn's own. The client library would else block whoever publishes, and with it a clean stop. Whoever writes
// sees to it that there is not too much in it: buffered tells.
type conn struct {
	net.Conn           // the stream: TCP, TLS or WebSocket
	raw      net.Conn  // the TCP connection below it
	security *security // nil: none
	in       *inbound
	done     chan struct{}

	mu      sync.Mutex
	more    sync.Cond // there is something to write, or the end
	buf     []byte
	writing int // bytes taken from buf and not yet written
	closing bool
	err     error // why nothing more can be written
}

func newConn(stream, raw net.Conn, security *security) *conn {
	c := &conn{Conn: stream, raw: raw, security: security, in: newInbound(stream), done: make(chan struct{})}
	c.more.L = &c.mu
	go c.flush()
	return c
}

func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	if c.closing {
		return 0, net.ErrClosed
	}
	c.buf = append(c.buf, b...)
	c.more.Signal()
	return len(b), nil
}

// Read says why, if it was our side that gave the connection up: the client library takes "closed" for no error.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	if err == nil {
		return n, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil && (errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded)) {
		err = c.err
	}
	return n, c.security.explainEnd(err, c.in.heard)
}

// buffered is how many bytes have been written and not sent.
func (c *conn) buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.buf) + c.writing
}

func (c *conn) flush() {
	defer close(c.done)
	var b []byte
	for {
		c.mu.Lock()
		for len(c.buf) == 0 && !c.closing && c.err == nil {
			c.more.Wait()
		}
		if len(c.buf) == 0 || c.err != nil {
			c.mu.Unlock()
			return
		}
		b, c.buf = c.buf, b[:0]
		c.writing = len(b)
		c.mu.Unlock()
		for rest := b; len(rest) > 0; {
			n := min(len(rest), 32<<10)
			err := c.Conn.SetWriteDeadline(time.Now().Add(stall))
			if err == nil {
				_, err = c.Conn.Write(rest[:n])
			}
			if err != nil {
				c.fail(err)
				// Why the other side has gone may still be there to be read.
				c.raw.SetReadDeadline(time.Now().Add(time.Second))
				return
			}
			rest = rest[n:]
			c.mu.Lock()
			c.writing = len(rest)
			c.mu.Unlock()
		}
		if cap(b) > 1<<20 {
			b = nil // a snapshot need not be paid for ever
		}
	}
}

// abort ends the connection at once; both sides see it break off.
func (c *conn) abort(err error) {
	c.fail(err)
	c.raw.Close()
}

func (c *conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.more.Signal()
}

// Close sends what was written, if the other side takes it at once, and ends the connection.
func (c *conn) Close() error {
	c.mu.Lock()
	c.closing = true
	c.more.Signal()
	c.mu.Unlock()
	patience := time.NewTimer(250 * time.Millisecond)
	defer patience.Stop()
	select {
	case <-c.done:
	case <-patience.C:
	}
	err := c.raw.Close()
	<-c.done
	return err
}

// SetDeadline is for the handshake. Writes have deadlines of their own.
func (c *conn) SetDeadline(t time.Time) error { return c.Conn.SetReadDeadline(t) }

// SetWriteDeadline does nothing, since writes do not block.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// silence is how long the other side may give no sign of life: neither acknowledge, as TCP does, what it was sent, nor
// answer the kernel's question whether it is there. A slow link does so all the time, however long it takes for a
// whole message.
const silence = 15 * time.Second

// dialer makes TCP connections that the kernel ends after such a silence. By itself it would try for a quarter of an hour
// if something was sent, and else for ever.
func dialer(silence time.Duration) *net.Dialer {
	return &net.Dialer{
		// With TCP_USER_TIMEOUT it is the time that counts, and a first question that had no answer.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence * 2 / 3, Interval: silence / 3, Count: 2},
		Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				// A kernel without it counts questions, and 5 s more. What was sent and not acknowledged is then left to the
				// client library's pings.
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
			})
		},
	}
}

// A hearing has whoever writes to a side that has gone read why: a TLS alert may have come before the end did.
type hearing struct{ net.Conn }

func (h hearing) Write(b []byte) (int, error) {
	n, err := h.Conn.Write(b)
	if closed(err) {
		return len(b), nil
	}
	return n, err
}

// dial connects to a broker. The end of ctx breaks the connection until release is called.
func dial(ctx context.Context, u *url.URL, security *security) (c *conn, release func() bool, err error) {
	var raw net.Conn
	release = func() bool { return true }
	tcp := func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dialer(silence).DialContext(ctx, network, addr)
		if err == nil {
			raw = nc
			release = context.AfterFunc(ctx, func() { nc.Close() })
		}
		return hearing{nc}, err
	}
	if u.Scheme == "tcp" || u.Scheme == "ws" {
		security = nil
	}
	var stream net.Conn
	switch u.Scheme {
	case "tcp":
		stream, err = tcp(ctx, "tcp", u.Host)
	case "ssl":
		if stream, err = tcp(ctx, "tcp", u.Host); err == nil {
			t := tls.Client(stream, security.config)
			stream, err = t, security.explainHandshake(t.HandshakeContext(ctx))
		}
	default:
		d := websocket.Dialer{
			NetDialContext: tcp,
			Proxy:          http.ProxyFromEnvironment,
			Subprotocols:   []string{"mqtt"},
		}
		if security != nil {
			d.TLSClientConfig = security.config
		}
		ws, response, e := d.DialContext(ctx, u.String(), nil)
		if errors.Is(e, websocket.ErrBadHandshake) && response != nil {
			e = fmt.Errorf("no WebSocket at %s: it answers %s", u.Path, response.Status)
		} else {
			e = security.explainHandshake(e)
		}
		stream, err = &webStream{Conn: ws}, e
	}
	if err != nil {
		release()
		if raw != nil {
			raw.Close()
		}
		return nil, nil, err
	}
	return newConn(stream, raw, security), release, nil
}

// A webStream makes one stream of a WebSocket's binary messages (MQTT 3.1.1, section 6).
type webStream struct {
	*websocket.Conn
	message io.Reader
}

func (w *webStream) Read(b []byte) (int, error) {
	for {
		if w.message == nil {
			var err error
			if _, w.message, err = w.NextReader(); err != nil {
				return 0, err
			}
		}
		n, err := w.message.Read(b)
		if err == io.EOF {
			w.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (w *webStream) Write(b []byte) (int, error) {
	if err := w.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (w *webStream) SetDeadline(t time.Time) error {
	return errors.Join(w.SetReadDeadline(t), w.SetWriteDeadline(t))
}
