package pipeline

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Thresholds say how the scores of a region become events.
type Thresholds struct {
	Enter     float64       // smoothed score at or above which a label is entered
	Leave     float64       // and below which it is left; at most Enter
	Hold      time.Duration // how long either must last
	Smoothing time.Duration // time constant of the moving average; 0: none
	TopK      int           // how many scores Top gives

	// Only are the classes that make events and show in the state; empty: all. Top always shows every class: what
	// else the model takes the picture for is what one wants to know when choosing labels and thresholds.
	Only []int
	// Labels are the classes with thresholds of their own.
	Labels []LabelThreshold
}

// A LabelThreshold overrides the thresholds of one class.
type LabelThreshold struct {
	Index        int
	Enter, Leave float64
}

// A Change is a label that was entered or left: what the daemon makes an Event of.
type Change struct {
	Type   string // Enter, Leave
	Reason string // of a Leave
	At     Moment
	Label  string
	Index  int
	Score  float64 // smoothed
	Top    []Score // as it was then; shared by the changes of one call, and never written again
}

// A Region keeps one state machine for each label of a camera's region. It belongs to one goroutine at a time.
//
// A label that is not entered and whose smoothed score has been at or above Enter for Hold is entered; one that is entered
// and whose smoothed score has been below Leave for Hold is left. Between two frames a score counts as it was in the
// earlier one. The changes of one call come in a fixed order: those left before those entered, each by class index, so
// that a subscriber who sees one label take another's place never counts both.
type Region struct {
	labels     []string
	thresholds Thresholds
	classes    []class
	started    bool          // there was a frame since the start or the last End
	last       Moment        // when that was taken
	clock      time.Duration // sum of the steps between frames; a step back counts as none
	changes    []Change      // reused
}

// class is the state machine of one label.
type class struct {
	average      float64
	enter, leave float64
	ignored      bool // Only names others
	entered      bool
	since        Moment        // of its enter
	crossed      bool          // the average is beyond the threshold at which the state changes,
	crossedAt    time.Duration // and has been since then, on the region's clock
}

// NewRegion starts with nothing entered. Labels are those of the model, by class index.
func NewRegion(labels []string, t Thresholds) *Region {
	r := &Region{labels: labels, classes: make([]class, len(labels))}
	r.set(t)
	return r
}

// Update takes the scores of a frame, one for each label, and when it was taken, and returns what changed. The slice is
// reused by the next call. It allocates only when something changes.
//
// The average starts at the first frame's score. The longer the time since the last frame, the more a frame weighs; one that is not
// later than the last weighs nothing, unless there is no smoothing. A score that is not a number counts as 0.
func (r *Region) Update(now Moment, scores []float32) []Change {
	if len(scores) != len(r.classes) {
		panic(fmt.Sprintf("pipeline: %d scores for a region of %d labels", len(scores), len(r.classes)))
	}
	alpha := 1.0
	if r.started {
		step := max(0, now.Uptime-r.last.Uptime)
		r.clock += step
		if r.thresholds.Smoothing > 0 {
			alpha = -math.Expm1(-step.Seconds() / r.thresholds.Smoothing.Seconds())
		}
	}
	r.started, r.last = true, now

	r.changes = r.changes[:0]
	for i := range r.classes {
		c := &r.classes[i]
		if x := sane(scores[i]); alpha == 1 {
			c.average = x
		} else {
			c.average += alpha * (x - c.average)
		}
		crossed := !c.ignored && c.average >= c.enter
		if c.entered {
			crossed = c.average < c.leave
		}
		if crossed && !c.crossed {
			c.crossedAt = r.clock
		}
		c.crossed = crossed
		if !crossed || r.clock-c.crossedAt < r.thresholds.Hold {
			continue
		}
		c.crossed = false
		if c.entered {
			c.entered = false
			r.change(Leave, ByScore, now, i)
		} else {
			c.entered, c.since = true, now
			r.change(Enter, "", now, i)
		}
	}
	slices.SortStableFunc(r.changes, func(a, b Change) int {
		return strings.Compare(b.Type, a.Type) // Leave before Enter
	})
	return r.withTop()
}

// End leaves everything that is entered, with that reason, and forgets the averages: the next frame is a first one.
// The slice is reused by the next call.
func (r *Region) End(now Moment, reason string) []Change {
	r.changes = r.changes[:0]
	for i := range r.classes {
		if r.classes[i].entered {
			r.change(Leave, reason, now, i)
		}
	}
	changes := r.withTop()
	r.started = false
	for i := range r.classes {
		c := &r.classes[i]
		c.entered, c.crossed = false, false
	}
	return changes
}

