package pipeline

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestEventJSON(t *testing.T) {
	bottle := Score{Label: "water bottle", Index: 899, Score: 0.71}
	enter := Event{
		V: Version, ID: "porch-pi/812", Seq: 812,
		Time:  Time{time.Date(2026, 11, 23, 9, 15, 30, 482_999_999, time.FixedZone("", 3600))},
		Clock: Synced, Node: "porch-pi", Camera: "porch", Region: "door",
		Type: Enter, Label: bottle.Label, Index: bottle.Index, Score: bottle.Score, Top: []Score{bottle},
		Model: Model{Name: "mobilenet_v2", WidthMult: 1, SHA256: "51e8256b"}, LatencyMS: 18.4,
	}
	leave := enter
	leave.Type, leave.Reason, leave.Model.WidthMult = Leave, CameraOffline, 0.35
	leave.Time = Time{time.Date(2026, 11, 23, 8, 15, 31, 0, time.UTC)}

	want := `{"v":1,"id":"porch-pi/812","seq":812,"time":"2026-11-23T08:15:30.482Z","clock":"synced","node":"porch-pi","camera":"porch","region":"door",` +
		`"type":"enter","label":"water bottle","index":899,"score":0.71,` +
		`"top":[{"label":"water bottle","index":899,"score":0.71}],` +
		`"model":{"name":"mobilenet_v2","width_mult":1.0,"sha256":"51e8256b"},"latency_ms":18.4}`
	wantLeave := strings.NewReplacer(`"enter"`, `"leave","reason":"camera_offline"`, "30.482Z", "31.000Z", "1.0", "0.35").Replace(want)

	for event, want := range map[*Event]string{&enter: want, &leave: wantLeave} {
		got, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		var back Event
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(back)
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != want {
			t.Errorf("read and written again: %s", again)
		}
		back.Time = event.Time
		if !reflect.DeepEqual(&back, event) {
			t.Errorf("read back %+v, want %+v", back, *event)
		}
	}
}

func TestStateJSON(t *testing.T) {
	label := "cab"
	since := Time{time.Date(2026, 11, 23, 8, 15, 30, 500_000_000, time.UTC)}
	for _, c := range []struct {
		state State
		want  string
	}{
		{State{Entered: []Entered{}}, `{"label":null,"entered":[]}`},
		{
			State{Label: &label, Entered: []Entered{{Score{"cab", 469, 0.5}, since}, {Score{"minivan", 657, 0.4}, since}}},
			`{"label":"cab","entered":[{"label":"cab","index":469,"score":0.5,"since":"2026-11-23T08:15:30.500Z"},` +
				`{"label":"minivan","index":657,"score":0.4,"since":"2026-11-23T08:15:30.500Z"}]}`,
		},
	} {
		got, err := json.Marshal(c.state)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
