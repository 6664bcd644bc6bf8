package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tarsier/config"
	"tarsier/daemon/web"
	"tarsier/pipeline"
)

// truthHelp is the format of --truth.
const truthHelp = `--truth names a CSV file that says what there was to see: a header line, and a line
for each time that a label was in the picture.

  video,label,start_s,end_s
  garden.mp4,water bottle,3.5,12
  garden.mp4,cab,20,21.5

The label is one of the model's; times are seconds from the video's start. The column
video may be left out if there is one video; of several regions a column region says
which. Only labels that the file names are judged: an event counts as right if it
overlaps a line of its label, a line as found if an event overlaps it.
Precision is the share of events that are right, recall that of lines that are found.
Suggested are thresholds with the best F1 (of both) whose events and lines agree for
most of the time; of those the ones that leave the most room for error.`

// A truth is what a person says there was to see.
type truth struct {
	intervals map[string]map[string][]web.Interval // by video, by region
	judged    map[string][]int                     // classes that the file names, by region
}

// readTruth reads a CSV file. Its error is a config.Errors where it is about the content.
func readTruth(path string, videos, regions []string, m *model) (*truth, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("read --truth: %w", err)
	}
	p := truthParser{
		file: path, videos: videos, regions: regions, model: m, columns: map[string]int{},
		truth: &truth{map[string]map[string][]web.Interval{}, map[string][]int{}},
	}
	p.read(csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))) // which spreadsheets write
	if p.mistakes != nil {
		return nil, p.mistakes
	}
	return p.truth, nil
}

type truthParser struct {
	file            string
	videos, regions []string
	model           *model
	columns         map[string]int // where each is
	truth           *truth
	mistakes        config.Errors
}

func (p *truthParser) wrong(line int, key, found, allowed string) {
	p.mistakes = append(p.mistakes, config.Error{File: p.file, Line: line, Key: key, Found: found, Allowed: allowed})
}

func (p *truthParser) read(in *csv.Reader) {
	in.TrimLeadingSpace = true
	for lines := 0; ; lines++ {
		record, err := in.Read()
		var bad *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			if lines < 2 {
				p.wrong(1, "", "no line below a header", "the header label,start_s,end_s, and a line for each time that a label was to be seen")
			}
			return
		case errors.Is(err, csv.ErrFieldCount):
			line, _ := in.FieldPos(0)
			p.wrong(line, "", fmt.Sprintf("%d columns", len(record)), fmt.Sprintf("%d, as in the header", in.FieldsPerRecord))
			continue
		case errors.As(err, &bad):
			p.wrong(bad.Line, "", "text that is not CSV ("+bad.Err.Error()+")", `columns with commas between them; a text with commas or quotes as "..."`)
			return
		}
		line, _ := in.FieldPos(0)
		if lines == 0 {
			if !p.header(line, record) {
				return
			}
			continue
		}
		p.interval(line, record)
	}
}

// header says whether the lines below can be read.
func (p *truthParser) header(line int, record []string) bool {
	allowed := []string{"video", "region", "label", "start_s", "end_s"}
	for i, name := range record {
		name = strings.ToLower(strings.TrimSpace(name))
		switch _, again := p.columns[name]; {
		case again:
			p.wrong(line, "", fmt.Sprintf("the column %q again", name), "once")
		case !slices.Contains(allowed, name):
			p.wrong(line, "", fmt.Sprintf("a column %.60q", name), "the columns "+strings.Join(allowed, ", ")+", with commas between them")
		}
		p.columns[name] = i
	}
	need := []string{"label", "start_s", "end_s"}
	if len(p.videos) > 1 {
		need = append(need, "video")
	}
	if len(p.regions) > 1 {
		need = append(need, "region")
	}
	for _, name := range need {
		if _, ok := p.columns[name]; !ok && p.mistakes == nil {
			p.wrong(line, "", "no column "+name, "the columns "+strings.Join(allowed, ", ")+"; of one video and one region their columns may be left out")
		}
	}
	return p.mistakes == nil
}

