package main

import (
	"testing"
	"time"
)

func at(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }

// The time a picture was taken follows the stream's clock; what comes late was taken no later.
func TestTaken(t *testing.T) {
	start := time.Now()
	c := timing{stamped: true, strict: true, frame: at(40)}
	for _, p := range []struct {
		arrived, stamp, taken, stream, lag int
	}{
		{0, 500, 0, 0, 0},
		{40, 540, 40, 40, 0},
		{130, 580, 80, 80, 50},
		{131, 620, 120, 120, 11},
		{150, 660, 150, 160, 0}, // the fastest way yet
		{200, 700, 190, 200, 10},
		{240, 0, 230, 240, 10},  // no stamp
		{280, 10, 240, 250, 40}, // a clock that was set goes on from there
		{330, 60, 290, 300, 40},
		{340, -1e17, 330, 340, 10}, // no stamp, as FFmpeg says it
		{380, 130, 360, 370, 20},   // and no harm to the next
		{5000, 170, 400, 410, 4600},
	} {
		taken, stream := c.stamp(start.Add(at(p.arrived)), float64(p.stamp))
		near := func(a, b time.Duration) bool { return (a - b).Abs() < at(6) } // the clocks' drift
		if !near(taken.Sub(start), at(p.taken)) || stream != at(p.stream) || !near(c.lag, at(p.lag)) {
			t.Errorf("%+v: taken %v, stream %v, lag %v", p, taken.Sub(start), stream, c.lag)
		}
	}
}

// A camera's clock that runs a little slower than ours is no stream that falls behind.
func TestDrift(t *testing.T) {
	start := time.Now()
	c := timing{stamped: true, strict: true, frame: at(40)}
	for i := range 25 * 60 * 60 * 10 {
		arrived := time.Duration(i) * at(40)
		c.stamp(start.Add(arrived), float64(i)*40*(1-200e-6))
		if c.lag > at(40) {
			t.Fatalf("after %v the lag is %v", arrived, c.lag)
		}
	}
}

// JPEGs one after the other have the time they came at.
func TestUnstamped(t *testing.T) {
	start := time.Now()
	c := timing{frame: at(40)}
	for i := range 100 {
		now := start.Add(time.Duration(i) * at(200))
		if taken, stream := c.stamp(now, float64(i)*40); taken != now || stream != now.Sub(start) || c.lag != 0 {
			t.Fatalf("%v, %v, %v", taken, stream, c.lag)
		}
	}
}

func TestPlaysSlower(t *testing.T) {
	start := time.Now()
	c := timing{stamped: true, frame: at(40)}
	c.stamp(start, 0)
	if due := c.play(start.Add(at(10)), at(40)); due != start.Add(at(40)) {
		t.Errorf("early: %v", due.Sub(start))
	}
	if due := c.play(start.Add(at(180)), at(80)); due != start.Add(at(80)) {
		t.Errorf("a little late: %v", due.Sub(start))
	}
	if due := c.play(start.Add(at(1120)), at(120)); due != start.Add(at(1120)) {
		t.Errorf("too late: %v", due.Sub(start))
	}
	if due := c.play(start.Add(at(1130)), at(160)); due != start.Add(at(1160)) {
		t.Errorf("after it: %v", due.Sub(start))
	}
}
