// Package cameratest is an IP camera to test with, as net/http/httptest is a web server: it speaks RTSP over TCP, sends H.264, asks for
// a login, and has whatever fault it is told to have, from one moment to the next.
package cameratest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
)

// Fault is what is wrong with a camera.
type Fault int

// The faults. They begin for whoever is connected at once, but for those that only a new connection meets.
const (
	Healthy   Fault = iota
	Frozen          // connections stay, new ones are taken, and nothing is sent: no picture, no answer
	Refusing        // nobody listens, and connections are closed
	HangingUp       // a connection is closed after its first picture
	Noisy           // random bytes in place of pictures
	Babbling        // random bytes in place of RTSP, without end
	Blind           // all questions are answered, and no picture is sent
	Locked          // another login is asked for, and connections are closed
	Late            // pictures come a quarter as often as their stamps say: soon they are minutes old
	Resized         // the pictures are those of the other clip, of another size
	Leaping         // the stamps leap ten minutes ahead, once
	Relapsing       // the stamps leap ten minutes back, once
)

const (
	lateness = 4 // times too slow
	leap     = 10 * time.Minute
)

// Options say what a camera is like.
type Options struct {
	Address        string        // to listen at; "" is a free port of 127.0.0.1
	User, Password string        // of the login
	Clip           *Clip         // what it sees, over and over
	Other          *Clip         // and when Resized; nil where it never is
	Every          time.Duration // from picture to picture
}

// An RTSP is a camera at rtsp://Addr/1.
type RTSP struct {
	Addr string

	o       Options
	media   *description.Media
	format  *format.H264
	nonce   string
	senders sync.WaitGroup // to those who are connected

	mu       sync.Mutex
	fault    Fault
	changed  chan struct{} // closed when fault changes
	leapt    time.Duration // by which the stamps are off
	server   *gortsplib.Server
	stream   *gortsplib.ServerStream
	sessions map[*gortsplib.ServerSession]chan struct{} // those that play; closed at their end
	sent     []time.Time                                // when the last of them got each picture
}

// NewRTSP starts a healthy camera; Close ends it.
func NewRTSP(o Options) (*RTSP, error) {
	r := &RTSP{Addr: o.Address, o: o, changed: make(chan struct{}), sessions: make(map[*gortsplib.ServerSession]chan struct{})}
	r.format = &format.H264{PayloadTyp: 96, SPS: o.Clip.SPS, PPS: o.Clip.PPS, PacketizationMode: 1}
	r.media = &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{r.format}}
	var err error
	if r.nonce, err = auth.GenerateNonce(); err != nil {
		return nil, err
	}
	return r, r.start()
}

// URL is what is asked for, with a password.
func (r *RTSP) URL(password string) string {
	return "rtsp://" + r.o.User + ":" + password + "@" + r.Addr + "/1"
}

// Set gives the camera a fault in place of the one it has.
func (r *RTSP) Set(f Fault) error {
	r.mu.Lock()
	was := r.fault
	r.fault = f
	close(r.changed)
	r.changed = make(chan struct{})
	switch f {
	case Leaping:
		r.leapt += leap
	case Relapsing:
		r.leapt -= leap
	case Locked, HangingUp:
		for s := range r.sessions {
			s.Close()
		}
	}
	r.mu.Unlock()
	switch {
	case f == Refusing && was != Refusing:
		r.stop()
	case was == Refusing && f != Refusing:
		return r.start()
	}
	return nil
}

// Close ends it, and every connection.
func (r *RTSP) Close() {
	_ = r.Set(Refusing)
	r.senders.Wait()
}

// Sent is when the newest connection was sent each of its pictures.
func (r *RTSP) Sent() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]time.Time(nil), r.sent...)
}

// start listens.
func (r *RTSP) start() error {
	// A camera that waits for this one asks at once.
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &gortsplib.Server{Handler: r, RTSPAddress: cmp.Or(r.Addr, "127.0.0.1:0"), Listen: r.listen}
	if err := s.Start(); err != nil {
		return fmt.Errorf("start an RTSP server at %s: %w", r.Addr, err)
	}
	r.server = s
	r.stream = gortsplib.NewServerStream(s, &description.Session{Medias: []*description.Media{r.media}})
	return nil
}

func (r *RTSP) stop() {
	r.mu.Lock()
	server, stream := r.server, r.stream
	r.mu.Unlock()
	stream.Close()
	server.Close()
}

// listen takes, where it may choose, a port that no connection gets for its own end: a camera that refuses comes back at the same one.
func (r *RTSP) listen(network, address string) (net.Listener, error) {
	for try := 0; ; try++ {
		if r.Addr == "" {
			address = fmt.Sprintf("127.0.0.1:%d", 10000+rand.N(20000))
		}
		l, err := net.Listen(network, address)
		switch {
		case err == nil:
			r.Addr = l.Addr().String()
			return listener{l, r}, nil
		case r.Addr != "" || try == 100 || !errors.Is(err, syscall.EADDRINUSE):
			return nil, err
		}
	}
}