func (p *truthParser) interval(line int, record []string) {
	before := len(p.mistakes)
	field := func(name string) string { return strings.TrimSpace(record[p.columns[name]]) }
	one := func(column string, names []string) string {
		if _, ok := p.columns[column]; !ok {
			return names[0]
		}
		if !slices.Contains(names, field(column)) {
			p.wrong(line, column, strconv.Quote(field(column)), strings.Join(names, ", "))
		}
		return field(column)
	}
	seconds := func(column string) int64 {
		s, err := strconv.ParseFloat(field(column), 64)
		if err != nil || !(s >= 0 && s <= 1e7) {
			p.wrong(line, column, strconv.Quote(field(column)), "seconds from the start of the video, such as 12.5")
		}
		return int64(math.Round(s * 1e9))
	}
	video, region := one("video", p.videos), one("region", p.regions)
	label := field("label")
	index := slices.Index(p.model.labels, label)
	if index < 0 {
		allowed := "a label of " + p.model.labelPath
		if near := similarLabel(p.model.labels, label); near != "" && label != "" {
			allowed += fmt.Sprintf(" (did you mean %q?)", near)
		}
		p.wrong(line, "label", strconv.Quote(label), allowed)
	}
	start, end := seconds("start_s"), seconds("end_s")
	if len(p.mistakes) > before {
		return
	}
	if end < start {
		p.wrong(line, "end_s", field("end_s"), "at least start_s, which is "+field("start_s"))
		return
	}
	if p.truth.intervals[video] == nil {
		p.truth.intervals[video] = map[string][]web.Interval{}
	}
	p.truth.intervals[video][region] = append(p.truth.intervals[video][region], web.Interval{Index: index, Start: start, End: end})
	if !slices.Contains(p.truth.judged[region], index) {
		p.truth.judged[region] = append(p.truth.judged[region], index)
	}
}

// A verdict counts how events meet the truth, as judge of static/rules.js does.
type verdict struct {
	events, right    int // events are those of judged labels
	intervals, found int
	delay            time.Duration // from the start of what was found to its enter, summed up
	both, either     time.Duration // how long a label was entered and to be seen, and how long one of the two
}

func (v *verdict) add(o verdict) {
	v.events, v.right, v.intervals, v.found = v.events+o.events, v.right+o.right, v.intervals+o.intervals, v.found+o.found
	v.delay, v.both, v.either = v.delay+o.delay, v.both+o.both, v.either+o.either
}

// f1 is the harmonic mean of precision and recall; 0 if nothing is right.
func (v verdict) f1() float64 {
	if v.right == 0 || v.found == 0 {
		return 0
	}
	precision, recall := float64(v.right)/float64(v.events), float64(v.found)/float64(v.intervals)
	return 2 * precision * recall / (precision + recall)
}

// merit is what suggest looks for: F1, less where events and truth agree for less than three quarters of the time. F1 alone is best
// where a label is entered once and for ever.
func (v verdict) merit() float64 {
	if v.either == 0 {
		return v.f1()
	}
	return v.f1() * min(1, v.both.Seconds()/v.either.Seconds()/0.75)
}

func (v verdict) String() string {
	share := func(n, of int, what string) string {
		if of == 0 {
			return "- (no " + what + ")"
		}
		return fmt.Sprintf("%.2f (%d of %d %s)", float64(n)/float64(of), n, of, what)
	}
	return fmt.Sprintf("precision %s, recall %s", share(v.right, v.events, "events"), share(v.found, v.intervals, "lines"))
}

