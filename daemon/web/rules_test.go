package web

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tarsier/config"
	"tarsier/daemon/web/webtest"
	"tarsier/pipeline"
)

// A ruleCase is a recording, thresholds, and what pipeline.Region makes of them.
type ruleCase struct {
	Recording  Recording  `json:"recording"`
	Thresholds Thresholds `json:"thresholds"`
	want       outcome
}

// An outcome is what simulate returns.
type outcome struct {
	Events   []simulated `json:"events"`
	Averages [][]float64 `json:"averages"`
}

type simulated struct {
	Time   int64   `json:"time"`
	Type   string  `json:"type"`
	Reason string  `json:"reason"`
	Index  int     `json:"index"`
	Label  string  `json:"label"`
	Score  float64 `json:"score"`
}

// TestRules gives the same cases to pipeline.Region and to static/rules.js, in a browser: what the daemon does and what the page
// says it would do are one.
func TestRules(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	var cases []ruleCase
	for range 400 {
		cases = append(cases, randomCase(random))
	}
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	var got []outcome
	evaluate(t, fmt.Sprintf(`%s.map(c => {
		const { events, averages } = simulate(c.recording, c.thresholds)
		return { events, averages: averages.map(a => [...a]) }
	})`, in), &got)
	events, reasons := 0, map[string]int{}
	for i, c := range cases {
		if !reflect.DeepEqual(got[i].Events, c.want.Events) {
			t.Errorf("case %d, thresholds %+v:\n rules.js %+v\n region.go %+v", i, c.Thresholds, got[i].Events, c.want.Events)
		}
		for l, averages := range c.want.Averages {
			for frame, average := range averages {
				if d := math.Abs(got[i].Averages[l][frame] - average); !(d <= 1e-12) {
					t.Errorf("case %d, label %d, frame %d: rules.js has the average %v, region.go %v", i, l, frame, got[i].Averages[l][frame], average)
				}
			}
		}
		for _, e := range c.want.Events {
			events++
			reasons[e.Reason]++
		}
	}
	t.Logf("%d cases with %d events, by reason %v", len(cases), events, reasons)
	for _, reason := range []string{"", pipeline.ByScore, pipeline.CameraOffline, pipeline.Stopped} {
		if reasons[reason] < 100 {
			t.Errorf("only %d events with the reason %q: the cases are too tame", reasons[reason], reason)
		}
	}
}

// randomCase makes a recording with what goes wrong in one: gaps, steps back, ends, ties, scores that are exactly on a
// threshold, and such that are none.
func randomCase(r *rand.Rand) ruleCase {
	pick := func(from ...float64) float64 { return from[r.IntN(len(from))] }
	labels := make([]string, 1+r.IntN(6))
	for i := range labels {
		labels[i] = fmt.Sprint("label ", i)
	}
	both := func() (enter, leave float64) {
		enter = pick(0.6, 0.7, 0.55, 0.3, 0.1, r.Float64(), 1, 0)
		return enter, enter * pick(1, 1, 0.5, 0.9, r.Float64(), 0)
	}
	th := pipeline.Thresholds{
		Hold:      time.Duration(pick(0, 0, 2e8, 1e9, 1, 5e9*r.Float64())),
		Smoothing: time.Duration(pick(0, 0, 1e9, 2e8, 1, 5e9*r.Float64())),
		TopK:      3,
	}
	th.Enter, th.Leave = both()
	for i := range labels {
		if r.IntN(4) == 0 {
			th.Only = append(th.Only, i)
		}
		if r.IntN(4) == 0 {
			enter, leave := both()
			th.Labels = append(th.Labels, pipeline.LabelThreshold{Index: i, Enter: enter, Leave: leave})
		}
	}
	if r.IntN(2) == 0 {
		th.Only = nil
	}

	start := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	rec := Recording{Start: pipeline.Time{Time: start}, Times: []int64{}, Ends: []End{}, Labels: make([]LabelScores, len(labels))}
	for at, i := range r.Perm(len(labels)) {
		rec.Labels[at] = LabelScores{Label: labels[i], Index: i, Scores: Scores{}}
	}
	want := outcome{Events: []simulated{}, Averages: make([][]float64, len(labels))}
	region := pipeline.NewRegion(labels, th)
	note := func(changes []pipeline.Change) {
		for _, c := range changes {
			want.Events = append(want.Events, simulated{int64(c.At.Uptime), c.Type, c.Reason, c.Index, c.Label, c.Score})
		}
	}
	now := time.Duration(0)
	scores := make([]float32, len(labels))
	for frame := range r.IntN(80) {
		now += time.Duration(pick(2e8, 2e8, 1e9*r.Float64(), 33_333_333, 0, 1, -3e8, 6e10))
		moment := pipeline.Moment{Time: start.Add(now), Uptime: now}
		if r.IntN(15) == 0 {
			reason := []string{pipeline.CameraOffline, pipeline.Stopped}[r.IntN(2)]
			rec.Ends = append(rec.Ends, End{frame, int64(now), reason})
			note(region.End(moment, reason))
		}
		for i := range scores {
			switch r.IntN(12) {
			case 0:
				scores[i] = float32(pick(math.NaN(), math.Inf(1), math.Inf(-1), -1, 2, 1, 0))
			case 1:
				scores[i] = float32(pick(th.Enter, th.Leave))
			case 2:
				scores[i] = scores[r.IntN(len(scores))]
			case 3, 4, 5:
				scores[i] = float32(r.IntN(257)) / 256
			}
		}
		note(region.Update(moment, scores))
		rec.Times = append(rec.Times, int64(now))
		for at := range rec.Labels {
			l := &rec.Labels[at]
			l.Scores = append(l.Scores, scores[l.Index])
			average := reflect.ValueOf(region).Elem().FieldByName("classes").Index(l.Index).FieldByName("average").Float() // not rounded
			want.Averages[at] = append(want.Averages[at], average)
		}
	}
	if r.IntN(2) == 0 {
		rec.Ends = append(rec.Ends, End{len(rec.Times), int64(now), pipeline.Stopped})
		note(region.End(pipeline.Moment{Time: start.Add(now), Uptime: now}, pipeline.Stopped))
	}
	return ruleCase{Recording: rec, Thresholds: NewThresholds(th), want: want}
}

