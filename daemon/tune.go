package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tarsier/config"
	"tarsier/daemon/web"
	"tarsier/mnv2"
	"tarsier/pipeline"
	"tarsier/pipeline/capture"
)

func tuneCommand() *cobra.Command {
	var o tuneOptions
	c := &cobra.Command{
		Use:   "tune VIDEO...",
		Short: "Find the thresholds that suit a recording",
		Long: `Classify recordings as the daemon would, and write a page that shows the scores over time, the
events that the thresholds give, and sliders that say at once which events others would give, with
the YAML to paste. The page is one file that needs nothing else.

Frame rate, regions and thresholds are those of the config's camera; without a config the
whole frame is classified 5 times a second, with the default thresholds.

` + truthHelp,
		Example: `  tarsier tune garden.mp4
  tarsier tune --config my.yaml --camera porch --truth garden.csv --out porch.html garden.mp4`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, sources []string) error {
			o.configAsked = c.Flags().Changed("config")
			return tune(c.Context(), o, sources, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&o.out, "out", "report.html", "where to write the page; a `FILE` that is there is replaced")
	c.Flags().StringVar(&o.truth, "truth", "", "CSV `FILE` of what there was to see, to judge the thresholds by")
	c.Flags().StringVar(&o.camera, "camera", "", "which `CAMERA` of the config it is for (default: the only one)")
	c.Flags().StringVar(&o.model, "model", "", "model `FILE` or directory (default: the config's, or the built-in one)")
	c.Flags().StringVar(&o.labels, "labels", "", "labels `FILE` (default: labels.txt beside the model)")
	c.Flags().Float64Var(&o.width, "width-mult", 0, "which width of a model directory (default: the config's, or the widest)")
	c.Flags().StringVar(&o.fit, "fit", "", "how a picture meets the model's square: stretch, crop or tiles (default: as the camera's, or stretch)")
	configFlag(c, &o.config)
	_ = c.MarkFlagFilename("truth", "csv")
	return c
}

type tuneOptions struct {
	out, truth, camera, model, labels, fit, config string
	width                                          float64
	configAsked                                    bool // on the command line
}

// tune does the command. What can be wrong is found before the work.
func tune(ctx context.Context, o tuneOptions, sources []string, stdout, stderr io.Writer) error {
	switch o.fit {
	case "", "stretch", "crop", "tiles":
	default:
		return usagef("--fit is %q; it must be stretch, crop or tiles", o.fit)
	}
	names, err := videoNames(sources)
	if err != nil {
		return err
	}
	workers := min(len(sources), runtime.GOMAXPROCS(0))
	plan, err := o.plan(workers)
	if err != nil {
		return err
	}
	var known *truth
	if o.truth != "" {
		if known, err = readTruth(o.truth, names, plan.regions, plan.model); err != nil {
			return err
		}
	}
	out, err := newOutFile(o.out)
	if err != nil {
		return err
	}
	defer out.discard()

	t := &tuner{plan: plan, truth: known, thumbs: max(12, maxThumbs/len(sources)), bar: newBar(stderr, "classifying")}
	recorded := make([]*web.ReportVideo, len(sources))
	failed := make([]error, len(sources))
	began := time.Now()
	var running sync.WaitGroup
	turns := make(chan int, len(sources))
	for i := range sources {
		turns <- i
	}
	close(turns)
	for range workers {
		running.Add(1)
		go func() {
			defer running.Done()
			for i := range turns {
				recorded[i], failed[i] = t.record(ctx, sources[i], names[i])
			}
		}()
	}
	running.Wait()
	took := time.Since(began)
	t.bar.clear()
	if ctx.Err() != nil {
		return errors.New("interrupted; nothing was written")
	}
	bad := false
	for _, err := range failed {
		if err != nil {
			fmt.Fprintf(stderr, "tarsier: %v\n", err)
			bad = true
		}
	}
	report := &web.Report{Model: plan.model.file.network.Name, Camera: plan.name, FPS: plan.fps}
	var length time.Duration
	for _, v := range recorded {
		if v != nil {
			report.Videos = append(report.Videos, *v)
			length += duration(v)
		}
	}
	if len(report.Videos) == 0 {
		fmt.Fprintln(stderr, "tarsier: no video could be read, so there is no report")
		return errReported
	}
	fmt.Fprintf(stdout, "%s of video in %s, %.1f times as fast as real time\n", length.Round(time.Second), took.Round(100*time.Millisecond), length.Seconds()/took.Seconds())
	if err := t.conclude(ctx, report, stdout, stderr); err != nil {
		return err
	}
	if err := out.write(report.WriteHTML); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "wrote %s: open it in a browser\n", o.out)
	if bad {
		return errReported
	}
	return nil
}

