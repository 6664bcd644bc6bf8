package publish

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tarsier/pipeline"
	"tarsier/pipeline/publish/schema"
)

// What the types marshal to is what the schemas allow.
func TestSchemas(t *testing.T) {
	now := pipeline.Time{Time: time.Date(2026, 11, 23, 8, 15, 30, 482e6, time.UTC)}
	bottle := pipeline.Score{Label: "water bottle", Index: 899, Score: 0.71}
	event := anEvent
	event.V, event.ID, event.Seq, event.Node = pipeline.Version, "node/1", 1, "node"
	enter := event
	enter.Type, enter.Reason = pipeline.Enter, ""
	throttled := true
	celsius := 51.5
	o := Options{Node: "node", Version: "1.2.3"}.withDefaults()
	all := o
	all.Temperature, all.Throttled = true, true
	for name, values := range map[string][]any{
		"event.json": {event, enter},
		"state.json": {
			pipeline.State{Entered: []pipeline.Entered{}},
			pipeline.State{Label: &bottle.Label, Entered: []pipeline.Entered{{Score: bottle, Since: now}}},
		},
		"scores.json": {Scores{now, []pipeline.Score{bottle}}, Scores{now, []pipeline.Score{}}},
		"info.json": {Info{
			Version: "1.2.3", Model: "mobilenet_v2", WidthMult: 0.35, SHA256: "51e8256b", Board: "Raspberry Pi 4",
			CPUFeatures: []string{"asimddp"}, Kernel: "portable", Cameras: []CameraInfo{{"porch", 5, "crop", []RegionInfo{{"door", 0.6, 0.4}}}},
		}},
		"stats.json": {
			NodeStats{Time: now, Cameras: []CameraStats{}, LatencyMS: map[string]Percentiles{}},
			NodeStats{
				Time: now, UptimeS: 12.5, FPS: 9.5, Cameras: []CameraStats{{"porch", true, false, 4.5, 7}},
				LatencyMS: map[string]Percentiles{"infer": {1, 2, 3}}, TemperatureC: &celsius, Throttled: &throttled, Queue: QueueStats{Events: 1, Bytes: 600, Error: "disk full"},
			},
		},
		"discovery.json": {
			json.RawMessage(o.device(o.components(porch))),
			json.RawMessage(all.device(all.components([]Camera{{"porch", []Region{{"door", []Label{{Index: 899, Name: "water bottle"}}}}, true}}))),
			json.RawMessage(o.retirement(map[string]string{"x/status": "binary_sensor"})),
		},
	} {
		for _, v := range values {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(name, b); err != nil {
				t.Error(err)
			}
		}
	}
}

// What is wrong is found to be wrong.
func TestSchemasRefuse(t *testing.T) {
	event := anEvent
	event.V, event.ID, event.Seq, event.Node = pipeline.Version, "node/1", 1, "node"
	b, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"v":1`, `"v":2`},
		{`"seq":1`, `"seq":0`},
		{`"node/1"`, `"node"`},
		{`.482Z`, `Z`},
		{`"synced"`, `"yes"`},
		{`"leave"`, `"enter"`},
		{`,"reason":"score"`, ``},
		{`"score":0.71`, `"score":1.1`},
		{`"latency_ms"`, `"latency"`},
		{`"label":"water bottle"`, `"label":""`},
		{`}`, `]`},
	} {
		if wrong := strings.Replace(string(b), change[0], change[1], 1); wrong == string(b) {
			t.Errorf("no %s in %s", change[0], b)
		} else if schema.Validate("event.json", []byte(wrong)) == nil {
			t.Errorf("%s is taken for valid", wrong)
		}
	}
}
