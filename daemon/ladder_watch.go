package main

import (
	"runtime/debug"
	"time"

	"tarsier/config"
)

// lateShare is the part of its pictures that a camera may miss because the
// board is busy, and still be taken to keep its fps.
const lateShare = 0.05

// hotC is where a Raspberry Pi begins to slow itself down, in degrees Celsius;
// other boards do a little later.
const hotC = 80

// counts are a camera's at the last look, and whether it was late then.
type counts struct {
	frames, dropped uint64
	late            bool
}

// need is how many inferences a second keep every camera at its fps that is not paused.
func (d *daemon) need(cfg *config.Config) float64 {
	var all []demand
	for i := range cfg.Cameras {
		c := &cfg.Cameras[i]
		if d.paused[c.Name] {
			continue
		}
		pictures := pictureCount(c)
		if running := d.cameras[c.Name]; running != nil && c.Fit == "tiles" {
			if n := int(running.pictures.Load()); n > 0 {
				pictures = n
			}
		}
		all = append(all, demand{c.FPS, pictures})
	}
	return inferences(all)
}

// late says whether a camera got clearly less than its fps since the last call;
// as long as no frame of a camera that is there tells, whether it did before.
func (d *daemon) late() bool {
	late := false
	looked := map[string]counts{}
	for name, c := range d.cameras {
		s := d.stats[name]
		s.mu.Lock()
		now := counts{frames: s.frames, dropped: s.dropped}
		s.mu.Unlock()
		if before, known := d.looked[name]; known {
			frames, dropped := now.frames-before.frames, now.dropped-before.dropped
			now.late = float64(dropped) > lateShare*float64(frames+dropped)
			if frames+dropped == 0 {
				now.late = before.late && c.isOnline()
			}
		}
		late = late || now.late
		looked[name] = now
	}
	d.looked = looked
	return late
}

// lookForWidth lets the ladder decide, and makes the width run that it wants.
func (d *daemon) lookForWidth() {
	w := d.widths
	if w == nil {
		return
	}
	o := ladderLook{at: time.Now(), need: d.need(d.cfg), late: d.late()}
	if n, busy := d.engine.usage(); n > 0 {
		o.cost = busy / time.Duration(n)
	}
	slow, celsius := throttled(), temperature()
	o.hot = slow != nil && *slow || celsius != nil && *celsius >= hotC
	to, why := w.decide(o)
	switch {
	case to != w.at:
		d.step(to, why, o.at)
	case why != "":
		d.log.Warn("the board is too slow, and there is no narrower model: a lower fps, or fewer regions, tiles or cameras would help",
			"width_mult", d.model.file.facts.WidthMult, "reason", why)
	}
}

// step makes another width run. No camera notices: a frame on its way keeps the
// old one, and what is entered stays so, since the labels are the same.
func (d *daemon) step(to int, why string, at time.Time) {
	m, err := d.widths.load(to)
	if err != nil {
		d.widths.stay()
		d.log.Error("the width stays: the other model cannot be used", "width_mult", d.model.file.facts.WidthMult, "error", err)
		return
	}
	old := d.model
	d.engine.swap(m)
	d.widths.moved(to, at)
	d.looked = nil // what was late is another width's
	d.mu.Lock()
	d.model = m
	old.unload()
	d.mu.Unlock()
	d.announce()
	d.log.Info("the width changes", "from", old.file.facts.WidthMult, "to", m.file.facts.WidthMult, "reason", why)
	debug.FreeOSMemory() // as in autoModel
}
