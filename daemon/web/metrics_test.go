package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"tarsier/pipeline"
)

// scrape is what Prometheus is told.
func scrape(t *testing.T, metrics http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	metrics.ServeHTTP(w, request("/metrics"))
	if w.Code != 200 {
		t.Fatalf("GET /metrics gives %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func metricsOf(t *testing.T, v View) string {
	t.Helper()
	return scrape(t, Metrics(func() View { return v }))
}

// aView has every metric.
func aView() View {
	throttled, celsius, age := true, 51.5, 0.25
	var infer Histogram
	for _, ms := range []time.Duration{3, 8, 5, 12000} {
		infer.Add(ms * time.Millisecond)
	}
	return View{
		Node: "porch-pi", Version: "1.2.3", Model: "mobilenet_v2", WidthMult: 0.35, Kernel: "neon", Started: time.Unix(1795000000, 0),
		Cameras: []Camera{{
			Name: "porch", Online: true, Frames: 4, Dropped: 3, AgeS: &age, Stages: map[string]Histogram{"infer": infer},
			Events: map[string]uint64{pipeline.Enter: 2, pipeline.Leave: 1}, Regions: []Region{{Name: "door", State: pipeline.State{Entered: make([]pipeline.Entered, 1)}}},
		}, {Name: "attic", Paused: true, Regions: []Region{{Name: "frame"}}}},
		Broker: Broker{
			Connected: true, Queued: 2, QueuedBytes: 1200, Sent: 7, Dropped: 5, MessagesDropped: 6, Reconnects: 1, QueueError: "no space left on device",
		},
		Throttled: &throttled, TemperatureC: &celsius,
	}
}

func TestMetrics(t *testing.T) {
	got := metricsOf(t, aView())
	lines := strings.Split(got, "\n")
	for _, want := range []string{
		`tarsier_info{kernel="neon",model="mobilenet_v2",node="porch-pi",width_mult="0.35"} 1`,
		`tarsier_start_time_seconds 1.795e+09`,
		`tarsier_camera_online{camera="porch"} 1`,
		`tarsier_camera_online{camera="attic"} 0`,
		`tarsier_camera_paused{camera="attic"} 1`,
		`tarsier_camera_frames_total{camera="porch"} 4`,
		`tarsier_camera_frames_dropped_total{camera="porch"} 3`,
		`tarsier_camera_frame_age_seconds{camera="porch"} 0.25`,
		`tarsier_camera_latency_seconds_bucket{camera="porch",stage="infer",le="0.002"} 0`,
		`tarsier_camera_latency_seconds_bucket{camera="porch",stage="infer",le="0.005"} 2`,
		`tarsier_camera_latency_seconds_bucket{camera="porch",stage="infer",le="10"} 3`,
		`tarsier_camera_latency_seconds_bucket{camera="porch",stage="infer",le="+Inf"} 4`,
		`tarsier_camera_latency_seconds_sum{camera="porch",stage="infer"} 12.016`,
		`tarsier_camera_latency_seconds_count{camera="porch",stage="infer"} 4`,
		`tarsier_camera_events_total{camera="porch",type="enter"} 2`,
		`tarsier_camera_events_total{camera="porch",type="leave"} 1`,
		`tarsier_region_entered_labels{camera="porch",region="door"} 1`,
		`tarsier_region_entered_labels{camera="attic",region="frame"} 0`,
		`tarsier_broker_connected 1`,
		`tarsier_broker_reconnects_total 1`,
		`tarsier_events_sent_total 7`,
		`tarsier_events_dropped_total 5`,
		`tarsier_messages_dropped_total 6`,
		`tarsier_queue_events 2`,
		`tarsier_queue_bytes 1200`,
		`tarsier_queue_error 1`,
		`tarsier_temperature_celsius 51.5`,
		`tarsier_throttled 1`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("/metrics has no line %s", want)
		}
	}
	for _, name := range []string{`tarsier_build_info{goversion="go`, "process_resident_memory_bytes ", "go_goroutines "} {
		if !strings.Contains(got, "\n"+name) {
			t.Errorf("/metrics has no %s", name)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// What a board or a camera does not say is absent, not zero.
func TestMetricsAbsent(t *testing.T) {
	got := metricsOf(t, View{Cameras: []Camera{{Name: "porch"}}})
	for _, name := range []string{"temperature", "throttled", "frame_age", "latency"} {
		if regexp.MustCompile(`(?m)^tarsier_\w*` + name).MatchString(got) {
			t.Errorf("there is a %s that nobody told:\n%s", name, got)
		}
	}
}

// An event that is dropped and then delivered after all does not take the counter back: that would look like a start from zero.
func TestMetricsNeverGoBack(t *testing.T) {
	v := View{Broker: Broker{Dropped: 5}}
	m := Metrics(func() View { return v })
	for _, dropped := range []uint64{5, 4} {
		v.Broker.Dropped = dropped
		if got := scrape(t, m); !strings.Contains(got, "\ntarsier_events_dropped_total 5\n") {
			t.Errorf("after %d dropped events:\n%s", dropped, got)
		}
	}
}

// Names, units and help texts are as Prometheus would have them.
func TestMetricsLint(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(metricsOf(t, aView()))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	for _, d := range []time.Duration{-time.Millisecond, 0, 500 * time.Microsecond, 500*time.Microsecond + 1, 10 * time.Second, time.Hour} {
		h.Add(d) // a bound belongs to its bucket
	}
	if h.buckets[0] != 3 || h.buckets[1] != 1 || h.buckets[len(latencyBounds)-1] != 1 || h.buckets[len(latencyBounds)] != 1 {
		t.Errorf("the buckets are %v", h.buckets)
	}
	if n := testing.AllocsPerRun(100, func() { h.Add(time.Millisecond) }); n != 0 {
		t.Errorf("counting a duration allocates %v times", n)
	}
}
