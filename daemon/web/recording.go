package web

import (
	"math"
	"strconv"
	"time"

	"tarsier/pipeline"
)

// A Recording is what a region scored over some time: all that static/rules.js needs to say which events other thresholds
// would have given. It holds the labels that are worth a look, not all of a model's.
type Recording struct {
	Start  pipeline.Time `json:"start"`
	Times  []int64       `json:"times"` // of each frame: nanoseconds since Start, by the boot-time clock
	Ends   []End         `json:"ends"`
	Labels []LabelScores `json:"labels"`
	// Floor is the best score of any label that is left out: thresholds above it make no event of those.
	Floor float64 `json:"floor"`
}

// An End is a call of pipeline.Region.End before frame Frame, which is len(Times) after the last.
type End struct {
	Frame  int    `json:"frame"`
	Time   int64  `json:"time"` // as in Times
	Reason string `json:"reason"`
}

// LabelScores are the scores of a class, not smoothed, one for each frame.
type LabelScores struct {
	Label  string `json:"label"`
	Index  int    `json:"index"`
	Scores Scores `json:"scores"`
}

// Scores are float32 as the network gives them. In JSON they are as short as they can be, and what it has no number for
// is what pipeline.Region takes it for.
type Scores []float32

// MarshalJSON implements json.Marshaler.
func (s Scores) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 8*len(s)+2), '[')
	for i, x := range s {
		if i > 0 {
			b = append(b, ',')
		}
		switch f := float64(x); {
		case math.IsNaN(f), math.IsInf(f, -1):
			b = append(b, '0')
		case math.IsInf(f, 1):
			b = append(b, '1')
		default:
			b = strconv.AppendFloat(b, f, 'g', -1, 32)
		}
	}
	return append(b, ']'), nil
}

// Thresholds are pipeline.Thresholds as static/rules.js takes them.
type Thresholds struct {
	Enter     float64          `json:"enter"`
	Leave     float64          `json:"leave"`
	Hold      time.Duration    `json:"hold_ns"`
	Smoothing time.Duration    `json:"smoothing_ns"`
	Only      []int            `json:"only"`
	Labels    []LabelThreshold `json:"labels"`
}

// A LabelThreshold overrides the thresholds of one class.
type LabelThreshold struct {
	Index int     `json:"index"`
	Enter float64 `json:"enter"`
	Leave float64 `json:"leave"`
}

// NewThresholds makes them of those of a region.
func NewThresholds(t pipeline.Thresholds) Thresholds {
	w := Thresholds{Enter: t.Enter, Leave: t.Leave, Hold: t.Hold, Smoothing: t.Smoothing, Only: append([]int{}, t.Only...), Labels: []LabelThreshold{}}
	for _, l := range t.Labels {
		w.Labels = append(w.Labels, LabelThreshold(l))
	}
	return w
}
