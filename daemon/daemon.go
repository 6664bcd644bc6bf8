package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"tarsier/config"
	"tarsier/daemon/web"
	"tarsier/mnv2"
	"tarsier/pipeline"
	"tarsier/pipeline/capture"
	"tarsier/pipeline/publish"
)

// statsInterval is how often `stats` is published.
const statsInterval = 10 * time.Second

// A daemon is what `tarsier run` runs. One goroutine, that of run, starts and
// stops cameras; others only look.
type daemon struct {
	log     *slog.Logger
	child   capture.Options // how capture programs are started
	started time.Time

	engine    *engine
	publisher *publish.Publisher
	reload    chan reload
	pauses    chan pauseRequest

	mu      sync.RWMutex // guards what follows against those who look
	cfg     *config.Config
	model   *model
	plans   []*cameraPlan
	cameras map[string]*camera // those that run
	paused  map[string]bool
	stats   map[string]*stats

	webStop context.CancelFunc
	webDone chan struct{}
}

// A reload is a config to go on with, or what is wrong with it.
type reload struct {
	cfg *config.Config
	err error
}

type pauseRequest struct {
	camera string
	paused bool
}

// newDaemon prepares everything that can fail.
func newDaemon(cfg *config.Config, child capture.Options, log *slog.Logger) (*daemon, error) {
	d := &daemon{
		log: log, child: child, started: time.Now(),
		reload: make(chan reload), pauses: make(chan pauseRequest, 64),
		cameras: map[string]*camera{}, paused: map[string]bool{}, stats: map[string]*stats{},
	}
	m, plans, err := d.prepare(cfg)
	if err != nil {
		return nil, err
	}
	d.cfg, d.model, d.plans = cfg, m, plans
	d.engine = newEngine(m)
	d.publisher = publish.New(d.publishOptions(cfg))
	return d, nil
}

// run does the daemon's work until ctx ends, and then stops cleanly: what was
// entered is left, and what waits is delivered.
func (d *daemon) run(ctx context.Context) error {
	// The publisher outlives the cameras, whose last events it delivers.
	pubCtx, stopPublisher := context.WithCancel(context.Background())
	pubDone := make(chan error, 1)
	go func() { pubDone <- d.publisher.Run(pubCtx) }()

	d.announce()
	d.startCameras()
	d.startWeb()
	notify("READY=1")
	d.notifyStatus()

	watchdogDone := make(chan struct{})
	go func() {
		defer close(watchdogDone)
		feedWatchdog(ctx, d.log, d.alive)
	}()
	tick := time.NewTicker(statsInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case r := <-d.reload:
			d.apply(r)
		case p := <-d.pauses:
			d.pause(p)
		case <-tick.C:
			d.publishStats()
			d.notifyStatus()
		}
	}
	notify("STOPPING=1")
	d.log.Info("stopping")
	d.stopCameras(func(*camera) bool { return true }, pipeline.Stopped)
	stopPublisher()
	err := <-pubDone
	d.stopWeb()
	<-watchdogDone
	d.engine.close()
	return err
}

// alive goes through all that must never hang: the engine's turn and the
// publisher. A camera that is dead is a camera's status, no more.
func (d *daemon) alive(ctx context.Context) error {
	if err := d.engine.alive(ctx); err != nil {
		return err
	}
	if still := time.Since(d.publisher.Stats().Turned); still > maxStill {
		return fmt.Errorf("the publisher has not turned for %v", still)
	}
	return nil
}

// maxStill is how long the publisher may take for one round: it turns every
// few seconds, whatever the broker does.
const maxStill = 15 * time.Second

// prepare finds what a config needs, and its mistakes that only the model
// shows. The running daemon is not touched. The model is read again each
// time: its files may have been replaced.
func (d *daemon) prepare(cfg *config.Config) (*model, []*cameraPlan, error) {
	m, err := configModel(cfg)
	if err != nil {
		return nil, nil, err
	}
	if d.model != nil && m.equal(d.model) && cfg.Model.Threads == d.cfg.Model.Threads {
		m = d.model
	}
	plans, err := planCameras(cfg, m)
	return m, plans, err
}

// configModel loads the model that a config asks for.
func configModel(cfg *config.Config) (*model, error) {
	f, err := pickModel(cfg.Model.Dir, cfg.Model.WidthMult)
	if err != nil {
		return nil, err
	}
	return loadModel(f, "", mnv2.Options{Threads: cfg.Model.Threads})
}

