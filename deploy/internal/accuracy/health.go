package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"tarsier/deploy/internal/degrade"
	"tarsier/mnv2"
	"tarsier/mnv2/health"
	"tarsier/mnv2/tflite"
	"tarsier/pipeline"
)

// A width is a model of the camera's health and what it said.
type width struct {
	mult   float64
	model  *mnv2.Model
	result confusion
}

// readWidths prepares the models of a model directory, the widest first.
func readWidths(dir fs.FS) ([]*width, error) {
	file, err := dir.Open("labels.txt")
	if err != nil {
		return nil, fmt.Errorf("read the labels of the camera-health model: %w", err)
	}
	defer file.Close()
	labels, err := pipeline.ReadLabels(file)
	if err != nil {
		return nil, fmt.Errorf("read the labels of the camera-health model: %w", err)
	}
	names, err := fs.Glob(dir, "*.tflite")
	if err != nil {
		return nil, err
	}
	var widths []*width
	for _, name := range names {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		n, err := tflite.Read(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		m, err := mnv2.New(n, mnv2.Options{Threads: 1})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if c := m.Facts().Classes; c != len(labels) {
			return nil, fmt.Errorf("%s has %d classes, labels.txt %d: they do not belong together", name, c, len(labels))
		}
		w := &width{mult: m.Facts().WidthMult, model: m, result: confusion{labels: labels}}
		for _, k := range degrade.Kinds() {
			if w.result.index(k.Class) < 0 {
				return nil, fmt.Errorf("labels.txt has no %q: it is not that of a camera-health model", k.Class)
			}
		}
		w.result.normal = w.result.index(health.Normal)
		widths = append(widths, w)
	}
	if len(widths) == 0 {
		return nil, errors.New("no *.tflite file in the directory of the camera-health model")
	}
	slices.SortFunc(widths, func(a, b *width) int { return cmp.Compare(b.mult, a.mult) })
	return widths, nil
}

// A maker makes the pictures of one kind, as a model gets them, and shows each to see.
type maker struct {
	class, kind string
	pictures    int // about as many, for the progress
	make        func(ctx context.Context, f *fitter, dir string, see func(rgb []byte) error) error
}

// One JPEG in so many cannot be read at all any more, and is damaged again.
const attempts = 20

// makers lists what is measured: each kind of damage on each scene, what decoders make of damaged files, and video as it comes.
func makers(data string, scenes []scene) ([]maker, error) {
	var all []maker
	for _, k := range degrade.Kinds() {
		// A part of the scenes at a time, so that both processors always have something to do.
		for part := range slices.Chunk(indices(scenes, k), 16) {
			all = append(all, maker{k.Class, k.Name, len(part), func(ctx context.Context, f *fitter, _ string, see func([]byte) error) error {
				for _, i := range part {
					rgb, err := f.fit(ctx, k.Apply(scenes[i].picture, uint64(i)))
					if err != nil {
						return fmt.Errorf("%s, %s: %w", scenes[i].name, k.Name, err)
					}
					if err := see(rgb); err != nil {
						return err
					}
				}
				return nil
			}})
		}
	}
	all = append(all, maker{"corrupt", "bytes of a JPEG damaged", len(scenes), func(ctx context.Context, f *fitter, _ string, see func([]byte) error) error {
		rng := rand.New(rand.NewPCG(1, 1))
		for _, s := range scenes {
			whole, err := f.fit(ctx, s.picture)
			if err != nil {
				return err
			}
			whole = bytes.Clone(whole)
			for range attempts {
				file, err := damagedJPEG(s.picture, rng)
				if err != nil {
					return err
				}
				rgb, err := f.read(ctx, file)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					continue
				}
				if pixels, _ := changes(whole, rgb); pixels < changed {
					continue
				}
				if err := see(rgb); err != nil {
					return err
				}
				break
			}
		}
		return nil
	}})
	videos, err := files(filepath.Join(data, "videos"), ".mp4")
	if err != nil {
		return nil, err
	}
	for i, path := range videos {
		all = append(
			all,
			maker{"corrupt", "bits of H.264 flipped", framesDamaged, func(ctx context.Context, _ *fitter, dir string, see func([]byte) error) error {
				for n, places := range damagedPlaces {
					pictures, err := damagedVideo(ctx, path, dir, places, framesDamaged/len(damagedPlaces), uint64(10*i+n))
					if err != nil {
						return err
					}
					for _, rgb := range pictures {
						if err := see(rgb); err != nil {
							return err
						}
					}
				}
				return nil
			}},
			maker{health.Normal, "video as it comes", framesClear, func(ctx context.Context, _ *fitter, _ string, see func([]byte) error) error {
				n, shown := 0, 0
				for s, err := range shots(ctx, path) {
					if err != nil {
						return err
					}
					if n++; n <= shown*s.session.Total()/framesClear {
						continue
					}
					shown++
					if err := see(s.frame.Pictures[0].RGB); err != nil {
						return err
					}
				}
				return nil
			}},
		)
	}
	return all, nil
}

// What is taken of each video.
const (
	framesDamaged = 48 // at most
	framesClear   = 180
)

