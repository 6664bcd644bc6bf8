// Command demo shows tarsier at work, for ./deploy/demo: it starts an MQTT
// broker on this machine, the real daemon with a camera or two, and prints what
// a subscriber receives.
//
// The cameras are videos where there are some, and else photographs shown one
// after the other by an HTTP server; where there is neither, a clip that the
// demo draws, and the built-in model tells how well the camera sees. Its exit
// status says whether events came.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

func main() {
	data := flag.String("data", "", "`folder` of the models, videos or photographs (default: the built-in model, and a clip that the demo draws)")
	bin := flag.String("bin", "bin", "`folder` of tarsier and tarsier-capture")
	seconds := flag.Int("seconds", 0, "end after `N` seconds (default: at Ctrl-C on a terminal, elsewhere when each camera has made an event)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, *data, *bin, *seconds)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// Without a terminal nobody presses Ctrl-C: the demo ends when it has shown
// what there is to see, or when this is over.
const patience = 90 * time.Second

func run(ctx context.Context, data, bin string, seconds int) (err error) {
	dir, err := os.MkdirTemp("", "tarsier-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	cameras, models, closeCameras, err := whatToShow(data, dir)
	if err != nil {
		return err
	}
	defer closeCameras()

	interactive := term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
	show := newPrinter(os.Stdout, term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "")
	broker, address, err := startBroker(show.message)
	if err != nil {
		return err
	}
	defer broker.Close()

	config := filepath.Join(dir, "tarsier.yaml")
	if err := os.WriteFile(config, []byte(configFor(cameras, models, address, filepath.Join(dir, "queue"))), 0o600); err != nil {
		return err
	}
	for _, c := range cameras {
		fmt.Printf("camera %s: %s\n", c.name, filepath.Base(c.source))
	}
	host, port, _ := strings.Cut(address, ":")
	fmt.Printf("subscribe yourself: mosquitto_sub -h %s -p %s -t 'tarsier/#' -v\n", host, port)
	fmt.Printf("look: http://%s/\n", page)
	if interactive && seconds == 0 {
		fmt.Println("Ctrl-C ends it")
	}
	fmt.Println()

	var limit <-chan time.Time
	var enough <-chan struct{}
	switch {
	case seconds > 0:
		limit = time.After(time.Duration(seconds) * time.Second)
	case !interactive:
		limit = time.After(patience)
		enough = show.allEntered(cameras)
	}

	daemon, err := startDaemon(filepath.Join(bin, "tarsier"), config, filepath.Join(dir, "tarsier.log"))
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-limit:
	case <-enough:
	case <-daemon.done:
		return fmt.Errorf("tarsier ended by itself (%v); it said:\n%s", daemon.err, daemon.said())
	}
	daemon.stop()
	if daemon.err != nil {
		return fmt.Errorf("tarsier did not end well (%v); it said:\n%s", daemon.err, daemon.said())
	}
	if n := show.count(); n > 0 {
		fmt.Printf("\n%d events\n", n)
		return nil
	}
	if ctx.Err() != nil {
		return nil // stopped by hand before there was anything to see
	}
	return fmt.Errorf("no event came; tarsier said:\n%s", daemon.said())
}

// whatToShow gives the cameras and a model.dir, "" for the built-in model, and
// what ends the cameras.
func whatToShow(data, temp string) ([]camera, string, func(), error) {
	if data == "" {
		fmt.Println("drawing a street; over its camera come a hand, defocus, night, glare, noise and a broken stream")
		cameras, end, err := serveClip()
		return cameras, "", end, err
	}
	models, err := modelDir(data, temp)
	if err != nil {
		return nil, "", nil, err
	}
	cameras, end, err := findCameras(data)
	return cameras, models, end, err
}

// modelDir gives a model.dir with the ImageNet model: what get-models made is
// one already, the test data keep several models' labels side by side.
func modelDir(data, temp string) (string, error) {
	if _, err := os.Stat(filepath.Join(data, "labels.txt")); err == nil {
		return filepath.Abs(data)
	}
	dir := filepath.Join(temp, "models")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	for name, from := range map[string]string{
		"mobilenet_v2_1.0_224_quant.tflite": "mobilenet_v2_1.0_224_quant.tflite",
		"labels.txt":                        "imagenet_labels.txt",
	} {
		from, err := filepath.Abs(filepath.Join(data, "models", from))
		if err != nil {
			return "", err
		}
		if err := os.Symlink(from, filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// page is where the daemon's page is, unless something else is there.
const page = "127.0.0.1:8585"

// configFor writes the daemon's config. With a thousand labels the thresholds
// are low: one of them is rarely sure of itself.
func configFor(cameras []camera, models, broker, queue string) string {
	var b strings.Builder
	if models != "" {
		fmt.Fprintln(&b, "thresholds: {enter: 0.35, leave: 0.2, hold: 200ms, smoothing: 500ms}")
	}
	fmt.Fprintf(&b, `node: demo
model: {dir: %q}
mqtt: {brokers: [%q], discovery_prefix: "", queue: {dir: %q}}
http: {listen: %q}
cameras:
`, models, "tcp://"+broker, queue, page)
	for _, c := range cameras {
		only, _ := json.Marshal(append([]string{}, c.only...)) // JSON is YAML, and null is no list
		fmt.Fprintf(&b, "  - {name: %s, source: %q, loop: %t, fps: 5, thresholds: {only: %s}}\n", c.name, c.source, c.loop, only)
	}
	return b.String()
}

// A daemon is the running tarsier.
type daemon struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended, and err is set
	err  error
}

func startDaemon(path, config, log string) (*daemon, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(path, "run", "--config", config)
	cmd.Stderr = out
	// Ctrl-C is for the demo, which then stops the daemon; and the daemon does not outlive the demo, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	d := &daemon{cmd: cmd, log: log, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig watches the thread that starts the process
		err := cmd.Start()
		started <- err
		if err == nil {
			d.err = cmd.Wait()
			close(d.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w; ./deploy/build builds it", path, err)
	}
	return d, nil
}

func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(10 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.done
		d.err = errors.New("it took more than 10 s to stop")
	}
}

// said gives the end of the daemon's log.
func (d *daemon) said() string {
	text, _ := os.ReadFile(d.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
