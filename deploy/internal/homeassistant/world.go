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
	"strings"
	"syscall"
	"time"
)

const homeAssistantLog = "home-assistant.out"

// A world is the programs that are looked at, and the folder of their files.
type world struct {
	options
	ctx     context.Context // ends when somebody presses Ctrl-C
	dir     string
	passed  int
	excused int // bytes of Home Assistant's log whose complaints are expected

	broker, tarsier, homeAssistant *program
	brokerPort                     int
	api                            *api
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// A program runs until it is told to stop.
type program struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start starts a program that does not outlive this one, whatever becomes of it. What it says is added to a log.
func (w *world) start(log string, args ...string) (*program, error) {
	file, err := os.OpenFile(w.path(log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
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
	return p, <-started
}

func (p *program) signal(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s)
	<-p.done
}

// kill is kill -9, of one that has been started.
func (p *program) kill() {
	if p != nil {
		p.signal(syscall.SIGKILL)
	}
}

func (p *program) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (w *world) startBroker() (err error) {
	if w.brokerPort == 0 {
		w.brokerPort = freePort()
	}
	conf := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nuser root\n", w.brokerPort)
	if err := os.WriteFile(w.path("mosquitto.conf"), []byte(conf), 0o600); err != nil {
		return err
	}
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto" // which is not in everybody's PATH
	}
	w.broker, err = w.start("mosquitto.log", path, "-c", w.path("mosquitto.conf"))
	return err
}

func (w *world) startTarsier() (err error) {
	w.tarsier, err = w.start("tarsier.log", filepath.Join(w.bin, "tarsier"), "run", "--config", w.path("tarsier.yaml"))
	return err
}

// startHomeAssistant starts it in its root, in a process namespace that ends when this program does. At its first start it
// installs what its components need.
func (w *world) startHomeAssistant() (err error) {
	config := w.path("configuration.yaml")
	if w.api == nil {
		w.api = &api{ctx: w.ctx, url: fmt.Sprintf("http://127.0.0.1:%d", freePort())}
		sample, err := os.ReadFile("deploy/home-assistant/automation.yaml")
		if err != nil {
			return err
		}
		port := w.api.url[strings.LastIndex(w.api.url, ":")+1:]
		text := fmt.Sprintf("http: {server_host: 127.0.0.1, server_port: %s}\nlogger: {default: warning}\nautomation:\n%s", port, sample)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return err
		}
	}
	inside, err := filepath.Rel(w.root, w.dir)
	if err != nil {
		return err
	}
	w.homeAssistant, err = w.start(homeAssistantLog, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--root="+w.root, "--wd=/",
		"--mount-proc", "/opt/homeassistant/bin/hass", "--config", "/"+inside)
	return err
}

// wait waits until something is as it should be, and says so.
func (w *world) wait(what string, as func() error) error {
	begin := time.Now()
	for {
		err := as()
		if err == nil {
			w.passed++
			fmt.Printf("ok %5.1f s  %s\n", time.Since(begin).Seconds(), what)
			return nil
		}
		for name, p := range map[string]*program{"tarsier": w.tarsier, "Home Assistant": w.homeAssistant} {
			if p != nil && p.ended() {
				return fmt.Errorf("%s: %s has ended", what, name)
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
