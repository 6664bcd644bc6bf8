// Package config is tarsier's config file: YAML with strict keys, environment variables over it, defaults under it, and every value
// checked.
//
// It takes a path and gives a *Config, which nobody changes after that, or Errors: every mistake at once, each with its line. Watch
// tells of each new content of the file. tarsier.yaml beside this file says what the keys mean.
//
// Viper decides between environment, file and default. It is handed the file as yaml.v3 nodes and never looks into them, because it
// would fold the case of what it finds there, and knows no lines.
package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"
)

// A Config is a whole config file. The tags of this struct and of those below are the schema: see loader.
type Config struct {
	Node       string    `key:"node" is:"node"`
	Model      Model     `key:"model"`
	Thresholds Overrides `key:"thresholds"` // for every camera: all are set
	Cameras    []Camera  `key:"cameras"`    // at least one
	MQTT       MQTT      `key:"mqtt"`
	HTTP       HTTP      `key:"http"`
	Log        Log       `key:"log"`

	content [sha256.Size]byte // of the file
	places  places
}

// Mistake is the error of a value that Load cannot know to be wrong, such as a label that the model does not have. An empty
// found stands for what the file has.
func (c *Config) Mistake(key, found, allowed string) Error {
	if found == "" {
		found = c.places.found(key)
	}
	return c.places.mistake(key, found, allowed)
}

// Model says what runs.
type Model struct {
	Dir       string `key:"dir"` // "": the built-in model
	WidthMult Width  `key:"width_mult" default:"0"`
	Threads   int    `key:"threads" default:"0" range:"0 256"` // 0: one for each core
}

// A Width says which of a folder's widths runs: the one with that multiplier, Widest or Auto.
type Width float64

const (
	Widest Width = 0
	Auto   Width = -1 // in the file "auto": the widest with which every camera keeps its fps
)

// ParseWidth reads a width as it stands in the file.
func ParseWidth(text string) (Width, error) {
	if text == "auto" {
		return Auto, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0 && f <= maxWidth) {
		return 0, fmt.Errorf("found %s, allowed: %s", quote(text), widths)
	}
	return Width(f), nil
}

const (
	maxWidth = 8
	widths   = "a number from 0 to 8, or auto"
)

// Overrides are thresholds of which some are given: those of the next wider scope hold for the rest.
type Overrides struct {
	Enter     *float64        `key:"enter" default:"0.60" range:"0 1"`
	Leave     *float64        `key:"leave" default:"0.40" range:"0 1"`
	Hold      *time.Duration  `key:"hold" default:"1s" range:"0s 24h"`
	Smoothing *time.Duration  `key:"smoothing" default:"1s" range:"0s 24h"`
	TopK      *int            `key:"top_k" default:"3" range:"1 100"`
	Only      []string        `key:"only" is:"label"` // nil: not given; empty: nobody has chosen
	Labels    []LabelOverride `key:"labels"`          // those of narrower scopes are added, label by label
}

// A LabelOverride is what holds for one label, however wide the scope of the rest.
type LabelOverride struct {
	Label string   `key:"label" is:"label"`
	Enter *float64 `key:"enter" range:"0 1"`
	Leave *float64 `key:"leave" range:"0 1"`
}

// A Camera is one source of pictures.
type Camera struct {
	Name       string    `key:"name" is:"name"`
	Source     string    `key:"source" is:"source"`             // may hold a password
	FPS        float64   `key:"fps" default:"5" range:"0 1000"` // classifications a second; 0: as many as the board can
	Loop       bool      `key:"loop" default:"false"`
	Fit        string    `key:"fit" default:"stretch" oneof:"stretch crop tiles"`
	Regions    []Region  `key:"regions" max:"64"` // at least one, and no more than the capture program takes
	Thresholds Overrides `key:"thresholds"`
}

// A Region is a part of a camera's picture.
type Region struct {
	Name       string     `key:"name" is:"name"`
	Box        [4]float64 `key:"box" default:"[0, 0, 1, 1]" range:"0 1"` // x, y, width, height as fractions of the frame
	Thresholds Overrides  `key:"thresholds"`
}

