package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tarsier/pipeline"
	"tarsier/pipeline/publish"
	"tarsier/pipeline/publish/schema"
)

// patience is how long anything may take that must happen: the machine may
// be slow and busy, and a test that passes never waits so long.
const patience = 90 * time.Second

// TestEndToEnd runs the real programs: mosquitto, the daemon with its capture
// children on two videos, and a subscriber that never misses a message.
func TestEndToEnd(t *testing.T) {
	bin := buildPrograms(t)
	videos := testdata(t, "videos")
	port := freePort(t)
	dir := t.TempDir()
	broker := startMosquitto(t, dir, port)
	sub := subscribe(t, port)

	models := filepath.Join(dir, "models")
	must(t, os.Mkdir(models, 0o755))
	link(t, filepath.Join(testdata(t, "golden"), "imagenet_1.0_int8.tflite"), models)
	link(t, filepath.Join(testdata(t, "golden"), "random_0.35_int8.tflite"), models)
	link(t, filepath.Join(testdata(t, "models"), "imagenet_labels.txt"), filepath.Join(models, "labels.txt"))

	c := e2eConfig{Models: models, Videos: videos, Broker: port, Enter: 0.3, Leave: 0.15}
	path := filepath.Join(dir, "tarsier.yaml")
	c.write(t, path)
	d := startDaemon(t, bin, path)

	sub.wait("the daemon is online", func() bool { return sub.last("status") == "online" })
	sub.wait("both cameras are online", func() bool {
		return sub.last("bottle/status") == "online" && sub.last("car/status") == "online"
	})
	sub.wait("a water bottle is entered", func() bool { return sub.entered("bottle", "water bottle") })
	sub.wait("a car is entered", func() bool { return sub.entered("car", "cab") || sub.entered("car", "minivan") })
	sub.wait("stats are published", func() bool { return sub.last("stats") != "" })
	if info := sub.info(); info.WidthMult != 1 || len(info.Cameras) != 2 {
		t.Errorf("info says %+v", info)
	}

	// A valid edit is taken: what is above the new threshold is still entered, nothing new is.
	c.Enter, c.Leave = 0.35, 0.2
	c.write(t, path)
	sub.wait("info shows the new threshold", func() bool {
		return sub.info().Cameras[0].Regions[0].Enter == 0.35
	})
	// An invalid one changes nothing.
	before := sub.info()
	must(t, os.WriteFile(path, []byte("thresholds: {enter: 2}\nnonsense: 1\n"), 0o644))
	d.waitLog(t, "the new config is refused")
	d.waitLog(t, "nonsense")
	if after := sub.info(); !jsonEqual(before, after) {
		t.Errorf("info changed by an invalid config: %+v, before %+v", after, before)
	}
	// Another width: the model is replaced, and what was entered is left.
	c.Width = 0.35
	c.write(t, path)
	sub.wait("info shows the new width", func() bool { return sub.info().WidthMult == 0.35 })
	sub.wait("what was entered is left with a reason", func() bool {
		return len(sub.open()) == 0 || slices.ContainsFunc(sub.events(), func(e pipeline.Event) bool { return e.Reason == pipeline.Reconfigured })
	})
	c.Width = 1
	c.write(t, path)
	sub.wait("info shows the old width", func() bool { return sub.info().WidthMult == 1 })

	// A camera is paused, and goes on.
	sub.publish("bottle/pause/set", "ON")
	sub.wait("bottle is paused", func() bool { return sub.last("bottle/pause") == "ON" && sub.last("bottle/status") == "offline" })
	sub.publish("bottle/pause/set", "OFF")
	sub.wait("bottle goes on", func() bool { return sub.last("bottle/pause") == "OFF" && sub.last("bottle/status") == "online" })

	// The broker goes away for five seconds, in which events are made.
	n := len(sub.events())
	broker.stop(t)
	made := d.eventsLogged()
	deadline := time.After(patience)
	for hold := time.After(5 * time.Second); ; {
		select {
		case <-hold:
			hold = nil
		case <-d.logged:
		case <-deadline:
			t.Fatalf("no event was made while the broker was away\n%s", d.log())
		}
		if hold == nil && d.eventsLogged() > made {
			break
		}
	}
	broker.start(t)
	sub.wait("the daemon is online again, and what waited arrives", func() bool { return len(sub.events()) > n })
	sub.wait("all that was made has arrived", func() bool { return len(sub.events()) >= d.eventsLogged() })

	// A clean stop.
	start := time.Now()
	must(t, d.cmd.Process.Signal(syscall.SIGTERM))
	if err := d.wait(); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, d.log())
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
	sub.wait("offline is published", func() bool { return sub.last("status") == "offline" })
	sub.check(t)
	stopped := d.openBeforeStop()
	for _, e := range sub.events() {
		if e.Type == pipeline.Leave && e.Reason == pipeline.Stopped {
			delete(stopped, e.Camera+"/"+e.Region+"/"+e.Label)
		}
	}
	if len(stopped) > 0 {
		t.Errorf("entered at the stop, and not left as stopped: %v", stopped)
	}
	if n := childrenAlive(d.children); n != 0 {
		t.Errorf("%d capture programs survive the stop", n)
	}

	// A killed one: the broker says so, and no child stays.
	sub.forget()
	d = startDaemon(t, bin, path)
	sub.wait("both cameras are online", func() bool {
		return sub.last("status") == "online" && sub.last("bottle/status") == "online" && sub.last("car/status") == "online"
	})
	d.noteChildren(t)
	must(t, d.cmd.Process.Kill())
	_ = d.wait()
	sub.wait("the last will", func() bool { return sub.last("status") == "offline" })
	sub.wait("no capture program survives", func() bool { return childrenAlive(d.children) == 0 })
}

