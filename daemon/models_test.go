package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tarsier/mnv2"
)

func TestMeasureModels(t *testing.T) {
	dir := modelDir(t, 1001, "imagenet_1.0", "random_0.35")
	must(t, os.WriteFile(filepath.Join(dir, "model.yaml"), []byte("accuracy: {1.0: 0.718}\n"), 0o644))
	path := writeFile(t, fmt.Sprintf(`model: {dir: %s, threads: 1}
cameras:
  - {name: porch, source: a.mp4, fps: 0.001, fit: tiles}
  - {name: yard, source: a.mp4, fps: 0.002, regions: [{name: a}, {name: b}, {name: c}]}
`, dir))
	code, out, stderr := runCommandLine(t, "models", "--measure", "--config", path)
	for _, want := range []string{
		`(?m)^imagenet_1\.0_int8\.tflite +1 +71\.8 % +\d+\.\d\d +\d+ +0\.003 of 0\.003 +0 % +yes, auto$`,
		`(?m)^random_0\.35_int8\.tflite +0\.35 +not stated +\d+\.\d\d +\d+ +0\.003 of 0\.003 +0 % +yes$`,
		`(?m)^The cameras need 0\.008 inferences a second: porch 0\.001 frames a second of 2, yard 0\.002 frames a second of 3\.$`,
	} {
		if code != 0 || !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("exit status %d, and no %s in\n%s%s", code, want, out, stderr)
		}
	}

	code, out, stderr = runCommandLine(t, "models", "--measure", "--json", "--config", path)
	var lines []map[string]any
	for in := bufio.NewScanner(strings.NewReader(out)); in.Scan(); {
		var l map[string]any
		must(t, json.Unmarshal(in.Bytes(), &l))
		lines = append(lines, l)
	}
	if code != 0 || len(lines) != 2 {
		t.Fatalf("exit status %d:\n%s%s", code, out, stderr)
	}
	for _, key := range []string{
		"file", "model", "width_mult", "kernel", "threads", "runs", "min_ms", "median_ms", "p95_ms",
		"inferences_per_s", "inferences_per_s_needed", "fps", "load", "keeps_up", "auto",
	} {
		if lines[0][key] == nil || lines[1][key] == nil {
			t.Errorf("there is no %s in\n%s", key, out)
		}
	}
	if lines[0]["accuracy"] != 0.718 || lines[1]["accuracy"] != nil || lines[0]["auto"] != true || lines[1]["auto"] != false || lines[0]["threads"] != 1.0 {
		t.Errorf("it prints\n%s", out)
	}

	// Too much for any: the narrowest is what auto would run.
	heavy := writeFile(t, fmt.Sprintf("model: {dir: %s}\ncameras: [{name: a, source: a.mp4, fps: 1000, fit: tiles, regions: [{name: r, box: [0, 0, 1, 0.02]}]}]\n", dir))
	code, out, stderr = runCommandLine(t, "models", "--measure", "--config", heavy)
	if code != 0 || strings.Contains(out, "yes") || !regexp.MustCompile(`(?m)^random.* of 1e\+03 .*, auto$`).MatchString(out) {
		t.Errorf("exit status %d:\n%s%s", code, out, stderr)
	}

	// Without cameras, and with what is wrong.
	code, out, _ = runCommandLine(t, "models", "--measure", dir)
	if code != 0 || !strings.Contains(out, "no cameras to keep up with") || strings.Contains(out, "KEEPS UP") {
		t.Errorf("exit status %d:\n%s", code, out)
	}
	if code, _, stderr = runCommandLine(t, "models", "--json"); code != 2 || !strings.Contains(stderr, "--json is for --measure") {
		t.Errorf("exit status %d:\n%s", code, stderr)
	}
	must(t, os.WriteFile(filepath.Join(dir, "model.yaml"), []byte("accuracy: {\"1.0\": 0.718}\nacuracy: 1\n"), 0o644))
	if code, _, stderr = runCommandLine(t, "models", "--measure", dir); code != 2 ||
		!strings.Contains(stderr, filepath.Join(dir, "model.yaml")+`:2: "acuracy": found an unknown key, allowed: accuracy`) {
		t.Errorf("exit status %d:\n%s", code, stderr)
	}
}

