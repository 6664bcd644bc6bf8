// Package programs starts the programs that tarsier is tried with.
package programs

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// A Program runs until it is told to stop.
type Program struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts a program that does not outlive this one, whatever becomes of it. What it says is added to a log.
func Start(log string, args ...string) (*Program, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p := &Program{exec.Command(args[0], args[1:]...), make(chan struct{})}
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
		return nil, err
	}
	return p, nil
}

// Broker starts a mosquitto on a port, with its files in a folder.
func Broker(dir string, port int) (*Program, error) {
	conf := filepath.Join(dir, "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nuser root\n", port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto" // which is not in everybody's PATH
	}
	return Start(filepath.Join(dir, "mosquitto.log"), path, "-c", conf)
}

// Name is that of its file.
func (p *Program) Name() string { return filepath.Base(p.cmd.Path) }

// Signal sends a signal that ends it, and waits until it has ended.
func (p *Program) Signal(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s)
	<-p.done
}

// Kill is kill -9, of one that has been started.
func (p *Program) Kill() {
	if p != nil {
		p.Signal(syscall.SIGKILL)
	}
}

// Ended says whether it has.
func (p *Program) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// FreePort is one of 127.0.0.1 that nobody listens on.
func FreePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err) // there is no network at all
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Tail is the end of a log.
func Tail(path string) string {
	b, _ := os.ReadFile(path)
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-30):], []byte("\n")))
}
