package pipeline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// A step is one call of a Region: at is the time since the start.
type step struct {
	at     time.Duration
	scores []float32   // Update
	end    string      // End, with this reason
	set    *Thresholds // Reconfigure
	want   string      // changes: "+1 0.7" is label 1 entered at 0.7, "-1 0.3 score" left
}

// moment is one at which the system clock shows t.
func moment(t time.Time) Moment { return Moment{t, t.Sub(start)} }

func (s step) run(r *Region) []Change {
	now := moment(start.Add(s.at))
	switch {
	case s.end != "":
		return r.End(now, s.end)
	case s.set != nil:
		return r.Reconfigure(now, *s.set)
	}
	return r.Update(now, s.scores)
}

func describe(changes []Change) string {
	var all []string
	for _, c := range changes {
		if c.Type == Enter {
			all = append(all, fmt.Sprintf("+%d %v%s", c.Index, c.Score, c.Reason))
		} else {
			all = append(all, fmt.Sprintf("-%d %v %s", c.Index, c.Score, c.Reason))
		}
	}
	return strings.Join(all, ", ")
}

func one(x float32) []float32      { return []float32{x, 0, 0} }
func three(x ...float32) []float32 { return x }

func TestRegion(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	plain := Thresholds{Enter: 0.6, Leave: 0.4, TopK: 3}
	with := func(change func(*Thresholds)) Thresholds {
		t := plain
		change(&t)
		return t
	}
	hold := with(func(t *Thresholds) { t.Hold = s })
	smooth := with(func(t *Thresholds) { t.Smoothing = s })
	nan, inf := float32(math.NaN()), float32(math.Inf(1))

	for _, c := range []struct {
		name  string
		t     Thresholds
		steps []step
	}{
		{"at or above enter enters, below leave leaves", plain, []step{
			{at: 0, scores: one(0.59)},
			{at: 1 * s, scores: one(0.6), want: "+0 0.6"},
			{at: 2 * s, scores: one(0.9)},
			{at: 3 * s, scores: one(0.5)},
			{at: 4 * s, scores: one(0.4)},
			{at: 5 * s, scores: one(0.3999), want: "-0 0.3999 score"},
			{at: 6 * s, scores: one(0.5)},
			{at: 7 * s, scores: one(0.6), want: "+0 0.6"},
		}},
		{"a float32 score equals the threshold that is written alike", with(func(t *Thresholds) { t.Enter, t.Leave = 0.7, 0.7 }), []step{
			{at: 0, scores: one(0.7), want: "+0 0.7"},
			{at: 1, scores: one(0.7)},
		}},
		{"the first frame may enter", plain, []step{{at: 0, scores: one(1), want: "+0 1"}}},
		{"enter and leave equal", with(func(t *Thresholds) { t.Enter, t.Leave = 0.5, 0.5 }), []step{
			{at: 0, scores: one(0.5), want: "+0 0.5"},
			{at: 1, scores: one(0.5)},
			{at: 2, scores: one(0.49), want: "-0 0.49 score"},
			{at: 3, scores: one(0.49)},
			{at: 4, scores: one(0.5), want: "+0 0.5"},
		}},
		{"enter 0 is always entered", with(func(t *Thresholds) { t.Enter, t.Leave = 0, 0 }), []step{
			{at: 0, scores: three(0, 0.5, nan), want: "+0 0, +1 0.5, +2 0"},
			{at: 1, scores: three(0, 0, 0)},
		}},
		{"hold before enter", hold, []step{
			{at: 0, scores: one(0.7)},
			{at: 999 * ms, scores: one(0.8)},
			{at: 1 * s, scores: one(0.9), want: "+0 0.9"},
		}},
		{"what ends sooner than hold was nothing", hold, []step{
			{at: 0, scores: one(0.7)},
			{at: 900 * ms, scores: one(0.5)},
			{at: 1000 * ms, scores: one(0.7)},
			{at: 1900 * ms, scores: one(0.7)},
			{at: 2000 * ms, scores: one(0.7), want: "+0 0.7"},
		}},
		{"hold before leave", hold, []step{
			{at: 0, scores: one(0.7)},
			{at: 1 * s, scores: one(0.7), want: "+0 0.7"},
			{at: 2 * s, scores: one(0.1)},
			{at: 2500 * ms, scores: one(0.4)}, // not below leave
			{at: 2600 * ms, scores: one(0.1)},
			{at: 3500 * ms, scores: one(0.1)},
			{at: 3600 * ms, scores: one(0.1), want: "-0 0.1 score"},
		}},
		{"over a gap the earlier score counts", hold, []step{
			{at: 0, scores: one(0.7)},
			{at: 600 * s, scores: one(0.7), want: "+0 0.7"},
			{at: 1200 * s, scores: one(0)},
			{at: 1800 * s, scores: one(0), want: "-0 0 score"},
		}},
		{"the average starts at the first score", smooth, []step{
			{at: 0, scores: one(0.6), want: "+0 0.6"},
		}},
		{"the average moves by 1-exp(-dt/tau)", with(func(t *Thresholds) { t.Enter, t.Leave, t.Smoothing = 0.6321, 0.3, s }), []step{
			{at: 0, scores: one(0)},
			{at: 1 * s, scores: one(1), want: "+0 0.6321"},
			{at: 2 * s, scores: one(0), want: "-0 0.2325 score"},
		}},
		{"after a long gap only the new frame counts", smooth, []step{
			{at: 0, scores: one(0.1)},
			{at: 3600 * s, scores: one(0.8), want: "+0 0.8"},
			{at: 7200 * s, scores: one(0.2), want: "-0 0.2 score"},
		}},
		{"a frame at the time of the last weighs nothing", smooth, []step{
			{at: 1 * s, scores: one(0)},
			{at: 1 * s, scores: one(1)},
			{at: 1 * s, scores: one(1)},
			{at: 2 * s, scores: one(1), want: "+0 0.6321"},
		}},
		{"time steps back, and goes on from there", with(func(t *Thresholds) { t.Hold, t.Smoothing = s, s }), []step{
			{at: 3600 * s, scores: one(0.9)},
			{at: 0, scores: one(0)}, // no time has passed: weighs nothing
			{at: 500 * ms, scores: one(0.9)},
			{at: 1 * s, scores: one(0.9), want: "+0 0.9"},
		}},
		{"time steps back without smoothing", hold, []step{
			{at: 3600 * s, scores: one(0.9)},
			{at: 0, scores: one(0.8)},
			{at: 1 * s, scores: one(0.7), want: "+0 0.7"},
		}},
		{"what is not a score", plain, []step{
			{at: 0, scores: three(nan, inf, -inf), want: "+1 1"},
			{at: 1 * s, scores: three(0.7, nan, -1), want: "-1 0 score, +0 0.7"},
		}},
		{"NaN does not stay in the average", smooth, []step{
			{at: 0, scores: one(nan)},
			{at: 3600 * s, scores: one(0.8), want: "+0 0.8"},
		}},
		{"several labels at once; those left come first, each by index", plain, []step{
			{at: 0, scores: three(0.7, 0, 0.8), want: "+0 0.7, +2 0.8"},
			{at: 1, scores: three(0.7, 0.9, 0.1), want: "-2 0.1 score, +1 0.9"},
			{at: 2, scores: three(0.1, 0.1, 0.9), want: "-0 0.1 score, -1 0.1 score, +2 0.9"},
		}},
		{"labels with thresholds of their own", with(func(t *Thresholds) { t.Labels = []LabelThreshold{{Index: 1, Enter: 0.3, Leave: 0.2}} }), []step{
			{at: 0, scores: three(0.3, 0.3, 0.3), want: "+1 0.3"},
			{at: 1, scores: three(0.3, 0.25, 0.3)},
			{at: 2, scores: three(0.3, 0.15, 0.3), want: "-1 0.15 score"},
		}},
		{"only some labels make events", with(func(t *Thresholds) { t.Only = []int{2} }), []step{
			{at: 0, scores: three(0.9, 0.8, 0.7), want: "+2 0.7"},
			{at: 1, end: Stopped, want: "-2 0.7 stopped"},
		}},
		{"end leaves all that is entered, once", plain, []step{
			{at: 0, scores: three(0.7, 0, 0.8), want: "+0 0.7, +2 0.8"},
			{at: 1, end: CameraOffline, want: "-0 0.7 camera_offline, -2 0.8 camera_offline"},
			{at: 2, end: Stopped},
			{at: 3, scores: three(0, 0, 0)},
		}},
		{"after the end the first frame is a first one", with(func(t *Thresholds) { t.Hold, t.Smoothing = s, s }), []step{
			{at: 0, scores: one(0.7)},
			{at: 900 * ms, end: CameraOffline},
			{at: 1 * s, scores: one(0.9)}, // neither averaged with the past, nor held since then
			{at: 1900 * ms, scores: one(0.9)},
			{at: 2 * s, scores: one(0.9), want: "+0 0.9"},
		}},
		{"end without a frame", plain, []step{{at: 0, end: Stopped}}},
		{"reconfigured: an entered label goes on by the new thresholds", plain, []step{
			{at: 0, scores: one(0.7), want: "+0 0.7"},
			{at: 1, set: &Thresholds{Enter: 0.9, Leave: 0.8}},
			{at: 2, scores: one(0.7), want: "-0 0.7 score"},
			{at: 3, scores: one(0.8)},
			{at: 4, set: &plain},
			{at: 5, scores: one(0.8), want: "+0 0.8"},
		}},
		{"reconfigured: hold begins anew where the thresholds differ", hold, []step{
			{at: 0, scores: three(0.7, 0.7, 0)},
			{at: 500 * ms, set: &Thresholds{Enter: 0.6, Leave: 0.4, Hold: s, Labels: []LabelThreshold{{1, 0.5, 0.4}}}},
			{at: 600 * ms, scores: three(0.7, 0.7, 0)},
			{at: 1 * s, scores: three(0.7, 0.7, 0), want: "+0 0.7"},
			{at: 1600 * ms, scores: three(0.7, 0.7, 0), want: "+1 0.7"},
		}},
		{"reconfigured: another hold counts at once", hold, []step{
			{at: 0, scores: one(0.7)},
			{at: 100 * ms, set: &plain},
			{at: 200 * ms, scores: one(0.7), want: "+0 0.7"},
		}},
		{"reconfigured: only drops an entered label, and brings it back", plain, []step{
			{at: 0, scores: three(0.7, 0.7, 0), want: "+0 0.7, +1 0.7"},
			{at: 1, set: &Thresholds{Enter: 0.6, Leave: 0.4, Only: []int{1, 2}}, want: "-0 0.7 reconfigured"},
			{at: 2, scores: three(0.1, 0.7, 0)},
			{at: 3, scores: three(0.7, 0.7, 0)},
			{at: 4, set: &plain},
			{at: 5, scores: three(0.7, 0.7, 0), want: "+0 0.7"},
		}},
		{"reconfigured before the first frame", plain, []step{
			{at: 0, set: &Thresholds{Enter: 0.2, Leave: 0.1}},
			{at: 1, scores: one(0.3), want: "+0 0.3"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewRegion([]string{"a", "b", "c"}, c.t)
			for i, s := range c.steps {
				if got := describe(s.run(r)); got != s.want {
					t.Fatalf("step %d: got %q, want %q", i, got, s.want)
				}
			}
		})
	}
}

func TestTop(t *testing.T) {
	labels := []string{"a", "b", "c", "d"}
	scores := []float32{0.2, 0.71234, 0.2, 0.9}
	a, b, c, d := Score{"a", 0, 0.2}, Score{"b", 1, 0.7123}, Score{"c", 2, 0.2}, Score{"d", 3, 0.9}
	for k, want := range [][]Score{{}, {d}, {d, b}, {d, b, a}, {d, b, a, c}, {d, b, a, c}} {
		r := NewRegion(labels, Thresholds{Enter: 0.6, Leave: 0.4, TopK: k, Only: []int{1}})
		if got := r.Top(); got == nil || len(got) != 0 {
			t.Errorf("before the first frame: %v", got)
		}
		changes := r.Update(moment(start), scores)
		if got := r.Top(); !reflect.DeepEqual(got, want) {
			t.Errorf("top %d: got %v, want %v", k, got, want)
		}
		if len(changes) != 1 || !reflect.DeepEqual(changes[0].Top, want) {
			t.Errorf("top %d of the changes %v, want %v", k, changes, want)
		}
		before := changes[0]
		if changes := r.End(moment(start), Stopped); len(changes) != 1 || !reflect.DeepEqual(changes[0].Top, want) {
			t.Errorf("top %d of the end: %v, want %v", k, changes, want)
		}
		if got := r.Top(); len(got) != 0 {
			t.Errorf("after the end: %v", got)
		}
		if !reflect.DeepEqual(before.Top, want) {
			t.Errorf("what was given away was written again: %v", before.Top)
		}
	}
}

func TestState(t *testing.T) {
	r := NewRegion([]string{"a", "b", "c"}, Thresholds{Enter: 0.6, Leave: 0.4, TopK: 1, Only: []int{0, 1}})
	check := func(want ...Entered) {
		t.Helper()
		got := r.State()
		if got.Entered == nil || !slices.Equal(got.Entered, want) {
			t.Errorf("got %v, want %v", got.Entered, want)
		}
		if (got.Label == nil) != (len(want) == 0) || got.Label != nil && *got.Label != want[0].Label {
			t.Errorf("label %v", got.Label)
		}
		leading := -1
		if len(want) > 0 {
			leading = want[0].Index
		}
		if got := r.Leading(); got != leading {
			t.Errorf("label %d leads, want %d", got, leading)
		}
	}
	check()
	r.Update(moment(start), three(0.7, 0.1, 1))
	check(Entered{Score{"a", 0, 0.7}, Time{start}})
	later := start.Add(time.Second)
	r.Update(moment(later), three(0.5, 0.8, 1))
	check(Entered{Score{"b", 1, 0.8}, Time{later}}, Entered{Score{"a", 0, 0.5}, Time{start}})
	r.Update(moment(later), three(0.8, 0.8, 1)) // of equal ones the lower class first
	check(Entered{Score{"a", 0, 0.8}, Time{start}}, Entered{Score{"b", 1, 0.8}, Time{later}})
	r.Reconfigure(moment(later), Thresholds{Enter: 0.6, Leave: 0.4, Only: []int{1}})
	check(Entered{Score{"b", 1, 0.8}, Time{later}})
	r.End(moment(later), Stopped)
	check()
}

// A day in which the system clock is set now and then, by years, is like any other: only what the events say of the time differs.
func TestClockJumps(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	labels := []string{"a", "b", "c"}
	thresholds := Thresholds{Enter: 0.6, Leave: 0.4, Hold: time.Second, Smoothing: 2 * time.Second, TopK: 1}
	steady, jumping := NewRegion(labels, thresholds), NewRegion(labels, thresholds)
	var set time.Duration
	scores := make([]float32, 3)
	changes := 0
	for up := time.Duration(0); up < 24*time.Hour; up += 200 * time.Millisecond {
		if rnd.IntN(1000) == 0 {
			set = time.Duration(rnd.Int64N(int64(20*365*24*time.Hour))) - 10*365*24*time.Hour
		}
		for i := range scores {
			if rnd.IntN(20) == 0 {
				scores[i] = rnd.Float32()
			}
		}
		want := describe(steady.Update(Moment{start.Add(up), up}, scores))
		got := jumping.Update(Moment{start.Add(up + set), up}, scores)
		if describe(got) != want {
			t.Fatalf("after %v: got %q, want %q", up, describe(got), want)
		}
		for _, c := range got {
			changes++
			if c.At.Uptime != up || !c.At.Time.Equal(start.Add(up+set)) {
				t.Fatalf("after %v, with the clock set by %v: %+v", up, set, c.At)
			}
		}
		for i, e := range jumping.State().Entered {
			if since := steady.State().Entered[i].Since.Add(set); !e.Since.Equal(since) {
				t.Fatalf("after %v: entered since %v, by a clock that was set meanwhile since %v", up, e.Since, since)
			}
		}
	}
	if changes < 1000 {
		t.Errorf("only %d changes", changes)
	}
}

func TestChange(t *testing.T) {
	r := NewRegion([]string{"a"}, Thresholds{Enter: 0.6, Leave: 0.4, TopK: 1})
	got := r.Update(moment(start), []float32{0.7})
	want := Change{Type: "enter", At: moment(start), Label: "a", Score: 0.7, Top: []Score{{"a", 0, 0.7}}}
	if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	later := start.Add(time.Second)
	got = r.End(moment(later), "camera_offline")
	want.Type, want.Reason, want.At = "leave", "camera_offline", moment(later)
	if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestUpdateAllocatesNothing(t *testing.T) {
	for _, smoothing := range []time.Duration{0, time.Second} {
		labels := make([]string, 1001)
		scores := make([]float32, len(labels))
		scores[7], scores[8] = 0.9, 0.5
		r := NewRegion(labels, Thresholds{Enter: 0.6, Leave: 0.4, Smoothing: smoothing, TopK: 3})
		now := start
		allocations := testing.AllocsPerRun(100, func() {
			now = now.Add(200 * time.Millisecond)
			r.Update(moment(now), scores)
		})
		if allocations != 0 {
			t.Errorf("smoothing %v: %v allocations", smoothing, allocations)
		}
		if state := r.State(); len(state.Entered) != 1 {
			t.Errorf("state %v", state)
		}
	}
}

func TestUpdateRefusesAnotherModelsScores(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewRegion([]string{"a", "b"}, Thresholds{}).Update(moment(start), []float32{1})
}

func TestBest(t *testing.T) {
	labels := []string{"a", "b", "c"}
	scores := []float32{float32(math.NaN()), 0.71234, 0.9}
	a, b, c := Score{"a", 0, 0}, Score{"b", 1, 0.7123}, Score{"c", 2, 0.9}
	for k, want := range [][]Score{{}, {c}, {c, b}, {c, b, a}, {c, b, a}} {
		if got := Best(labels, scores, k); !reflect.DeepEqual(got, want) {
			t.Errorf("%d best: got %v, want %v", k, got, want)
		}
	}
}

func TestBestOf(t *testing.T) {
	nan := float32(math.NaN())
	best := []float32{0.1, 0.5, 0, 0.3}
	BestOf(best, []float32{0.2, 0.4, 0, nan})
	BestOf(best, []float32{0, 0, 0.6, 0})
	if want := []float32{0.2, 0.5, 0.6, 0.3}; !slices.Equal(best, want) {
		t.Errorf("got %v, want %v", best, want)
	}
	if n := testing.AllocsPerRun(10, func() { BestOf(best, best) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestRandom drives a region with random scores, gaps, reloads, stops and steps back in time, and compares it, step by step, with the
// rules of the contract worked out again over the whole history.
func TestRandom(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { random(t, seed) })
	}
}

func random(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	const classes = 4
	labels := []string{"a", "b", "c", "d"}
	thresholds := randomThresholds(rnd, classes)
	r := NewRegion(labels, thresholds)
	twin := NewRegion(labels, thresholds)
	h := history{classes: make([][]frame, classes), entered: make([]*Change, classes), t: thresholds}

	now := start
	for i := range 400 {
		s := step{at: now.Sub(start)}
		switch p := rnd.IntN(100); {
		case p < 2:
			s.end = []string{CameraOffline, Stopped}[rnd.IntN(2)]
		case p < 5:
			next := randomThresholds(rnd, classes)
			s.set = &next
		default:
			now = now.Add(randomStep(rnd))
			s.at = now.Sub(start)
			s.scores = make([]float32, classes)
			for c := range s.scores {
				s.scores[c] = randomScore(rnd)
			}
		}
		got := s.run(r)
		if other := s.run(twin); !reflect.DeepEqual(got, other) {
			t.Fatalf("step %d: not the same twice: %v and %v", i, got, other)
		}
		if want := h.run(s); describe(got) != want {
			t.Fatalf("step %d (%+v): got %q, want %q", i, s, describe(got), want)
		}
		h.follow(t, got)
		h.compare(t, r.State())
	}
	h.follow(t, r.End(moment(now), Stopped))
	for c, enter := range h.entered {
		if enter != nil {
			t.Errorf("label %d was never left", c)
		}
	}
}

func randomThresholds(rnd *rand.Rand, classes int) Thresholds {
	pair := func() (enter, leave float64) {
		enter = float64(rnd.IntN(11)) / 10
		return enter, enter * []float64{1, 0.8, 0.5, 0}[rnd.IntN(4)]
	}
	durations := []time.Duration{0, 0, time.Millisecond, 400 * time.Millisecond, 2 * time.Second}
	t := Thresholds{Hold: durations[rnd.IntN(5)], Smoothing: durations[rnd.IntN(5)], TopK: rnd.IntN(6)}
	t.Enter, t.Leave = pair()
	for c := range classes {
		if rnd.IntN(4) == 0 {
			enter, leave := pair()
			t.Labels = append(t.Labels, LabelThreshold{c, enter, leave})
		}
	}
	if rnd.IntN(3) == 0 {
		t.Only = rnd.Perm(classes)[:1+rnd.IntN(2)]
	}
	return t
}

func randomStep(rnd *rand.Rand) time.Duration {
	switch rnd.IntN(20) {
	case 0:
		return 0
	case 1:
		return -time.Duration(rnd.Int64N(int64(time.Hour)))
	case 2:
		return time.Duration(rnd.Int64N(int64(time.Hour)))
	}
	return time.Duration(rnd.Int64N(int64(400 * time.Millisecond)))
}

func randomScore(rnd *rand.Rand) float32 {
	switch rnd.IntN(40) {
	case 0:
		return float32(math.NaN())
	case 1:
		return 0
	case 2:
		return 1
	}
	return float32(rnd.IntN(257)) / 256
}

// history is the rules again, written the slow way: whether a label changes is asked of all its frames since the last change.
type history struct {
	t       Thresholds
	last    time.Time
	clock   time.Duration
	classes [][]frame // smoothed, since the start or the end
	entered []*Change // the enter that has had no leave
}

type frame struct {
	clock time.Duration
	score float64
	fresh bool // whether the label may still change because of this frame: no change and no other thresholds since
}

func (h *history) limits(class int) (enter, leave float64) {
	for _, l := range h.t.Labels {
		if l.Index == class {
			return float64(float32(l.Enter)), float64(float32(l.Leave))
		}
	}
	return float64(float32(h.t.Enter)), float64(float32(h.t.Leave))
}

func (h *history) watched(class int) bool {
	return len(h.t.Only) == 0 || slices.Contains(h.t.Only, class)
}

func (h *history) run(s step) string {
	var left, entered []string
	round := func(x float64) float64 { return math.Round(x*1e4) / 1e4 }
	for c := range h.classes {
		switch frames := h.classes[c]; {
		case s.end != "":
			if h.entered[c] != nil {
				left = append(left, fmt.Sprintf("-%d %v %s", c, round(frames[len(frames)-1].score), s.end))
			}
			h.classes[c] = nil
		case s.set != nil:
			before, old := *h, h.t
			enter, leave := before.limits(c)
			watched := before.watched(c)
			h.t = *s.set
			nowEnter, nowLeave := h.limits(c)
			if h.entered[c] != nil && !h.watched(c) {
				left = append(left, fmt.Sprintf("-%d %v %s", c, round(frames[len(frames)-1].score), Reconfigured))
			}
			if enter != nowEnter || leave != nowLeave || watched != h.watched(c) {
				stale(frames)
			}
			h.t = old
		default:
			now := start.Add(s.at)
			clock := h.clock
			x := float64(s.scores[c])
			if math.IsNaN(x) {
				x = 0
			}
			if len(frames) > 0 {
				dt := max(0, now.Sub(h.last))
				clock += dt
				if h.t.Smoothing > 0 {
					keep := math.Exp(-float64(dt) / float64(h.t.Smoothing))
					x = keep*frames[len(frames)-1].score + (1-keep)*x
				}
			}
			frames = append(frames, frame{clock, x, true})
			enter, leave := h.limits(c)
			// From when on, without a break until now, was the label beyond the threshold?
			from := len(frames)
			for from > 0 && frames[from-1].fresh {
				y := frames[from-1].score
				if h.entered[c] != nil && y >= leave || h.entered[c] == nil && y < enter {
					break
				}
				from--
			}
			if from < len(frames) && clock-frames[from].clock >= h.t.Hold && h.watched(c) {
				if h.entered[c] != nil {
					left = append(left, fmt.Sprintf("-%d %v %s", c, round(x), ByScore))
				} else {
					entered = append(entered, fmt.Sprintf("+%d %v", c, round(x)))
				}
				stale(frames)
			}
			h.classes[c] = frames
			if c == len(h.classes)-1 {
				h.last, h.clock = now, clock
			}
		}
	}
	if s.set != nil {
		h.t = *s.set
	}
	return strings.Join(append(left, entered...), ", ")
}

func stale(frames []frame) {
	for i := range frames {
		frames[i].fresh = false
	}
}

// follow is a subscriber: it pairs enters and leaves.
func (h *history) follow(t *testing.T, changes []Change) {
	for _, c := range changes {
		switch {
		case c.Type == Enter && h.entered[c.Index] == nil:
			if enter, _ := h.limits(c.Index); c.Score < math.Floor(enter*1e4)/1e4 {
				t.Fatalf("entered below %v: %+v", enter, c)
			}
			h.entered[c.Index] = &c
		case c.Type == Leave && h.entered[c.Index] != nil:
			h.entered[c.Index] = nil
		default:
			t.Fatalf("enter and leave do not alternate: %+v", c)
		}
	}
}

// compare asks whether the state is what a subscriber to the events would think.
func (h *history) compare(t *testing.T, s State) {
	entered := 0
	for _, enter := range h.entered {
		if enter != nil {
			entered++
		}
	}
	if len(s.Entered) != entered || (s.Label == nil) != (entered == 0) {
		t.Fatalf("state %+v, %d are entered", s, entered)
	}
	for i, e := range s.Entered {
		if enter := h.entered[e.Index]; enter == nil || !e.Since.Equal(enter.At.Time) || e.Label != enter.Label {
			t.Fatalf("state has %+v, entered is %+v", e, enter)
		}
		if i > 0 && e.Score.Score > s.Entered[i-1].Score.Score {
			t.Fatalf("state is not in order: %+v", s)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	labels := make([]string, 1001)
	scores := make([]float32, len(labels))
	r := NewRegion(labels, Thresholds{Enter: 0.6, Leave: 0.4, Hold: time.Second, Smoothing: time.Second})
	now := start
	for range b.N {
		now = now.Add(200 * time.Millisecond)
		r.Update(moment(now), scores)
	}
}