// damagedPlaces are in how many places videos are damaged: here and there a smear, or hardly a whole frame.
var damagedPlaces = []int{600, 1500, 3000, 5000}

// indices are those of the scenes that show a kind of damage.
func indices(scenes []scene, k degrade.Kind) (of []int) {
	for i, s := range scenes {
		if !k.Fine || s.fine() {
			of = append(of, i)
		}
	}
	return of
}

// show shows every picture to every width.
func show(ctx context.Context, all []maker, widths []*width) error {
	total := 0
	for _, m := range all {
		total += m.pictures
		for _, w := range widths {
			w.result.add(m.class, m.kind)
		}
	}
	bar := progress("camera health", total)
	defer bar.Finish()
	var mu sync.Mutex
	return workers(ctx, len(all), func(ctx context.Context, dir string, next func() (int, bool)) error {
		f := newFitter(dir)
		defer f.close()
		runners := make([]*mnv2.Runner, len(widths))
		for i, w := range widths {
			runners[i] = w.model.NewRunner()
			defer runners[i].Close()
		}
		for i, ok := next(); ok; i, ok = next() {
			m := all[i]
			err := m.make(ctx, f, dir, func(rgb []byte) error {
				for i, w := range widths {
					if err := runners[i].Run(rgb); err != nil {
						return err
					}
					mu.Lock()
					w.result.add(m.class, m.kind).see(runners[i].Scores(), w.result.index(m.class), w.result.normal)
					mu.Unlock()
				}
				return bar.Add(1)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// workers runs one worker a processor, each with a folder of its own; next tells them what to do of 0..n-1. The first error ends all.
func workers(ctx context.Context, n int, work func(ctx context.Context, dir string, next func() (int, bool)) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		mu   sync.Mutex
		done int
		wait sync.WaitGroup
	)
	next := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		done++
		return done - 1, done <= n && ctx.Err() == nil
	}
	for range runtime.GOMAXPROCS(0) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			dir, err := os.MkdirTemp("", "tarsier-accuracy-")
			if err == nil {
				defer os.RemoveAll(dir)
				err = work(ctx, dir, next)
			}
			if err != nil {
				stop(err)
			}
		}()
	}
	wait.Wait()
	return context.Cause(ctx)
}

// descriptionText is model.yaml of the built-in model.
func descriptionText(widths []*width) string {
	var accuracies []string
	for _, w := range widths {
		accuracies = append(accuracies, fmt.Sprintf("%q: %.3f", fmt.Sprint(w.mult), w.result.recall()))
	}
	return "# Of ./deploy/accuracy -write: the mean of the classes, as in README.md.\naccuracy: {" + strings.Join(accuracies, ", ") + "}\n"
}

// healthText is the section of the README.
func healthText(widths []*width, scenes []scene) string {
	var b strings.Builder
	for _, w := range widths {
		c := &w.result
		pictures, best, entered := c.falseAlarms()
		fmt.Fprintf(&b, "Width %v: %.1f %% right, the mean of the classes. Of %d ordinary pictures %d (%.2f %%) get another label than `%s`, %d (%.2f %%) with a score\nof at least %.2f, which a camera enters if it lasts. In percent:\n\n%s\n",
			w.mult, 100*c.recall(), pictures, best, 100*float64(best)/float64(pictures), health.Normal, entered, 100*float64(entered)/float64(pictures), enter, c.table())
	}
	kinds := map[string]int{}
	for _, t := range widths[0].result.kinds {
		kinds[t.class]++
	}
	files := map[string]bool{}
	for _, s := range scenes {
		files[s.of] = true
	}
	fmt.Fprintf(&b, "%d kinds of damage and %d of ordinary pictures, made of %d views of %d photographs and videos; each kind counts alike in its class.\n",
		len(widths[0].result.kinds)-kinds[health.Normal], kinds[health.Normal], len(scenes), len(files))
	return b.String()
}

// kindsText lists the kinds, those that are mistaken most often first.
func kindsText(widths []*width) string {
	kinds := slices.Clone(widths[0].result.kinds)
	recall := func(w *width, t *tally) float64 {
		c := &w.result
		t = c.kinds[slices.Index(widths[0].result.kinds, t)]
		return float64(t.first[c.index(t.class)]) / float64(t.pictures)
	}
	kinds = slices.DeleteFunc(kinds, func(t *tally) bool { return t.pictures == 0 })
	slices.SortStableFunc(kinds, func(a, b *tally) int { return cmp.Compare(recall(widths[0], a), recall(widths[0], b)) })
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "class\tkind\tpictures")
	for _, w := range widths {
		fmt.Fprintf(t, "\tright at %v\tentered", w.mult)
	}
	fmt.Fprint(t, "\tmostly mistaken for\n")
	for _, k := range kinds {
		fmt.Fprintf(t, "%s\t%s\t%d", k.class, k.kind, k.pictures)
		for _, w := range widths {
			of := w.result.kinds[slices.Index(widths[0].result.kinds, k)]
			fmt.Fprintf(t, "\t%.1f\t%.1f", 100*recall(w, k), 100*float64(of.entered)/float64(of.pictures))
		}
		fmt.Fprintf(t, "\t%s\n", widths[0].result.mistaken(k))
	}
	_ = t.Flush()
	return b.String()
}
