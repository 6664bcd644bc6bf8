package device

import (
	"cmp"
	"fmt"
	"slices"
)

// A Mode is one way in which a camera gives pictures.
type Mode struct {
	Format        string
	Width, Height int
	Rate          float64 // pictures a second; 0: it does not say
}

func (m Mode) String() string {
	s := fmt.Sprintf("%dx%d %s", m.Width, m.Height, m.Format)
	if m.Rate > 0 {
		s += fmt.Sprintf(", %.3g a second", m.Rate)
	}
	return s
}

// formats are those that OpenCV makes colours of, and the bits of a pixel; 0 where they are compressed. H.264 it cannot decode here, and what
// sensors give before anybody has looked at it (Bayer) is green and dark.
var formats = map[string]int{
	"YUYV": 16, "UYVY": 16, "NV12": 12, "NV21": 12, "YU12": 12, "YV12": 12, "BGR3": 24, "RGB3": 24,
	"MJPG": 0, "JPEG": 0,
	grey: 8,
}

// grey is what infrared cameras give.
const grey = "GREY"

const (
	lookedAt   = 640  // pixels across: what people get to see
	fastEnough = 10   // pictures a second
	usualRate  = 15   // no more are asked for, unless they are wanted
	busyBus    = 10e6 // bytes a second, of which USB 2 carries three times as many, for all that is plugged in
)

// Choose picks the cheapest mode whose pictures are at least of this size, if it has one, and in any case wide enough to look at, and as many
// a second as are wanted, if those are more than the usual 15. None of
// the modes may be better than what it gives only in size: of those that are fast enough it keeps to the shape of the largest, which is
// what the lens sees. A camera that is asked for more pixels later, for a smaller region, shows the same then.
func Choose(modes []Mode, width, height int, rate float64) (Mode, bool) {
	if len(modes) == 0 {
		return Mode{}, false
	}
	width = max(width, lookedAt)
	modes = prefer(modes, func(m Mode) bool { return m.Format != grey })
	modes = prefer(modes, func(m Mode) bool { return m.Rate == 0 || m.Rate >= fastEnough })
	largest := slices.MaxFunc(modes, func(a, b Mode) int { return cmp.Compare(a.pixels(), b.pixels()) })
	modes = prefer(modes, func(m Mode) bool {
		shape := float64(m.Width*largest.Height) / float64(m.Height*largest.Width)
		return shape > 0.97 && shape < 1.03
	})
	enough := func(m Mode) bool { return m.Width >= width && m.Height >= height }
	if !slices.ContainsFunc(modes, enough) {
		enough = func(m Mode) bool { return m.pixels() == largest.pixels() }
	}
	modes = prefer(modes, enough)
	fastest := slices.MaxFunc(modes, func(a, b Mode) int { return cmp.Compare(a.Rate, b.Rate) })
	if rate = min(rate, fastest.Rate); rate > usualRate {
		modes = prefer(modes, func(m Mode) bool { return m.Rate >= rate })
	}
	return slices.MinFunc(modes, func(a, b Mode) int {
		return cmp.Or(cmp.Compare(a.cost(), b.cost()), cmp.Compare(a.haste(), b.haste()), cmp.Compare(formats[a.Format], formats[b.Format]))
	}), true
}

// prefer keeps those that are good, where there are any.
func prefer(modes []Mode, good func(Mode) bool) []Mode {
	kept := slices.DeleteFunc(slices.Clone(modes), func(m Mode) bool { return !good(m) })
	if len(kept) == 0 {
		return modes
	}
	return kept
}

func (m Mode) pixels() int { return m.Width * m.Height }

// cost compares modes: what is compressed must be decoded, and what is not must fit on the bus.
func (m Mode) cost() int {
	rate := cmp.Or(m.Rate, 30)
	switch bits := formats[m.Format]; {
	case bits == 0:
		return 2 * m.pixels()
	case float64(m.pixels()*bits/8)*rate > busyBus:
		return 3 * m.pixels()
	}
	return m.pixels()
}

// haste is how far a rate is from the usual one; slower is worse than faster.
func (m Mode) haste() float64 {
	if m.Rate < usualRate {
		return 1000 - m.Rate
	}
	return m.Rate
}

// stepped lists, of sizes between a least and a most, those that are usual, and the largest: they are minimum, maximum and step of the
// width, then of the height.
func stepped(s [6]uint32) [][2]uint32 {
	fits := func(v, least, most, step uint32) bool { return v >= least && v <= most && (v-least)%max(step, 1) == 0 }
	sizes := [][2]uint32{{s[1], s[4]}}
	for _, u := range [][2]uint32{{640, 360}, {640, 480}, {960, 540}, {1024, 768}, {1280, 720}, {1280, 960}, {1920, 1080}, {2560, 1440}} {
		if u != sizes[0] && fits(u[0], s[0], s[1], s[2]) && fits(u[1], s[3], s[4], s[5]) {
			sizes = append(sizes, u)
		}
	}
	return sizes
}
