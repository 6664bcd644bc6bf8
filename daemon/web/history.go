package web

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"tarsier/pipeline"
)

// What a History keeps. At ten frames a second with sixteen scores each that is half a megabyte a region.
const (
	historyMinutes = 12                     // the last of them is not full: eleven are
	historyEvery   = 100 * time.Millisecond // frames that come faster are left out
	historyScores  = 16                     // of a frame, the best
	historyFloor   = 1.0 / 256              // a score below is taken for 0
	historyMarks   = 600                    // events and ends of a minute
)

// What a Recording of it shows.
const (
	shownScore  = 0.05 // a label that never reached it is left out
	shownLabels = 24   // and so are others than the best; as many more that the thresholds name are shown
)

// A History is what a region scored in the last minutes. In steady state a frame costs no allocation.
type History struct {
	mu         sync.Mutex
	on         bool
	labels     []string
	thresholds pipeline.Thresholds
	minutes    [historyMinutes]minute
	now        int           // the minute that is written
	last       time.Duration // of the machine's uptime: the last frame or end
	due        time.Duration // when the next frame is taken in
	set        time.Time     // the system clock's time of last
	fresh      *Delta        // while somebody watches: what is new since they were told
}

// A minute is a minute of frames and what came between them. Its memory is used again.
type minute struct {
	start  time.Duration   // uptime; 0: nothing is written yet
	times  []time.Duration // uptime of each frame
	counts []uint8         // how many scores it has
	scores []scored
	ends   []End  // by uptime; Frame counts those of the minute
	events []Mark // by uptime
}

// scored is the score of a class in ten-thousandths, as precise as what is published.
type scored struct{ class, score uint16 }

func (s scored) value() float32 { return float32(s.score) / 1e4 }

// A Mark is an event in a region's history.
type Mark struct {
	Time   int64   `json:"time"` // as in the Recording.Times or Delta.Times that it comes with
	Type   string  `json:"type"`
	Reason string  `json:"reason"`
	Label  string  `json:"label"`
	Index  int     `json:"index"`
	Score  float64 `json:"score"`
}

// A RegionHistory is what a page gets of a History: all of it.
type RegionHistory struct {
	Recording
	Uptime     int64        `json:"uptime"` // the machine's at Start, nanoseconds
	Thresholds Thresholds   `json:"thresholds"`
	Names      []ClassLabel `json:"names"` // of all classes that the thresholds name
	Events     []Mark       `json:"events"`

	known map[int]bool // the classes that were worth showing, shown or not
}

// A ClassLabel says what a class is called.
type ClassLabel struct {
	Label string `json:"label"`
	Index int    `json:"index"`
}

// A Delta is what a page gets after that: what is new. Its times are the machine's uptime.
type Delta struct {
	Times  []int64     `json:"times"`
	Frames [][]float32 `json:"frames"` // of each: class and score, class and score
	Ends   []End       `json:"ends"`
	Events []Mark      `json:"events"`

	renewed bool // another model, or other thresholds: what was told before does not hold
}

// Begin is called when the labels or thresholds of the region are set.
func (h *History) Begin(labels []string, t pipeline.Thresholds) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(labels, h.labels) {
		h.clear()
	}
	h.labels, h.thresholds = labels, t
	if h.fresh != nil {
		h.fresh.renewed = true
	}
}

// Frame takes the scores that pipeline.Region.Update was given.
func (h *History) Frame(at pipeline.Moment, scores []float32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	const jitter = historyEvery / 3 // a camera of just ten frames a second keeps them all
	if !h.on || at.Uptime < h.due-jitter {
		return
	}
	h.due = max(h.due, at.Uptime-historyEvery) + historyEvery
	m := h.minute(at)
	var best [historyScores]scored
	n := bestScores(&best, scores)
	m.times = append(m.times, h.last)
	m.counts = append(m.counts, uint8(n))
	m.scores = append(m.scores, best[:n]...)
	if d := h.fresh; d != nil {
		if len(d.Times) >= historyMarks { // nobody fetches it
			d.renewed = true
			return
		}
		frame := make([]float32, 0, 2*n)
		for _, s := range best[:n] {
			frame = append(frame, float32(s.class), s.value())
		}
		d.Times, d.Frames = append(d.Times, int64(h.last)), append(d.Frames, frame)
	}
}

// bestScores finds the best of those that are worth keeping, in any order, and says how many.
func bestScores(best *[historyScores]scored, scores []float32) int {
	n := 0
	for class, x := range scores[:min(len(scores), 1<<16)] {
		if !(x >= historyFloor) {
			continue
		}
		at := n
		if n == len(best) { // in the place of the least
			at = 0
			for i, b := range best {
				if b.score < best[at].score {
					at = i
				}
			}
		} else {
			n++
		}
		if score := uint16(min(x, 1)*1e4 + 0.5); score > best[at].score {
			best[at] = scored{uint16(class), score}
		}
	}
	return n
}

// End takes what pipeline.Region.End was told.
func (h *History) End(at pipeline.Moment, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.on {
		return
	}
	m := h.minute(at)
	if len(m.ends) >= historyMarks {
		return
	}
	m.ends = append(m.ends, End{Frame: len(m.times), Time: int64(h.last), Reason: reason})
	if d := h.fresh; d != nil {
		d.Ends = append(d.Ends, End{Frame: len(d.Times), Time: int64(h.last), Reason: reason})
	}
}

