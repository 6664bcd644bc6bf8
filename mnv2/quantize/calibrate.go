package quantize

import (
	"fmt"
	"math"
	"slices"

	"tarsier/mnv2/float"
)

// A calibration is what was seen of a network.
type calibration struct {
	bytes       [3]float64   // the mean of red, green and blue
	activations []activation // in the order of float.Network.Activations
	logits      logits
}

// An activation is what was seen of one: the values of all pixels of all
// pictures.
type activation struct {
	histogram
	sums   []int64 // of each channel, in steps of 1/sumStep: they add up to the same in any order
	pixels int64
}

const sumStep = 1 << 16

// logits are what was seen of the classifier's output.
type logits struct {
	low, high float32 // of all; 0 where there were no pictures
	rest      int64   // see logits.see; in steps of 1/sumStep
	pictures  int64
}

// calibrate runs the pictures.
func calibrate(net *float.Network, pictures [][]byte, o Options) (*calibration, error) {
	type worker struct {
		*float.Runner
		calibration
	}
	names := net.Activations()
	workers := make([]*worker, o.threads(len(pictures)))
	for i := range workers {
		workers[i] = &worker{Runner: float.NewRunner(net), calibration: calibration{activations: make([]activation, len(names))}}
	}
	err := each(o, "calibrating", pictures, workers, func(w *worker, i int) error {
		var failed error
		result, err := w.Run(pictures[i], func(k int, t *float.Tensor) {
			if err := w.activations[k].see(t); err != nil && failed == nil {
				failed = fmt.Errorf("%s, picture %d: %w", names[k], i, err)
			}
		})
		if err != nil {
			return err
		}
		if result.Logits != nil {
			w.logits.see(result.Logits)
		}
		return failed
	})
	if err != nil {
		return nil, err
	}
	all := &workers[0].calibration
	for _, w := range workers[1:] {
		all.add(&w.calibration)
	}
	all.bytes = meanBytes(pictures)
	return all, nil
}

// meanBytes gives the mean of red, green and blue.
func meanBytes(pictures [][]byte) (mean [3]float64) {
	var sums [3]int64
	n := 0
	for _, rgb := range pictures {
		for i, p := range rgb {
			sums[i%3] += int64(p)
		}
		n += len(rgb) / 3
	}
	for c, s := range sums {
		mean[c] = float64(s) / float64(n)
	}
	return mean
}

func (c *calibration) add(d *calibration) {
	for i := range c.activations {
		a, b := &c.activations[i], &d.activations[i]
		a.histogram.add(&b.histogram)
		a.pixels += b.pixels
		for k := range b.sums {
			if a.sums == nil {
				a.sums = make([]int64, len(b.sums))
			}
			a.sums[k] += b.sums[k]
		}
	}
	c.logits.add(&d.logits)
}

// see takes in the activation of a picture.
func (a *activation) see(t *float.Tensor) error {
	if a.sums == nil {
		a.sums = make([]int64, t.Channels)
	}
	var most float32
	for _, v := range t.Data {
		most = max(most, v, -v)
	}
	if !(most < maxValue) {
		return fmt.Errorf("a value of %g: the file is damaged, or the network was trained on other pixels", most)
	}
	a.histogram.see(t.Data, most)
	sums := make([]float64, t.Channels)
	for p := 0; p < len(t.Data); p += t.Channels {
		for c, v := range t.Data[p : p+t.Channels] {
			sums[c] += float64(v)
		}
	}
	for c, v := range sums {
		a.sums[c] += int64(math.Round(v * sumStep))
	}
	a.pixels += int64(t.Size * t.Size)
	return nil
}

// maxValue is far beyond what any network has, and small enough for sums.
const maxValue = 1 << 20

// mean is that of a channel.
func (a *activation) mean(channel int) float64 {
	return float64(a.sums[channel]) / sumStep / float64(a.pixels)
}

// see takes in the logits of a picture. The rest is the logarithm of the sum of
// the exponentials of all but the largest: what a class must exceed to be
// certain.
func (l *logits) see(v []float32) {
	first := best(v)
	var rest float64
	for i, x := range v {
		if i != first {
			rest += math.Exp(float64(x - v[first]))
		}
	}
	one := logits{low: slices.Min(v), high: v[first], pictures: 1}
	if len(v) > 1 {
		one.rest = int64(math.Round((math.Log(max(rest, math.SmallestNonzeroFloat64)) + float64(v[first])) * sumStep))
	}
	l.add(&one)
}

func (l *logits) add(m *logits) {
	switch {
	case l.pictures == 0:
		*l = *m
	case m.pictures > 0:
		l.low, l.high = min(l.low, m.low), max(l.high, m.high)
		l.rest += m.rest
		l.pictures += m.pictures
	}
}

// best is the first of the largest.
func best(v []float32) int {
	b := 0
	for i := range v {
		if v[i] > v[b] {
			b = i
		}
	}
	return b
}

// A picture is dim if the middle 98 % of its bytes span less than dim levels, and
// shows nothing if they span less than blank.
const (
	dim   = 128
	blank = 8
)

// stretched adds to pictures those that are dim with their contrast stretched.
func stretched(pictures [][]byte) [][]byte {
	all := pictures[:len(pictures):len(pictures)]
	for _, rgb := range pictures {
		low, high := span(rgb)
		if high-low < blank || high-low >= dim {
			continue
		}
		bright := make([]byte, len(rgb))
		for i, p := range rgb {
			bright[i] = byte(min(max((int(p)-low)*255/(high-low), 0), 255))
		}
		all = append(all, bright)
	}
	return all
}

// span gives the limits of the middle 98 % of the bytes.
func span(rgb []byte) (low, high int) {
	var counts [256]int
	for _, p := range rgb {
		counts[p]++
	}
	edge := len(rgb) / 100
	for n := counts[0]; n <= edge; n += counts[low] {
		low++
	}
	high = 255
	for n := counts[255]; n <= edge; n += counts[high] {
		high--
	}
	return low, high
}