// TestThresholdsYAML: what the page gives to paste is, in a config, the same thresholds.
func TestThresholdsYAML(t *testing.T) {
	names := []string{
		"water bottle", "crane (135)", "jack-o'-lantern", "yes", "null", "7", "~", "true", `a "b" \ c`, "Grünspecht", "- x", "a: b", "#5", "[x]",
		"1e3", "N", "St. Bernard", "鳥", "a", "0x1f", "*a", "@home", "2026-11-23", "with\u00a0space", "🐦",
	}
	type yamlCase struct {
		Thresholds Thresholds    `json:"thresholds"`
		Labels     []LabelScores `json:"labels"`
		want       pipeline.Thresholds
	}
	var cases []yamlCase
	random := rand.New(rand.NewPCG(6, 7))
	for i := range 60 {
		enter := []float64{0.6, 0.55, 1, 0, 0.123456789, 1e-7}[random.IntN(6)]
		c := yamlCase{want: pipeline.Thresholds{
			Enter: enter, Leave: enter / 2, TopK: 3,
			Hold:      []time.Duration{0, time.Second, 1500 * time.Millisecond, 200 * time.Millisecond, 1, 1234567891, 90 * time.Second}[random.IntN(7)],
			Smoothing: []time.Duration{0, time.Second, 24 * time.Hour, 999 * time.Microsecond, 2*time.Second + 1}[random.IntN(5)],
		}}
		for n, name := range names {
			c.Labels = append(c.Labels, LabelScores{Label: name, Index: n})
			if i > 0 && random.IntN(6) == 0 {
				c.want.Only = append(c.want.Only, n)
			}
			if i > 0 && random.IntN(6) == 0 {
				c.want.Labels = append(c.want.Labels, pipeline.LabelThreshold{Index: n, Enter: 0.5, Leave: 0.25})
			}
		}
		c.Thresholds = NewThresholds(c.want)
		cases = append(cases, c)
	}
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	evaluate(t, fmt.Sprintf(`%s.map(c => thresholdsYAML(c.thresholds, c.labels))`, in), &got)
	dir := t.TempDir()
	for i, c := range cases {
		path := filepath.Join(dir, "tarsier.yaml")
		text := "cameras:\n  - name: porch\n    source: /dev/video0\n    " + got[i] + "\n"
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(path)
		if err != nil {
			t.Errorf("%v:\n%s", err, text)
			continue
		}
		camera := &cfg.Cameras[0]
		th := cfg.RegionThresholds(camera, &camera.Regions[0])
		want := config.Thresholds{Enter: c.want.Enter, Leave: c.want.Leave, Hold: c.want.Hold, Smoothing: c.want.Smoothing, TopK: 3}
		for _, index := range c.want.Only {
			want.Only = append(want.Only, names[index])
		}
		for _, l := range c.want.Labels {
			want.Labels = append(want.Labels, config.LabelThreshold{Label: names[l.Index], Enter: l.Enter, Leave: l.Leave})
		}
		if !reflect.DeepEqual(th, want) {
			t.Errorf("%s\n means %+v\n not   %+v", got[i], th, want)
		}
	}
}

// evaluate gives what a JavaScript expression is, in a browser, with rules.js.
func evaluate(t *testing.T, expression string, result any) {
	t.Helper()
	script, err := os.ReadFile("static/rules.js")
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Run(webtest.Browser(t), chromedp.Evaluate(string(script)+"\n"+expression, result)); err != nil {
		t.Fatal(err)
	}
}