// planCameras resolves each camera's settings; labels become classes.
func planCameras(cfg *config.Config, m *model) ([]*cameraPlan, error) {
	classes := make(map[string]int, len(m.labels))
	for i, l := range m.labels {
		classes[l] = i
	}
	unknown := map[string]bool{}
	class := func(label string) int {
		i, ok := classes[label]
		if !ok {
			unknown[label] = true
		}
		return i
	}
	var plans []*cameraPlan
	for _, c := range cfg.Cameras {
		p := &cameraPlan{
			node: cfg.Node, name: c.Name, fps: c.FPS, scores: cfg.MQTT.Scores, snapshots: cfg.MQTT.Snapshots, model: m,
			source: cameraSource{source: c.Source, loop: c.Loop, fit: c.Fit, size: m.file.facts.Size},
		}
		for _, r := range c.Regions {
			t := cfg.RegionThresholds(&c, &r)
			resolved := pipeline.Thresholds{Enter: t.Enter, Leave: t.Leave, Hold: t.Hold, Smoothing: t.Smoothing, TopK: t.TopK}
			for _, label := range t.Only {
				resolved.Only = append(resolved.Only, class(label))
			}
			for _, l := range t.Labels {
				resolved.Labels = append(resolved.Labels, pipeline.LabelThreshold{Index: class(l.Label), Enter: l.Enter, Leave: l.Leave})
			}
			p.source.regions = append(p.source.regions, capture.Region{Name: r.Name, Box: r.Box})
			p.regions = append(p.regions, r.Name)
			p.thresholds = append(p.thresholds, resolved)
		}
		plans = append(plans, p)
	}
	if len(unknown) > 0 {
		var lines []string
		for label := range unknown {
			line := fmt.Sprintf("%q", label)
			if near := similarLabel(m.labels, label); near != "" {
				line += fmt.Sprintf(" (did you mean %q?)", near)
			}
			lines = append(lines, line)
		}
		slices.Sort(lines)
		return nil, usagef("thresholds name labels that the model %s does not have: %s; its labels are in the model directory's labels.txt",
			m.file.network.Name, strings.Join(lines, ", "))
	}
	return plans, nil
}

// similarLabel finds a label that differs in case, or contains what was
// written.
func similarLabel(labels []string, written string) string {
	for _, l := range labels {
		if strings.EqualFold(l, written) {
			return l
		}
	}
	for _, l := range labels {
		if strings.Contains(strings.ToLower(l), strings.ToLower(written)) {
			return l
		}
	}
	return ""
}

// apply goes on with another config, or says why not.
func (d *daemon) apply(r reload) {
	notifyReloading()
	defer notify("READY=1")
	var m *model
	var plans []*cameraPlan
	err := r.err
	if err == nil {
		m, plans, err = d.prepare(r.cfg)
	}
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			d.log.Error("the new config is refused, the old one stays", "error", line)
		}
		return
	}
	old := d.cfg
	d.mu.Lock()
	swapped := m != d.model
	d.cfg, d.model, d.plans = r.cfg, m, plans
	d.mu.Unlock()

	setLogLevel(r.cfg.Log.Level)
	if swapped {
		d.engine.swap(m)
	}
	wanted := map[string]*cameraPlan{}
	for _, p := range plans {
		wanted[p.name] = p
	}
	d.stopCameras(func(c *camera) bool {
		p := wanted[c.plan.name]
		return p == nil || p.node != c.plan.node || !p.source.equal(c.plan.source) || !slices.Equal(p.regions, c.plan.regions)
	}, pipeline.Reconfigured)
	if !reflect.DeepEqual(d.publishOptionsComparable(old), d.publishOptionsComparable(r.cfg)) {
		d.publisher.Reconfigure(d.publishOptions(r.cfg))
	}
	d.announce()
	for name, c := range d.cameras {
		c.apply(wanted[name])
	}
	d.startCameras()
	if r.cfg.HTTP != old.HTTP {
		d.stopWeb()
		d.startWeb()
	}
	if r.cfg.Log.Format != old.Log.Format {
		d.log.Warn("log.format takes effect when the daemon is started again")
	}
	d.log.Info("the new config is in effect", "model", m.file.network.Name, "width_mult", m.file.facts.WidthMult, "cameras", len(plans))
}

// startCameras starts those that are wanted and do not run.
func (d *daemon) startCameras() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.plans {
		d.publisher.Retain(publish.PauseTopic(p.name), []byte(onOff(d.paused[p.name], publish.On, publish.Off)))
		if d.cameras[p.name] != nil || d.paused[p.name] {
			continue
		}
		if d.stats[p.name] == nil {
			d.stats[p.name] = newStats(time.Now())
		}
		d.cameras[p.name] = startCamera(p, d.engine, d.publisher, d.stats[p.name], d.child, d.log)
	}
}

