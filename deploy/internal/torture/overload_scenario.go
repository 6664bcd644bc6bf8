package main

import (
	"fmt"
	"strings"

	"tarsier/pipeline/publish"
)

func init() {
	register(scenario{name: "overload", what: "more cameras than the CPU can serve, one of them with three times the work", alone: true, run: overload})
}

// overload is a board that is too small. The cameras share it: those that want the same get the same, one that wants
// more work done gets less often, and one that wants little gets all of it. What does not happen is counted.
func overload(w *world) {
	b := w.startBroker()
	c := w.config(b.url())
	c.model, c.threads = w.model("imagenet_1.0"), 1
	regions := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("{name: r%d, box: [%.2f, 0, 0.5, 1]}", i, 0.5*float64(i)/float64(n)))
		}
		return "regions: [" + strings.Join(all, ", ") + "]"
	}
	// The video has 30 pictures a second. The engine takes four regions in one turn.
	c.cameras = []string{
		w.camera("modest", "bottle", "fps: 1"),
		w.camera("greedy", "bottle", "fps: 30, "+regions(48)),
		w.camera("tiled", "bottle", "fps: 30, fit: tiles"),
		w.camera("a", "bottle", "fps: 30, "+regions(16)),
		w.camera("b", "bottle", "fps: 30, "+regions(16)),
		w.camera("c", "bottle", "fps: 30, "+regions(16)),
	}
	s := w.subscribe(b.url())
	d := w.startDaemon(w.write(c))
	w.settle(d, s, "modest", "greedy", "tiled", "a", "b", "c")
	var last publish.NodeStats
	news := func() bool {
		if st := s.stats(); st.UptimeS > last.UptimeS {
			last = st
			return true
		}
		return false
	}
	w.wait("stats come", news) // with the start in them
	w.wait("stats come", news)
	w.rssBefore = d.rss()
	for ; w.rounds < w.form(2, 30); w.rounds++ {
		dropped := last.Drops.Frames
		w.wait("stats come", news)
		if last.Drops.Frames == dropped {
			w.fail("no frame was dropped in ten seconds: %+v", last.Cameras)
		}
		fps := map[string]float64{}
		for _, c := range last.Cameras {
			fps[c.Name] = c.FPS
		}
		equal := []float64{fps["a"], fps["b"], fps["c"]}
		fewest, most := min(equal[0], equal[1], equal[2]), max(equal[0], equal[1], equal[2])
		switch {
		case fewest < most/2:
			w.fail("cameras that want the same do not get the same: %v", fps)
		case fps["modest"] < 0.7:
			w.fail("the camera that wants one picture a second does not get it: %v", fps)
		case fps["greedy"] < fewest/6 || fps["greedy"] > most:
			w.fail("the camera with three times the work does not get its share: %v", fps)
		}
		w.note = fmt.Sprintf("fps %.1f, %.1f, %.1f; with three times the work %.1f; one that wants 1: %.1f",
			fps["a"], fps["b"], fps["c"], fps["greedy"], fps["modest"])
	}
	w.stall = s.pause("a")
	w.finish(d, c, &s.ledger, 0)
}
