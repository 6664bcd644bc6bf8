package pipeline

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Version is the "v" of every event: it changes when a field changes its meaning.
const Version = 1

// The types of an event.
const (
	Enter = "enter"
	Leave = "leave"
)

// Why a label was left. An enter has no reason.
const (
	ByScore       = "score"          // the smoothed score stayed below the threshold
	CameraOffline = "camera_offline" // no picture arrives any more
	Stopped       = "stopped"        // the daemon stops, or the camera is paused
	Reconfigured  = "reconfigured"   // the label, the region, the camera or the model is not watched any more
	Restarted     = "restarted"      // the daemon crashed; the next one says so
)

// What the system clock was worth when an event's frame was taken.
const (
	Synced   = "synced"
	Unsynced = "unsynced"
)

// An Event tells a subscriber that a label was entered or left. Its fields stand in the order of its JSON.
type Event struct {
	V         int     `json:"v"`   // Version
	ID        string  `json:"id"`  // unique: node and Seq
	Seq       uint64  `json:"seq"` // counts a node's events without a gap
	Time      Time    `json:"time"`
	Clock     string  `json:"clock"`
	Node      string  `json:"node"`
	Camera    string  `json:"camera"`
	Region    string  `json:"region"`
	Type      string  `json:"type"`
	Reason    string  `json:"reason,omitempty"` // of a leave
	Label     string  `json:"label"`
	Index     int     `json:"index"`
	Score     float64 `json:"score"` // smoothed
	Top       []Score `json:"top"`
	Model     Model   `json:"model"`
	LatencyMS float64 `json:"latency_ms"` // from Time until the event was queued

	Uptime time.Duration `json:"-"` // of the machine at Time: tells Time again if the clock is set later
}

// A Score is a class and how sure the model is of it, 0 to 1.
type Score struct {
	Label string  `json:"label"`
	Index int     `json:"index"`
	Score float64 `json:"score"`
}

// A Model says which network the scores are from.
type Model struct {
	Name      string  `json:"name"`
	WidthMult float64 `json:"width_mult"`
	SHA256    string  `json:"sha256"` // the first eight digits
}

// MarshalJSON writes a whole width with a decimal (1.0): whoever infers a column's type from its first value
// must not take it for an integer.
func (m Model) MarshalJSON() ([]byte, error) {
	width := strconv.FormatFloat(m.WidthMult, 'f', -1, 64)
	if !strings.Contains(width, ".") {
		width += ".0"
	}
	return json.Marshal(struct {
		Name      string      `json:"name"`
		WidthMult json.Number `json:"width_mult"`
		SHA256    string      `json:"sha256"`
	}{m.Name, json.Number(width), m.SHA256})
}

// Time is a time.Time whose JSON is RFC 3339 in UTC with exactly three decimals, so that times sort as text.
type Time struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// State is what a region shows now: the retained `state`.
type State struct {
	Label   *string   `json:"label"`   // the first of Entered, nil if none
	Entered []Entered `json:"entered"` // best score first; never nil
}

// Entered is a label that is entered: its smoothed score now, and the time of its enter.
type Entered struct {
	Score
	Since Time `json:"since"`
}
