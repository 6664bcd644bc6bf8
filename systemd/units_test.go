// Package systemd_test checks the units of this folder. ./deploy/boot-test
// boots a system with them.
package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// missing skips a test that lacks something; where CI=true it fails.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// units copies the units to dir, with the programs in another folder than
// /usr/bin.
func units(t *testing.T, dir, programs string) (names []string) {
	t.Helper()
	for _, pattern := range []string{"*.service", "*.socket"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	for _, name := range names {
		text := strings.ReplaceAll(read(t, name), "/usr/bin/", programs+"/")
		write(t, filepath.Join(dir, name), text)
	}
	return names
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "needs systemd-analyze: %v", err)
	}
	c := exec.CommandContext(t.Context(), path, args...)
	c.Env = append(os.Environ(), "SYSTEMD_LOG_TARGET=console", "SYSTEMD_COLORS=0")
	out, err := c.CombinedOutput()
	return string(out), err
}

// systemd-analyze only warns of unknown keys and bad values, so it must have
// nothing to say.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	for _, program := range []string{"tarsier", "tarsier-capture"} {
		if err := os.WriteFile(filepath.Join(dir, program), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range units(t, dir, dir) {
		if out, err := analyze(t, "verify", filepath.Join(dir, name)); err != nil || out != "" {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// What the units may do is measured in tenths, 0 (nothing) to 100.
func TestExposure(t *testing.T) {
	for name, threshold := range map[string]string{
		"tarsier.service":          "12",
		"tarsier-capture@.service": "16",
	} {
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := analyze(t, "security", "--no-pager", "--offline=true", "--threshold="+threshold, path); err != nil {
			t.Errorf("%s: more exposed than %s tenths (%v)\n%s", name, threshold, err, out)
		}
	}
}
