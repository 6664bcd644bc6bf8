package web

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"tarsier/pipeline"
)

var testLabels = []string{"background", "bottle", "cab", "owl"}

// wall is when the machine of these tests started.
var wall = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

func at(uptime time.Duration) pipeline.Moment {
	return pipeline.Moment{Time: wall.Add(uptime), Uptime: uptime}
}

func newHistory(t pipeline.Thresholds) *History {
	h := &History{on: true}
	h.Begin(testLabels, t)
	return h
}

func TestHistory(t *testing.T) {
	h := newHistory(pipeline.Thresholds{Enter: 0.6, Leave: 0.4, Only: []int{3}, Labels: []pipeline.LabelThreshold{{Index: 1, Enter: 0.5, Leave: 0.3}}})
	h.Frame(at(20*time.Second), []float32{0.9, 0.8, 0.04, 0})
	h.event(pipeline.Event{Type: pipeline.Enter, Label: "bottle", Index: 1, Score: 0.8, Time: pipeline.Time{Time: wall.Add(20 * time.Second)}, Uptime: 20 * time.Second})
	h.End(at(20*time.Second+50*time.Millisecond), pipeline.CameraOffline)
	h.Frame(at(21*time.Second), []float32{0.001, 0.12345, float32(math.NaN()), 0})
	r := h.Recording()
	if !r.Start.Equal(wall.Add(20*time.Second)) || r.Uptime != int64(20*time.Second) || !slices.Equal(r.Times, []int64{0, int64(time.Second)}) {
		t.Errorf("it starts at %v, uptime %d, times %v", r.Start, r.Uptime, r.Times)
	}
	if want := []End{{1, int64(50 * time.Millisecond), pipeline.CameraOffline}}; !slices.Equal(r.Ends, want) {
		t.Errorf("ends %v, want %v", r.Ends, want)
	}
	if len(r.Events) != 1 || r.Events[0].Time != 0 || r.Events[0].Label != "bottle" {
		t.Errorf("events %v", r.Events)
	}
	// Those that the thresholds name, the better first, then what was seen. "cab" was not worth showing.
	want := "[{bottle 1 [0.8 0.1235]} {owl 3 [0 0]} {background 0 [0.9 0]}]"
	if got := fmt.Sprint(r.Labels); got != want {
		t.Errorf("labels %s, want %s", got, want)
	}
	if r.Floor != float64(float32(0.04)) {
		t.Errorf("floor %v", r.Floor)
	}
	if len(r.Names) != 2 || r.Thresholds.Enter != 0.6 {
		t.Errorf("names %v of thresholds %+v", r.Names, r.Thresholds)
	}
	h.Begin([]string{"another", "model"}, pipeline.Thresholds{})
	if r := h.Recording(); len(r.Times) != 0 || len(r.Events) != 0 {
		t.Errorf("of another model there is %+v", r)
	}
}

// Of a frame the best sixteen are kept.
func TestBestScores(t *testing.T) {
	scores := make([]float32, 1001)
	for i := range scores {
		scores[i] = float32(i*37%1001) / 1000
	}
	var best [historyScores]scored
	n := bestScores(&best, scores)
	var got []int
	for _, b := range best[:n] {
		got = append(got, int(b.score))
	}
	slices.Sort(got)
	if len(got) != historyScores || got[0] != 9850 || got[len(got)-1] != 10000 {
		t.Errorf("kept %v", got)
	}
	if n := bestScores(&best, make([]float32, 1001)); n != 0 {
		t.Errorf("of nothing %d are kept", n)
	}
}

