package quantize

import (
	"fmt"
	"math"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
)

// A Report says how well an int8 network does what a float32 one does.
type Report struct {
	Pictures int `json:"pictures"`

	// Agreement is the share of pictures, 0..1, of which both say the same class
	// first. Of feature extractors it is the mean cosine of the embeddings.
	Agreement float64 `json:"agreement"`

	// ScoreError is by how much the score of the float32 network's first class
	// differs, on average, 0..1; 0 of feature extractors.
	ScoreError float64 `json:"score_error"`

	Layers   []LayerError `json:"layers"` // in the order they run
	Warnings []string     `json:"warnings,omitempty"`
}

// A LayerError says how exact the output of a layer is.
type LayerError struct {
	Name string `json:"name"` // as float.Network.Activations has it: "block 3, expand"

	// SNR is the energy of the float32 network's activation over that of the
	// difference, in decibels, with one factor for each channel that fits best:
	// there are quantizers that scale channels.
	SNR float64 `json:"snr"`
}

// Compare runs pictures, best such as q was not calibrated on, through both
// networks.
func Compare(net *float.Network, q *mnv2.Network, pictures [][]byte, o Options) (*Report, error) {
	if err := check(net, pictures); err != nil {
		return nil, err
	}
	if err := checkSame(net, q); err != nil {
		return nil, err
	}
	workers := make([]*comparison, o.threads(len(pictures)))
	for i := range workers {
		workers[i] = newComparison(net, q)
	}
	err := each(o, "comparing", pictures, workers, func(w *comparison, i int) error { return w.compare(pictures[i]) })
	if err != nil {
		return nil, err
	}
	all := workers[0]
	for _, w := range workers[1:] {
		all.add(w)
	}
	return all.report(net, len(pictures)), nil
}

// checkSame says whether the layers of both networks are the same.
func checkSame(net *float.Network, q *mnv2.Network) error {
	a, err := net.Facts()
	if err != nil {
		return err
	}
	b, err := q.Facts()
	if err != nil {
		return fmt.Errorf("network %q: %w", q.Name, err)
	}
	if a != b {
		return fmt.Errorf("networks %q and %q are not the same: one is %+v, the other %+v", net.Name, q.Name, a, b)
	}
	return nil
}

// A comparison is what one goroutine has seen.
type comparison struct {
	float *float.Runner
	int8  *reference
	want  []float.Tensor // the float32 network's activations

	layers         []energies
	agreement, err float64
}

// energies are sums of products of what the float32 and the int8 network have,
// for each channel.
type energies struct{ ff, fq, qq []float64 }

func newComparison(net *float.Network, q *mnv2.Network) *comparison {
	n := len(net.Activations())
	return &comparison{
		float: float.NewRunner(net), int8: newReference(q),
		want: make([]float.Tensor, n), layers: make([]energies, n),
	}
}

func (c *comparison) compare(rgb []byte) error {
	want, err := c.float.Run(rgb, func(i int, t *float.Tensor) { c.want[i].Copy(t) })
	if err != nil {
		return err
	}
	logits, embedding := c.int8.run(rgb, func(i int, t *float.Tensor) { c.layers[i].see(&c.want[i], t) })
	if logits == nil {
		c.agreement += cosine(want.Embedding, embedding)
		return nil
	}
	first := best(want.Scores)
	if best(logits) == first {
		c.agreement++
	}
	c.err += math.Abs(float64(want.Scores[first] - float.Softmax(logits)[first]))
	return nil
}

func (e *energies) see(f, q *float.Tensor) {
	channels := f.Channels
	e.resize(channels)
	for p := 0; p < len(f.Data); p += channels {
		a, b := f.Data[p:p+channels], q.Data[p:p+channels]
		for c, v := range a {
			v, w := float64(v), float64(b[c])
			e.ff[c] += v * v
			e.fq[c] += v * w
			e.qq[c] += w * w
		}
	}
}

func (e *energies) resize(channels int) {
	if e.ff == nil {
		e.ff, e.fq, e.qq = make([]float64, channels), make([]float64, channels), make([]float64, channels)
	}
}

func (c *comparison) add(d *comparison) {
	c.agreement += d.agreement
	c.err += d.err
	for i := range c.layers {
		a, b := &c.layers[i], &d.layers[i]
		a.resize(len(b.ff))
		for k := range b.ff {
			a.ff[k] += b.ff[k]
			a.fq[k] += b.fq[k]
			a.qq[k] += b.qq[k]
		}
	}
}

func (c *comparison) report(net *float.Network, pictures int) *Report {
	r := &Report{
		Pictures:   pictures,
		Agreement:  c.agreement / float64(pictures),
		ScoreError: c.err / float64(pictures),
	}
	for i, name := range net.Activations() {
		snr, silent := c.layers[i].snr()
		r.Layers = append(r.Layers, LayerError{Name: name, SNR: snr})
		if silent {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s gives nothing but 0, for all pictures: the network is not trained, or not for such pictures", name))
		}
	}
	return r
}

// maxSNR stands for no error at all.
const maxSNR = 120

func (e *energies) snr() (snr float64, silent bool) {
	var signal, noise float64
	for c, ff := range e.ff {
		signal += ff
		if e.qq[c] > 0 {
			ff -= e.fq[c] * e.fq[c] / e.qq[c]
		}
		noise += max(ff, 0)
	}
	if noise <= signal*1e-12 {
		return maxSNR, signal == 0
	}
	return 10 * math.Log10(signal/noise), false
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		if aa == bb {
			return 1
		}
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