// e2eConfig is the config of the test.
type e2eConfig struct {
	Models, Videos string
	Broker         int
	Width          float64
	Enter, Leave   float64
}

func (c *e2eConfig) write(t *testing.T, path string) {
	t.Helper()
	width := ""
	if c.Width != 0 {
		width = fmt.Sprintf("  width_mult: %v\n", c.Width)
	}
	text := fmt.Sprintf(`node: e2e
model:
  dir: %s
%sthresholds: {enter: %v, leave: %v, hold: 200ms, smoothing: 500ms}
cameras:
  - {name: bottle, source: %s/bottle.mp4, loop: true, fps: 4}
  - {name: car, source: %s/car.mp4, loop: true, fps: 4}
mqtt:
  brokers: ["tcp://127.0.0.1:%d"]
  scores: true
http: {listen: ""}
log: {format: json}
`, c.Models, width, c.Enter, c.Leave, c.Videos, c.Videos, c.Broker)
	must(t, os.WriteFile(path+".new", []byte(text), 0o644))
	must(t, os.Rename(path+".new", path))
}

// A subscription hears everything of the node, over a session that the
// broker keeps.
type subscription struct {
	t        *testing.T
	client   mqtt.Client
	mu       sync.Mutex
	messages []message
	heard    chan struct{} // has something after each message
}

type message struct {
	topic   string // below tarsier/e2e/
	payload []byte
}

func subscribe(t *testing.T, port int) *subscription {
	s := &subscription{t: t, heard: make(chan struct{}, 1)}
	o := mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", port)).SetClientID("subscriber").
		SetCleanSession(false).SetAutoReconnect(true).SetMaxReconnectInterval(time.Second).SetOrderMatters(true)
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		s.mu.Lock()
		s.messages = append(s.messages, message{strings.TrimPrefix(m.Topic(), "tarsier/e2e/"), m.Payload()})
		s.mu.Unlock()
		select {
		case s.heard <- struct{}{}:
		default:
		}
	})
	c := mqtt.NewClient(o)
	if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatalf("subscriber: %v", tok.Error())
	}
	if tok := c.Subscribe("tarsier/e2e/#", 1, nil); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatalf("subscriber: %v", tok.Error())
	}
	t.Cleanup(func() { c.Disconnect(100) })
	s.client = c
	return s
}

// wait waits until what was heard makes ok true.
func (s *subscription) wait(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.After(patience)
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-s.heard:
		case <-poll.C:
		case <-deadline:
			s.mu.Lock()
			defer s.mu.Unlock()
			var tail []string
			for _, m := range s.messages {
				if !strings.HasSuffix(m.topic, "/scores") {
					tail = append(tail, fmt.Sprintf("%s %.200s", m.topic, m.payload))
				}
			}
			s.t.Fatalf("not seen in %v: %s; heard last:\n%s", patience, what, strings.Join(tail[max(0, len(tail)-40):], "\n"))
		}
	}
}