// videoNames gives each video a name of its own: the file's, or the whole path where two files have the same.
func videoNames(sources []string) ([]string, error) {
	count := map[string]int{}
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = filepath.Base(capture.Redact(s))
		count[names[i]]++
		if slices.Contains(sources[:i], s) {
			return nil, usagef("%s is given twice", capture.Redact(s))
		}
	}
	for i, s := range sources {
		if count[names[i]] > 1 {
			names[i] = capture.Redact(s)
		}
	}
	return names, nil
}

// plan is that of the config's camera, or without a config the whole frame with the defaults.
func (o tuneOptions) plan(workers int) (*cameraPlan, error) {
	cfg, err := loadConfig(o.config)
	if !o.configAsked && errors.Is(err, os.ErrNotExist) {
		cfg = nil
	} else if err != nil {
		return nil, err
	}
	var section config.Model
	if cfg != nil {
		section = cfg.Model
	} else if o.model == "" {
		if section, err = loadModelConfig(o.config, false); err != nil {
			return nil, err
		}
	}
	if o.model != "" {
		section = config.Model{}
	}
	file, err := resolveModel(o.model, section.Dir, cmp.Or(o.width, oneWidth(section.WidthMult)))
	if err == nil {
		err = file.err
	}
	if err != nil {
		return nil, err
	}
	// Where several videos are classified at once, each has a core; else one has all.
	threads := section.Threads
	if workers > 1 {
		threads = 1
	}
	m, err := loadModel(file, o.labels, mnv2.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	if cfg == nil {
		if o.camera != "" {
			return nil, usagef("--camera %s is of a config, and there is none: name it with --config", o.camera)
		}
		return &cameraPlan{
			fps: 5, model: m, regions: []string{"frame"},
			source:     cameraSource{fit: cmp.Or(o.fit, "stretch"), size: m.file.facts.Size, regions: []capture.Region{{Name: "frame", Box: [4]float64{0, 0, 1, 1}}}},
			thresholds: []pipeline.Thresholds{{Enter: 0.6, Leave: 0.4, Hold: time.Second, Smoothing: time.Second, TopK: 3, Only: m.events()}},
		}, nil
	}
	plans, err := planCameras(cfg, m)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, p := range plans {
		all = append(all, p.name)
	}
	at := slices.Index(all, o.camera)
	switch {
	case o.camera == "" && len(plans) > 1:
		return nil, usagef("%s has several cameras; say which with --camera: %s", o.config, strings.Join(all, ", "))
	case o.camera == "":
		at = 0
	case at < 0:
		return nil, usagef("--camera is %q; the cameras of %s are %s", o.camera, o.config, strings.Join(all, ", "))
	}
	plans[at].source.fit = cmp.Or(o.fit, plans[at].source.fit)
	return plans[at], nil
}

// A tuner classifies recordings, several at once.
type tuner struct {
	plan   *cameraPlan
	truth  *truth // nil: not known
	thumbs int    // a video has at most
	bar    *bar
}

const (
	maxThumbs  = 240 // of all videos, which makes some 2 MB
	thumbWidth = 192

	// Labels that never reach leastScore are left out of a report, and so are those beyond maxLabels, unless the thresholds or the
	// truth name them. What is left out the report knows by its Floor.
	leastScore = 0.1
	maxLabels  = 24
)

// record classifies one. Of one that breaks off it gives what came before, and the error.
func (t *tuner) record(ctx context.Context, source, name string) (*web.ReportVideo, error) {
	session, err := capture.Open(ctx, capture.Options{
		Name: "tune", Source: source, EveryFrame: true, Fit: t.plan.source.fit, Regions: t.plan.source.regions, Size: t.plan.source.size,
	})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	engine := newEngine(t.plan.model)
	defer engine.close()
	t.bar.more(session.Total())

	var (
		frame    capture.Frame
		interval time.Duration
		due      time.Duration
		times    []int64
		rows     = make([][][]float32, len(t.plan.regions)) // of each region, a frame's scores
		thumbs   = thumbs{most: t.thumbs, every: time.Second}
		scores   [][]float32
		frames   = 0
	)
	if t.plan.fps > 0 {
		interval = time.Duration(float64(time.Second) / t.plan.fps)
	}
	for {
		if err = session.Next(ctx, &frame); err != nil {
			break
		}
		frames++
		t.bar.add()
		// A frame's time is rounded: one that is a little early is the one that is due.
		if frame.Stream+interval/20 < due {
			continue
		}
		if due += interval; due < frame.Stream {
			due = frame.Stream + interval
		}
		scores = scoresFor(nil, t.plan)
		if _, _, err = engine.classify(ctx, t.plan.model, &frame, scores); err != nil {
			break
		}
		times = append(times, int64(frame.Stream))
		for i := range rows {
			rows[i] = append(rows[i], scores[i])
		}
		if err = thumbs.take(ctx, session, frame.Stream); err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	switch {
	case err != nil:
	case frames < 2:
		err = fmt.Errorf("%s: it holds %d pictures; tune needs a video", name, frames)
	case len(times) < 2:
		err = fmt.Errorf("%s: it is too short for two pictures at fps %v; name a longer one, or set fps higher", name, t.plan.fps)
	}
	if len(times) < 2 {
		return nil, err
	}
	video := &web.ReportVideo{Name: name, Thumbs: thumbs.all}
	for i, region := range t.plan.regions {
		r := web.ReportRecording{Truth: []web.Interval{}}
		named := slices.Clone(t.plan.thresholds[i].Only)
		for _, l := range t.plan.thresholds[i].Labels {
			named = append(named, l.Index)
		}
		if t.truth != nil {
			r.Truth = append(r.Truth, t.truth.intervals[name][region]...)
			named = append(named, t.truth.judged[region]...)
		}
		r.Recording = recording(t.plan.model.labels, times, rows[i], named, t.plan.thresholds[i].Only)
		video.Regions = append(video.Regions, r)
	}
	return video, err
}

// recording keeps the labels that matter. At its end the camera goes away, as the daemon sees it.
func recording(labels []string, times []int64, rows [][]float32, named, only []int) web.Recording {
	best := make([]float32, len(labels))
	for _, row := range rows {
		pipeline.BestOf(best, row)
	}
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(best[b], best[a]) })
	rec := web.Recording{
		Start: pipeline.Time{Time: time.Unix(0, 0)}, Times: times,
		Ends: []web.End{{Frame: len(times), Time: times[len(times)-1], Reason: pipeline.CameraOffline}},
	}
	for _, i := range order {
		if !slices.Contains(named, i) && (best[i] < leastScore || len(rec.Labels) >= maxLabels) {
			if len(only) == 0 {
				rec.Floor = max(rec.Floor, float64(best[i]))
			}
			continue
		}
		scores := make(web.Scores, len(rows))
		for frame, row := range rows {
			scores[frame] = row[i]
		}
		rec.Labels = append(rec.Labels, web.LabelScores{Label: labels[i], Index: i, Scores: scores})
	}
	return rec
}

