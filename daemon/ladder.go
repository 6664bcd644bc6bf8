package main

import (
	"fmt"
	"slices"
	"time"
)

// A ladder decides which of several widths runs: the widest with which every
// camera keeps its fps. It takes what the board could do since the last look,
// and asks for a narrower width when pictures have been late for a while, for a
// wider one only when that one has had clear head room for longer. A climb that
// fails makes the next one wait twice as long. It has no clock of its own.
type ladder struct {
	patience ladderPatience
	// costs are what an inference took with each width, the widest first, timed
	// one after the other: how they compare is what counts. How fast the board is
	// now, the width that runs tells.
	costs []time.Duration
	slow  float64 // how many times longer an inference takes now
	at    int     // the width that runs

	looked  time.Time
	strain  time.Duration // how long pictures were late, less how long they were not
	calm    time.Duration // how long goal has had head room, without a break
	goal    int           // the widest that had it all that time
	wait    time.Duration // how long calm must last
	climbed time.Time     // when it climbed last, as long as that may still fail
	warned  bool          // that nothing is narrow enough, since pictures are late
}

type ladderPatience struct {
	look   time.Duration // from one look to the next
	strain time.Duration // after which it steps down
	calm   time.Duration // after which it climbs,
	most   time.Duration // and at most, however many climbs have failed
	proof  time.Duration // a climb has failed if it steps down within that
}

var defaultPatience = ladderPatience{
	look: 5 * time.Second, strain: 10 * time.Second, calm: time.Minute, most: time.Hour, proof: 15 * time.Minute,
}

// What part of the time inferences may take, by what is known of a width: to
// start with it or step down to it, and to climb to it.
const (
	fits       = 0.8
	fitsEasily = 0.65
)

// A ladderLook is what a ladder decides by.
type ladderLook struct {
	at   time.Time
	need float64       // inferences a second that keep every camera at its fps
	cost time.Duration // of an inference since the last look, 0: there was none
	late bool          // some camera got clearly less than its fps, because the board was busy
	hot  bool          // the board slows itself down, or is about to
}

// newLadder starts with the widest that keeps up, or else the narrowest.
func newLadder(costs []time.Duration, need float64, p ladderPatience) *ladder {
	costs = slices.Clone(costs)
	for i := 1; i < len(costs); i++ {
		costs[i] = min(costs[i], costs[i-1]) // if a narrower one took longer, something else ran
	}
	l := &ladder{patience: p, costs: costs, slow: 1, wait: p.calm}
	l.at = l.widest(0, fits, need)
	return l
}

// widest is the first width from one on that takes no more than a part of the
// time, or else the narrowest.
func (l *ladder) widest(from int, part, need float64) int {
	for i := from; i < len(l.costs); i++ {
		if l.load(i, need) <= part {
			return i
		}
	}
	return len(l.costs) - 1
}

// load is the part of the time that inferences with a width would take now.
func (l *ladder) load(width int, need float64) float64 {
	return need * l.slow * l.costs[width].Seconds()
}

// decide says which width is to run. If that is another one it says why, and
// moved has to follow; if it is the same, why says that it is too wide, and that
// there is none narrower.
func (l *ladder) decide(o ladderLook) (to int, why string) {
	var passed time.Duration
	if !l.looked.IsZero() {
		passed = min(o.at.Sub(l.looked), 2*l.patience.look) // whoever slept has seen nothing
	}
	l.looked = o.at
	if o.cost > 0 {
		l.slow = float64(o.cost) / float64(l.costs[l.at])
	}
	if !l.climbed.IsZero() && o.at.Sub(l.climbed) >= l.patience.proof {
		l.climbed, l.wait = time.Time{}, l.patience.calm
	}

	if o.late {
		l.strain += passed
		l.calm = 0
		if l.strain < l.patience.strain {
			return l.at, ""
		}
		why := fmt.Sprintf("pictures are late: the cameras need %.3g inferences a second, which take %.0f %% of the time", o.need, 100*l.load(l.at, o.need))
		if l.at < len(l.costs)-1 {
			return l.widest(l.at+1, fits, o.need), why + heat(o)
		}
		l.strain = l.patience.strain
		if l.warned {
			return l.at, ""
		}
		l.warned = true
		return l.at, why + heat(o)
	}

	l.strain = max(0, l.strain-passed)
	l.warned = l.warned && l.strain > 0
	goal := l.widest(0, fitsEasily, o.need)
	if goal >= l.at || o.hot {
		l.calm = 0
		return l.at, ""
	}
	if l.calm == 0 {
		l.goal = goal
	}
	l.goal = max(l.goal, goal)
	if l.calm += passed; l.calm < l.wait {
		return l.at, ""
	}
	return l.goal, fmt.Sprintf("there is room: the cameras need %.3g inferences a second, which would take %.0f %% of the time", o.need, 100*l.load(l.goal, o.need))
}

// moved says that another width runs now.
func (l *ladder) moved(to int, at time.Time) {
	switch {
	case to < l.at:
		l.climbed = at
	case !l.climbed.IsZero():
		l.climbed, l.wait = time.Time{}, min(2*l.wait, l.patience.most)
	}
	l.at, l.strain, l.calm = to, 0, 0
}

// stay says that another width was wanted and cannot run.
func (l *ladder) stay() { l.strain, l.calm = 0, 0 }

func heat(o ladderLook) string {
	if o.hot {
		return "; the board is hot or slows itself down"
	}
	return ""
}
