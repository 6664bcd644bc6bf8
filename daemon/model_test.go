package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarsier/config"
	"tarsier/mnv2"
)

// modelDir makes a model directory of golden networks and a labels file with
// that many lines.
func modelDir(t *testing.T, labels int, networks ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range networks {
		link(t, filepath.Join(testdata(t, "golden"), n+"_int8.tflite"), dir)
	}
	if labels > 0 {
		must(t, os.WriteFile(filepath.Join(dir, "labels.txt"), []byte(strings.Repeat("thing\n", labels)), 0o644))
	}
	return dir
}

func TestPickModel(t *testing.T) {
	dir := modelDir(t, 1001, "imagenet_1.0", "random_0.35", "random_0.75")
	for width, want := range map[float64]string{0: "imagenet_1.0", 1: "imagenet_1.0", 0.35: "random_0.35", 0.75: "random_0.75"} {
		f, err := pickModel(dir, width)
		if err != nil || !strings.Contains(f.path, want) {
			t.Errorf("width_mult %v gives %q, %v; want %s", width, f.path, err, want)
		}
	}
}

func TestModelMistakes(t *testing.T) {
	two := modelDir(t, 1001, "imagenet_1.0")
	link(t, filepath.Join(two, "imagenet_1.0_int8.tflite"), filepath.Join(two, "again.tflite"))
	bad := modelDir(t, 1001)
	must(t, os.WriteFile(filepath.Join(bad, "empty.tflite"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(bad, "foreign.tflite"), []byte("%PDF-1.7 this is no model at all"), 0o644))
	missing := filepath.Join(t.TempDir(), "none")

	for name, c := range map[string]struct {
		dir   string
		width float64
		says  []string
	}{
		"built in":       {"", 0.75, []string{"width_mult 0.75 in the built-in model", "0.5 (camera_health_0.5.tflite), 0.35 (camera_health_0.35.tflite)"}},
		"not there":      {missing, 0, []string{missing, "model.dir"}},
		"no model":       {modelDir(t, 1001), 0, []string{"no *.tflite file", "get-models"}},
		"other widths":   {modelDir(t, 1001, "random_0.35", "imagenet_1.0"), 0.5, []string{"width_mult 0.5", "1 (imagenet_1.0_int8.tflite), 0.35 (random_0.35_int8.tflite)"}},
		"same width":     {two, 1, []string{"2 models of width_mult 1", "again.tflite", "imagenet_1.0_int8.tflite"}},
		"broken":         {bad, 0, []string{"no usable model", "empty.tflite", "foreign.tflite"}},
		"few labels":     {modelDir(t, 1000, "imagenet_1.0"), 0, []string{"1000 labels", "1001 classes"}},
		"no labels":      {modelDir(t, 0, "imagenet_1.0"), 0, []string{"labels.txt", "one line a class"}},
		"no classifier":  {modelDir(t, 1001, "random_0.35_features"), 0, []string{"feature extractor"}},
		"labels of more": {modelDir(t, 1002, "imagenet_1.0"), 0, []string{"1002 labels", "1001 classes"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := pickModel(c.dir, c.width)
			if err == nil {
				_, err = loadModel(f, "", mnv2.Options{Threads: 1})
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("the error %q lacks %q", err, s)
				}
			}
		})
	}
}

// TestBuiltInModel is what runs where no directory is given.
func TestBuiltInModel(t *testing.T) {
	for width, want := range map[float64]float64{0: 0.5, 0.5: 0.5, 0.35: 0.35} {
		f, err := pickModel("", width)
		must(t, err)
		m, err := loadModel(f, "", mnv2.Options{Threads: 1})
		must(t, err)
		if i := m.info(); i.Name != "camera_health" || i.WidthMult != want || len(i.SHA256) != 8 {
			t.Errorf("width_mult %v gives %+v", width, i)
		}
		// Being clear is no event, unless somebody wants it to be one.
		cfg := &config.Config{Node: "n", Cameras: []config.Camera{{Name: "porch", Regions: []config.Region{{Name: "all"}, {Name: "one"}}}}}
		cfg.Cameras[0].Regions[1].Thresholds.Only = []string{"clear", "dark"}
		plans, err := planCameras(cfg, m)
		must(t, err)
		if all, one := plans[0].thresholds[0].Only, plans[0].thresholds[1].Only; !slices.Equal(all, []int{1, 2, 3, 4, 5, 6}) || !slices.Equal(one, []int{0, 1}) {
			t.Errorf("events are made of %v and %v", all, one)
		}
	}
	code, out, stderr := runCommandLine(t, "models", "--config", writeFile(t, "cameras: [{name: a, source: a.mp4}]\n"))
	if code != 0 || strings.Count(out, "(built in)") != 2 || !strings.Contains(out, "0.35   224x224  7 ") {
		t.Errorf("models: %d\n%s%s", code, out, stderr)
	}
}

// writeFile writes a file of a folder of its own.
func writeFile(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tarsier.yaml")
	must(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// TestCommandsOnModels runs the commands that need a model and nothing else.
func TestCommandsOnModels(t *testing.T) {
	dir := modelDir(t, 1001, "imagenet_1.0", "random_0.35")
	code, out, stderr := runCommandLine(t, "models", dir)
	if code != 0 || !strings.Contains(out, "imagenet_1.0_int8.tflite  1      224x224  1001     4.0 MB  3.47 M      301 M") {
		t.Errorf("models: %d\n%s%s", code, out, stderr)
	}
	code, out, stderr = runCommandLine(t, "bench", "--model", filepath.Join(dir, "random_0.35_int8.tflite"), "--runs", "3", "--json")
	for _, field := range []string{`"model":"random_0.35_int8"`, `"width_mult":0.35`, `"kernel":"`, `"threads":1`, `"runs":3`, `"min_ms":`, `"median_ms":`, `"p95_ms":`} {
		if code != 0 || !strings.Contains(out, field) {
			t.Errorf("bench --json: %d, without %s\n%s%s", code, field, out, stderr)
		}
	}
	code, out, stderr = runCommandLine(t, "bench", "--model", filepath.Join(dir, "random_0.35_int8.tflite"), "--runs", "3", "--profile")
	for _, text := range []string{"first, block 0", "7x7x56, 336, 7x7x112\n", "classifier", "GMAC/s a core", "random_0.35_int8, width_mult 0.35"} {
		if code != 0 || !strings.Contains(out, text) {
			t.Errorf("bench --profile: %d, without %q\n%s%s", code, text, out, stderr)
		}
	}
	code, _, stderr = runCommandLine(t, "bench", "--model", dir, "--kernel", "abacus", "--runs", "1")
	if code == 0 || !strings.Contains(stderr, `no kernel "abacus"`) || !strings.Contains(stderr, "portable") {
		t.Errorf("bench --kernel abacus: %d\n%s", code, stderr)
	}
}
