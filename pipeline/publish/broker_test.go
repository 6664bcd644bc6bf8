package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"tarsier/pipeline"
)

// patience is how long a test waits for something that has to come.
const patience = 20 * time.Second

// leaks checks, when all that the test has started is stopped, that no goroutine is left.
func leaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// A broker is a mosquitto on a port of its own.
type broker struct {
	t    *testing.T
	conf string
	port string
	cmd  *exec.Cmd
}

// mosquitto makes a broker with additional configuration, and starts it. An anonymous, plain listener is the
// default.
func mosquitto(t *testing.T, conf string) *broker {
	t.Helper()
	b := newBroker(t, conf)
	b.start()
	return b
}

func newBroker(t *testing.T, conf string) *broker {
	t.Helper()
	if _, err := exec.LookPath(mosquittoPath()); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("mosquitto is not installed")
		}
		t.Skip("mosquitto is not installed")
	}
	dir := t.TempDir()
	b := &broker{t: t, port: freePort(t), conf: filepath.Join(dir, "mosquitto.conf")}
	if !strings.Contains(conf, "allow_anonymous") {
		conf = "allow_anonymous true\n" + conf
	}
	// A persistent session lasts while the broker is stopped; nothing is dropped for a subscriber that is away.
	conf = fmt.Sprintf("user root\nlistener %s 127.0.0.1\npersistence true\npersistence_location %s/\n"+
		"max_queued_messages 0\nset_tcp_nodelay true\nlog_dest none\n%s", b.port, dir, conf)
	if err := os.WriteFile(b.conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.stop)
	return b
}

func mosquittoPath() string {
	if path, err := exec.LookPath("mosquitto"); err == nil {
		return path
	}
	return "/usr/sbin/mosquitto"
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func (b *broker) url() string { return "tcp://127.0.0.1:" + b.port }

func (b *broker) start() {
	b.t.Helper()
	var output bytes.Buffer
	b.cmd = exec.Command(mosquittoPath(), "-c", b.conf)
	b.cmd.Stderr = &output
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp", "127.0.0.1:"+b.port)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("mosquitto does not start: %v\n%s", err, output.String())
		}
		time.Sleep(5 * time.Millisecond) // it tells nobody when it is ready
	}
}

// stop stops it as systemd does.
func (b *broker) stop() {
	if b.cmd == nil {
		return
	}
	b.cmd.Process.Signal(syscall.SIGTERM)
	b.cmd.Wait()
	b.cmd = nil
}

// A subscriber receives what a broker has.
type subscriber struct {
	t      *testing.T
	client mqtt.Client
	got    chan mqtt.Message
}

// subscribe connects with a session that outlasts the connection, and the broker.
func subscribe(t *testing.T, url string, filters ...string) *subscriber {
	t.Helper()
	return subscribeAs(t, "subscriber", url, filters...)
}

func subscribeAs(t *testing.T, id, url string, filters ...string) *subscriber {
	t.Helper()
	s := &subscriber{t: t, got: make(chan mqtt.Message, 100_000)}
	s.client = mqtt.NewClient(mqtt.NewClientOptions().
		AddBroker(url).
		SetClientID(id).
		SetCleanSession(false).
		SetMaxReconnectInterval(200 * time.Millisecond).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { s.got <- m }))
	s.wait(s.client.Connect())
	t.Cleanup(func() { s.client.Disconnect(1000) })
	for _, f := range filters {
		s.wait(s.client.Subscribe(f, 2, nil))
	}
	return s
}

func (s *subscriber) wait(token mqtt.Token) {
	s.t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		s.t.Fatalf("test's own client: %v", token.Error())
	}
}

func (s *subscriber) send(topic, payload string, retain bool) {
	s.t.Helper()
	s.wait(s.client.Publish(topic, 1, retain, payload))
}