// publish asks the daemon for something.
func (s *subscription) publish(topic, payload string) {
	s.t.Helper()
	if tok := s.client.Publish("tarsier/e2e/"+topic, 1, false, payload); !tok.WaitTimeout(patience) || tok.Error() != nil {
		s.t.Fatalf("publish %s: %v", topic, tok.Error())
	}
}

func (s *subscription) last(topic string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range slices.Backward(s.messages) {
		if m.topic == topic {
			return string(m.payload)
		}
	}
	return ""
}

func (s *subscription) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = nil
}

func (s *subscription) info() publish.Info {
	var info publish.Info
	_ = json.Unmarshal([]byte(s.last("info")), &info)
	return info
}

func (s *subscription) events() []pipeline.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []pipeline.Event
	for _, m := range s.messages {
		if strings.HasSuffix(m.topic, "/event") {
			var e pipeline.Event
			must(s.t, json.Unmarshal(m.payload, &e))
			events = append(events, e)
		}
	}
	return events
}

func (s *subscription) entered(camera, label string) bool {
	return slices.ContainsFunc(s.events(), func(e pipeline.Event) bool {
		return e.Camera == camera && e.Type == pipeline.Enter && e.Label == label
	})
}

// open gives what is entered and not left.
func (s *subscription) open() map[string]bool {
	open := map[string]bool{}
	for _, e := range s.events() {
		if key := e.Camera + "/" + e.Region + "/" + e.Label; e.Type == pipeline.Enter {
			open[key] = true
		} else {
			delete(open, key)
		}
	}
	return open
}

// check holds everything that was heard against the contract.
func (s *subscription) check(t *testing.T) {
	open := map[string]bool{}
	next := uint64(1)
	for _, e := range s.events() {
		switch {
		case e.Seq < next:
			continue // a repeat: delivery is at least once
		case e.Seq > next:
			t.Errorf("seq %d follows %d", e.Seq, next-1)
		}
		next = e.Seq + 1
		key := e.Camera + "/" + e.Region + "/" + e.Label
		if open[key] == (e.Type == pipeline.Enter) {
			t.Errorf("%s of %s, seq %d, though it was so already", e.Type, key, e.Seq)
		}
		open[key] = e.Type == pipeline.Enter
	}
	for key, yes := range open {
		if yes {
			t.Errorf("%s was entered and never left", key)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]int{}
	for _, m := range s.messages {
		kind := m.topic[strings.LastIndex(m.topic, "/")+1:]
		if kind == "status" || kind == "pause" || kind == "set" || len(m.payload) == 0 {
			continue
		}
		seen[kind]++
		if err := schema.Validate(kind+".json", m.payload); err != nil {
			t.Errorf("%s: %s\n%v", m.topic, m.payload, err)
		}
	}
	for _, kind := range []string{"event", "state", "info", "stats", "scores"} {
		if seen[kind] == 0 {
			t.Errorf("no payload of topic .../%s was heard", kind)
		}
	}
}

// A process is a daemon that runs, and what it logs.
type process struct {
	cmd      *exec.Cmd
	children []int
	logged   chan struct{}
	done     chan error

	mu   sync.Mutex
	text bytes.Buffer
}

func startDaemon(t *testing.T, bin, config string, env ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(filepath.Join(bin, "tarsier"), "run", "--config", config), logged: make(chan struct{}, 1), done: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), "TARSIER_MQTT_QUEUE_DIR="+filepath.Join(filepath.Dir(config), "queue"))
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stderr = p
	must(t, p.cmd.Start())
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", p.log())
		}
	})
	return p
}

