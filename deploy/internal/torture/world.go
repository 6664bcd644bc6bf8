package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long anything may take that must happen: the machine may be slow and busy.
const patience = 60 * time.Second

// node is the daemon's name in all scenarios.
const node = "torture"

// A world is where a scenario takes place: a folder, and the processes that are started there. They end with it.
type world struct {
	scenario
	options
	result
	ctx      context.Context // ends when somebody presses Ctrl-C; waits end with it
	began    time.Time
	dir      string
	cleanups []func() // in the end, the last one first
	promised []logged // events that must arrive
	daemons  []*daemon

	mu       sync.Mutex
	failures []string
}

func newWorld(ctx context.Context, o options, s scenario, began time.Time) *world {
	return &world{scenario: s, options: o, ctx: ctx, began: began}
}

// path is a file's in the scenario's folder.
func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// cleanup has something done when the scenario has ended, however it does.
func (w *world) cleanup(f func()) { w.cleanups = append(w.cleanups, f) }

// form gives one of two numbers: that of the short form, or of the long one.
func (w *world) form(short, long int) int {
	if w.long {
		return long
	}
	return short
}

// wait waits until something is so; that it never is ends the scenario.
func (w *world) wait(what string, ok func() bool) {
	if !w.within(patience, ok) {
		w.fatal("not seen in %v: %s", patience, what)
	}
}

// within waits until something is so, and says whether it was in time.
func (w *world) within(d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); !ok(); w.sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// sleep lets the programs do what they do.
func (w *world) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-w.ctx.Done():
		w.fatal("interrupted")
	}
}

// someTime is a random duration.
func someTime(from, to time.Duration) time.Duration { return from + rand.N(to-from) }

// Where the test data has its files.
func video(name string) string   { return filepath.Join("videos", name+".mp4") }
func network(name string) string { return filepath.Join("golden", name+"_int8.tflite") }

// model makes a model folder of one of the golden networks.
func (w *world) model(name string) string {
	dir := w.path("model-" + name)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	w.must(os.Mkdir(dir, 0o755))
	w.must(os.Symlink(filepath.Join(w.data, network(name)), filepath.Join(dir, name+".tflite")))
	w.must(os.WriteFile(filepath.Join(dir, "labels.txt"), []byte(strings.Repeat("thing\n", 1001)), 0o600))
	return dir
}

// A config is the daemon's.
type config struct {
	broker     string   // its URL
	model      string   // the model folder
	threads    int      // of the model; 0: one for each core
	thresholds string   // YAML
	cameras    []string // YAML, see world.camera
	scores     bool     // are published
	queue      string   // the folder
	maxMiB     int      // of the queue
}

// always is a label that is entered as long as there are pictures.
const always = "thing (7)"

// flicker are thresholds at which the random network makes an event every few pictures: its scores are of no value,
// but they move.
const flicker = `{enter: 0.3, leave: 0.3, hold: 0s, smoothing: 0s, labels: [{label: "` + always + `", enter: 0, leave: 0}]}`

// quiet are thresholds at which there are no events.
const quiet = "{enter: 1, leave: 1, hold: 1h}"

// config is a config to begin with: two cameras that make some 30 events a second together, at little work.
func (w *world) config(broker string) config {
	return config{
		broker: broker, model: w.model("random_0.35"), thresholds: flicker, scores: true, queue: w.path("queue"), maxMiB: 64,
		cameras: []string{w.camera("bottle", "bottle", "fps: 10"), w.camera("car", "car", "fps: 10")},
	}
}

// camera gives a video as a camera, with further keys.
func (w *world) camera(name, film, keys string) string {
	return fmt.Sprintf("{name: %s, source: %q, loop: true, %s}", name, filepath.Join(w.data, video(film)), keys)
}

func (c config) yaml() string {
	// The cameras come last, so that a part of it is no config.
	return fmt.Sprintf(`node: %s
model: {dir: %q, threads: %d}
thresholds: %s
mqtt:
  brokers: [%q]
  scores: %t
  queue: {dir: %q, max_mib: %d}
http: {listen: ""}
log: {format: json}
cameras:
  - %s
`, node, c.model, c.threads, c.thresholds, c.broker, c.scores, c.queue, c.maxMiB, strings.Join(c.cameras, "\n  - "))
}

// write writes the config file, in one step, and returns its path.
func (w *world) write(c config) string {
	path := w.path("tarsier.yaml")
	w.must(os.WriteFile(path+".new", []byte(c.yaml()), 0o600))
	w.must(os.Rename(path+".new", path))
	return path
}

// start starts a program that Ctrl-C does not reach, since what it is to hear then is the scenario's to say, and that does
// not outlive this one, whatever becomes of it. The channel is closed when it has ended.
func start(cmd *exec.Cmd) (<-chan struct{}, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 10 * time.Second // for children that hold its standard error
	started, done := make(chan error), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // Pdeathsig watches the thread that starts the process
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return done, <-started
}

// A broker is a mosquitto that keeps its sessions when it is stopped.
type broker struct {
	w    *world
	conf string
	port int
	cmd  *exec.Cmd
	done <-chan struct{}
}

func mosquittoPath() string {
	if path, err := exec.LookPath("mosquitto"); err == nil {
		return path
	}
	return "/usr/sbin/mosquitto"
}

// startBroker starts a broker, with further lines in its config.
func (w *world) startBroker(lines ...string) *broker {
	b := &broker{w: w, conf: w.path("mosquitto.conf"), port: w.freePort()}
	// Root stays root ("user" means nothing to others): another user could not write to the folder.
	w.must(os.WriteFile(b.conf, fmt.Appendf(nil, "listener %d 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"+
		"persistence_location %s/\nmax_queued_messages 0\nset_tcp_nodelay true\n%s\n", b.port, w.dir, strings.Join(lines, "\n")), 0o600))
	w.cleanup(b.kill)
	b.start()
	return b
}

func (w *world) freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (b *broker) address() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }
func (b *broker) url() string     { return "tcp://" + b.address() }

// start starts it (again), and waits until it listens.
func (b *broker) start() {
	log, err := os.OpenFile(b.w.path("mosquitto.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	b.w.must(err)
	defer log.Close()
	b.cmd = exec.Command(mosquittoPath(), "-c", b.conf)
	b.cmd.Stderr = log
	b.done, err = start(b.cmd)
	b.w.must(err)
	b.w.wait("mosquitto listens", func() bool {
		c, err := net.Dial("tcp", b.address())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// stop stops it as systemd does: it saves what it knows.
func (b *broker) stop() { b.end(syscall.SIGTERM) }

// kill is kill -9.
func (b *broker) kill() { b.end(syscall.SIGKILL) }

func (b *broker) end(s syscall.Signal) {
	_ = b.cmd.Process.Signal(s)
	<-b.done
}

// forget makes a stopped broker lose all that it knew.
func (b *broker) forget() { b.w.must(os.Remove(b.w.path("mosquitto.db"))) }
