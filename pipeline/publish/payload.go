package publish

import "tarsier/pipeline"

// Info is what a node is: the payload of InfoTopic.
type Info struct {
	Version     string       `json:"version"`
	Model       string       `json:"model"`
	WidthMult   float64      `json:"width_mult"`
	Auto        bool         `json:"auto"`   // the width may change by itself
	SHA256      string       `json:"sha256"` // of the model, the first eight digits
	Board       string       `json:"board"`
	CPUFeatures []string     `json:"cpu_features"`
	Kernel      string       `json:"kernel"` // the int8 kernels that run
	Cameras     []CameraInfo `json:"cameras"`
}

// CameraInfo is a camera and how it is watched. Its source stays at home: it may hold a password.
type CameraInfo struct {
	Name    string       `json:"name"`
	FPS     float64      `json:"fps"` // classifications a second asked for; 0: as many as the board can
	Fit     string       `json:"fit"`
	Regions []RegionInfo `json:"regions"`
}

// RegionInfo is a region and the thresholds of those of its labels that have none of their own.
type RegionInfo struct {
	Name  string  `json:"name"`
	Enter float64 `json:"enter"`
	Leave float64 `json:"leave"`
}

// NodeStats is how a node does: the payload of StatsTopic. Counters count since the start.
type NodeStats struct {
	Time         pipeline.Time          `json:"time"`
	UptimeS      float64                `json:"uptime_s"`
	FPS          float64                `json:"fps"` // frames classified a second, of all cameras
	Cameras      []CameraStats          `json:"cameras"`
	LatencyMS    map[string]Percentiles `json:"latency_ms"` // by stage
	Drops        Drops                  `json:"drops"`
	Queue        QueueStats             `json:"queue"`
	TemperatureC *float64               `json:"temperature_c"` // nil: the board has no sensor
	Throttled    *bool                  `json:"throttled"`     // slowed down by heat or low voltage; nil: the board does not tell
}

// CameraStats is how a camera does.
type CameraStats struct {
	Name    string  `json:"name"`
	Online  bool    `json:"online"`
	Paused  bool    `json:"paused"`
	FPS     float64 `json:"fps"`
	Dropped uint64  `json:"dropped"` // pictures left out: the board was too slow for the fps asked for
}

// Percentiles of a latency in milliseconds.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// Drops counts what was left out.
type Drops struct {
	Frames   uint64 `json:"frames"`   // the board was too slow for the fps asked for
	Events   uint64 `json:"events"`   // the queue was full
	Messages uint64 `json:"messages"` // not queued (scores, stats), and there was no broker, or it was too slow
}

// QueueStats is what waits for the broker.
type QueueStats struct {
	Events int    `json:"events"`
	Bytes  int64  `json:"bytes"`
	Error  string `json:"error,omitempty"` // why events are in memory only
}

// Scores are the best scores of one frame: the payload of ScoresTopic.
type Scores struct {
	Time pipeline.Time    `json:"time"`
	Top  []pipeline.Score `json:"top"`
}
