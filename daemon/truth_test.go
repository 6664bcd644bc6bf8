package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tarsier/daemon/web"
	"tarsier/daemon/web/webtest"
	"tarsier/pipeline"
)

// TestJudge gives the same events and truths to judge and to its twin in static/rules.js.
func TestJudge(t *testing.T) {
	type event struct {
		Time  int64  `json:"time"`
		Type  string `json:"type"`
		Index int    `json:"index"`
	}
	type judgeCase struct {
		Events    []event        `json:"events"`
		Intervals []web.Interval `json:"intervals"`
		Judged    []int          `json:"judged"`
		want      verdict
	}
	random := rand.New(rand.NewPCG(6, 8))
	var cases []judgeCase
	for range 500 {
		c := judgeCase{Events: []event{}, Intervals: []web.Interval{}, Judged: []int{0, 2}[:random.IntN(3)]}
		var changes []pipeline.Change
		entered := [3]bool{}
		for at := int64(0); at < 60; at += random.Int64N(6) {
			i := random.IntN(3)
			kind := pipeline.Enter
			if entered[i] {
				kind = pipeline.Leave
			}
			entered[i] = !entered[i]
			c.Events = append(c.Events, event{at, kind, i})
			changes = append(changes, pipeline.Change{Type: kind, Index: i, At: pipeline.Moment{Uptime: time.Duration(at)}})
		}
		for range random.IntN(5) * min(1, len(c.Judged)) {
			start := random.Int64N(60)
			c.Intervals = append(c.Intervals, web.Interval{Index: c.Judged[random.IntN(len(c.Judged))], Start: start, End: start + random.Int64N(10)})
		}
		c.want = judge(changes, c.Intervals, c.Judged)
		cases = append(cases, c)
	}
	in, err := json.Marshal(cases)
	must(t, err)
	script, err := os.ReadFile("web/static/rules.js")
	must(t, err)
	var got []struct {
		Events, Right, Intervals, Found, Wrong int
	}
	must(t, chromedp.Run(webtest.Browser(t), chromedp.Evaluate(fmt.Sprintf(`%s
		%s.map(c => { const v = judge(c.events, c.intervals, c.judged); return { ...v, wrong: v.wrong.size } })`, script, in), &got)))
	for i, c := range cases {
		g := got[i]
		if g.Events != c.want.events || g.Right != c.want.right || g.Intervals != c.want.intervals || g.Found != c.want.found || g.Wrong != g.Events-g.Right {
			t.Errorf("case %d: rules.js says %+v, truth.go %+v", i, g, c.want)
		}
	}
}

// TestJudgeByHand has what the random cases cannot say: that both are right.
func TestJudgeByHand(t *testing.T) {
	change := func(kind string, index int, s float64) pipeline.Change {
		return pipeline.Change{Type: kind, Index: index, At: pipeline.Moment{Uptime: time.Duration(s * 1e9)}}
	}
	interval := func(index int, start, end float64) web.Interval {
		return web.Interval{Index: index, Start: int64(start * 1e9), End: int64(end * 1e9)}
	}
	events := []pipeline.Change{
		change(pipeline.Enter, 1, 2), change(pipeline.Leave, 1, 6), // overlaps the first
		change(pipeline.Enter, 1, 8), change(pipeline.Leave, 1, 9), // wrong
		change(pipeline.Enter, 2, 0), change(pipeline.Leave, 2, 9), // not judged
		change(pipeline.Enter, 1, 12), change(pipeline.Leave, 1, 20), // touches the second, covers the third
	}
	v := judge(events, []web.Interval{interval(1, 1, 5), interval(1, 20, 22), interval(1, 14, 15), interval(1, 30, 31)}, []int{1})
	if v != (verdict{events: 3, right: 2, intervals: 4, found: 3, delay: time.Second, both: 4 * time.Second, either: 17 * time.Second}) {
		t.Errorf("%+v", v)
	}
	if got := v.String(); got != "precision 0.67 (2 of 3 events), recall 0.75 (3 of 4 lines)" {
		t.Error(got)
	}
}

// TestSuggest finds thresholds between what is there and what is not, and those that do not run events into one.
func TestSuggest(t *testing.T) {
	rec := web.Recording{Labels: []web.LabelScores{{Label: "cab", Index: 3}, {Label: "minivan", Index: 7}}}
	var there []web.Interval
	for i := range 600 {
		rec.Times = append(rec.Times, int64(i)*2e8)
		cab, minivan := float32(0.3), float32(0.42) // there is always something
		if i%100 >= 40 && i%100 < 70 {
			cab, minivan = 0.8, 0.1
		}
		rec.Labels[0].Scores = append(rec.Labels[0].Scores, cab)
		rec.Labels[1].Scores = append(rec.Labels[1].Scores, minivan)
	}
	for i := range 6 {
		there = append(there, web.Interval{Index: 3, Start: int64(i)*20e9 + 8e9, End: int64(i)*20e9 + 14e9})
	}
	rec.Ends = []web.End{{Frame: 600, Time: 120e9, Reason: pipeline.CameraOffline}}
	recordings := []*web.ReportRecording{{Recording: rec, Truth: there}}
	now := pipeline.Thresholds{Enter: 0.9, Leave: 0.5, Hold: time.Second, Smoothing: time.Second, TopK: 3}
	for range 3 {
		var steps atomic.Int64
		best, v, err := suggest(context.Background(), recordings, now, []int{3}, func() { steps.Add(1) })
		must(t, err)
		if int(steps.Load()) != len(searchGrid()) {
			t.Errorf("progress was told of %d steps, not %d", steps.Load(), len(searchGrid()))
		}
		if v.right != 6 || v.events != 6 || v.found != 6 || best.Enter < 0.45 || best.Enter > 0.75 || best.Leave <= 0.3 {
			t.Errorf("%+v: %v", best, v)
		}
	}
}
