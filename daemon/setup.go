package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"tarsier/config"
	"tarsier/mnv2"
	"tarsier/pipeline/capture"
)

const (
	defaultModels = "/var/lib/tarsier/models"
	pagePort      = ":8585"
	defaultPage   = "127.0.0.1" + pagePort
)

func setupCommand() *cobra.Command {
	var path, models string
	c := &cobra.Command{
		Use:   "setup",
		Short: "Ask three questions, try the answers, and write the config",
		Long: `Ask which camera, which broker and what to look for, try each answer, and write
a short config. Nothing is written before the last answer, and what was there is
kept as .bak. The service is started with the new config.

Answers can be piped in, one a line.`,
		Example: `  sudo tarsier setup
  tarsier setup --config my.yaml --model models`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s := &setup{dialogue: newDialogue(c.Context(), c.InOrStdin(), c.OutOrStdout())}
			return s.run(path, models)
		},
	}
	configFlag(c, &path)
	c.Flags().StringVar(&models, "model", defaultModels, "model `DIR`; if there is none in it, one is downloaded; \"\" = the built-in model, which sees how a camera is")
	_ = c.MarkFlagDirname("model")
	return c
}

// A setup is what was answered, and what it takes to try it.
type setup struct {
	*dialogue
	path    string // of the config
	owner   owner  // of what is written
	service bool   // the config is that of the service, which is installed
	child   capture.Options
	model   *model

	file         setupFile
	mqttPassword string // "": none
	httpPassword string
}

func (s *setup) run(path, models string) (err error) {
	if err := noCoreDumps(); err != nil {
		return err
	}
	if s.path, err = filepath.Abs(path); err != nil {
		return err
	}
	if err := writable(filepath.Dir(s.path)); err != nil {
		return err
	}
	s.owner = ownerOf(s.path)
	if s.service = s.path == defaultConfig && systemctl(s.ctx, "cat", "tarsier.service") == nil; s.service {
		// In the service's sandbox a camera may be out of reach that root can open.
		if systemctl(s.ctx, "start", "tarsier-capture.socket") == nil {
			s.child.Socket = captureSocket
		}
	} else {
		s.file.MQTT.Queue.Dir = filepath.Join(filepath.Dir(s.path), "queue") // the default is the service's
	}
	if models != "" {
		if s.file.Model.Dir, err = filepath.Abs(models); err != nil {
			return err
		}
	}
	if s.model, err = s.findModel(); err != nil {
		return err
	}
	s.say("This writes %s.\nEnter takes what is in brackets. Ctrl-C leaves everything as it is.", s.path)
	if _, err := os.Lstat(s.path); err == nil {
		s.say("\nThere is such a file already; it would be kept as %s.bak.", filepath.Base(s.path))
		if replace, err := s.yes("Replace it?", false); err != nil {
			return err
		} else if !replace {
			return errLeft
		}
	}
	for _, question := range []func() error{s.askCamera, s.askBroker, s.askLabels, s.askPage} {
		s.say("")
		if err := question(); err != nil {
			return err
		}
	}
	return s.finish()
}

// writable says what to do if files cannot be written to a folder, or the
// folder cannot be made.
func writable(dir string) error {
	for {
		err := unix.Access(dir, unix.W_OK|unix.X_OK)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir):
			dir = filepath.Dir(dir)
		case os.Geteuid() != 0 && errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("%s may not be written to by this user: run it with sudo, or name another file with --config", dir)
		default:
			return fmt.Errorf("write to %s: %w", dir, err)
		}
	}
}

// findModel loads the model, which is downloaded if there is none. Without a
// network it is the built-in one.
func (s *setup) findModel() (*model, error) {
	if dir := s.file.Model.Dir; dir != "" {
		if found, _ := filepath.Glob(filepath.Join(dir, "*.tflite")); len(found) == 0 {
			err := s.getModel(dir)
			if errors.Is(err, errLeft) {
				return nil, err
			}
			if err != nil {
				s.say("It cannot be downloaded to %s (%v).", dir, err)
				s.say("The built-in model is taken: it sees how a camera is, not what stands before it.")
				s.say("For another mend that, or put a model and its labels.txt there, and run it again.\n")
				s.file.Model.Dir = ""
			}
		}
	}
	file, err := pickModel(s.file.Model.Dir, 0)
	if err != nil {
		return nil, err
	}
	return loadModel(file, "", mnv2.Options{})
}