// judge compares the events of a recording with the intervals of its truth.
func judge(changes []pipeline.Change, intervals []web.Interval, judged []int) verdict {
	var spans []web.Interval
	for _, c := range changes {
		if !slices.Contains(judged, c.Index) {
			continue
		}
		if c.Type == pipeline.Enter {
			spans = append(spans, web.Interval{Index: c.Index, Start: int64(c.At.Uptime), End: math.MaxInt64})
			continue
		}
		for i := len(spans) - 1; i >= 0; i-- {
			if spans[i].Index == c.Index {
				spans[i].End = int64(c.At.Uptime)
				break
			}
		}
	}
	overlap := func(a, b web.Interval) bool { return a.Index == b.Index && a.Start <= b.End && b.Start <= a.End }
	v := verdict{events: len(spans), intervals: len(intervals)}
	for _, s := range spans {
		if slices.ContainsFunc(intervals, func(i web.Interval) bool { return overlap(s, i) }) {
			v.right++
		}
	}
	for _, i := range intervals {
		if at := slices.IndexFunc(spans, func(s web.Interval) bool { return overlap(s, i) }); at >= 0 {
			v.found++
			v.delay += time.Duration(max(0, spans[at].Start-i.Start))
		}
	}
	for _, index := range judged {
		of := func(all []web.Interval) []web.Interval {
			return slices.DeleteFunc(slices.Clone(all), func(i web.Interval) bool { return i.Index != index })
		}
		events, seen := of(spans), of(intervals)
		a, b, either := lasting(events), lasting(seen), lasting(append(events, seen...))
		v.both += a + b - either
		v.either += either
	}
	return v
}

// lasting is how long at least one of the intervals lasts.
func lasting(intervals []web.Interval) (total time.Duration) {
	slices.SortFunc(intervals, func(a, b web.Interval) int { return cmp.Compare(a.Start, b.Start) })
	until := int64(0)
	for _, i := range intervals {
		if i.End > until {
			total += time.Duration(i.End - max(i.Start, until))
			until = i.End
		}
	}
	return total
}

// replay gives what a region with these thresholds makes of a recording's labels; keep: of these alone.
func replay(rec *web.Recording, t pipeline.Thresholds, keep []int) []pipeline.Change {
	// A region of these labels alone: of a thousand, the rest would only cost time.
	kept := slices.DeleteFunc(slices.Clone(rec.Labels), func(l web.LabelScores) bool { return keep != nil && !slices.Contains(keep, l.Index) })
	slices.SortFunc(kept, func(a, b web.LabelScores) int { return cmp.Compare(a.Index, b.Index) }) // which is the order of changes
	labels, classes := make([]string, len(kept)), map[int]int{}
	for class, l := range kept {
		labels[class], classes[l.Index] = l.Label, class
	}
	own := pipeline.Thresholds{Enter: t.Enter, Leave: t.Leave, Hold: t.Hold, Smoothing: t.Smoothing}
	for _, index := range t.Only {
		if class, ok := classes[index]; ok {
			own.Only = append(own.Only, class)
		}
	}
	if len(t.Only) > 0 && len(own.Only) == 0 {
		return nil // empty would stand for all
	}
	for _, l := range t.Labels {
		if class, ok := classes[l.Index]; ok {
			own.Labels = append(own.Labels, pipeline.LabelThreshold{Index: class, Enter: l.Enter, Leave: l.Leave})
		}
	}
	region := pipeline.NewRegion(labels, own)
	var all []pipeline.Change
	note := func(changes []pipeline.Change) {
		for _, c := range changes {
			c.Index = kept[c.Index].Index
			all = append(all, c)
		}
	}
	at := func(ns int64) pipeline.Moment {
		return pipeline.Moment{Time: rec.Start.Add(time.Duration(ns)), Uptime: time.Duration(ns)}
	}
	row := make([]float32, len(labels))
	ends := rec.Ends
	for frame := 0; frame <= len(rec.Times); frame++ {
		for ; len(ends) > 0 && ends[0].Frame <= frame; ends = ends[1:] {
			note(region.End(at(ends[0].Time), ends[0].Reason))
		}
		if frame < len(rec.Times) {
			for i := range row {
				row[i] = kept[i].Scores[frame]
			}
			note(region.Update(at(rec.Times[frame]), row))
		}
	}
	return all
}

// judgeAll adds up the verdicts on all recordings of a region.
func judgeAll(recordings []*web.ReportRecording, t pipeline.Thresholds, judged []int) verdict {
	var v verdict
	for _, r := range recordings {
		v.add(judge(replay(&r.Recording, t, judged), r.Truth, judged))
	}
	return v
}

