package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"gopkg.in/yaml.v3"

	"tarsier/config"
)

// setupHead begins the file that setup writes.
const setupHead = "# Written by tarsier setup. Every other key, and its default: /usr/share/tarsier/tarsier.yaml. The page: http://%s/\n"

// A setupFile is the config that setup writes: what was answered, and nothing
// that is the default anyway.
type setupFile struct {
	Model struct {
		Dir string `yaml:"dir"`
	} `yaml:"model,flow,omitempty"`
	Thresholds struct {
		Only []string `yaml:"only"`
	} `yaml:"thresholds,flow,omitempty"`
	Cameras []setupCamera `yaml:"cameras"`
	MQTT    setupMQTT     `yaml:"mqtt,omitempty"`
	HTTP    setupHTTP     `yaml:"http,flow,omitempty"`
}

type setupCamera struct {
	Name   string `yaml:"name"`
	Source string `yaml:"source"`
	Loop   bool   `yaml:"loop,omitempty"`
}

type setupMQTT struct {
	Brokers      []string `yaml:"brokers,flow,omitempty"`
	Username     string   `yaml:"username,omitempty"`
	PasswordFile string   `yaml:"password_file,omitempty"`
	Queue        struct {
		Dir string `yaml:"dir"`
	} `yaml:"queue,flow,omitempty"`
}

type setupHTTP struct {
	Listen       string `yaml:"listen"`
	PasswordFile string `yaml:"password_file"`
}

func (f *setupFile) text() []byte {
	var b bytes.Buffer
	page := defaultPage
	if f.HTTP.Listen != "" {
		page = "this-device" + pagePort
	}
	fmt.Fprintf(&b, setupHead, page)
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(f); err != nil {
		panic(fmt.Sprintf("no YAML for %+v: %v", f, err)) // it is text all through
	}
	return b.Bytes()
}

// check has the config that the answers make so far read as the daemon would.
func (f *setupFile) check(m *model) (*config.Config, []*cameraPlan, error) {
	file, err := os.CreateTemp("", "tarsier-*.yaml")
	if err != nil {
		return nil, nil, err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(f.text())
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, nil, err
	}
	cfg, err := config.Load(file.Name())
	var plans []*cameraPlan
	if err == nil {
		plans, err = planCameras(cfg, m)
	}
	var mistakes config.Errors
	if errors.As(err, &mistakes) && mistakes[0].Variable == "" {
		// The line of a file that nobody has seen is of no use.
		err = fmt.Errorf("found %s, allowed: %s", mistakes[0].Found, mistakes[0].Allowed)
	}
	return cfg, plans, err
}

// put puts files in place, in that order: each is whole, and has its owner and
// mode, when it gets its name. What it replaces is kept as .bak.
func put(files []newFile, o owner) error {
	dir := filepath.Dir(files[0].path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return err
		}
		if err := o.give(dir); err != nil {
			return err
		}
	}
	staged := make([]string, len(files))
	defer func() {
		for _, path := range staged {
			_ = os.Remove(path) // those that have their name are not there any more
		}
	}()
	for i, f := range files {
		temp, err := os.CreateTemp(dir, ".tarsier-setup-*")
		if err != nil {
			return err
		}
		staged[i] = temp.Name()
		_, err = temp.Write(f.content)
		if err = errors.Join(err, temp.Chown(o.uid, o.gid), temp.Chmod(o.mode), temp.Sync(), temp.Close()); err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
	}
	for i, f := range files {
		if _, err := os.Lstat(f.path); err == nil {
			_ = os.Remove(f.path + ".bak")
			if err := os.Link(f.path, f.path+".bak"); err != nil {
				return fmt.Errorf("keep a copy of what was there: %w", err)
			}
		}
		if err := os.Rename(staged[i], f.path); err != nil {
			return err
		}
	}
	return nil
}

// A newFile is one that is still to be written.
type newFile struct {
	path    string
	content []byte
}

// An owner is whose files are, and who may read them.
type owner struct {
	uid, gid int // -1: whoever writes them
	mode     fs.FileMode
}

// ownerOf says whose the files in a config's folder are to be. Root writes them
// for others: for the service, or for those whose folder it is.
func ownerOf(path string) owner {
	if os.Geteuid() != 0 {
		return owner{-1, -1, 0o600}
	}
	o := owner{0, 0, 0o640}
	var st syscall.Stat_t
	if syscall.Stat(filepath.Dir(path), &st) == nil {
		o.uid, o.gid = int(st.Uid), int(st.Gid)
	}
	if path == defaultConfig {
		if g, err := user.LookupGroup("tarsier"); err == nil {
			o.gid, _ = strconv.Atoi(g.Gid)
		}
	}
	return o
}

func (o owner) give(path string) error { return os.Chown(path, o.uid, o.gid) }

// String is the owner as ls shows it.
func (o owner) String() string {
	if o.uid < 0 {
		return fmt.Sprintf("mode %#o", o.mode)
	}
	u, g := strconv.Itoa(o.uid), strconv.Itoa(o.gid)
	if found, err := user.LookupId(u); err == nil {
		u = found.Username
	}
	if found, err := user.LookupGroupId(g); err == nil {
		g = found.Name
	}
	return fmt.Sprintf("mode %#o, %s:%s", o.mode, u, g)
}
