package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTextLog(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newLineHandler(textSink(&out))).With("camera", "porch")
	log.Warn("camera is offline", "error", "no route to host")
	log.Debug("not shown")
	line := out.String()
	if !strings.HasSuffix(line, " WARN camera is offline camera=porch error=\"no route to host\"\n") || strings.Count(line, "\n") != 1 {
		t.Errorf("logged %q", line)
	}
}

func TestJournalFields(t *testing.T) {
	var got []slog.Attr
	var line string
	log := slog.New(newLineHandler(func(_ slog.Record, attrs []slog.Attr, l string) { got, line = attrs, l })).With("camera", "porch")
	log.Info("enter", "label", "water bottle")
	if len(got) != 2 || got[0].Key != "camera" || got[1].Value.String() != "water bottle" {
		t.Errorf("attributes are %v", got)
	}
	if line != `enter camera=porch label="water bottle"` {
		t.Errorf("line is %q", line)
	}
	if k := journalKey("latency-ms"); k != "LATENCY_MS" {
		t.Errorf("journalKey gives %q", k)
	}
}

func TestCommandLine(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	must(t, os.WriteFile(bad, []byte("node: a b\nthresholds: {enter: 1.5}\ncamera: []\n"), 0o644))
	for _, c := range []struct {
		args string
		code int
		says []string // on standard error
	}{
		{"", 0, nil},
		{"help run", 0, nil},
		{"fly", 2, []string{`unknown command "fly"`, "tarsier help"}},
		{"run --speed", 2, []string{"--speed"}},
		{"classify", 2, []string{"requires at least 1 arg"}},
		{"classify --fit wide x.jpg", 2, []string{`--fit is "wide"; it must be stretch, crop or tiles`}},
		{"bench --runs 0 --model x", 2, []string{"--runs is 0"}},
		{"run --config " + missing, 2, []string{missing}},
		{"check --config " + bad, 2, []string{bad + ":1", "node", bad + ":2", "enter", bad + ":3", "camera"}},
		{"version", 0, nil},
	} {
		code, _, stderr := runCommandLine(t, strings.Fields(c.args)...)
		if code != c.code {
			t.Errorf("tarsier %s: exit status %d, want %d\n%s", c.args, code, c.code, stderr)
		}
		for _, s := range c.says {
			if !strings.Contains(stderr, s) {
				t.Errorf("tarsier %s says %q, without %q", c.args, stderr, s)
			}
		}
	}
}

// runCommandLine runs the program as a user would, in this process.
func runCommandLine(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	files := map[**os.File]*os.File{&os.Stdout: nil, &os.Stderr: nil}
	for std := range files {
		f, err := os.CreateTemp(t.TempDir(), "out")
		must(t, err)
		defer f.Close()
		old := *std
		*std = f
		defer func() { *std = old }()
		files[std] = f
	}
	code = execute(t.Context(), args)
	read := func(f *os.File) string {
		b, err := os.ReadFile(f.Name())
		must(t, err)
		return string(b)
	}
	return code, read(files[&os.Stdout]), read(files[&os.Stderr])
}
