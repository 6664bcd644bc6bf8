package web

import (
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// latencyBounds are the upper ends of a Histogram's buckets in seconds, for what takes half a millisecond on one board and seconds on another.
var latencyBounds = [...]float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10}

// A Histogram counts durations for Prometheus. Its zero value is empty. Whoever owns it locks it.
type Histogram struct {
	buckets [len(latencyBounds) + 1]uint64 // the last: beyond all bounds
	sum     time.Duration
}

// Add counts a duration.
func (h *Histogram) Add(d time.Duration) {
	i, _ := slices.BinarySearch(latencyBounds[:], d.Seconds())
	h.buckets[i]++
	h.sum += d
}

// metric is the histogram as Prometheus has it: each bucket contains those below it.
func (h *Histogram) metric(d *prometheus.Desc, labels ...string) prometheus.Metric {
	below := make(map[float64]uint64, len(latencyBounds))
	var count uint64
	for i, bound := range latencyBounds {
		count += h.buckets[i]
		below[bound] = count
	}
	count += h.buckets[len(latencyBounds)]
	return prometheus.MustNewConstHistogram(d, count, h.sum.Seconds(), below, labels...)
}

// Metrics is what /metrics serves. What the kernel hides from a service in its sandbox (process_start_time_seconds) is left out of the process's own
// metrics without an error.
func Metrics(view func() View) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(&collector{view: view}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// A collector makes metrics of a View when they are asked for. How many there are follows from the config: labels are names of cameras, regions,
// stages and types, never what is seen.
type collector struct {
	view func() View

	mu   sync.Mutex
	lost uint64 // the most that were dropped: one that was on its way meanwhile may arrive after all, and a counter never goes back
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tarsier_"+name, help, labels, nil)
}

var (
	buildDesc = desc("build_info", "What was built, as labels; always 1.", "version", "goversion")
	infoDesc  = desc("info", "What runs, as labels; always 1.", "node", "model", "width_mult", "kernel")
	startDesc = desc("start_time_seconds", "When the daemon started, since the Unix epoch, by the clock as it is set now.")

	onlineDesc  = desc("camera_online", "Whether pictures arrive.", "camera")
	pausedDesc  = desc("camera_paused", "Whether somebody paused the camera: then it is not opened.", "camera")
	framesDesc  = desc("camera_frames_total", "Pictures classified.", "camera")
	droppedDesc = desc("camera_frames_dropped_total", "Pictures due but not classified, since the board was busy.", "camera")
	ageDesc     = desc("camera_frame_age_seconds", "How long ago the last classified picture was taken; absent before the first.", "camera")
	latencyDesc = desc("camera_latency_seconds", "How long a classified picture took: until it was here (capture), in the network (infer), "+
		"waiting for its turn (wait), and all of it (total).", "camera", "stage")
	madeDesc    = desc("camera_events_total", "Events made, delivered or not.", "camera", "type")
	enteredDesc = desc("region_entered_labels", "Labels that are entered now.", "camera", "region")

	connectedDesc  = desc("broker_connected", "Whether the MQTT broker is connected.")
	reconnectsDesc = desc("broker_reconnects_total", "Connections to the broker after the first.")
	sentDesc       = desc("events_sent_total", "Events that the broker acknowledged.")
	lostDesc       = desc("events_dropped_total", "Events that a full queue dropped, the oldest first.")
	unsentDesc     = desc("messages_dropped_total", "Messages that may get lost (scores, stats) and did, for want of a broker.")
	queuedDesc     = desc("queue_events", "Events that wait for the broker.")
	bytesDesc      = desc("queue_bytes", "Size of the events that wait.")
	queueErrDesc   = desc("queue_error", "Whether events that wait are in memory only, since the disk is full or fails.")

	temperatureDesc = desc("temperature_celsius", "Temperature of the board's hottest zone; absent without a sensor.")
	throttledDesc   = desc("throttled", "Whether the board slows its CPU down, from heat or too little voltage; absent where it does not say.")
)

// Describe implements prometheus.Collector. It promises nothing: which metrics there are changes with the config.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	v := c.view()
	gauge(buildDesc, 1, v.Version, runtime.Version())
	gauge(infoDesc, 1, v.Node, v.Model, strconv.FormatFloat(v.WidthMult, 'f', -1, 64), v.Kernel)
	gauge(startDesc, float64(v.Started.Unix()))
	for _, cam := range v.Cameras {
		gauge(onlineDesc, number(cam.Online), cam.Name)
		gauge(pausedDesc, number(cam.Paused), cam.Name)
		count(framesDesc, cam.Frames, cam.Name)
		count(droppedDesc, cam.Dropped, cam.Name)
		if cam.AgeS != nil {
			gauge(ageDesc, *cam.AgeS, cam.Name)
		}
		for stage, h := range cam.Stages {
			ch <- h.metric(latencyDesc, cam.Name, stage)
		}
		for kind, n := range cam.Events {
			count(madeDesc, n, cam.Name, kind)
		}
		for _, r := range cam.Regions {
			gauge(enteredDesc, float64(len(r.State.Entered)), cam.Name, r.Name)
		}
	}
	b := v.Broker
	gauge(connectedDesc, number(b.Connected))
	count(reconnectsDesc, b.Reconnects)
	count(sentDesc, b.Sent)
	c.mu.Lock()
	c.lost = max(c.lost, b.Dropped)
	count(lostDesc, c.lost)
	c.mu.Unlock()
	count(unsentDesc, b.MessagesDropped)
	gauge(queuedDesc, float64(b.Queued))
	gauge(bytesDesc, float64(b.QueuedBytes))
	gauge(queueErrDesc, number(b.QueueError != ""))
	if v.TemperatureC != nil {
		gauge(temperatureDesc, *v.TemperatureC)
	}
	if v.Throttled != nil {
		gauge(throttledDesc, number(*v.Throttled))
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