// A candidate is thresholds, and how they do.
type candidate struct {
	t      pipeline.Thresholds
	v      verdict
	margin int // how many steps enter may be moved either way and do about as well
	others int // events of labels that nobody asked for
}

// suggest searches the thresholds of a region that do best: those of the highest merit; of those that come close to it the ones with
// the fewest events of other labels, then those whose enter may be moved furthest, then those that tell soonest, then those nearest
// to the present ones. Progress is called for each point of searchGrid, from several goroutines.
func suggest(ctx context.Context, recordings []*web.ReportRecording, now pipeline.Thresholds, judged []int, progress func()) (pipeline.Thresholds, verdict, error) {
	const close = 0.02
	lowest := 0.0
	for _, r := range recordings {
		lowest = max(lowest, r.Recording.Floor) // where events of other labels begin that the report does not know of
	}
	var enters []float64
	for e := 2; e <= 19; e++ {
		if enter := float64(e) / 20; enter > lowest {
			enters = append(enters, enter)
		}
	}
	grid := searchGrid()
	rows := make([][]candidate, len(grid), len(grid)+1)
	each(ctx, len(grid), func(g int) {
		row := make([]candidate, len(enters))
		for i, enter := range enters {
			t := now
			t.Enter, t.Leave, t.Hold, t.Smoothing = enter, math.Round(100*enter*grid[g].leave)/100, grid[g].hold, grid[g].smoothing
			row[i] = candidate{t: t, v: judgeAll(recordings, t, judged)}
		}
		for i := range row {
			same := func(j int) bool { return j >= 0 && j < len(row) && row[j].v.merit() >= row[i].v.merit()-close }
			// Beyond 0.15 on either side more room is worth nothing.
			for row[i].margin < 3 && same(i-row[i].margin-1) && same(i+row[i].margin+1) {
				row[i].margin++
			}
		}
		rows[g] = row
		progress()
	})
	all := slices.Concat(append(rows, []candidate{{t: now, v: judgeAll(recordings, now, judged)}})...)
	most := slices.MaxFunc(all, func(a, b candidate) int { return cmp.Compare(a.v.merit(), b.v.merit()) }).v.merit()
	best := slices.DeleteFunc(all, func(c candidate) bool { return c.v.merit() < most-close })
	if len(now.Only) == 0 {
		each(ctx, len(best), func(i int) {
			for _, r := range recordings {
				for _, change := range replay(&r.Recording, best[i].t, nil) {
					if change.Type == pipeline.Enter && !slices.Contains(judged, change.Index) {
						best[i].others++
					}
				}
			}
		})
	}
	distance := func(t pipeline.Thresholds) float64 {
		return math.Abs(t.Enter-now.Enter) + math.Abs(t.Leave-now.Leave) + math.Abs((t.Hold - now.Hold).Seconds()) + math.Abs((t.Smoothing - now.Smoothing).Seconds())
	}
	first := slices.MinFunc(best, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.others, b.others), cmp.Compare(b.margin, a.margin), cmp.Compare(a.v.delay, b.v.delay), cmp.Compare(distance(a.t), distance(b.t)))
	})
	return first.t, first.v, ctx.Err()
}

// each calls do for 0 to n-1 on all cores, until ctx ends.
func each(ctx context.Context, n int, do func(i int)) {
	var running sync.WaitGroup
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		running.Add(1)
		go func() {
			defer running.Done()
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				do(i)
			}
		}()
	}
	running.Wait()
}

// A gridPoint is tried with every enter.
type gridPoint struct {
	leave           float64 // of enter
	hold, smoothing time.Duration
}

func searchGrid() (points []gridPoint) {
	for _, leave := range []float64{0.5, 0.7, 0.9} {
		for _, hold := range []time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second} {
			for _, smoothing := range []time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second} {
				points = append(points, gridPoint{leave, hold, smoothing})
			}
		}
	}
	return points
}
