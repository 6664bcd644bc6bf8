package capture_test

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"

	"tarsier/pipeline/capture"
)

// An IP camera: 12.5 pictures a second, H.264, behind a login.
const (
	user, password = "watcher", "T0pS3cret"
	frameTime      = 80 * time.Millisecond
)

type rtspCamera struct {
	t       *testing.T
	addr    string
	server  *gortsplib.Server
	stream  *gortsplib.ServerStream
	media   *description.Media
	format  *format.H264
	units   [][][]byte
	frozen  atomic.Bool  // connections stay, pictures do not come
	slow    atomic.Int64 // how many times too slow they come
	players sync.WaitGroup
	nonce   string
	close   func()

	mu       sync.Mutex
	sessions map[*gortsplib.ServerSession]chan struct{} // those that play; closed at their end
	sent     []time.Time                                // when the last of them got each picture
}

func newRTSP(t *testing.T, addr string) *rtspCamera {
	t.Helper()
	sps, pps, units, err := accessUnits(testdata(t, "videos/car.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	r := &rtspCamera{t: t, units: units[:25], sessions: make(map[*gortsplib.ServerSession]chan struct{})}
	r.slow.Store(1)
	r.format = &format.H264{PayloadTyp: 96, SPS: sps, PPS: pps, PacketizationMode: 1}
	r.media = &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{r.format}}
	r.nonce, err = auth.GenerateNonce()
	if err != nil {
		t.Fatal(err)
	}
	r.server = &gortsplib.Server{Handler: r, RTSPAddress: addr, Listen: func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		if err == nil {
			r.addr = l.Addr().String()
		}
		return l, err
	}}
	r.mu.Lock() // a camera that waits for this one asks at once
	defer r.mu.Unlock()
	if err := r.server.Start(); err != nil {
		t.Fatal(err)
	}
	r.stream = gortsplib.NewServerStream(r.server, &description.Session{Medias: []*description.Media{r.media}})
	r.close = sync.OnceFunc(r.end)
	t.Cleanup(r.close)
	return r
}

func (r *rtspCamera) end() {
	r.stream.Close()
	r.server.Close()
	r.players.Wait()
}

func (r *rtspCamera) url(password string) string {
	return "rtsp://" + user + ":" + password + "@" + r.addr + "/1"
}

func (r *rtspCamera) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	// As cameras do; FFmpeg 5.1 knows no other digest, and takes what comes last.
	methods := []auth.ValidateMethod{auth.ValidateMethodBasic, auth.ValidateMethodDigestMD5}
	if auth.Validate(ctx.Request, user, password, methods, "camera", r.nonce) != nil {
		return &base.Response{StatusCode: base.StatusUnauthorized, Header: base.Header{
			"WWW-Authenticate": auth.GenerateWWWAuthenticate(methods, "camera", r.nonce),
		}}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, r.streamed(), nil
}

func (r *rtspCamera) streamed() *gortsplib.ServerStream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream
}

func (r *rtspCamera) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, r.streamed(), nil
}

// OnPlay sends the clip over and over to this session, until it is closed.
func (r *rtspCamera) OnPlay(ctx *gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	over := make(chan struct{})
	r.mu.Lock()
	r.sessions[ctx.Session] = over
	r.sent = nil
	r.mu.Unlock()
	r.players.Add(1)
	go func() {
		defer r.players.Done()
		r.play(ctx.Session, over)
	}()
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (r *rtspCamera) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if over, ok := r.sessions[ctx.Session]; ok {
		close(over)
		delete(r.sessions, ctx.Session)
	}
}

func (r *rtspCamera) play(s *gortsplib.ServerSession, over chan struct{}) {
	encoder, err := r.format.CreateEncoder()
	if err != nil {
		r.t.Error(err)
		return
	}
	due := time.Now()
	for n := 0; ; n++ {
		select {
		case <-over:
			return
		case <-time.After(time.Until(due)):
		}
		due = due.Add(frameTime * time.Duration(r.slow.Load()))
		if r.frozen.Load() {
			continue
		}
		unit := r.units[n%len(r.units)]
		if n%len(r.units) == 0 {
			unit = append([][]byte{r.format.SPS, r.format.PPS}, unit...)
		}
		packets, err := encoder.Encode(unit)
		if err != nil {
			r.t.Error(err)
			return
		}
		r.mu.Lock()
		r.sent = append(r.sent, time.Now())
		r.mu.Unlock()
		for _, p := range packets {
			p.Timestamp = uint32(int64(n) * int64(frameTime) * 90000 / int64(time.Second))
			if s.WritePacketRTP(r.media, p) != nil {
				return
			}
		}
	}
}