// thumbs are small pictures of a video whose length nobody knows yet: when there are too many, every other one goes.
type thumbs struct {
	most  int
	every time.Duration
	due   time.Duration
	all   []web.Thumb
}

func (t *thumbs) take(ctx context.Context, s *capture.Session, at time.Duration) error {
	if at < t.due {
		return nil
	}
	jpeg, err := s.JPEG(ctx, thumbWidth)
	if err != nil {
		return err
	}
	t.add(at, jpeg)
	return nil
}

func (t *thumbs) add(at time.Duration, jpeg []byte) {
	t.all = append(t.all, web.Thumb{Time: int64(at), JPEG: jpeg})
	if len(t.all) > t.most {
		for i := range (len(t.all) + 1) / 2 {
			t.all[i] = t.all[2*i]
		}
		t.all = t.all[:(len(t.all)+1)/2]
		t.every *= 2
	}
	t.due = time.Duration(t.all[len(t.all)-1].Time) + t.every
}

// conclude adds what the thresholds of each region make of the recordings, and says it.
func (t *tuner) conclude(ctx context.Context, report *web.Report, stdout, stderr io.Writer) error {
	for i, name := range t.plan.regions {
		now := t.plan.thresholds[i]
		region := web.ReportRegion{Name: name, Box: t.plan.source.regions[i].Box, Thresholds: web.NewThresholds(now), Judged: []int{}}
		var recordings []*web.ReportRecording
		events := 0
		for v := range report.Videos {
			r := &report.Videos[v].Regions[i]
			recordings = append(recordings, r)
			for _, c := range replay(&r.Recording, now, nil) {
				if c.Type == pipeline.Enter {
					events++
				}
			}
		}
		say := func(what string, t pipeline.Thresholds, more string) {
			fmt.Fprintf(stdout, "%s: %s: enter %v, leave %v, hold %v, smoothing %v: %s\n", name, what, t.Enter, t.Leave, t.Hold, t.Smoothing, more)
		}
		if t.truth == nil || len(t.truth.judged[name]) == 0 {
			say("now", now, fmt.Sprintf("events: %d", events))
			report.Regions = append(report.Regions, region)
			continue
		}
		region.Judged = t.truth.judged[name]
		say("now", now, judgeAll(recordings, now, region.Judged).String())
		bar := newBar(stderr, "searching")
		bar.more(len(searchGrid()))
		best, verdict, err := suggest(ctx, recordings, now, region.Judged, bar.add)
		bar.clear()
		if err != nil {
			return errors.New("interrupted; nothing was written")
		}
		say("best", best, verdict.String())
		fmt.Fprintf(stdout, "  thresholds: {enter: %v, leave: %v, hold: %v, smoothing: %v}\n", best.Enter, best.Leave, best.Hold, best.Smoothing)
		suggested := web.NewThresholds(best)
		region.Suggested = &suggested
		report.Regions = append(report.Regions, region)
	}
	return nil
}