// getModel runs get-models, which comes with the package, or in the project
// that this program was built in.
func (s *setup) getModel(dir string) error {
	script := "/usr/share/tarsier/get-models"
	if self, err := os.Executable(); err == nil {
		if ours := filepath.Join(filepath.Dir(self), "..", "deploy", "get-models"); unix.Access(ours, unix.X_OK) == nil {
			script = ours
		}
	}
	s.say("There is no model in %s yet: downloading one.", dir)
	// Whatever root's umask is, the service has to read it.
	defer syscall.Umask(syscall.Umask(0o022))
	c := exec.CommandContext(s.ctx, script, dir)
	c.Stdout, c.Stderr = s.out, os.Stderr
	err := c.Run()
	if s.ctx.Err() != nil {
		return errLeft
	}
	return err
}

// finish writes what was answered, starts the service and says what is next.
func (s *setup) finish() error {
	cfg, _, err := s.file.check(s.model)
	if err != nil {
		return err
	}
	var files []newFile
	if s.mqttPassword != "" {
		files = append(files, newFile{s.file.MQTT.PasswordFile, []byte(s.mqttPassword + "\n")})
	}
	if s.httpPassword != "" {
		files = append(files, newFile{s.file.HTTP.PasswordFile, []byte(s.httpPassword + "\n")})
	}
	files = append(files, newFile{s.path, s.file.text()}) // the last, since a daemon that runs reads it at once
	if err := put(files, s.owner); err != nil {
		return err
	}
	s.say("")
	for _, f := range files {
		s.say("Wrote %s (%v).", f.path, s.owner)
	}
	if s.service {
		// systemctl waits until the daemon says that it is ready. The config is in place now, so it is not left half done.
		if err := systemctl(context.WithoutCancel(s.ctx), "restart", "tarsier.service"); err != nil {
			return fmt.Errorf("start tarsier.service: %w; `journalctl -u tarsier -n 20` shows why", err)
		}
		s.say("tarsier.service is started.")
	} else {
		s.say("Start it with: %s run --config %s", os.Args[0], s.path)
	}
	s.say("")
	s.sayNext(cfg)
	return nil
}

func (s *setup) sayNext(cfg *config.Config) {
	if s.httpPassword == "" {
		s.say("Page     http://%s/ on this machine", defaultPage)
	} else {
		s.say("Page     %s", strings.Join(addresses(), " or "))
		s.say("         password: %s (and any user name)", s.httpPassword)
	}
	topic := cfg.MQTT.BaseTopic + "/" + cfg.Node + "/#"
	if u, err := url.Parse(cfg.MQTT.Brokers[0]); err == nil && u.Scheme == "tcp" {
		command := "mosquitto_sub -h " + u.Hostname()
		if port := u.Port(); port != "" && port != "1883" {
			command += " -p " + port
		}
		if cfg.MQTT.Username != "" {
			command += " -u " + cfg.MQTT.Username + " -P PASSWORD"
		}
		s.say("Events   %s -v -t '%s'", command, topic)
	} else {
		s.say("Events   in the topics %s", topic)
	}
	s.say("         Home Assistant finds the device by itself at the same broker.")
	s.say("Changes  edit %s: they take effect when it is saved", s.path)
}

// addresses are where other devices find the page.
func addresses() []string {
	var found []string
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			found = append(found, "http://"+n.IP.String()+pagePort+"/")
		}
	}
	if found == nil {
		found = []string{"http://ADDRESS-OF-THIS-DEVICE" + pagePort + "/"}
	}
	return found
}

// systemctl runs systemctl, if systemd runs this machine.
func systemctl(ctx context.Context, args ...string) error {
	if _, err := os.Stat("/run/systemd/system"); err != nil { // sd_booted(3)
		return err
	}
	out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
