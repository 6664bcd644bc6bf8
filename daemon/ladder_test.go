package main

import (
	"slices"
	"testing"
	"time"
)

// A board in a simulation: what a width costs on it, and what the cameras need.
type ladderBoard struct {
	costs []time.Duration // alone
	need  float64
	slow  float64 // how many times slower it is than when costs were taken
	hot   bool
}

// run looks for so long, and gives the widths that ran, in order, since from.
func (b *ladderBoard) run(l *ladder, now *time.Time, long time.Duration) (ran []int) {
	ran = []int{l.at}
	for end := now.Add(long); now.Before(end); {
		*now = now.Add(l.patience.look)
		cost := time.Duration(float64(b.costs[l.at]) * b.slow)
		o := ladderLook{at: *now, need: b.need, cost: cost, late: b.need*cost.Seconds() > 1, hot: b.hot}
		if b.need == 0 {
			o.cost = 0
		}
		to, why := l.decide(o)
		if to != l.at {
			if why == "" {
				panic("no reason")
			}
			l.moved(to, *now)
			ran = append(ran, to)
		}
	}
	return ran
}

// 1.0, 0.75, 0.5 and 0.35 on a small board.
func fourWidths() []time.Duration {
	return []time.Duration{40 * time.Millisecond, 28 * time.Millisecond, 16 * time.Millisecond, 10 * time.Millisecond}
}

func TestLadderStart(t *testing.T) {
	for _, c := range []struct {
		need float64
		want int
	}{
		{0, 0},  // fps 0: as many as the board can
		{5, 0},  // one camera
		{20, 0}, // 80 % of the time
		{21, 1},
		{40, 2},
		{80, 3},
		{500, 3}, // nothing keeps up
	} {
		if got := newLadder(fourWidths(), c.need, defaultPatience).at; got != c.want {
			t.Errorf("%v inferences a second start with width %d, not %d", c.need, got, c.want)
		}
	}
	if got := newLadder(fourWidths()[:1], 500, defaultPatience).at; got != 0 {
		t.Errorf("of one width number %d starts", got)
	}
}

func TestLadder(t *testing.T) {
	type phase struct {
		long time.Duration
		need float64
		slow float64
		hot  bool
		want []int // the widths that run
	}
	for name, phases := range map[string][]phase{
		"steady": {{24 * time.Hour, 15, 1, false, []int{0}}},
		"no more than it needs, close to the limit": {{24 * time.Hour, 24, 1, false, []int{1}}},
		"overload, and none": {
			{time.Hour, 15, 1, false, []int{0}},
			{15 * time.Second, 45, 1, false, []int{0, 2}},
			{55 * time.Second, 15, 1, false, []int{2}},
			{time.Hour, 15, 1, false, []int{2, 0}},
		},
		"overload far beyond": {{time.Hour, 15, 1, false, []int{0}}, {time.Hour, 90, 1, false, []int{0, 3}}},
		"slowed down, and cooling down": {
			{time.Hour, 20, 1, false, []int{0}},
			{time.Minute, 20, 1.5, true, []int{0, 2}}, // 1.0 takes 60 ms, 0.75 42 ms and 0.5 24 ms
			{time.Hour, 20, 1, true, []int{2}},        // hot still
			{50 * time.Second, 15, 1, false, []int{2}},
			{time.Hour, 15, 1, false, []int{2, 0}},
		},
		"room for one step only": {
			{time.Minute, 45, 1, false, []int{2}},
			{time.Hour, 22, 1, false, []int{2, 1}},
		},
		"a short overload": {
			{time.Minute, 15, 1, false, []int{0}},
			{5 * time.Second, 90, 1, false, []int{0}},
			{time.Hour, 15, 1, false, []int{0}},
		},
		"nothing to do": {{time.Hour, 45, 1, false, []int{2}}, {time.Hour, 0, 1, false, []int{2, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(0, 0)
			l := newLadder(fourWidths(), phases[0].need, defaultPatience)
			b := &ladderBoard{costs: fourWidths()}
			for i, p := range phases {
				b.need, b.slow, b.hot = p.need, p.slow, p.hot
				if got := b.run(l, &now, p.long); !slices.Equal(got, p.want) {
					t.Errorf("phase %d: the widths %v ran, not %v", i, got, p.want)
				}
			}
		})
	}
}

// However a load comes and goes, the width does not follow it each time.
func TestLadderFlaps(t *testing.T) {
	for _, period := range []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute} {
		now := time.Unix(0, 0)
		b := &ladderBoard{costs: fourWidths(), slow: 1}
		l := newLadder(b.costs, 15, defaultPatience)
		steps := 0
		for range 24 * time.Hour / period {
			for _, b.need = range []float64{15, 45} {
				steps += len(b.run(l, &now, period/2)) - 1
			}
		}
		// Of a day; half of them down.
		if most := 16; steps > most {
			t.Errorf("a load that comes and goes each %v makes %d steps in a day, more than %d", period, steps, most)
		}
	}
}

// How slow the board is it knows from the last inference that there was.
func TestLadderRemembersSlowness(t *testing.T) {
	l := newLadder(fourWidths(), 30, defaultPatience) // with 0.5
	now := time.Unix(0, 0)
	for i := range 1000 {
		o := ladderLook{at: now, need: 15}
		if i == 0 {
			o.cost = 2 * l.costs[l.at] // so that 0.75 would take 84 % of the time
		}
		if to, _ := l.decide(o); to != l.at {
			t.Fatalf("after %v it wants width %d", now.Sub(time.Unix(0, 0)), to)
		}
		now = now.Add(l.patience.look)
	}
}

// Late now and then, never for long: that adds up.
func TestLadderStrainAddsUp(t *testing.T) {
	l := newLadder(fourWidths(), 15, defaultPatience)
	now := time.Unix(0, 0)
	for i := range 100 {
		now = now.Add(l.patience.look)
		if to, _ := l.decide(ladderLook{at: now, need: 15, cost: 40 * time.Millisecond, late: i%3 > 0}); to != l.at {
			return
		}
	}
	t.Error("two of three looks say late, and it does not step down")
}

// A board on which pictures are late although inferences seem to fit steps
// down, one by one, and says once that the narrowest does not help.
func TestLadderNarrowest(t *testing.T) {
	l := newLadder(fourWidths(), 5, defaultPatience)
	now := time.Unix(0, 0)
	var ran []int
	said := 0
	for range 1000 {
		now = now.Add(l.patience.look)
		to, why := l.decide(ladderLook{at: now, need: 5, cost: l.costs[l.at], late: true})
		if to != l.at {
			l.moved(to, now)
			ran = append(ran, to)
		} else if why != "" {
			said++
		}
	}
	if !slices.Equal(ran, []int{1, 2, 3}) || said != 1 {
		t.Errorf("the widths %v ran, and %d times it said that none is narrow enough", ran, said)
	}
	only := newLadder(fourWidths()[:1], 5, defaultPatience)
	for range 1000 {
		now = now.Add(l.patience.look)
		if to, _ := only.decide(ladderLook{at: now, need: 1, cost: time.Millisecond, late: true}); to != 0 {
			t.Fatal("the only width is left")
		}
	}
}