// OnDescribe asks for the login.
func (r *RTSP) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	password := r.o.Password
	if f, _ := r.now(); f == Locked {
		password += "2"
	}
	// As cameras do; FFmpeg 5.1 knows no other digest, and takes what comes last.
	methods := []auth.ValidateMethod{auth.ValidateMethodBasic, auth.ValidateMethodDigestMD5}
	if auth.Validate(ctx.Request, r.o.User, password, methods, "camera", r.nonce) != nil {
		return &base.Response{StatusCode: base.StatusUnauthorized, Header: base.Header{
			"WWW-Authenticate": auth.GenerateWWWAuthenticate(methods, "camera", r.nonce),
		}}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, r.streamed(), nil
}

// OnSetup has nothing to add.
func (r *RTSP) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, r.streamed(), nil
}

func (r *RTSP) streamed() *gortsplib.ServerStream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream
}

// now is the fault there is, and a channel that is closed when it changes.
func (r *RTSP) now() (Fault, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault, r.changed
}

// OnPlay sends the clip over and over to this session, until it is closed.
func (r *RTSP) OnPlay(ctx *gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	over := make(chan struct{})
	r.mu.Lock()
	r.sessions[ctx.Session] = over
	r.sent = nil
	r.mu.Unlock()
	r.senders.Add(1)
	go func() {
		defer r.senders.Done()
		r.play(ctx.Session, over)
	}()
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnSessionClose ends what OnPlay began.
func (r *RTSP) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if over, ok := r.sessions[ctx.Session]; ok {
		close(over)
		delete(r.sessions, ctx.Session)
	}
}

// OnStreamWriteError has nothing to say: that a connection breaks is what it is for.
func (r *RTSP) OnStreamWriteError(*gortsplib.ServerHandlerOnStreamWriteErrorCtx) {}

func (r *RTSP) play(s *gortsplib.ServerSession, over <-chan struct{}) {
	encoder, err := r.format.CreateEncoder()
	if err != nil {
		return // so is the session's life
	}
	var (
		due   = time.Now()
		stamp = time.Hour
		fault Fault
		at    int // in the clip
	)
	for first := true; ; {
		select {
		case <-over:
			return
		case <-time.After(time.Until(due)):
		}
		r.mu.Lock()
		if r.fault != fault {
			fault, at = r.fault, 0 // whatever comes now begins with a key frame
		}
		leapt := r.leapt
		r.mu.Unlock()
		due, stamp = due.Add(r.o.Every), stamp+r.o.Every
		clip := r.o.Clip
		switch fault {
		case Frozen, Blind:
			continue
		case HangingUp:
			if !first {
				s.Close()
				return
			}
		case Late:
			due = due.Add((lateness - 1) * r.o.Every)
		case Resized:
			clip = r.o.Other
		}
		first = false
		unit := clip.Units[at]
		if at == 0 {
			unit = append([][]byte{clip.SPS, clip.PPS}, unit...)
		}
		at = (at + 1) % len(clip.Units)
		packets, err := encoder.Encode(unit)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.sent = append(r.sent, time.Now())
		r.mu.Unlock()
		for _, p := range packets {
			p.Timestamp = uint32((stamp + leapt) / time.Microsecond * 9 / 100)
			if fault == Noisy {
				p.Payload = noise(len(p.Payload))
			}
			if s.WritePacketRTP(r.media, p) != nil {
				return
			}
		}
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// A listener gives its connections the faults that lie below RTSP.
type listener struct {
	net.Listener
	r *RTSP
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	faulty := &conn{Conn: c, r: l.r, closed: make(chan struct{})}
	if f, changed := l.r.now(); f == Babbling {
		l.r.senders.Add(1)
		go func() {
			defer l.r.senders.Done()
			faulty.babble(changed)
		}()
	}
	return faulty, nil
}

type conn struct {
	net.Conn
	r      *RTSP
	once   sync.Once
	closed chan struct{}
}

func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func (c *conn) Write(b []byte) (int, error) {
	for {
		switch f, changed := c.r.now(); f {
		case Frozen:
			select {
			case <-changed:
			case <-c.closed:
				return 0, net.ErrClosed
			}
			continue
		case Babbling:
			return c.Conn.Write(noise(len(b)))
		}
		return c.Conn.Write(b)
	}
}

// babble goes on until the fault is another.
func (c *conn) babble(until <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := c.Conn.Write(noise(1 << 10)); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-until:
			return
		case <-c.closed:
			return
		}
	}
}