// event takes an event that was made of it.
func (h *History) event(e pipeline.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.on {
		return
	}
	m := h.minute(pipeline.Moment{Time: e.Time.Time, Uptime: e.Uptime})
	if len(m.events) >= historyMarks {
		return
	}
	mark := Mark{Time: int64(e.Uptime), Type: e.Type, Reason: e.Reason, Label: e.Label, Index: e.Index, Score: e.Score}
	m.events = append(m.events, mark)
	if d := h.fresh; d != nil {
		d.Events = append(d.Events, mark)
	}
}

// minute is where what happens at that moment is written. Time does not go back.
func (h *History) minute(at pipeline.Moment) *minute {
	if at.Uptime >= h.last {
		h.last, h.set = at.Uptime, at.Time
	}
	m := &h.minutes[h.now]
	if m.start == 0 || h.last-m.start >= time.Minute {
		h.now = (h.now + 1) % len(h.minutes)
		m = &h.minutes[h.now]
		m.start = h.last
		m.times, m.counts, m.scores, m.ends, m.events = m.times[:0], m.counts[:0], m.scores[:0], m.ends[:0], m.events[:0]
	}
	return m
}

// remember turns it on, or off: then it forgets everything.
func (h *History) remember(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.on = on
	h.clear()
}

// clear forgets everything, memory included.
func (h *History) clear() {
	h.minutes, h.now, h.last, h.due = [historyMinutes]minute{}, 0, 0, 0
	if h.fresh != nil {
		h.fresh.renewed = true
	}
}

// news gives what was new since the last call of news or whole; nil if there was none.
func (h *History) news() *Delta {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.renew()
}

func (h *History) renew() *Delta {
	d := h.fresh
	h.fresh = &Delta{Times: []int64{}, Frames: [][]float32{}, Ends: []End{}, Events: []Mark{}}
	return d
}

// whole gives everything, and what was new for those who had been told before.
func (h *History) whole() (*RegionHistory, *Delta) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.recording(), h.renew()
}

// unwatched says that nobody asks for news any more.
func (h *History) unwatched() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fresh = nil
}

// Recording gives what the history holds.
func (h *History) Recording() *RegionHistory {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.recording()
}

func (h *History) recording() *RegionHistory {
	var minutes []*minute // the oldest first
	best := map[int]float32{}
	start, frames := h.last, 0
	for i := range h.minutes {
		m := &h.minutes[(h.now+1+i)%len(h.minutes)]
		if m.start == 0 || m.start < h.last-(historyMinutes-1)*time.Minute {
			continue
		}
		minutes = append(minutes, m)
		start = min(start, m.start)
		frames += len(m.times)
		for _, s := range m.scores {
			best[int(s.class)] = max(best[int(s.class)], s.value())
		}
	}
	r := &RegionHistory{
		Recording: Recording{Start: pipeline.Time{Time: h.set.Add(start - h.last)}, Times: make([]int64, 0, frames), Ends: []End{}, Labels: []LabelScores{}},
		Uptime:    int64(start), Thresholds: NewThresholds(h.thresholds), Names: []ClassLabel{}, Events: []Mark{}, known: map[int]bool{},
	}
	for _, class := range named(h.thresholds) {
		r.Names = append(r.Names, ClassLabel{h.labels[class], class})
	}
	for class, b := range best {
		r.known[class] = b >= shownScore
	}
	at := map[uint16]int{} // of each class that is shown: where
	classes, floor := h.shown(best)
	r.Floor = float64(floor)
	for _, class := range classes {
		at[uint16(class)] = len(r.Labels)
		r.Labels = append(r.Labels, LabelScores{Label: h.labels[class], Index: class, Scores: make(Scores, frames)})
	}
	for _, m := range minutes {
		for _, e := range m.ends {
			r.Ends = append(r.Ends, End{Frame: len(r.Times) + e.Frame, Time: e.Time - int64(start), Reason: e.Reason})
		}
		for _, e := range m.events {
			e.Time -= int64(start)
			r.Events = append(r.Events, e)
		}
		scores := m.scores
		for i, t := range m.times {
			for _, s := range scores[:m.counts[i]] {
				if l, ok := at[s.class]; ok {
					r.Labels[l].Scores[len(r.Times)] = s.value()
				}
			}
			scores = scores[m.counts[i]:]
			r.Times = append(r.Times, int64(t-start))
		}
	}
	slices.SortStableFunc(r.Events, func(a, b Mark) int { return cmp.Compare(a.Time, b.Time) }) // one whose picture took long came late
	return r
}

// named are the classes that thresholds name.
func named(t pipeline.Thresholds) []int {
	classes := slices.Clone(t.Only)
	for _, l := range t.Labels {
		if !slices.Contains(classes, l.Index) {
			classes = append(classes, l.Index)
		}
	}
	return classes
}

// shown are the classes that a Recording shows, those that the thresholds name first, then by their best score; and the best score of
// the others.
func (h *History) shown(best map[int]float32) (classes []int, floor float32) {
	better := func(a, b int) int { return cmp.Or(cmp.Compare(best[b], best[a]), a-b) }
	own := named(h.thresholds)
	var others []int
	for class := range best {
		if !slices.Contains(own, class) {
			others = append(others, class)
		}
	}
	slices.SortFunc(own, better)
	slices.SortFunc(others, better)
	n := 0
	for n < min(len(others), shownLabels) && best[others[n]] >= shownScore {
		n++
	}
	classes = append(own[:min(len(own), shownLabels)], others[:n]...)
	if n < len(others) {
		floor = best[others[n]]
	}
	return classes, floor
}