// It keeps eleven minutes, of ten frames a second at most, and then a frame allocates nothing.
func TestHistoryBounds(t *testing.T) {
	h := newHistory(pipeline.Thresholds{})
	scores := []float32{0.5, 0.25, 0.125, 0.0625}
	uptime := 10 * time.Second
	frames := func(fps, n int) {
		for range n {
			h.Frame(at(uptime), scores)
			uptime += time.Second / time.Duration(fps)
		}
	}
	frames(30, 30*60*30)
	r := h.Recording()
	if last := time.Duration(r.Times[len(r.Times)-1]); last < 10*time.Minute || last > 12*time.Minute {
		t.Errorf("it keeps %v", last)
	}
	if fps := float64(len(r.Times)) / time.Duration(r.Times[len(r.Times)-1]).Seconds(); fps < 9.5 || fps > 10.1 {
		t.Errorf("it keeps %.2f frames a second", fps)
	}
	for i, x := range r.Times[1:] {
		if x <= r.Times[i] {
			t.Fatalf("time %d follows %d", x, r.Times[i])
		}
	}
	if n := testing.AllocsPerRun(5000, func() { frames(30, 1) }); n != 0 {
		t.Errorf("a frame allocates %v times", n)
	}
	// A camera that flaps, and one whose labels do.
	for range 100 * historyMarks {
		h.End(at(uptime), pipeline.CameraOffline)
		h.event(pipeline.Event{Uptime: uptime})
	}
	if r := h.Recording(); len(r.Ends) > historyMinutes*historyMarks || len(r.Events) > historyMinutes*historyMarks {
		t.Errorf("%d ends and %d events", len(r.Ends), len(r.Events))
	}
	// An hour without a picture: what was before it is old.
	uptime += time.Hour
	frames(5, 5)
	if r := h.Recording(); len(r.Times) != 5 {
		t.Errorf("after an hour it still has %d frames", len(r.Times))
	}
	// Frames that come at ten a second, not quite evenly, are all kept.
	h = newHistory(pipeline.Thresholds{})
	for i := range 100 {
		uptime += 100*time.Millisecond + time.Duration(i%3-1)*20*time.Millisecond
		h.Frame(at(uptime), scores)
	}
	if r := h.Recording(); len(r.Times) != 100 {
		t.Errorf("of 100 frames %d are kept", len(r.Times))
	}
}

// What is told whole and what is told after it are the same as what there is.
func TestHistoryNews(t *testing.T) {
	h := newHistory(pipeline.Thresholds{})
	h.Frame(at(time.Second), []float32{0.5, 0, 0, 0})
	if all, d := h.whole(); len(all.Times) != 1 || d != nil {
		t.Fatalf("%+v, %+v", all, d)
	}
	h.End(at(1500*time.Millisecond), pipeline.Stopped)
	h.Frame(at(2*time.Second), []float32{0.25, 0, 0, 0.1})
	d := h.news()
	if got, want := fmt.Sprintf("%+v", *d), "{Times:[2000000000] Frames:[[0 0.25 3 0.1]] Ends:[{Frame:0 Time:1500000000 Reason:stopped}] Events:[] renewed:false}"; got != want {
		t.Errorf("news %s, want %s", got, want)
	}
	p := &plotted{h, map[int]bool{0: true}}
	if !p.novel(d) {
		t.Error("a label that was not shown is not noticed")
	}
	p.known[3] = true
	if p.novel(d) {
		t.Error("labels that are shown are taken for others")
	}
	h.Begin(testLabels, pipeline.Thresholds{Enter: 1})
	if d := h.news(); !p.novel(d) {
		t.Error("other thresholds are not noticed")
	}
	h.unwatched()
	h.Frame(at(3*time.Second), []float32{0.25, 0, 0, 0.1})
	if d := h.news(); d != nil {
		t.Errorf("nobody watched, and there is %+v", d)
	}
}

// A camera goes offline while the picture of an enter is fetched: the leave is told first.
func TestLateMark(t *testing.T) {
	m := NewMemory()
	m.Remember(true)
	h := m.Camera("porch", []string{"door"})[0]
	h.Begin(testLabels, pipeline.Thresholds{})
	leave, enter := event(2, "porch", "door"), event(1, "porch", "door")
	leave.Type, leave.Uptime = pipeline.Leave, enter.Uptime+2*time.Second
	m.Add(nil, leave)
	m.Add([]byte("owl"), enter)
	if marks := h.Recording().Events; len(marks) != 2 || marks[0].Type != pipeline.Enter {
		t.Errorf("marks are %+v", marks)
	}
}
