package web

import "github.com/prometheus/client_golang/prometheus"

// A collector makes metrics of a View when they are asked for.
type collector struct{ view func() View }

var (
	infoDesc      = prometheus.NewDesc("tarsier_info", "What runs, as labels; always 1.", []string{"node", "version", "model", "kernel"}, nil)
	onlineDesc    = prometheus.NewDesc("tarsier_camera_online", "Whether pictures arrive.", []string{"camera"}, nil)
	framesDesc    = prometheus.NewDesc("tarsier_camera_frames_total", "Pictures classified.", []string{"camera"}, nil)
	droppedDesc   = prometheus.NewDesc("tarsier_camera_dropped_total", "Pictures due but not classified.", []string{"camera"}, nil)
	latencyDesc   = prometheus.NewDesc("tarsier_camera_latency_seconds", "Median time of a stage of a picture's way.", []string{"camera", "stage"}, nil)
	enteredDesc   = prometheus.NewDesc("tarsier_region_entered", "Labels that are entered.", []string{"camera", "region"}, nil)
	connectedDesc = prometheus.NewDesc("tarsier_broker_connected", "Whether the MQTT broker is connected.", nil, nil)
	queuedDesc    = prometheus.NewDesc("tarsier_events_queued", "Events that wait for the broker.", nil, nil)
	sentDesc      = prometheus.NewDesc("tarsier_events_sent_total", "Events that the broker acknowledged.", nil, nil)
	queueErrDesc  = prometheus.NewDesc("tarsier_queue_error", "Whether events do not reach the disk.", nil, nil)
	throttledDesc = prometheus.NewDesc("tarsier_throttled", "Whether the board slows its CPU down; absent where it does not say.", nil, nil)
	lostDesc      = prometheus.NewDesc("tarsier_events_dropped_total", "Events that a full queue dropped.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	v := c.view()
	gauge(infoDesc, 1, v.Node, v.Version, v.Model, v.Kernel)
	for _, cam := range v.Cameras {
		gauge(onlineDesc, number(cam.Online), cam.Name)
		count(framesDesc, cam.Frames, cam.Name)
		count(droppedDesc, cam.Dropped, cam.Name)
		for stage, ms := range cam.Latency {
			gauge(latencyDesc, ms/1e3, cam.Name, stage)
		}
		for _, r := range cam.Regions {
			gauge(enteredDesc, float64(len(r.State.Entered)), cam.Name, r.Name)
		}
	}
	gauge(connectedDesc, number(v.Broker.Connected))
	gauge(queuedDesc, float64(v.Broker.Queued))
	gauge(queueErrDesc, number(v.Broker.QueueError != ""))
	if v.Throttled != nil {
		gauge(throttledDesc, number(*v.Throttled))
	}
	count(sentDesc, v.Broker.Sent)
	count(lostDesc, v.Broker.Dropped)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
