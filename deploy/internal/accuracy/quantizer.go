package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"tarsier/deploy/internal/degrade"
	"tarsier/mnv2"
	"tarsier/mnv2/float"
	"tarsier/mnv2/quantize"
	"tarsier/mnv2/tflite"
)

// Of each photograph so many parts, and of each video so many frames, are looked at.
const (
	variantsOfPhoto = 36
	framesToCompare = 60
)

// An agreement is how often an int8 network's first class is that of the float network, and by how much the score of that class differs.
type agreement struct {
	name     string
	pictures int
	same     int
	error    float64 // sum of the differences, 0..1 each
}

func (a *agreement) see(want, got []float32) {
	first := best(want)
	a.pictures++
	if best(got) == first {
		a.same++
	}
	a.error += math.Abs(float64(want[first] - got[first]))
}

func best(v []float32) int {
	b := 0
	for i := range v {
		if v[i] > v[b] {
			b = i
		}
	}
	return b
}

// calibrations are how many pictures our quantizer is calibrated on.
var calibrations = []int{8, 100}

// measureQuantizer compares our int8 networks, and that of TensorFlow, with the float network that they were made of.
func measureQuantizer(ctx context.Context, data string) ([]agreement, error) {
	net, err := tflite.LoadFloat(filepath.Join(data, "models", "float", "imagenet_1.0_float.tflite"))
	if err != nil {
		return nil, fmt.Errorf("find the test data: %w; TARSIER_TESTDATA is the folder that photos, videos and models are in", explain(err))
	}
	tensorflow, err := tflite.Load(filepath.Join(data, "golden", "imagenet_1.0_int8.tflite"))
	if err != nil {
		return nil, fmt.Errorf("find the test data: %w", err)
	}
	halves, err := makeHalves(ctx, data)
	if err != nil {
		return nil, err
	}
	all := []agreement{{name: "TensorFlow's converter"}}
	for _, n := range calibrations {
		all = append(all, agreement{name: fmt.Sprintf("`tarsier quantize`, %d pictures", n)})
	}
	for i, calibrate := range halves {
		networks := []*mnv2.Network{tensorflow}
		for _, n := range calibrations {
			bar := progress(fmt.Sprintf("quantizing on %d pictures", n), 1)
			q, err := quantize.Quantize(net, spread(calibrate, n), quantize.Options{Progress: func(_ string, done, total int) {
				bar.ChangeMax(total)
				_ = bar.Set(done)
			}})
			_ = bar.Finish()
			if err != nil {
				return nil, err
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			networks = append(networks, q)
		}
		if err := compare(ctx, net, networks, halves[1-i], all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func explain(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.Unwrap(err)
	}
	return err
}

// spread gives n of the pictures, from all over.
func spread(pictures [][]byte, n int) (some [][]byte) {
	for i := range n {
		some = append(some, pictures[i*len(pictures)/n])
	}
	return some
}

// compare runs the pictures through all networks.
func compare(ctx context.Context, net *float.Network, networks []*mnv2.Network, pictures [][]byte, all []agreement) error {
	models := make([]*mnv2.Model, len(networks))
	for i, n := range networks {
		var err error
		if models[i], err = mnv2.New(n, mnv2.Options{Threads: 1}); err != nil {
			return err
		}
	}
	bar := progress("comparing", len(pictures))
	defer bar.Finish()
	// Sums of floats depend on their order: each picture has its place.
	differences := make([][]agreement, len(pictures))
	var mu sync.Mutex
	err := workers(ctx, len(pictures), func(_ context.Context, _ string, next func() (int, bool)) error {
		reference := float.NewRunner(net)
		runners := make([]*mnv2.Runner, len(models))
		for i, m := range models {
			runners[i] = m.NewRunner()
			defer runners[i].Close()
		}
		for i, ok := next(); ok; i, ok = next() {
			want, err := reference.Run(pictures[i], nil)
			if err != nil {
				return err
			}
			seen := make([]agreement, len(models))
			for k, r := range runners {
				if err := r.Run(pictures[i]); err != nil {
					return err
				}
				seen[k].see(want.Scores, r.Scores())
			}
			mu.Lock()
			differences[i] = seen
			err = bar.Add(1)
			mu.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	})
	for _, seen := range differences {
		for k := range seen {
			all[k].pictures += seen[k].pictures
			all[k].same += seen[k].same
			all[k].error += seen[k].error
		}
	}
	return err
}

// makeHalves gives pictures of every other photograph and video, and of the rest: what one half shows the other does not.
func makeHalves(ctx context.Context, data string) (halves [2][][]byte, err error) {
	photos, err := files(filepath.Join(data, "photos"), ".bmp", ".jpg", ".jpeg", ".png")
	if err != nil {
		return halves, err
	}
	videos, err := files(filepath.Join(data, "videos"), ".mp4")
	if err != nil {
		return halves, err
	}
	dir, err := os.MkdirTemp("", "tarsier-accuracy-")
	if err != nil {
		return halves, err
	}
	defer os.RemoveAll(dir)
	f := newFitter(dir)
	defer f.close()
	add := func(i int, p *image.RGBA) error {
		rgb, err := f.fit(ctx, p)
		halves[i%2] = append(halves[i%2], bytes.Clone(rgb))
		return err
	}
	for i, path := range photos {
		whole, err := pictures(ctx, path, 1)
		if err != nil {
			return halves, err
		}
		rng := rand.New(rand.NewPCG(uint64(i), 2))
		for n := range variantsOfPhoto {
			if err := add(i, variant(whole[0], n, rng)); err != nil {
				return halves, err
			}
		}
	}
	for i, path := range videos {
		frames, err := pictures(ctx, path, framesToCompare)
		if err != nil {
			return halves, err
		}
		for _, p := range frames {
			if err := add(i, p); err != nil {
				return halves, err
			}
		}
	}
	return halves, nil
}

// ordinary are the kinds of degrade that a photographer might have meant.
var ordinary = []string{"as it is", "slightly soft", "half a stop off", "JPEG of quality 40 to 60", "white balance off", "fine grain"}

// variant is the photograph itself, or at least two fifths of it, perhaps mirrored, and in other light.
func variant(p *image.RGBA, n int, rng *rand.Rand) *image.RGBA {
	if n == 0 {
		return p
	}
	area := 0.4 + 0.6*rng.Float64()
	w := int(math.Sqrt(area) * float64(p.Rect.Dx()))
	h := int(math.Sqrt(area) * float64(p.Rect.Dy()))
	x, y := rng.IntN(p.Rect.Dx()-w+1), rng.IntN(p.Rect.Dy()-h+1)
	out := rgba(p.SubImage(image.Rect(x, y, x+w, y+h)))
	if rng.IntN(2) == 0 {
		mirror(out)
	}
	name := ordinary[rng.IntN(len(ordinary))]
	for _, k := range degrade.Kinds() {
		if k.Class == "clear" && k.Name == name {
			return k.Apply(out, uint64(n))
		}
	}
	panic("package degrade has no kind " + name)
}

func quantizerText(all []agreement) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| int8 made by | same first class as float32 | score of that class differs by |\n| --- | ---: | ---: |\n")
	for _, a := range all {
		fmt.Fprintf(&b, "| %s | %.1f %% | %.3f |\n", a.name, 100*float64(a.same)/float64(a.pictures), a.error/float64(a.pictures))
	}
	fmt.Fprintf(&b, "\nOf %d frames of the videos and parts of the photographs of the test data, mirrored, softened, compressed or in another light, in two halves: calibrated on the one, compared on the other.\n", all[0].pictures)
	return b.String()
}
