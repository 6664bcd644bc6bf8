package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"tarsier/config"
	"tarsier/pipeline/capture"
)

// captureSocket is where systemd starts capture programs, in a sandbox of
// their own, see systemd/tarsier-capture.socket.
const captureSocket = "/run/tarsier/capture.sock"

func runCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon",
		Long: `Run the daemon: watch the cameras of the config and publish what changes.

The config file is watched: a valid change takes effect at once, an invalid one
is refused as a whole and logged. SIGHUP reads it again. SIGTERM stops: what was
entered is left, and what waits is delivered.`,
		Example: `  tarsier run
  tarsier run --config my.yaml
  TARSIER_LOG_LEVEL=debug tarsier run --config my.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return run(c.Context(), path) },
	}
	configFlag(c, &path)
	return c
}

func run(ctx context.Context, path string) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	cfg, err := loadConfig(path)
	if err != nil {
		return err
	}
	setLogLevel(cfg.Log.Level)
	log := newLogger(cfg.Log.Format)
	debug.SetGCPercent(50) // a frame allocates nothing: what the page leaves behind is not worth its memory
	if err := noCoreDumps(); err != nil {
		log.Warn("a crash may leave passwords on disk", "error", err)
	}
	d, err := newDaemon(path, cfg, captureOptions(), log)
	if err != nil {
		return err
	}
	log.Info("tarsier starts", "version", version, "node", cfg.Node, "model", d.model.file.network.Name,
		"width_mult", d.model.file.facts.WidthMult, "auto", d.widths != nil, "kernel", d.model.engine.Kernel(), "cameras", len(cfg.Cameras))

	watchCtx, stopWatch := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		err := config.Watch(watchCtx, path, cfg, func(*config.Config, error) { wake(d.reload) })
		if err != nil && watchCtx.Err() == nil {
			log.Error("the config file is not watched; SIGHUP reads it again", "error", err)
		}
	}()
	hupDone := make(chan struct{})
	go func() {
		defer close(hupDone)
		for {
			select {
			case <-watchCtx.Done():
				return
			case <-hup:
				wake(d.reload)
			}
		}
	}()
	err = d.run(ctx)
	stopWatch()
	<-watched
	<-hupDone
	if err != nil {
		log.Error("stopped", "error", err)
		return errReported
	}
	log.Info("stopped")
	return nil
}

// captureOptions says how capture programs are started: by systemd where its
// socket is there, else as our own children.
func captureOptions() capture.Options {
	if _, err := os.Stat(captureSocket); err == nil && os.Getenv("NOTIFY_SOCKET") != "" {
		return capture.Options{Socket: captureSocket}
	}
	return capture.Options{}
}

// loadConfig reads the config of a command line.
func loadConfig(path string) (*config.Config, error) {
	cfg, err := config.Load(path)
	var mistakes config.Errors
	if err != nil && !errors.As(err, &mistakes) {
		err = &usageError{err}
	}
	return cfg, err
}

// loadModelConfig reads the model section of a config. Without one that was
// asked for by name, commands that only need a model do without.
func loadModelConfig(path string, asked bool) (config.Model, error) {
	cfg, err := loadConfig(path)
	switch {
	case err == nil:
		return cfg.Model, nil
	case !asked && errors.Is(err, os.ErrNotExist):
		m := config.Model{Dir: os.Getenv("TARSIER_MODEL_DIR")}
		if width := os.Getenv("TARSIER_MODEL_WIDTH_MULT"); width != "" {
			if m.WidthMult, err = config.ParseWidth(width); err != nil {
				return m, usagef("TARSIER_MODEL_WIDTH_MULT: %w", err)
			}
		}
		return m, nil
	}
	return config.Model{}, err
}

// autoWidths says what width_mult: auto means in a directory.
func autoWidths(dir string) (string, error) {
	files, _, err := autoModels(dir)
	var all []string
	for _, f := range files {
		all = append(all, fmt.Sprint(f.facts.WidthMult))
	}
	return "auto (the widest that keeps up, of " + strings.Join(all, ", ") + ")", err
}

func checkCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "check",
		Short: "Validate a config and say what it would do",
		Long:  "Validate a config and say what it would do. No camera is opened and no connection is made.",
		Example: `  tarsier check
  tarsier check --config my.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}
			m, err := configModel(cfg)
			if err != nil {
				return err
			}
			plans, err := planCameras(cfg, m)
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			width := fmt.Sprint(m.file.facts.WidthMult)
			if cfg.Model.WidthMult == config.Auto {
				if width, err = autoWidths(cfg.Model.Dir); err != nil {
					return err
				}
			}
			fmt.Fprintf(out, "node %s: model %s, width_mult %s, %d classes, %dx%d, kernel %s\n", cfg.Node, m.file.network.Name,
				width, len(m.labels), m.file.facts.Size, m.file.facts.Size, m.engine.Kernel())
			fmt.Fprintf(out, "broker: %v, topics %s/%s/..., QoS %d; events wait in %s\n", cfg.MQTT.Brokers, cfg.MQTT.BaseTopic, cfg.Node,
				cfg.MQTT.QoS, cmp.Or(cfg.MQTT.Queue.Dir, "memory"))
			for _, p := range plans {
				rate := "as fast as the board can"
				if p.fps > 0 {
					rate = fmt.Sprintf("%v times a second", p.fps)
				}
				fmt.Fprintf(out, "camera %s: %s, %s, fit %s\n", p.name, capture.Redact(p.source.source), rate, p.source.fit)
				for i, t := range p.thresholds {
					events := "all labels"
					if len(t.Only) > 0 {
						events = fmt.Sprintf("%d labels", len(t.Only))
					}
					fmt.Fprintf(out, "  region %s: enter at %v, leave below %v, hold %v, smoothing %v, %s\n", p.regions[i], t.Enter, t.Leave, t.Hold, t.Smoothing, events)
				}
			}
			_, err = fmt.Fprintln(out, "The config is fine.")
			return err
		},
	}
	configFlag(c, &path)
	return c
}