// Write takes what the daemon logs.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(b)
	select {
	case p.logged <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (p *process) wait() error {
	select {
	case err := <-p.done:
		return err
	case <-time.After(patience):
		return errors.New("still runs")
	}
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// waitLog waits until the daemon logs something, whatever its case.
func (p *process) waitLog(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(patience)
	for !strings.Contains(strings.ToLower(p.log()), strings.ToLower(text)) {
		select {
		case <-p.logged:
		case <-deadline:
			t.Fatalf("the daemon never logged %q:\n%s", text, p.log())
		}
	}
}

// logEntry is a line of the daemon's log about an event.
type logEntry struct {
	Msg, Camera, Region, Label, Reason string
	Seq                                int
}

func (p *process) entries() []logEntry {
	var all []logEntry
	for line := range strings.Lines(p.log()) {
		var e logEntry
		if json.Unmarshal([]byte(line), &e) == nil {
			all = append(all, e)
		}
	}
	return all
}

// eventsLogged is how many events were made.
func (p *process) eventsLogged() int {
	n := 0
	for _, e := range p.entries() {
		n = max(n, e.Seq)
	}
	return n
}

// openBeforeStop gives what was entered when the daemon was told to stop.
func (p *process) openBeforeStop() map[string]bool {
	open := map[string]bool{}
	for _, e := range p.entries() {
		key := e.Camera + "/" + e.Region + "/" + e.Label
		switch e.Msg {
		case "stopping":
			return open
		case pipeline.Enter:
			open[key] = true
		case pipeline.Leave:
			delete(open, key)
		}
	}
	return open
}

func (p *process) noteChildren(t *testing.T) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, err)
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// pid (comm) state ppid ...
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(p.cmd.Process.Pid) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			p.children = append(p.children, pid)
		}
	}
	if len(p.children) < 2 {
		t.Errorf("the daemon has %d children, not one a camera", len(p.children))
	}
}

func childrenAlive(pids []int) int {
	n := 0
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err == nil && strings.HasPrefix(string(b), "tarsier-capture"[:15]) {
			n++
		}
	}
	return n
}

// mosquitto is a broker that keeps its sessions over a restart.
type mosquitto struct {
	config string
	port   int
	cmd    *exec.Cmd
}

func startMosquitto(t *testing.T, dir string, port int) *mosquitto {
	t.Helper()
	m := &mosquitto{config: filepath.Join(dir, "mosquitto.conf"), port: port}
	// Root stays root ("user" means nothing to others): another user could not write to dir.
	must(t, os.WriteFile(m.config, []byte(fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location %s/\nmax_queued_messages 0\n", port, dir)), 0o644))
	m.start(t)
	t.Cleanup(func() { _ = m.cmd.Process.Kill() })
	return m
}

func (m *mosquitto) start(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(path); err != nil {
		skip(t, "mosquitto is not installed (deploy/setup test)")
	}
	m.cmd = exec.Command(path, "-c", m.config)
	must(t, m.cmd.Start())
	deadline := time.Now().Add(patience)
	for {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", m.port))
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("mosquitto does not listen: %v", err)
		}
	}
}

func (m *mosquitto) stop(t *testing.T) {
	t.Helper()
	must(t, m.cmd.Process.Signal(syscall.SIGTERM))
	_ = m.cmd.Wait()
}

// programs is the folder of the two programs, built once for all tests.
var programs struct {
	once sync.Once
	dir  string
	err  error
}

// buildPrograms builds both programs and returns their folder.
func buildPrograms(t *testing.T) string {
	t.Helper()
	if exec.Command("pkg-config", "--exists", "opencv4").Run() != nil {
		skip(t, "OpenCV is not installed (deploy/setup)")
	}
	p := &programs
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "tarsier-e2e-*"); p.err != nil {
			return
		}
		for pkg, cgo := range map[string]string{"./daemon": "0", "./pipeline/capture/tarsier-capture": "1"} {
			name := "tarsier" + map[string]string{"1": "-capture"}[cgo]
			c := exec.Command("go", "build", "-o", filepath.Join(p.dir, name), pkg)
			c.Dir = ".."
			c.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
			if out, err := c.CombinedOutput(); err != nil {
				p.err = fmt.Errorf("build %s: %w\n%s", pkg, err, out)
				return
			}
		}
	})
	must(t, p.err)
	return p.dir
}

func TestMain(m *testing.M) {
	code := m.Run()
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir)
	}
	os.Exit(code)
}

// testdata is a folder of the test data, which is not part of the project.
func testdata(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("TARSIER_TESTDATA")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	path, err := filepath.Abs(filepath.Join(root, name))
	must(t, err)
	if _, err := os.Stat(path); err != nil {
		skip(t, "no test data: "+err.Error()+"; TARSIER_TESTDATA says where it is")
	}
	return path
}

// skip skips, but not in CI, where everything must be there.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// link makes target reachable at or in path.
func link(t *testing.T, target, path string) {
	t.Helper()
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, filepath.Base(target))
	}
	must(t, os.Symlink(target, path))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func jsonEqual(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}
