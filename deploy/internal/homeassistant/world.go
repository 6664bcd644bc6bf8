package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tarsier/deploy/internal/programs"
)

const homeAssistantLog = "home-assistant.out"

// A world is the programs that are looked at, and the folder of their files.
type world struct {
	options
	ctx     context.Context // ends when somebody presses Ctrl-C
	dir     string
	passed  int
	excused int // bytes of Home Assistant's log whose complaints are expected

	broker, tarsier, homeAssistant *programs.Program
	brokerPort                     int
	api                            *api
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) startBroker() (err error) {
	if w.brokerPort == 0 {
		w.brokerPort = programs.FreePort()
	}
	w.broker, err = programs.Broker(w.dir, w.brokerPort)
	return err
}

func (w *world) startTarsier() (err error) {
	w.tarsier, err = programs.Start(w.path("tarsier.log"), filepath.Join(w.bin, "tarsier"), "run", "--config", w.path("tarsier.yaml"))
	return err
}

// startHomeAssistant starts it in its root, in a process namespace that ends when this program does. At its first start it
// installs what its components need.
func (w *world) startHomeAssistant() (err error) {
	config := w.path("configuration.yaml")
	if w.api == nil {
		w.api = &api{ctx: w.ctx, url: fmt.Sprintf("http://127.0.0.1:%d", programs.FreePort())}
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
	w.homeAssistant, err = programs.Start(w.path(homeAssistantLog), "unshare", "--mount", "--pid", "--fork", "--kill-child", "--root="+w.root, "--wd=/",
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
		for name, p := range map[string]*programs.Program{"tarsier": w.tarsier, "Home Assistant": w.homeAssistant} {
			if p != nil && p.Ended() {
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
