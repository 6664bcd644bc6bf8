package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

const (
	tarsierLog = "tarsier.log"
	nodeREDLog = "node-red.log"
)

// A world is the programs that are looked at, and the folder of their files.
type world struct {
	options
	ctx    context.Context // ends when somebody presses Ctrl-C
	dir    string
	passed int

	programs   []*program
	brokerPort int
	api        string // Node-RED's URL
	heard      *subscriber
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// A program runs until it is killed.
type program struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start starts a program that does not outlive this one, whatever becomes of it.
func (w *world) start(log string, args ...string) error {
	file, err := os.Create(w.path(log))
	if err != nil {
		return err
	}
	defer file.Close()
	p := &program{exec.Command(args[0], args[1:]...), make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		defer close(p.done)
		runtime.LockOSThread() // Pdeathsig watches the thread that starts the process
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	w.programs = append(w.programs, p)
	return nil
}

func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// wait waits until something is so, and says that it is.
func (w *world) wait(what string, is func() error) error {
	begin := time.Now()
	for {
		err := is()
		if err == nil {
			w.passed++
			fmt.Printf("ok %5.1f s  %s\n", time.Since(begin).Seconds(), what)
			return nil
		}
		for _, p := range w.programs {
			select {
			case <-p.done:
				return fmt.Errorf("%s: %s has ended", what, filepath.Base(p.cmd.Path))
			default:
			}
		}
		if time.Since(begin) > patience {
			return fmt.Errorf("not seen in %v: %s: %w", patience, what, err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-w.ctx.Done():
			return fmt.Errorf("%s: interrupted", what)
		}
	}
}

func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err) // there is no network at all
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// tail is the end of a log.
func tail(path string) string {
	b, _ := os.ReadFile(path)
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-30):], []byte("\n")))
}

func (w *world) startBroker() error {
	w.brokerPort = freePort()
	conf := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\n", w.brokerPort)
	if err := os.WriteFile(w.path("mosquitto.conf"), []byte(conf), 0o600); err != nil {
		return err
	}
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto" // which is not in everybody's PATH
	}
	return w.start("mosquitto.log", path, "-c", w.path("mosquitto.conf"))
}

// startTarsier has the daemon watch a bottle.
func (w *world) startTarsier() error {
	models := w.path("models")
	if err := os.Mkdir(models, 0o700); err != nil {
		return err
	}
	const model = "mobilenet_v2_1.0_224_quant.tflite"
	for name, from := range map[string]string{model: model, "labels.txt": "imagenet_labels.txt"} {
		if err := os.Symlink(filepath.Join(w.data, "models", from), filepath.Join(models, name)); err != nil {
			return err
		}
	}
	text := fmt.Sprintf(`node: porch-pi
model: {dir: %q}
thresholds: {enter: 0.3, leave: 0.15, hold: 200ms, smoothing: 500ms, only: [%s]}
cameras: [{name: porch, source: %q, loop: true, fps: 4}]
mqtt: {brokers: ["tcp://127.0.0.1:%d"], snapshots: true, queue: {dir: %q}}
http: {listen: ""}
`, models, bottle, filepath.Join(w.data, "videos", "bottle.mp4"), w.brokerPort, w.path("queue"))
	config := w.path("tarsier.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	return w.start(tarsierLog, filepath.Join(w.bin, "tarsier"), "run", "--config", config)
}
