package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"runtime/debug"
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
	clock   pipeline.Clock
	started time.Time

	engine    *engine
	publisher *publish.Publisher
	path      string        // of the config
	reload    chan struct{} // the config is to be read again
	pauses    chan struct{} // there is something new in wishes
	turned    chan struct{} // received from run, when it is not busy

	widths   *widths // of width_mult: auto; else nil
	patience ladderPatience
	looked   map[string]counts // of each camera, when the ladder last looked

	wishesMu sync.Mutex
	wishes   map[string]bool // cameras that somebody wants paused, or not

	mu      sync.RWMutex // guards what follows against those who look
	cfg     *config.Config
	model   *model // that runs
	plans   []*cameraPlan
	cameras map[string]*camera // those that run
	paused  map[string]bool
	stats   map[string]*stats
	memory  *web.Memory // for the page; empty while nobody is served

	webStop context.CancelFunc
	webDone chan struct{}
}

// newDaemon prepares everything that can fail. The config is what was read
// from path.
func newDaemon(path string, cfg *config.Config, child capture.Options, log *slog.Logger) (*daemon, error) {
	d := &daemon{
		log: log, child: child, clock: pipeline.SystemClock(clockSynced), started: time.Now(),
		path: path, reload: make(chan struct{}, 1), pauses: make(chan struct{}, 1), turned: make(chan struct{}), wishes: map[string]bool{},
		cameras: map[string]*camera{}, paused: map[string]bool{}, stats: map[string]*stats{},
		memory: web.NewMemory(), patience: defaultPatience,
	}
	p, err := d.prepare(cfg)
	if err != nil {
		return nil, err
	}
	d.cfg, d.model, d.widths, d.plans = cfg, p.model, p.widths, p.plans
	d.sayWidths()
	if d.publisher, err = publish.New(d.publishOptions(cfg)); err != nil {
		return nil, err
	}
	d.engine = newEngine(d.model)
	d.memory.Remember(cfg.HTTP.Listen != "")
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
	look := time.NewTicker(d.patience.look)
	defer look.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-d.reload:
			d.apply()
		case <-d.pauses:
			d.pause()
		case d.turned <- struct{}{}:
		case <-tick.C:
			d.publishStats()
			d.notifyStatus()
		case <-look.C:
			d.lookForWidth()
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

// alive goes through all that must never hang: run, the engine's turn and
// the publisher. A camera that is dead is a camera's status, no more.
func (d *daemon) alive(ctx context.Context) error {
	select {
	case <-d.turned:
	case <-ctx.Done():
		return fmt.Errorf("waited for the scheduler: %w", ctx.Err())
	}
	if err := d.engine.alive(ctx); err != nil {
		return err
	}
	turned := d.publisher.Stats().Turned
	if turned.Before(d.started) {
		turned = d.started
	}
	if still := time.Since(turned); still > maxStill {
		return fmt.Errorf("the publisher has not turned for %v", still)
	}
	return nil
}

// maxStill is how long the publisher may take for one round: it turns every
// few seconds, whatever the broker does.
const maxStill = 15 * time.Second

// prepared is what a config needs.
type prepared struct {
	model  *model
	widths *widths
	plans  []*cameraPlan
}

// prepare finds what a config needs, and its mistakes that only the model
// shows. The running daemon is not touched. The model is read again each
// time: its files may have been replaced.
func (d *daemon) prepare(cfg *config.Config) (p prepared, err error) {
	if cfg.Model.WidthMult == config.Auto {
		p.model, p.widths, err = d.autoModel(cfg)
	} else {
		p.model, err = configModel(cfg)
	}
	if err != nil {
		return p, err
	}
	if d.model != nil && p.model.equal(d.model) && cfg.Model.Threads == d.cfg.Model.Threads {
		p.model = d.model
	}
	p.plans, err = planCameras(cfg, p.model)
	return p, err
}

// autoModel finds the models of a config that leaves the width to us, and the
// one to run. As long as they are the same as before, that stays as it is.
func (d *daemon) autoModel(cfg *config.Config) (*model, *widths, error) {
	o := mnv2.Options{Threads: cfg.Model.Threads}
	files, labels, err := autoModels(cfg.Model.Dir)
	if err == nil && d.widths != nil && d.widths.same(files, labels, o) {
		return d.model, d.widths, nil
	}
	var w *widths
	var m *model
	if err == nil {
		w, m, err = newWidths(files, labels, o, d.need(cfg), d.patience, d.engine)
	}
	if err != nil {
		return nil, nil, modelMistake(cfg, err)
	}
	debug.FreeOSMemory() // the collector would take its time with the widths that do not run
	return m, w, nil
}

// sayWidths logs what there is to choose from, and with which width that begins.
func (d *daemon) sayWidths() {
	if w := d.widths; w != nil {
		d.log.Info("the width is found by itself", "width_mult", d.model.file.facts.WidthMult, "inferences_needed_a_second", d.need(d.cfg), "widths", w.String())
	}
}

// configModel loads the model that a config asks for; of those that it leaves
// to us the widest.
func configModel(cfg *config.Config) (*model, error) {
	var f modelFile
	var err error
	if cfg.Model.WidthMult == config.Auto {
		var files []modelFile
		if files, _, err = autoModels(cfg.Model.Dir); err == nil {
			f = files[0]
		}
	} else {
		f, err = pickModel(cfg.Model.Dir, float64(cfg.Model.WidthMult))
	}
	if err == nil {
		var m *model
		if m, err = loadModel(f, "", mnv2.Options{Threads: cfg.Model.Threads}); err == nil {
			return m, nil
		}
	}
	return nil, modelMistake(cfg, err)
}

func modelMistake(cfg *config.Config, err error) error {
	return config.Errors{cfg.Mistake("model", err.Error(), "a directory with a model of that width and its labels")}
}

// planCameras resolves each camera's settings; labels become classes.
func planCameras(cfg *config.Config, m *model) ([]*cameraPlan, error) {
	classes := make(map[string]int, len(m.labels))
	for i, l := range m.labels {
		classes[l] = i
	}
	if err := checkLabels(cfg, m, classes); err != nil {
		return nil, err
	}
	var plans []*cameraPlan
	for _, c := range cfg.Cameras {
		p := &cameraPlan{
			node: cfg.Node, name: c.Name, fps: c.FPS, scores: cfg.MQTT.Scores, snapshots: cfg.MQTT.Snapshots, model: m,
			source: cameraSource{source: c.Source, loop: c.Loop, fit: c.Fit, size: m.file.facts.Size, rate: wantedRate(c.FPS)},
		}
		for _, r := range c.Regions {
			t := cfg.RegionThresholds(&c, &r)
			resolved := pipeline.Thresholds{Enter: t.Enter, Leave: t.Leave, Hold: t.Hold, Smoothing: t.Smoothing, TopK: t.TopK}
			for _, label := range t.Only {
				resolved.Only = append(resolved.Only, classes[label])
			}
			if len(t.Only) == 0 {
				resolved.Only = m.events()
			}
			for _, l := range t.Labels {
				resolved.Labels = append(resolved.Labels, pipeline.LabelThreshold{Index: classes[l.Label], Enter: l.Enter, Leave: l.Leave})
			}
			p.source.regions = append(p.source.regions, capture.Region{Name: r.Name, Box: r.Box})
			p.regions = append(p.regions, r.Name)
			p.thresholds = append(p.thresholds, resolved)
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// wantedRate is that of the pictures a camera is asked for: 0, if its usual
// one will do, so that a small change of fps does not open it anew.
func wantedRate(fps float64) int {
	switch {
	case fps == 0:
		return math.MaxUint16 // as many as there are
	case fps <= 15:
		return 0
	}
	return int(math.Ceil(fps))
}

// checkLabels finds the labels in a config that the model does not have.
func checkLabels(cfg *config.Config, m *model, classes map[string]int) error {
	var mistakes config.Errors
	check := func(key, label string) {
		if _, ok := classes[label]; ok {
			return
		}
		allowed := "a label of " + m.labelPath
		if near := similarLabel(m.labels, label); near != "" {
			allowed += fmt.Sprintf(" (did you mean %q?)", near)
		}
		mistakes = append(mistakes, cfg.Mistake(key, fmt.Sprintf("%q", label), allowed))
	}
	scope := func(key string, o *config.Overrides) {
		for i, label := range o.Only {
			check(fmt.Sprintf("%s.only[%d]", key, i), label)
		}
		for i, l := range o.Labels {
			check(fmt.Sprintf("%s.labels[%d].label", key, i), l.Label)
		}
	}
	scope("thresholds", &cfg.Thresholds)
	for i := range cfg.Cameras {
		c := &cfg.Cameras[i]
		scope(fmt.Sprintf("cameras[%d].thresholds", i), &c.Thresholds)
		for j := range c.Regions {
			scope(fmt.Sprintf("cameras[%d].regions[%d].thresholds", i, j), &c.Regions[j].Thresholds)
		}
	}
	if mistakes != nil {
		return mistakes
	}
	return nil
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

// apply reads the config again and goes on with it, or says why not.
func (d *daemon) apply() {
	notifyReloading()
	defer notify("READY=1")
	var p prepared
	cfg, err := config.Load(d.path)
	if err == nil {
		p, err = d.prepare(cfg)
	}
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			d.log.Error("the new config is refused, the old one stays", "error", line)
		}
		return
	}
	old := d.cfg
	m, plans := p.model, p.plans
	swapped, other := m != d.model, !m.equal(d.model)
	found := p.widths != d.widths
	d.mu.Lock()
	d.cfg, d.model, d.widths, d.plans = cfg, m, p.widths, plans
	d.mu.Unlock()
	if found {
		d.sayWidths()
	}

	setLogLevel(cfg.Log.Level)
	d.memory.Remember(cfg.HTTP.Listen != "")
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
	if !reflect.DeepEqual(d.publishOptionsComparable(old), d.publishOptionsComparable(cfg)) {
		d.publisher.Reconfigure(d.publishOptions(cfg))
	}
	d.announce()
	for name, c := range d.cameras {
		c.apply(wanted[name], other)
	}
	d.startCameras()
	d.mu.Lock()
	for name := range d.stats {
		if wanted[name] == nil {
			delete(d.stats, name)
			delete(d.looked, name)
			delete(d.paused, name)
			d.memory.Forget(name)
		}
	}
	d.mu.Unlock()
	if cfg.HTTP != old.HTTP || cfg.HTTP.PasswordFile != "" { // whose content may be another
		d.stopWeb()
		d.startWeb()
	}
	if cfg.Log.Format != old.Log.Format {
		d.log.Warn("log.format takes effect when the daemon is started again")
	}
	if cfg.MQTT.Queue.Dir != old.MQTT.Queue.Dir {
		d.log.Warn("mqtt.queue.dir takes effect when the daemon is started again")
	}
	d.log.Info("the new config is in effect", "model", m.file.network.Name, "width_mult", m.file.facts.WidthMult, "cameras", len(plans))
}

// startCameras starts those that are wanted and do not run.
func (d *daemon) startCameras() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.plans {
		if d.stats[p.name] == nil {
			d.stats[p.name] = newStats(time.Now())
		}
		d.publisher.Retain(publish.PauseTopic(p.name), []byte(onOff(d.paused[p.name], publish.On, publish.Off)))
		if d.paused[p.name] {
			d.publisher.Retain(publish.CameraStatusTopic(p.name), []byte(publish.Offline))
			for _, region := range p.regions {
				d.publisher.Retain(publish.StateTopic(p.name, region), payload(pipeline.State{Entered: []pipeline.Entered{}}))
			}
			continue
		}
		if d.cameras[p.name] != nil {
			continue
		}
		d.cameras[p.name] = startCamera(p, d.engine, d.publisher, d.clock, d.stats[p.name], d.memory, d.child, d.log)
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

// pause closes cameras or opens them again, as subscribers asked.
func (d *daemon) pause() {
	d.wishesMu.Lock()
	wishes := d.wishes
	d.wishes = map[string]bool{}
	d.wishesMu.Unlock()
	for _, p := range d.plans {
		paused, asked := wishes[p.name]
		if !asked || d.paused[p.name] == paused {
			continue
		}
		d.log.Info(onOff(paused, "camera is paused", "camera goes on"), "camera", p.name)
		d.mu.Lock()
		d.paused[p.name] = paused
		d.mu.Unlock()
		if paused {
			d.stopCameras(func(c *camera) bool { return c.plan.name == p.name }, pipeline.Stopped)
		}
	}
	d.startCameras()
}

// wake makes sure that something is received from a channel of one place.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// announce publishes what there is: topology, then info.
func (d *daemon) announce() {
	m := d.model.info()
	info := publish.Info{
		Version: version, Model: m.Name, WidthMult: m.WidthMult, Auto: d.widths != nil, SHA256: m.SHA256, Board: board(),
		CPUFeatures: mnv2.CPUFeatures(), Kernel: d.model.engine.Kernel(),
	}
	var cameras []publish.Camera
	for _, p := range d.plans {
		camera := publish.Camera{Name: p.name, Snapshots: p.snapshots}
		c := publish.CameraInfo{Name: p.name, FPS: p.fps, Fit: p.source.fit}
		for i, t := range p.thresholds {
			region := publish.Region{Name: p.regions[i]}
			for _, index := range t.Only {
				region.Only = append(region.Only, publish.Label{Index: index, Name: p.model.labels[index], Problem: p.model.problem(index)})
			}
			camera.Regions = append(camera.Regions, region)
			c.Regions = append(c.Regions, publish.RegionInfo{Name: region.Name, Enter: t.Enter, Leave: t.Leave})
		}
		cameras = append(cameras, camera)
		info.Cameras = append(info.Cameras, c)
	}
	d.publisher.SetTopology(cameras)
	d.publisher.Retain(publish.InfoTopic, payload(info))
}

// payload is a value as JSON. Those that are published are structs of text and
// finite numbers, which always have one.
func payload(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("no JSON for a payload %+v: %v", v, err))
	}
	return b
}

func (d *daemon) publishOptions(cfg *config.Config) publish.Options {
	o := d.publishOptionsComparable(cfg)
	o.Log, o.Clock = d.log, d.clock
	o.Pause = func(camera string, paused bool) {
		d.wishesMu.Lock()
		d.wishes[camera] = paused // the last wish counts
		d.wishesMu.Unlock()
		wake(d.pauses)
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
		BaseTopic: m.BaseTopic, QoS: byte(m.QoS), DiscoveryPrefix: m.DiscoveryPrefix, QueueDir: m.Queue.Dir, QueueBytes: int64(m.Queue.MaxMiB) << 20,
		Temperature: temperature() != nil, Throttled: throttled() != nil,
	}
}

func (d *daemon) startWeb() {
	if d.cfg.HTTP.Listen == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.webStop, d.webDone = cancel, make(chan struct{})
	o := web.Options{Listen: d.cfg.HTTP.Listen, PasswordFile: d.cfg.HTTP.PasswordFile, View: d.view, Picture: d.picture, Memory: d.memory, Alive: d.alive, Log: d.log}
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
