package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarsier/config"
	"tarsier/mnv2"
)

func TestInferences(t *testing.T) {
	for name, c := range map[string]struct {
		cameras []demand
		want    float64
	}{
		"none":                              {nil, 0},
		"one":                               {[]demand{{5, 1}}, 5},
		"regions and tiles multiply":        {[]demand{{5, 6}}, 30},
		"several":                           {[]demand{{5, 1}, {2, 8}}, 21},
		"as many as the board can":          {[]demand{{0, 4}}, 0},
		"one that takes what is left":       {[]demand{{5, 1}, {0, 1}}, 10},
		"at most a batch comes between":     {[]demand{{5, 1}, {0, 64}}, 25},
		"at each turn":                      {[]demand{{1, 9}, {0, 1}, {0, 2}}, 18}, // 9, and 3 turns that wait for 3
		"less than one a second, and close": {[]demand{{0.1, 1}}, 0.1},
	} {
		if got := inferences(c.cameras); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

func TestPictureCount(t *testing.T) {
	whole, half, tall, wide := [4]float64{0, 0, 1, 1}, [4]float64{0, 0, 0.5, 1}, [4]float64{0, 0, 0.25, 1}, [4]float64{0, 0, 1, 0.25}
	for _, c := range []struct {
		fit   string
		boxes [][4]float64
		want  int
	}{
		{"stretch", [][4]float64{whole}, 1},
		{"crop", [][4]float64{whole, half, wide}, 3},
		{"tiles", [][4]float64{whole}, 2},
		{"tiles", [][4]float64{half}, 2},
		{"tiles", [][4]float64{tall}, 3},
		{"tiles", [][4]float64{wide}, 8},
		{"tiles", [][4]float64{whole, {0, 0, 0.5625, 1}}, 3}, // a square is one
	} {
		camera := &config.Camera{Fit: c.fit}
		for _, b := range c.boxes {
			camera.Regions = append(camera.Regions, config.Region{Box: b})
		}
		if got := pictureCount(camera); got != c.want {
			t.Errorf("%s of %v: %d pictures, not %d", c.fit, c.boxes, got, c.want)
		}
	}
}

func TestAutoModels(t *testing.T) {
	files, labels, err := autoModels("")
	if err != nil || len(files) != 2 || files[0].facts.WidthMult != 0.5 || len(labels) != 7 {
		t.Errorf("built in are %d, with %q; %v", len(files), labels, err)
	}

	o := mnv2.Options{Threads: 1}
	dir := modelDir(t, 1001, "random_0.35", "random_0.75")
	files, labels, err = autoModels(dir)
	must(t, err)
	w, m, err := newWidths(files, labels, o, 0, defaultPatience, nil)
	must(t, err)
	if m.file.facts.WidthMult != 0.75 || w.costs[0] <= w.costs[1] || w.costs[1] <= 0 {
		t.Errorf("width %v starts, and the widths take %v", m.file.facts.WidthMult, w)
	}
	for i, f := range w.files {
		if f.network.Blocks != nil {
			t.Errorf("the weights of width %d are kept", i)
		}
	}
	if !w.same(files, labels, o) || w.same(files[:1], labels, o) || w.same(files, labels[1:], o) || w.same(files, labels, mnv2.Options{Threads: 2}) {
		t.Error("what is the same, and what is not, is mixed up")
	}
	if _, narrowest, err := newWidths(files, labels, o, 1e6, defaultPatience, nil); err != nil || narrowest.file.facts.WidthMult != 0.35 {
		t.Errorf("what no width can do starts with %v, %v", narrowest, err)
	}

	// A file that was replaced meanwhile does not run before it was timed.
	must(t, os.Remove(w.files[1].path))
	if _, err := w.load(1); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file that is gone: %v", err)
	}
	must(t, os.Symlink(filepath.Join(testdata(t, "golden"), "random_1.4_int8.tflite"), w.files[1].path))
	if _, err := w.load(1); err == nil || !strings.Contains(err.Error(), "reload the config") {
		t.Errorf("another file: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "labels.txt"), []byte(strings.Repeat("other\n", 1001)), 0o644))
	if _, err := w.load(0); err == nil || !strings.Contains(err.Error(), "reload the config") {
		t.Errorf("other labels: %v", err)
	}
}

func TestAutoModelMistakes(t *testing.T) {
	two := modelDir(t, 1001, "imagenet_1.0", "random_0.35")
	link(t, filepath.Join(two, "imagenet_1.0_int8.tflite"), filepath.Join(two, "again.tflite"))
	for name, c := range map[string]struct {
		dir  string
		says []string
	}{
		"a width twice":  {two, []string{"again.tflite and imagenet_1.0_int8.tflite have the same width, 1", two}},
		"no labels":      {modelDir(t, 0, "imagenet_1.0"), []string{"labels.txt"}},
		"no classifier":  {modelDir(t, 1001, "imagenet_1.0", "random_0.35_features"), []string{"random_0.35_features", "no classifier"}},
		"no such folder": {filepath.Join(two, "none"), []string{"model.dir"}},
	} {
		_, _, err := autoModels(c.dir)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q is not in %v", name, s, err)
			}
		}
	}
}