// next waits for a message on a topic; others are skipped.
func (s *subscriber) next(topic string) mqtt.Message {
	s.t.Helper()
	end := time.After(patience)
	for {
		select {
		case m := <-s.got:
			if m.Topic() == topic {
				return m
			}
		case <-end:
			s.t.Fatalf("nothing arrives at %s", topic)
		}
	}
}

// expect waits for a payload on a topic; others are skipped.
func (s *subscriber) expect(topic, payload string) mqtt.Message {
	s.t.Helper()
	for {
		if m := s.next(topic); string(m.Payload()) == payload {
			return m
		}
	}
}

// events waits for the events with the numbers from first to last, each after the one before it. Repeats of the
// last few are skipped.
func (s *subscriber) events(first, last uint64) []pipeline.Event {
	s.t.Helper()
	var all []pipeline.Event
	end := time.After(patience)
	for want := first; want <= last; {
		select {
		case m := <-s.got:
			if !strings.HasSuffix(m.Topic(), "/event") {
				continue
			}
			var e pipeline.Event
			if err := json.Unmarshal(m.Payload(), &e); err != nil {
				s.t.Fatal(err)
			}
			if e.Seq > want {
				s.t.Fatalf("event %d comes before %d", e.Seq, want)
			}
			if e.Seq == want {
				all = append(all, e)
				want++
			}
		case <-end:
			s.t.Fatalf("event %d does not arrive", want)
		}
	}
	return all
}

// retained is what a broker holds at this moment.
func retained(t *testing.T, url string) map[string]string {
	t.Helper()
	s := &subscriber{t: t, got: make(chan mqtt.Message, 10_000)}
	s.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker(url).SetClientID("retained").
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { s.got <- m }))
	s.wait(s.client.Connect())
	defer s.client.Disconnect(1000)
	s.wait(s.client.Subscribe("#", 0, nil))
	s.wait(s.client.Publish("that/is/all", 0, false, ""))
	held := make(map[string]string)
	for {
		select {
		case m := <-s.got:
			if m.Topic() == "that/is/all" {
				return held
			}
			if m.Retained() {
				held[m.Topic()] = string(m.Payload())
			}
		case <-time.After(patience):
			t.Fatal("the broker does not say what it holds")
		}
	}
}

// A proxy stands between a client and a broker, and does what networks do.
type proxy struct {
	ln     net.Listener
	target string
	filter func(toClient bool, b []byte) []byte // what is let through; nil: all
	wg     sync.WaitGroup

	mu     sync.Mutex
	links  []link
	closed bool
	refuse bool // new connections are closed at once
}

// A link is a connection from a client to the broker.
type link struct {
	client, server net.Conn
	frozen, gone   chan struct{}
}

func newProxy(t *testing.T, b *broker) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, target: "127.0.0.1:" + b.port}
	p.wg.Add(1)
	go p.accept()
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		ln.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "tcp://" + p.ln.Addr().String() }

func (p *proxy) accept() {
	defer p.wg.Done()
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuse := p.refuse
		p.mu.Unlock()
		if refuse {
			client.Close()
			continue
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		l := link{client, server, make(chan struct{}), make(chan struct{})}
		p.mu.Lock()
		p.links = append(p.links, l) // before anything passes: who has heard something may cut
		closed := p.closed
		p.mu.Unlock()
		p.wg.Add(2)
		go p.forward(server, client, true, l)
		go p.forward(client, server, false, l)
		if closed {
			p.cut()
		}
	}
}

func (p *proxy) forward(from, to net.Conn, toClient bool, l link) {
	defer p.wg.Done()
	defer from.Close()
	defer to.Close()
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		select {
		case <-l.frozen:
			<-l.gone
			return
		default:
		}
		out := b[:n]
		if p.filter != nil {
			out = p.filter(toClient, out)
		}
		if _, err := to.Write(out); err != nil {
			return
		}
	}
}

// cut breaks all connections off, without a word.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		for _, c := range []net.Conn{l.client, l.server} {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		close(l.gone)
	}
	p.links = nil
}

