package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tarsier/config"
	"tarsier/mnv2"
)

// widths are the models that `width_mult: auto` chooses from: all of a
// directory that can be used. Only the one that runs is in memory.
type widths struct {
	files   []modelFile // the widest first, without weights
	labels  []string    // of each
	options mnv2.Options
	*ladder
}

// autoModels reads the models of a directory among which `width_mult: auto` may
// change without a camera noticing: each width once, of one size and with the
// same labels.
func autoModels(dir string) (files []modelFile, labels []string, err error) {
	files, _, err = usableModels(dir)
	if err != nil {
		return nil, nil, err
	}
	for i := range files {
		f := &files[i]
		if labels, _, err = readLabels(*f, ""); err != nil {
			return nil, nil, err
		}
		if i == 0 {
			continue
		}
		wider := &files[i-1]
		switch {
		case f.facts.WidthMult == wider.facts.WidthMult:
			return nil, nil, usagef("width_mult auto: %s and %s have the same width, %v; keep one of them in %s",
				filepath.Base(wider.path), filepath.Base(f.path), f.facts.WidthMult, dir)
		case f.facts.Size != wider.facts.Size:
			return nil, nil, usagef("width_mult auto: %s takes pictures of %dx%d pixels and %s of %dx%[5]d; keep models of one size in %[6]s",
				filepath.Base(wider.path), wider.facts.Size, wider.facts.Size, filepath.Base(f.path), f.facts.Size, dir)
		}
	}
	return files, labels, nil
}

// newWidths times the models, in turn with what an engine runs already, if there is one, and gives the one to start with as well.
func newWidths(files []modelFile, labels []string, o mnv2.Options, need float64, p ladderPatience, e *engine) (*widths, *model, error) {
	w := &widths{labels: labels, options: o}
	var costs []time.Duration
	for _, f := range files {
		m, err := loadModel(f, "", o)
		if err != nil {
			return nil, nil, err
		}
		cost, err := m.time(e)
		if err != nil {
			return nil, nil, fmt.Errorf("time %s: %w", f.path, err)
		}
		costs = append(costs, cost)
		w.files = append(w.files, f.bare())
	}
	w.ladder = newLadder(costs, need, p)
	m, err := w.load(w.at)
	return w, m, err
}

// time tells what an inference takes: the shortest of a few, since whatever else
// runs can only make it longer.
func (m *model) time(e *engine) (time.Duration, error) {
	runner := m.engine.NewRunner()
	defer runner.Close()
	picture := noise(m.file.facts.Size)
	shortest := time.Duration(math.MaxInt64)
	for range 7 {
		took, err := e.alone(func() error { return runner.Run(picture) })
		if err != nil {
			return 0, err
		}
		shortest = min(shortest, took)
	}
	return shortest, nil
}

// noise is a picture to time with.
func noise(size int) []byte {
	picture := make([]byte, 3*size*size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(picture)
	return picture
}

// same says whether these are still the models, and nothing has to be timed again.
func (w *widths) same(files []modelFile, labels []string, o mnv2.Options) bool {
	return w.options == o && slices.Equal(w.labels, labels) && slices.EqualFunc(w.files, files, func(a, b modelFile) bool {
		return a.path == b.path && a.network.SHA256 == b.network.SHA256
	})
}

// load reads one of the models again.
func (w *widths) load(i int) (*model, error) {
	read := readModelFile
	if w.files[i].builtIn {
		read = func(path string) modelFile { return readBuiltIn(filepath.Base(path)) }
	}
	f := read(w.files[i].path)
	if f.err != nil {
		return nil, f.err
	}
	if f.network.SHA256 != w.files[i].network.SHA256 {
		return nil, fmt.Errorf("%s is another model than at the last reload: reload the config to use it", f.path)
	}
	m, err := loadModel(f, "", w.options)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(m.labels, w.labels) {
		return nil, errors.New("the labels are others than at the last reload: reload the config to use them")
	}
	m.labels = w.labels
	return m, nil
}

// String lists the widths and what each costs.
func (w *widths) String() string {
	var all []string
	for i, f := range w.files {
		all = append(all, fmt.Sprintf("%v: %.3g ms", f.facts.WidthMult, milliseconds(w.costs[i])))
	}
	return strings.Join(all, ", ")
}

// A demand is what a camera asks of the engine.
type demand struct {
	fps      float64 // 0: as many as the board can
	pictures int     // of a frame
}

// inferences is how many a second keep every camera at its fps. A camera
// without one takes what is left, and needs nothing; but at each turn that
// another camera waits for, one of its batches may come before.
func inferences(cameras []demand) float64 {
	between := 0
	for _, c := range cameras {
		if c.fps == 0 {
			between += min(batch, c.pictures)
		}
	}
	need := 0.0
	for _, c := range cameras {
		turns := (c.pictures + batch - 1) / batch
		need += c.fps * float64(c.pictures+turns*between)
	}
	return need
}

// pictureCount is how many pictures a camera's frame makes, as long as none has
// come and tells: with tiles that depends on its shape, which is taken for 16:9.
func pictureCount(c *config.Camera) int {
	if c.Fit != "tiles" {
		return len(c.Regions)
	}
	n := 0
	for _, r := range c.Regions {
		w, h := 16*r.Box[2], 9*r.Box[3]
		n += int(math.Ceil(max(w, h)/min(w, h) - 1e-9))
	}
	return n
}
