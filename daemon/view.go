package main

import (
	"math"
	"time"

	"tarsier/daemon/web"
	"tarsier/pipeline"
	"tarsier/pipeline/capture"
	"tarsier/pipeline/publish"
)

// view is what the daemon is doing now, for the web page.
func (d *daemon) view() web.View {
	d.mu.RLock()
	defer d.mu.RUnlock()
	sent := d.publisher.Stats()
	v := web.View{
		Node: d.cfg.Node, Version: version, Model: d.model.file.network.Name, WidthMult: d.model.file.facts.WidthMult,
		Kernel: d.model.engine.Kernel(), Cameras: []web.Camera{}, Throttled: throttled(),
		Broker: web.Broker{
			Connected: sent.Connected, Queued: sent.Queued, Sent: sent.Sent, Dropped: sent.Dropped, Error: sent.LastError, QueueError: sent.QueueError,
			QueuedBytes: sent.QueuedBytes, MessagesDropped: sent.MessagesDropped, Reconnects: sent.Reconnects,
		},
		TemperatureC: temperature(),
	}
	v.Memory.RSS, v.Memory.Available = memoryUse()
	now := time.Now()
	v.Time, v.Board = pipeline.Time{Time: now}, board()
	v.Started = now.Add(-now.Sub(d.started)).Round(time.Second) // by the clock as it is set now
	for _, p := range d.plans {
		w := web.Camera{Name: p.name, Paused: d.paused[p.name], Regions: []web.Region{}}
		if s := d.stats[p.name]; s != nil {
			s.view(&w)
		}
		if c := d.cameras[p.name]; c != nil {
			c.view(&w)
		}
		if len(w.Regions) == 0 { // it is paused
			for i, name := range p.regions {
				w.Regions = append(w.Regions, web.Region{Name: name, Box: p.source.regions[i].Box, State: pipeline.State{Entered: []pipeline.Entered{}}, Top: []pipeline.Score{}})
			}
		}
		v.Cameras = append(v.Cameras, w)
	}
	return v
}

func (c *camera) isOnline() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.online
}

func (c *camera) view(w *web.Camera) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Online = c.online
	if c.err != nil {
		w.Error = capture.Redact(c.err.Error())
	}
	for i, r := range c.regions {
		w.Regions = append(w.Regions, web.Region{Name: c.plan.regions[i], Box: c.plan.source.regions[i].Box, State: r.State(), Top: r.Top()})
	}
}

// publishStats publishes how the node does.
func (d *daemon) publishStats() {
	now := time.Now()
	p := d.publisher.Stats()
	out := publish.NodeStats{
		Time: pipeline.Time{Time: now}, UptimeS: math.Round(now.Sub(d.started).Seconds()), TemperatureC: temperature(), Throttled: throttled(),
		LatencyMS: map[string]publish.Percentiles{},
		Drops:     publish.Drops{Events: p.Dropped, Messages: p.MessagesDropped},
		Queue:     publish.QueueStats{Events: p.Queued, Bytes: p.QueuedBytes, Error: p.QueueError},
	}
	var all [len(stageNames)][]time.Duration
	for _, plan := range d.plans {
		cs := publish.CameraStats{Name: plan.name, Paused: d.paused[plan.name]}
		if c := d.cameras[plan.name]; c != nil {
			cs.Online = c.isOnline()
		}
		if s := d.stats[plan.name]; s != nil {
			s.mu.Lock()
			cs.FPS, cs.Dropped = s.rate(now), s.dropped
			out.Drops.Frames += s.dropped
			for i := range all {
				all[i] = append(all[i], s.stages[i].last()...)
			}
			s.mu.Unlock()
		}
		out.FPS += cs.FPS
		out.Cameras = append(out.Cameras, cs)
	}
	for i, name := range stageNames {
		p50, p95, p99 := percentiles(all[i])
		out.LatencyMS[name] = publish.Percentiles{P50: p50, P95: p95, P99: p99}
	}
	d.publisher.Send(publish.StatsTopic, payload(out))
}

// notifyStatus is the line that systemctl status shows.
func (d *daemon) notifyStatus() {
	online := 0
	for _, c := range d.cameras {
		if c.isOnline() {
			online++
		}
	}
	s := d.publisher.Stats()
	notifyStatus("%d of %d cameras online, broker %s, %d events wait", online, len(d.plans), onOff(s.Connected, "connected", "away"), s.Queued)
}
