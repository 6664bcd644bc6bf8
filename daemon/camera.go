package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tarsier/daemon/web"
	"tarsier/pipeline"
	"tarsier/pipeline/capture"
	"tarsier/pipeline/publish"
)

// snapshotWidth is that of a published picture, in pixels.
const snapshotWidth = 640

// A cameraPlan is what the config wants of one camera. It does not change.
type cameraPlan struct {
	node       string
	name       string
	source     cameraSource
	fps        float64 // 0: as many as the board can
	regions    []string
	thresholds []pipeline.Thresholds // of each region
	scores     bool                  // publish every frame's
	snapshots  bool                  // publish a picture with each event
	model      *model
}

// A cameraSource is the part of a plan that the capture program is started
// with: where it differs, the camera is opened again.
type cameraSource struct {
	source  string
	loop    bool
	fit     string
	regions []capture.Region
	size    int
	rate    int // pictures a second, if they are more than a camera is asked for otherwise
}

func (s cameraSource) equal(o cameraSource) bool {
	return s.source == o.source && s.loop == o.loop && s.fit == o.fit && s.size == o.size && s.rate == o.rate && slices.Equal(s.regions, o.regions)
}

// A camera asks for pictures, has them classified, and publishes what
// changes, from start to stop.
type camera struct {
	log       *slog.Logger
	engine    *engine
	publisher *publish.Publisher
	clock     pipeline.Clock
	stats     *stats
	memory    *web.Memory

	capture *capture.Camera
	cancel  context.CancelFunc
	running sync.WaitGroup

	pictures atomic.Int32 // of the last frame

	mu      sync.Mutex // guards what follows: frames, changes of status and reloads meet here
	plan    *cameraPlan
	regions []*pipeline.Region
	history []*web.History // of each region
	leading []int          // of each region: the label that its published state names
	by      *model         // what classified the last frame
	online  bool
	err     error         // why it is not
	reload  chan struct{} // closed when plan is replaced
}

// startCamera opens a camera and returns at once.
func startCamera(p *cameraPlan, e *engine, pub *publish.Publisher, clock pipeline.Clock, st *stats, memory *web.Memory, child capture.Options, log *slog.Logger) *camera {
	ctx, cancel := context.WithCancel(context.Background())
	c := &camera{log: log.With("camera", p.name), engine: e, publisher: pub, clock: clock, stats: st, memory: memory, cancel: cancel}
	c.adopt(p)
	child.Name, child.Source, child.Loop = p.name, p.source.source, p.source.loop
	child.Fit, child.Regions, child.Size, child.Rate = p.source.fit, p.source.regions, p.source.size, p.source.rate
	child.Log, child.Status = log, c.status
	c.capture = capture.New(child)
	c.publishStatus()
	c.running.Add(2)
	go func() {
		defer c.running.Done()
		if err := c.capture.Run(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("camera stopped", "error", err)
			c.status(false, err)
		}
	}()
	go func() {
		defer c.running.Done()
		c.watch(ctx)
	}()
	return c
}

// stop closes the camera; what was entered is left for that reason.
func (c *camera) stop(reason string) {
	c.cancel()
	c.running.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(reason)
	c.online = false
	c.publishStatus()
	if reason == pipeline.Reconfigured {
		c.memory.Forget(c.plan.name) // of another picture, or of no camera at all
	}
}

// apply goes on with another plan for the same source. If that is for another
// model, all that is entered is left.
func (c *camera) apply(p *cameraPlan, other bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other {
		c.end(pipeline.Reconfigured)
		close(c.reload)
		c.adopt(p)
		return
	}
	now := time.Now()
	c.plan = p
	c.clearSnapshots()
	for i, r := range c.regions {
		c.history[i].Begin(p.model.labels, p.thresholds[i])
		c.memory.Add(nil, c.publish(i, r.Reconfigure(c.clock.At(now), p.thresholds[i]), now)...)
		c.publishState(i)
	}
	close(c.reload)
	c.reload = make(chan struct{})
}

// adopt begins with a plan and nothing entered.
func (c *camera) adopt(p *cameraPlan) {
	c.plan, c.by = p, p.model
	c.reload = make(chan struct{})
	c.regions = c.regions[:0]
	c.leading = make([]int, len(p.thresholds))
	c.history = c.memory.Camera(p.name, p.regions)
	for i, t := range p.thresholds {
		c.history[i].Begin(p.model.labels, t)
		c.regions = append(c.regions, pipeline.NewRegion(p.model.labels, t))
		c.publishState(i)
	}
	c.clearSnapshots()
}

// clearSnapshots takes back pictures that are not to be published any more,
// or that an earlier run left.
func (c *camera) clearSnapshots() {
	if c.plan.snapshots {
		return
	}
	for _, region := range c.plan.regions {
		c.publisher.Retain(publish.SnapshotTopic(c.plan.name, region), nil)
	}
}