// secretless fails if what may be kept from a log is in it.
func (c *camera) secretless() {
	c.t.Helper()
	if s := c.log.String(); strings.Contains(s, password) || strings.Contains(s, user) {
		c.t.Errorf("the log has the login:\n%s", s)
	}
}

func TestRTSP(t *testing.T) {
	t.Parallel()
	r := newRTSP(t, "127.0.0.1:0")
	c := runCamera(t, capture.Options{Source: r.url(password)})
	var f capture.Frame
	c.newest(&f)
	c.waits(true)
	last := f.Stream
	for range 30 {
		c.newest(&f)
		if f.Stream <= last {
			t.Errorf("a picture of %v after one of %v", f.Stream, last)
		}
		last = f.Stream
		if age := time.Since(f.Taken); age < 0 || age > time.Second {
			t.Errorf("a picture is %v old", age)
		}
	}
	n := int((f.Stream + frameTime/2) / frameTime)
	r.mu.Lock()
	sent := r.sent[n]
	r.mu.Unlock()
	if d := f.Taken.Sub(sent); d.Abs() > frameTime {
		t.Errorf("picture %d is said to be taken %v after it was sent", n, d)
	}
	c.secretless()
}

func TestRTSPRefused(t *testing.T) {
	t.Parallel()
	r := newRTSP(t, "127.0.0.1:0")
	const wrong = "wr0ngT0pS3cret"
	c := runCamera(t, capture.Options{Source: r.url(wrong)})
	c.waits(false, r.addr, "refuses the login", "401")
	eventually(t, "a second try", func() bool { return strings.Count(c.log.String(), "401") > 2 })
	c.stop()
	c.secretless()
	if n := strings.Count(c.log.String(), "offline"); n != 1 {
		t.Errorf("%d lines for one and the same failure", n)
	}
}

func TestRTSPNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := runCamera(t, capture.Options{Source: "rtsp://" + user + ":" + password + "@" + addr + "/1"})
	c.waits(false, addr, "nobody answers", "refused")
	// Once it is switched on, it is seen, by the same tarsier-capture.
	pids := children(pid)
	newRTSP(t, addr)
	c.until(true)
	if again := children(pid); len(pids) != 1 || len(again) != 1 || pids[0] != again[0] {
		t.Errorf("children: %v, then %v", pids, again)
	}
	c.secretless()
}

// Some take a connection, and no more.
func TestRTSPSilent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := runCamera(t, capture.Options{Source: "rtsp://" + user + ":" + password + "@" + l.Addr().String() + "/1"})
	c.waits(false, l.Addr().String(), "does not answer")
	c.secretless()
}

func TestRTSPFreezes(t *testing.T) {
	t.Parallel()
	r := newRTSP(t, "127.0.0.1:0")
	c := runCamera(t, capture.Options{Source: r.url(password)})
	var f capture.Frame
	c.newest(&f)
	c.waits(true)
	r.frozen.Store(true)
	start := time.Now()
	c.waits(false, r.addr)
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("that took %v", d)
	}
	r.frozen.Store(false)
	c.until(true)
	c.newest(&f)
	c.secretless()
}

// A camera that goes away in the middle is said to be, and is back when it is back.
func TestRTSPRestarts(t *testing.T) {
	t.Parallel()
	r := newRTSP(t, "127.0.0.1:0")
	c := runCamera(t, capture.Options{Source: r.url(password)})
	var f capture.Frame
	c.newest(&f)
	c.waits(true)
	r.close()
	c.waits(false, r.addr)
	newRTSP(t, r.addr)
	c.until(true)
	c.newest(&f)
	c.secretless()
}

// A stream whose clock falls behind ours is opened again.
func TestRTSPFallsBehind(t *testing.T) {
	t.Parallel()
	r := newRTSP(t, "127.0.0.1:0")
	c := runCamera(t, capture.Options{Source: r.url(password)})
	var f capture.Frame
	c.newest(&f)
	c.waits(true)
	r.slow.Store(4)
	oldest := time.Duration(0)
	for !strings.Contains(c.log.String(), "stream's own clock") {
		c.newest(&f)
		oldest = max(oldest, time.Since(f.Taken))
	}
	if oldest < 2*time.Second {
		t.Errorf("its pictures are said to be %v old at most", oldest)
	}
	r.slow.Store(1)
	c.newest(&f)
	if age := time.Since(f.Taken); age > time.Second {
		t.Errorf("opened again, its pictures are %v old", age)
	}
	select {
	case s := <-c.status:
		t.Errorf("it was not away: %v", s)
	default:
	}
}
