package mnv2

import (
	"fmt"
	"time"
)

// A Part is a part of a network, and how long a run was in it.
type Part struct {
	Name         string // as in table 2 of the paper, from the first convolution on
	Shape        string // height x width x channels in, channels expanded, and out
	MultiplyAdds int64
	Time         time.Duration
}

// Profile runs one picture, as Run does, and tells how long each part took.
// It adds up to the run but for some nanoseconds a part.
func (r *Runner) Profile(rgb []byte) ([]Part, error) {
	r.laps = make([]time.Duration, 0, len(r.m.parts))
	defer func() { r.laps = nil }()
	r.lapped = time.Now()
	if err := r.Run(rgb); err != nil {
		return nil, err
	}
	parts := append([]Part(nil), r.m.parts...)
	for i, t := range r.laps {
		parts[i].Time = t
	}
	return parts, nil
}

// lap ends a part of a run, if anyone wants to know.
func (r *Runner) lap() {
	if r.laps != nil {
		now := time.Now()
		r.laps = append(r.laps, now.Sub(r.lapped))
		r.lapped = now
	}
}

// Peak measures how many multiply-adds a second a thread makes of operands
// that are in registers, by the instructions of the model's kernel: the most
// that this core can do, at the clock that it happens to run at.
func (m *Model) Peak() float64 {
	var best float64
	for range 20 {
		start := time.Now()
		macs := m.set.Peak(20_000)
		best = max(best, float64(macs)/time.Since(start).Seconds())
	}
	return best
}

// parts lists what a run laps.
func (n *Network) parts() (parts []Part) {
	size, channels := n.Size, 3
	macs := func(c *Conv) int64 {
		size = c.outSize(size)
		return int64(len(c.Weights)) * int64(size*size)
	}
	for i := range n.Blocks {
		b := &n.Blocks[i]
		p := Part{Name: fmt.Sprintf("block %d", i)}
		in := fmt.Sprintf("%dx%dx%d", size, size, channels)
		if i == 0 {
			p.Name = "first, block 0"
			p.MultiplyAdds += macs(&n.First)
			in += fmt.Sprintf(", %dx%dx%d", size, size, n.First.Out)
		}
		if b.Expand != nil {
			p.MultiplyAdds += macs(b.Expand)
			in += fmt.Sprintf(", %d", b.Expand.Out)
		}
		p.MultiplyAdds += macs(&b.Depthwise) + macs(&b.Project)
		channels = b.Project.Out
		p.Shape = fmt.Sprintf("%s, %dx%dx%d", in, size, size, channels)
		if b.Residual != nil {
			p.Shape += " + input"
		}
		parts = append(parts, p)
	}
	parts = append(parts, Part{
		Name:         "last, mean",
		Shape:        fmt.Sprintf("%dx%dx%d, %d", size, size, channels, n.Last.Out),
		MultiplyAdds: macs(&n.Last),
	})
	if n.Classifier != nil {
		parts = append(parts, Part{
			Name:         "classifier",
			Shape:        fmt.Sprintf("%d, %d", n.Last.Out, n.Classifier.Out),
			MultiplyAdds: int64(len(n.Classifier.Weights)),
		})
	}
	return parts
}