// stopCameras stops some, all at once.
func (d *daemon) stopCameras(which func(*camera) bool, reason string) {
	var wg sync.WaitGroup
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, c := range d.cameras {
		if which(c) {
			delete(d.cameras, name)
			wg.Add(1)
			go func() {
				defer wg.Done()
				c.stop(reason)
			}()
		}
	}
	wg.Wait()
}

// pause closes a camera or opens it again, as a subscriber asked.
func (d *daemon) pause(p pauseRequest) {
	known := slices.ContainsFunc(d.plans, func(c *cameraPlan) bool { return c.name == p.camera })
	if !known || d.paused[p.camera] == p.paused {
		return
	}
	d.log.Info(onOff(p.paused, "camera is paused", "camera goes on"), "camera", p.camera)
	d.mu.Lock()
	d.paused[p.camera] = p.paused
	d.mu.Unlock()
	if p.paused {
		d.stopCameras(func(c *camera) bool { return c.plan.name == p.camera }, pipeline.Stopped)
	}
	d.startCameras()
}

// announce publishes what there is: topology, then info.
func (d *daemon) announce() {
	m := d.model.info()
	info := publish.Info{
		Version: version, Model: m.Name, WidthMult: m.WidthMult, SHA256: m.SHA256, Board: board(),
		CPUFeatures: mnv2.CPUFeatures(), Kernel: d.model.engine.Kernel(),
	}
	var cameras []publish.Camera
	for _, p := range d.plans {
		cameras = append(cameras, publish.Camera{Name: p.name, Regions: p.regions})
		c := publish.CameraInfo{Name: p.name, FPS: p.fps, Fit: p.source.fit}
		for i, t := range p.thresholds {
			c.Regions = append(c.Regions, publish.RegionInfo{Name: p.regions[i], Enter: t.Enter, Leave: t.Leave})
		}
		info.Cameras = append(info.Cameras, c)
	}
	d.publisher.SetTopology(cameras)
	d.retain(publish.InfoTopic, info)
}

func (d *daemon) retain(topic string, payload any) {
	b, err := json.Marshal(payload)
	if err != nil {
		d.log.Error("write a payload", "topic", topic, "error", err)
		return
	}
	d.publisher.Retain(topic, b)
}

// send publishes what is worth something only now.
func (d *daemon) send(topic string, payload any) {
	if b, err := json.Marshal(payload); err == nil {
		d.publisher.Send(topic, b)
	}
}

func (d *daemon) publishOptions(cfg *config.Config) publish.Options {
	o := d.publishOptionsComparable(cfg)
	o.Log = d.log
	o.Pause = func(camera string, paused bool) {
		select {
		case d.pauses <- pauseRequest{camera, paused}:
		default: // a flood of requests must not hold up publishing
		}
	}
	return o
}

func (d *daemon) publishOptionsComparable(cfg *config.Config) publish.Options {
	m := cfg.MQTT
	return publish.Options{
		Node: cfg.Node, Version: version, Brokers: m.Brokers, ClientID: m.ClientID, Username: m.Username, PasswordFile: m.PasswordFile,
		TLS: publish.TLS{
			CAFile: m.TLS.CAFile, CertFile: m.TLS.CertFile, KeyFile: m.TLS.KeyFile, InsecureSkipVerify: m.TLS.InsecureSkipVerify,
		},
		BaseTopic: m.BaseTopic, QoS: byte(m.QoS), DiscoveryPrefix: m.DiscoveryPrefix, QueueBytes: int64(m.Queue.MaxMiB) << 20,
	}
}

func (d *daemon) startWeb() {
	if d.cfg.HTTP.Listen == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.webStop, d.webDone = cancel, make(chan struct{})
	o := web.Options{Listen: d.cfg.HTTP.Listen, PasswordFile: d.cfg.HTTP.PasswordFile, View: d.view, Picture: d.picture, Log: d.log}
	done := d.webDone
	go func() {
		defer close(done)
		if err := web.Run(ctx, o); err != nil {
			d.log.Error("no web page", "error", err)
		}
	}()
}

func (d *daemon) stopWeb() {
	if d.webStop == nil {
		return
	}
	d.webStop()
	<-d.webDone
	d.webStop = nil
}

// picture gives a camera's newest picture.
func (d *daemon) picture(ctx context.Context, name string, width int) ([]byte, error) {
	d.mu.RLock()
	c := d.cameras[name]
	d.mu.RUnlock()
	if c == nil {
		return nil, fmt.Errorf("%w: %q, or it is paused", web.ErrNoCamera, name)
	}
	return c.capture.JPEG(ctx, width)
}

// request hands a config to run, unless ctx ends before it is taken.
func (d *daemon) request(ctx context.Context, r reload) {
	select {
	case d.reload <- r:
	case <-ctx.Done():
	}
}