// away has new connections refused, or not any more.
func (p *proxy) away(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = yes
}

// freeze leaves the connections open, and neither reads nor forwards any more. New ones work.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		close(l.frozen)
	}
}

// A journal holds log lines.
type journal struct {
	t     *testing.T
	lines chan string
	mu    sync.Mutex
	all   strings.Builder
}

func newJournal(t *testing.T) *journal { return &journal{t: t, lines: make(chan string, 10_000)} }

func (j *journal) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, nil))
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	j.all.Write(b)
	j.mu.Unlock()
	j.lines <- string(b)
	return len(b), nil
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}

// expect waits for a line that contains something.
func (j *journal) expect(part string) string {
	j.t.Helper()
	end := time.After(patience)
	for {
		select {
		case line := <-j.lines:
			if strings.Contains(line, part) {
				return line
			}
		case <-end:
			j.t.Fatalf("no line with %q in the log:\n%s", part, j.text())
		}
	}
}

// quick is the timing of tests that wait for failures.
var quick = timing{
	connect:     5 * time.Second,
	keepAlive:   time.Second,
	ping:        500 * time.Millisecond,
	ack:         10 * time.Second,
	pause:       10 * time.Millisecond,
	longest:     50 * time.Millisecond,
	longestLost: 50 * time.Millisecond,
	settled:     time.Minute,
	scan:        time.Second,
	drain:       time.Second,
}

// A running publisher.
type running struct {
	*Publisher
	t         *testing.T
	connected chan bool
	cancel    context.CancelFunc
	done      chan error
}

// run runs a publisher until the test ends, or stop. Options that it lacks are filled in.
func run(t *testing.T, o Options) *running {
	t.Helper()
	r := prepare(t, o)
	r.run()
	return r
}

func prepare(t *testing.T, o Options) *running {
	t.Helper()
	r := &running{t: t, connected: make(chan bool, 1000), done: make(chan error, 1)}
	p, err := New(r.options(o))
	if err != nil {
		t.Fatal(err)
	}
	r.Publisher = p
	r.timing = quick
	return r
}

func (r *running) options(o Options) Options {
	if o.Node == "" {
		o.Node = "node"
	}
	o.Connected = func(up bool) { r.connected <- up }
	return o
}

func (r *running) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.done <- r.Run(ctx) }()
	r.t.Cleanup(func() { r.stop() })
}

// stop ends Run and returns what it returns.
func (r *running) stop() error {
	r.t.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(patience):
		r.t.Fatal("Run does not end")
		return nil
	}
}

func (r *running) expectConnected(want bool) {
	r.t.Helper()
	end := time.After(patience)
	for {
		select {
		case up := <-r.connected:
			if up == want {
				return
			}
		case <-end:
			r.t.Fatalf("connected is not %v: %s", want, r.Stats().LastError)
		}
	}
}

var anEvent = pipeline.Event{
	Time: pipeline.Time{Time: time.Date(2026, 11, 23, 8, 15, 30, 482e6, time.UTC)}, Clock: pipeline.Synced,
	Camera: "porch", Region: "door",
	Type: pipeline.Leave, Reason: pipeline.ByScore, Label: "water bottle", Index: 899, Score: 0.71,
	Top:   []pipeline.Score{{Label: "water bottle", Index: 899, Score: 0.71}},
	Model: pipeline.Model{Name: "mobilenet_v2", WidthMult: 1, SHA256: "51e8256b"}, LatencyMS: 18.4,
}

// queue queues n events.
func (r *running) queueEvents(n int) {
	for range n {
		r.Events(anEvent)
	}
}

var porch = []Camera{{Name: "porch", Regions: regions("door")}}

// regions are some where all labels make events.
func regions(names ...string) (all []Region) {
	for _, name := range names {
		all = append(all, Region{Name: name})
	}
	return all
}