// Reconfigure goes on with other thresholds, from the next frame. What is entered stays so, and what is no longer to make
// events is left with the reason Reconfigured. For a label whose Enter or Leave differs, Hold begins anew. The slice
// is reused by the next call.
func (r *Region) Reconfigure(now Moment, t Thresholds) []Change {
	r.set(t)
	r.changes = r.changes[:0]
	for i := range r.classes {
		if c := &r.classes[i]; c.entered && c.ignored {
			c.entered, c.crossed = false, false
			r.change(Leave, Reconfigured, now, i)
		}
	}
	return r.withTop()
}

// Top gives the TopK best smoothed scores, the best first, of equal ones the lower class first; none before the first frame.
// The slice is the caller's.
func (r *Region) Top() []Score {
	if !r.started {
		return []Score{}
	}
	best := highest(r.thresholds.TopK, len(r.classes), func(i int) float64 { return r.classes[i].average })
	top := make([]Score, len(best))
	for i, class := range best {
		top[i] = r.score(class)
	}
	return top
}

// State gives what is entered now, since when by the clock of the last frame. It is the caller's.
func (r *Region) State() State {
	state := State{Entered: []Entered{}}
	for i := range r.classes {
		if c := &r.classes[i]; c.entered {
			state.Entered = append(state.Entered, Entered{r.score(i), Time{r.last.Time.Add(c.since.Uptime - r.last.Uptime)}})
		}
	}
	slices.SortStableFunc(state.Entered, func(a, b Entered) int {
		switch x, y := r.classes[a.Index].average, r.classes[b.Index].average; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	if len(state.Entered) > 0 {
		state.Label = &state.Entered[0].Label
	}
	return state
}

// Leading gives the index of the label that State names, -1 if nothing is entered.
func (r *Region) Leading() int {
	best := -1
	for i := range r.classes {
		if r.classes[i].entered && (best < 0 || r.classes[i].average > r.classes[best].average) {
			best = i
		}
	}
	return best
}

func (r *Region) set(t Thresholds) {
	t.Only, t.Labels = slices.Clone(t.Only), slices.Clone(t.Labels)
	r.thresholds = t
	old := slices.Clone(r.classes)
	for i := range r.classes {
		c := &r.classes[i]
		c.enter, c.leave, c.ignored = asScore(t.Enter), asScore(t.Leave), len(t.Only) > 0
	}
	for _, l := range t.Labels {
		r.classes[l.Index].enter, r.classes[l.Index].leave = asScore(l.Enter), asScore(l.Leave)
	}
	for _, i := range t.Only {
		r.classes[i].ignored = false
	}
	for i := range r.classes {
		if c := &r.classes[i]; c.enter != old[i].enter || c.leave != old[i].leave {
			c.crossed = false
		}
	}
}

func (r *Region) change(kind, reason string, now Moment, index int) {
	s := r.score(index)
	r.changes = append(r.changes, Change{Type: kind, Reason: reason, At: now, Label: s.Label, Index: s.Index, Score: s.Score})
}

func (r *Region) withTop() []Change {
	if len(r.changes) > 0 {
		top := r.Top()
		for i := range r.changes {
			r.changes[i].Top = top
		}
	}
	return r.changes
}

func (r *Region) score(index int) Score {
	return Score{Label: r.labels[index], Index: index, Score: published(r.classes[index].average)}
}

// published rounds a score: four decimals are more than an int8 network knows.
func published(score float64) float64 { return math.Round(score*1e4) / 1e4 }

// sane takes what is not a number, which would stay in the average for ever, for 0.
func sane(x float32) float64 {
	if !(x > 0) {
		return 0
	}
	return float64(min(x, 1))
}

// asScore rounds a threshold to float32, as scores are: a score of 0.7 must not be below a threshold of 0.7.
func asScore(threshold float64) float64 { return float64(float32(threshold)) }

// Best gives the k best of scores that are not smoothed, in the order of Top.
func Best(labels []string, scores []float32, k int) []Score {
	best := highest(k, len(scores), func(i int) float64 { return sane(scores[i]) })
	top := make([]Score, len(best))
	for i, class := range best {
		top[i] = Score{Label: labels[class], Index: class, Score: published(sane(scores[class]))}
	}
	return top
}

// highest gives the indexes below n of the k highest values, the highest first, of equal ones the lower index first.
func highest(k, n int, value func(int) float64) []int {
	k = min(max(k, 0), n)
	best := make([]int, 0, k+1)
	for i := range n {
		v := value(i)
		if len(best) == k && (k == 0 || v <= value(best[k-1])) {
			continue
		}
		at := len(best)
		for at > 0 && v > value(best[at-1]) {
			at--
		}
		best = slices.Insert(best, at, i)[:min(len(best)+1, k)]
	}
	return best
}

// BestOf keeps in best, for each class, the better score of best and scores: the scores of a region's tiles, one tile after
// another, are those of the region. It starts with all zeros or with the scores of the first tile.
func BestOf(best, scores []float32) {
	scores = scores[:len(best)]
	for i, s := range scores {
		if s > best[i] {
			best[i] = s
		}
	}
}