// What all cameras together get.
func TestFrames(t *testing.T) {
	for _, c := range []struct {
		cameras  []demand
		possible float64
		want     float64
	}{
		{[]demand{{5, 2}}, 100, 5},
		{[]demand{{5, 2}}, 5, 2.5},
		{[]demand{{5, 2}, {10, 1}}, 10, 7.5},
		{[]demand{{0, 4}}, 100, 25},
		{[]demand{{0, 4}, {0, 1}}, 100, 40},
		{[]demand{{5, 2}, {0, 9}}, 100, 15}, // 90 are left
	} {
		if got := frames(c.cameras, c.possible); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v of %v: %v frames, not %v", c.cameras, c.possible, got, c.want)
		}
	}
}

// described are three files, two of one width.
func described() []modelFile {
	return []modelFile{
		{path: "d/a.tflite", facts: mnv2.Facts{WidthMult: 1}},
		{path: "d/b.tflite", facts: mnv2.Facts{WidthMult: 0.35}},
		{path: "d/c.tflite", facts: mnv2.Facts{WidthMult: 0.35}},
	}
}

func TestParseAccuracy(t *testing.T) {
	for text, want := range map[string][3]float64{
		"":                                      {},
		"# nothing yet\n":                       {},
		"accuracy: {}":                          {},
		`accuracy: {"1.0": 0.718}`:              {0.718},
		`accuracy: {1: 1, b.tflite: 0}`:         {1, 0, 0},
		"accuracy:\n  a.tflite: 0.5\n":          {0.5},
		`accuracy: {"1.4": 0.75, c.tflite: .6}`: {0, 0, 0.6}, // 1.4 may not be downloaded
	} {
		got, err := parseAccuracy("d/model.yaml", []byte(text), described())
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for i, v := range got {
			if v != nil && *v != want[i] || v == nil && want[i] != 0 {
				t.Errorf("%q: of file %d it states %v, not %v", text, i, v, want[i])
			}
		}
	}
	const share, form = "a share from 0 to 1", `accuracy: {"1.0": 0.718}`
	for text, want := range map[string]string{
		"x: [":                                  `1: found text that is not YAML (line 1: did not find expected node content), allowed: ` + form,
		"- a":                                   `1: found a list, allowed: ` + form,
		"\naccuracy: 0.7":                       `2: accuracy: found "0.7", allowed: ` + form,
		"accuracy: {1: 0.7}\nmean: 1":           `2: "mean": found an unknown key, allowed: accuracy`,
		"accuracy: {}\naccuracy: {}":            `2: accuracy: found the key again, allowed: once`,
		"accuracy: {1: 0.7}\n---\na: 1":         `2: found a second document, allowed: one`,
		"accuracy:\n  1: 71.8":                  `2: accuracy."1": found "71.8", allowed: ` + share,
		"accuracy:\n  1: .nan":                  `2: accuracy."1": found ".nan", allowed: ` + share,
		"accuracy:\n  1: [a]":                   `2: accuracy."1": found a list, allowed: ` + share,
		"accuracy:\n  1:":                       `2: accuracy."1": found "", allowed: ` + share,
		"accuracy:\n  a.tflit: 1":               `2: accuracy."a.tflit": found neither a width nor a file, allowed: a width, such as "1.0", or the name of a .tflite file beside it`,
		"accuracy:\n  auto: 1":                  `2: accuracy."auto": found neither a width nor a file, allowed: a width, such as "1.0", or the name of a .tflite file beside it`,
		"accuracy:\n  0.35: 0.6":                `2: accuracy."0.35": found a width that 2 files have, allowed: the name of each`,
		"accuracy:\n  1: 0.6\n  a.tflite: 0.61": `3: accuracy."a.tflite": found the same model again, allowed: each once`,
	} {
		if _, err := parseAccuracy("d/model.yaml", []byte(text), described()); err == nil || err.Error() != "d/model.yaml:"+want {
			t.Errorf("%q:\n%v\nnot\n%s", text, err, want)
		}
	}
}

func FuzzParseAccuracy(f *testing.F) {
	f.Add("accuracy: {\"1.0\": 0.718, b.tflite: 0.6}\n")
	f.Add("accuracy: &a {1: *a}\n---\n")
	f.Fuzz(func(t *testing.T, text string) {
		stated, err := parseAccuracy("model.yaml", []byte(text), described())
		if (err == nil) != (len(stated) == 3) {
			t.Fatalf("%v, %v", stated, err)
		}
		for _, v := range stated {
			if v != nil && !(*v >= 0 && *v <= 1) {
				t.Errorf("a share of %v", *v)
			}
		}
	})
}