// watch classifies pictures, fps times a second.
func (c *camera) watch(ctx context.Context) {
	var (
		frame  capture.Frame
		scores [][]float32
		due    time.Time     // when the next picture is asked for
		timed  *cameraPlan   // whose fps due is of
		behind time.Duration // what pictures took beyond their interval, as long as no later one made up for it
		seen   snapshot      // for the page
	)
	for {
		c.mu.Lock()
		plan, reload := c.plan, c.reload
		c.mu.Unlock()
		scores = scoresFor(scores, plan)
		var interval time.Duration
		if plan.fps > 0 {
			interval = time.Duration(float64(time.Second) / plan.fps)
		}
		if due = due.Add(interval); timed != plan || time.Since(due) > interval {
			due = time.Now()
		}
		if timed != plan {
			timed, behind = plan, 0
		}
		if !pause(ctx, reload, time.Until(due)) {
			return
		}
		if err := c.capture.Newest(ctx, &frame); err != nil {
			if ctx.Err() != nil {
				return
			}
			c.log.Debug("no picture", "error", err)
			continue
		}
		arrived := time.Now()
		by, took, err := c.engine.classify(ctx, plan.model, &frame, scores)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errOtherModel):
			continue
		case err != nil:
			c.log.Error("classify a picture", "error", err)
			continue
		}
		if interval > 0 { // a picture that takes too long leaves none out, unless the next ones do too
			behind = max(0, behind+time.Since(arrived)-interval)
			c.stats.drop(int(behind / interval))
			behind %= interval
		}
		c.pictures.Store(int32(len(frame.Pictures)))
		events, ok := c.update(plan, by, &frame, scores)
		if !ok {
			continue
		}
		c.stats.frame(arrived.Sub(frame.Taken), took, time.Since(arrived)-took, time.Since(frame.Taken))
		if len(events) == 0 {
			continue
		}
		if plan.snapshots {
			c.snapshot(ctx, plan, events)
		}
		if c.memory.On() {
			c.memory.Add(seen.take(ctx, c.capture), events...)
		}
	}
}

// pause waits, less long if the plan is replaced, and says whether to go on.
func pause(ctx context.Context, reload <-chan struct{}, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-reload:
	case <-t.C:
	}
	return true
}

// scoresFor gives room for the scores of each region.
func scoresFor(old [][]float32, p *cameraPlan) [][]float32 {
	if len(old) == len(p.regions) && len(old[0]) == len(p.model.labels) {
		return old
	}
	s := make([][]float32, len(p.regions))
	for i := range s {
		s[i] = make([]float32, len(p.model.labels))
	}
	return s
}

// update turns the scores that a model gave into events and publishes them. It
// returns them, and false if the plan was replaced meanwhile.
func (c *camera) update(plan *cameraPlan, by *model, f *capture.Frame, scores [][]float32) (events []pipeline.Event, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if plan != c.plan || !c.online {
		return nil, false
	}
	c.by = by
	taken := c.clock.At(f.Taken)
	for i, r := range c.regions {
		changes := r.Update(taken, scores[i])
		c.history[i].Frame(taken, scores[i])
		events = append(events, c.publish(i, changes, f.Taken)...)
		if len(changes) > 0 || r.Leading() != c.leading[i] {
			c.publishState(i)
		}
		if plan.scores {
			c.publisher.Send(publish.ScoresTopic(plan.name, plan.regions[i]), payload(publish.Scores{Time: pipeline.Time{Time: f.Taken}, Top: r.Top()}))
		}
	}
	return events, true
}

// status hears from capture whether pictures arrive.
func (c *camera) status(online bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.online, c.err = online, err
	if !online {
		c.end(pipeline.CameraOffline)
	}
	c.publishStatus()
}

// end leaves all that is entered.
func (c *camera) end(reason string) {
	now := time.Now()
	for i, r := range c.regions {
		c.memory.Add(nil, c.publish(i, r.End(c.clock.At(now), reason), now)...)
		c.history[i].End(c.clock.At(now), reason)
		c.publishState(i)
	}
}

// publish makes events of what changed in a region, and returns them.
func (c *camera) publish(region int, changes []pipeline.Change, taken time.Time) []pipeline.Event {
	if len(changes) == 0 {
		return nil
	}
	p := c.plan
	clock := c.clock.State()
	events := make([]pipeline.Event, len(changes))
	for i, ch := range changes {
		events[i] = pipeline.Event{
			Time: pipeline.Time{Time: ch.At.Time}, Uptime: ch.At.Uptime, Clock: clock, Camera: p.name, Region: p.regions[region],
			Type: ch.Type, Reason: ch.Reason, Label: ch.Label, Index: ch.Index, Score: ch.Score, Top: ch.Top,
			Model: c.by.info(), LatencyMS: milliseconds(time.Since(taken)),
		}
	}
	events = c.publisher.Events(events...)
	for _, e := range events {
		c.stats.event(e.Type)
		attrs := []any{"region", e.Region, "label", e.Label, "score", e.Score, "seq", e.Seq}
		if e.Reason != "" {
			attrs = append(attrs, "reason", e.Reason)
		}
		c.log.Info(e.Type, attrs...)
	}
	return events
}

func (c *camera) publishState(region int) {
	c.leading[region] = c.regions[region].Leading()
	c.publisher.Retain(publish.StateTopic(c.plan.name, c.plan.regions[region]), payload(c.regions[region].State()))
}

func (c *camera) publishStatus() {
	c.publisher.Retain(publish.CameraStatusTopic(c.plan.name), []byte(onOff(c.online, publish.Online, publish.Offline)))
}

// snapshot publishes the whole picture in which something changed.
func (c *camera) snapshot(ctx context.Context, p *cameraPlan, events []pipeline.Event) {
	jpeg, err := c.capture.JPEG(ctx, snapshotWidth)
	if err != nil {
		if ctx.Err() == nil {
			c.log.Warn("take a snapshot", "error", err)
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p != c.plan {
		return // it may not want pictures any more
	}
	for _, e := range events {
		c.publisher.Retain(publish.SnapshotTopic(p.name, e.Region), jpeg)
	}
}

// A snapshot is the picture of the last events for the page. Events that
// follow within a second share it: a picture costs the camera time.
type snapshot struct {
	taken time.Time
	jpeg  []byte
}

func (s *snapshot) take(ctx context.Context, from *capture.Camera) []byte {
	if time.Since(s.taken) >= time.Second {
		s.jpeg, _ = from.JPEG(ctx, web.EventWidth) // the event counts, picture or not
		s.taken = time.Now()
	}
	return s.jpeg
}

func onOff(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