// MQTT says where events go.
type MQTT struct {
	Brokers         []string `key:"brokers" default:"[tcp://localhost:1883]" is:"broker"`
	ClientID        string   `key:"client_id"` // never empty
	Username        string   `key:"username"`
	PasswordFile    string   `key:"password_file"`
	TLS             TLS      `key:"tls"`
	BaseTopic       string   `key:"base_topic" default:"tarsier" is:"topic"`
	QoS             int      `key:"qos" default:"1" range:"1 2"`
	DiscoveryPrefix string   `key:"discovery_prefix" default:"homeassistant" is:"prefix"` // "": no discovery
	Scores          bool     `key:"scores" default:"false"`
	Snapshots       bool     `key:"snapshots" default:"false"`
	Queue           Queue    `key:"queue"`
}

// TLS holds for brokers of the schemes ssl and wss.
type TLS struct {
	CAFile             string `key:"ca_file"`
	CertFile           string `key:"cert_file"`
	KeyFile            string `key:"key_file"`
	InsecureSkipVerify bool   `key:"insecure_skip_verify" default:"false"`
}

// Queue is where events wait for the broker.
type Queue struct {
	Dir    string `key:"dir" default:"/var/lib/tarsier/queue"`
	MaxMiB int    `key:"max_mib" default:"64" range:"1 1048576"`
}

// HTTP is the page.
type HTTP struct {
	Listen       string `key:"listen" default:"127.0.0.1:8585" is:"listen"` // "": no page
	PasswordFile string `key:"password_file"`
}

// Log says what is logged, and how.
type Log struct {
	Level  string `key:"level" default:"info" oneof:"debug info warn error"`
	Format string `key:"format" default:"auto" oneof:"auto journal text json"`
}

// Thresholds are those that hold in one region.
type Thresholds struct {
	Enter, Leave    float64
	Hold, Smoothing time.Duration
	TopK            int
	Only            []string         // empty: nobody has chosen
	Labels          []LabelThreshold // each label once
}

// A LabelThreshold is what holds for one label instead.
type LabelThreshold struct {
	Label        string
	Enter, Leave float64
}

// maxSize is far more than a config of a thousand cameras takes.
const maxSize = 1 << 20

// Load reads a config file. Mistakes in it are Errors; that there is no file is an fs.ErrNotExist.
func Load(path string) (*Config, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	return parse(path, data)
}

func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no config file %s: write one, or name another with --config: %w", path, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the config file %s may not be read by this user: change its owner or mode: %w", path, fs.ErrPermission)
	case err != nil:
		return nil, fmt.Errorf("read the config file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the config file: %w", err)
	}
	return data, nil
}

// RegionThresholds gives the thresholds of a region of a camera of this config: the region's come before the camera's, these before
// those of all cameras, and a label's own before any that are for all labels.
func (c *Config) RegionThresholds(camera *Camera, region *Region) Thresholds {
	scopes := []*Overrides{&c.Thresholds, &camera.Thresholds, &region.Thresholds}
	var t Thresholds
	for _, s := range scopes {
		override(&t.Enter, s.Enter)
		override(&t.Leave, s.Leave)
		override(&t.Hold, s.Hold)
		override(&t.Smoothing, s.Smoothing)
		override(&t.TopK, s.TopK)
		if s.Only != nil {
			t.Only = s.Only
		}
	}
	for _, s := range scopes {
		for _, l := range s.Labels {
			i := slices.IndexFunc(t.Labels, func(have LabelThreshold) bool { return have.Label == l.Label })
			if i < 0 {
				i = len(t.Labels)
				t.Labels = append(t.Labels, LabelThreshold{l.Label, t.Enter, t.Leave})
			}
			override(&t.Labels[i].Enter, l.Enter)
			override(&t.Labels[i].Leave, l.Leave)
		}
	}
	return t
}

func override[T any](value *T, with *T) {
	if with != nil {
		*value = *with
	}
}