func duration(v *web.ReportVideo) time.Duration {
	times := v.Regions[0].Recording.Times
	return time.Duration(times[len(times)-1])
}

// A bar shows progress on a terminal, for several goroutines at once; elsewhere nothing.
type bar struct {
	mu    sync.Mutex
	shown *progressbar.ProgressBar
	total int
	done  int
}

func newBar(stderr io.Writer, what string) *bar {
	b := &bar{}
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.shown = progressbar.NewOptions(1, progressbar.OptionSetWriter(stderr), progressbar.OptionSetDescription(what),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
	}
	return b
}

func (b *bar) more(n int) { b.change(func() { b.total += n }) }
func (b *bar) add()       { b.change(func() { b.done++ }) }

func (b *bar) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	if b.shown != nil {
		if most := max(b.total, b.done) + 1; most != b.shown.GetMax() { // never full: a full one is gone
			b.shown.ChangeMax(most)
		}
		_ = b.shown.Set(b.done)
	}
}

func (b *bar) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown != nil {
		_ = b.shown.Clear()
		_ = b.shown.Exit()
	}
}

// An outFile is written beside where it is to be, and put there when it is whole.
type outFile struct {
	path string
	temp *os.File
}

func newOutFile(path string) (*outFile, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, usagef("--out is %s, which is no file; name a file", path)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".tarsier-*")
	if err != nil {
		return nil, usagef("write --out %s: %w; name a file in a folder that may be written to", path, err)
	}
	return &outFile{path, temp}, nil
}

// discard removes what was not put in place.
func (f *outFile) discard() {
	if f.temp != nil {
		f.temp.Close()
		os.Remove(f.temp.Name())
	}
}

func (f *outFile) write(content func(io.Writer) error) error {
	w := bufio.NewWriter(f.temp)
	err := content(w)
	err = cmp.Or(err, w.Flush(), f.temp.Chmod(0o644), f.temp.Close())
	if err == nil {
		err = os.Rename(f.temp.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	f.temp = nil
	return nil
}
