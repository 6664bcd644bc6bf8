package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"tarsier/pipeline/publish"
)

func init() {
	register(scenario{name: "reload", what: "random edits of the config, valid and not, in a running daemon with three cameras", run: reload})
}

// reload is somebody who edits the config of a running daemon, and often saves in the middle of it.
func reload(w *world) {
	b := w.startBroker()
	c := w.config(b.url())
	third := w.camera("third", "bottle", "fps: 5")
	c.cameras = append(c.cameras, third)
	path := w.write(c)
	s := w.subscribe(b.url())
	d := w.startDaemon(path)
	w.settle(d, s, "bottle", "car", "third")
	refusals, valid := 0, 0
	var want []publish.CameraInfo
	for ; w.rounds < w.form(60, 500); w.rounds++ {
		e := w.edit(c)
		checked := rand.IntN(5) == 0
		if !e.valid && (checked || want == nil) {
			// What rules now is known only if the daemon has had the time to see it.
			e := w.valid(c)
			e.save(w, path)
			w.wait("the valid config rules", func() bool { return sameCameras(s.info().Cameras, e.cameras) })
			want = e.cameras
		}
		before := d.logged("the new config is refused")
		e.save(w, path)
		if !e.valid {
			refusals++
		} else {
			valid++
			want = nil
		}
		switch {
		case !checked:
			w.sleep(someTime(0, 300*time.Millisecond))
		case e.valid:
			w.wait("the valid config rules", func() bool { return sameCameras(s.info().Cameras, e.cameras) })
			want = e.cameras
		default:
			w.wait("the invalid config is refused: "+e.what, func() bool { return d.logged("the new config is refused") > before })
			if now := s.info().Cameras; !sameCameras(now, want) {
				w.fail("%s: the running config changed to %+v", e.what, now)
			}
		}
		if !d.running() {
			w.fatal("%s: the daemon has ended", e.what)
		}
	}
	last := w.valid(c)
	last.save(w, path)
	w.wait("the last valid config rules", func() bool { return sameCameras(s.info().Cameras, last.cameras) })
	w.stall = s.pause("bottle")
	w.note = fmt.Sprintf("%d edits were valid; stall: of the scores of a camera that stays", valid)
	w.finish(d, c, &s.ledger, 0)
}

// sameCameras compares what info says of the cameras with what a config wants.
func sameCameras(a, b []publish.CameraInfo) bool {
	return slices.EqualFunc(a, b, func(a, b publish.CameraInfo) bool {
		return a.Name == b.Name && a.FPS == b.FPS && slices.Equal(a.Regions, b.Regions)
	})
}

// An edit is what a config file becomes.
type edit struct {
	what    string
	text    string
	valid   bool
	cameras []publish.CameraInfo // as info will say
	slow    bool                 // written in pieces, over the old one
}

func (e edit) save(w *world, path string) {
	if !e.slow {
		w.must(os.WriteFile(path+".new", []byte(e.text), 0o600))
		w.must(os.Rename(path+".new", path))
		return
	}
	f, err := os.Create(path)
	w.must(err)
	defer f.Close()
	for rest := e.text; rest != ""; {
		n := min(len(rest), 1+rand.IntN(400))
		_, err := f.WriteString(rest[:n])
		w.must(err)
		rest = rest[n:]
		w.sleep(someTime(0, 20*time.Millisecond))
	}
}

// valid is an edit that is: the first camera stays as it is, others come, go and change.
func (w *world) valid(c config) edit {
	e := edit{what: "a valid edit", valid: true, slow: rand.IntN(4) == 0}
	enter, leave := 0.3+rand.Float64()/10, 0.2+rand.Float64()/10
	c.thresholds = fmt.Sprintf(`{enter: %.3f, leave: %.3f, hold: 0s, smoothing: %dms, top_k: %d, labels: [{label: "%s", enter: 0, leave: 0}]}`,
		enter, leave, rand.IntN(100), 1+rand.IntN(10), always)
	c.maxMiB = 8 + rand.IntN(64)
	c.cameras = c.cameras[:1]
	round := func(f float64) (v float64) {
		fmt.Sscanf(fmt.Sprintf("%.3f", f), "%f", &v)
		return v
	}
	enter, leave = round(enter), round(leave)
	e.cameras = []publish.CameraInfo{{Name: "bottle", FPS: 10, Regions: []publish.RegionInfo{{Name: "frame", Enter: enter, Leave: leave}}}}
	for _, name := range []string{"car", "third"} {
		if rand.IntN(4) == 0 {
			continue
		}
		info := publish.CameraInfo{Name: name, FPS: float64(1 + rand.IntN(10))}
		var regions []string
		for i := range 1 + rand.IntN(3) {
			r := publish.RegionInfo{Name: fmt.Sprintf("r%d", i), Enter: enter, Leave: leave}
			own := ""
			if rand.IntN(2) == 0 {
				r.Enter = round(leave + rand.Float64()/2)
				own = fmt.Sprintf(", thresholds: {enter: %v}", r.Enter)
			}
			info.Regions = append(info.Regions, r)
			regions = append(regions, fmt.Sprintf("{name: %s, box: [0, 0, %.2f, 1]%s}", r.Name, 0.2+0.8*rand.Float64(), own))
		}
		e.cameras = append(e.cameras, info)
		c.cameras = append(c.cameras, w.camera(name, "car", fmt.Sprintf("fps: %v, regions: [%s]", info.FPS, strings.Join(regions, ", "))))
	}
	e.text = c.yaml()
	return e
}

// edit is any edit.
func (w *world) edit(c config) edit {
	e := w.valid(c)
	if rand.IntN(2) == 0 {
		return e
	}
	e.valid = false
	switch rand.IntN(7) {
	case 0:
		e.what, e.text = "an empty file", ""
	case 1:
		// Within the first camera, so that what is left is not a config with fewer cameras.
		e.what, e.text = "a file that ends too soon", e.text[:rand.IntN(strings.Index(e.text, "source:"))]
	case 2:
		e.what, e.text = "a key that there is not", e.text+"nonsense: 1\n"
	case 3:
		e.what, e.text = "no YAML", "cameras: [}\n"+e.text
	case 4:
		e.what, e.text = "a value out of range", strings.Replace(e.text, "enter: 0.3", "enter: 7.3", 1)
	case 5:
		e.what, e.text = "a camera twice", strings.TrimSuffix(e.text, "\n")+"\n  - {name: bottle, source: /dev/video0}\n"
	case 6:
		e.what, e.text = "bytes that are no text", e.text[:40]+"\xff\x00\xfe"+e.text[40:]
	}
	return e
}
