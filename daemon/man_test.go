package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every command has a man page, man has nothing to say against any, and the command that writes them is in no program but that of
// the build tag.
func TestMan(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "docs")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "docs", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	man := exec.CommandContext(t.Context(), program, "man", filepath.Join(dir, "man1"))
	man.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1767225600")
	if out, err := man.CombinedOutput(); err != nil {
		t.Fatalf("man: %v\n%s", err, out)
	}
	// What completion offers are the commands that are not hidden.
	offered, err := exec.CommandContext(t.Context(), program, "__complete", "").Output()
	if err != nil {
		t.Fatalf("complete: %v", err)
	}
	for line := range strings.Lines(string(offered)) {
		command, short, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || command == "help" {
			continue
		}
		name := "tarsier-" + command + ".1"
		page, err := os.ReadFile(filepath.Join(dir, "man1", name))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, want := range []string{"tarsier-" + command + " - " + short, "Jan 2026"} {
			if !strings.Contains(strings.ReplaceAll(string(page), `\`, ""), want) {
				t.Errorf("%s: %q is not in it:\n%s", name, want, page)
			}
		}
	}
	if code := execute(t.Context(), []string{"man", dir}); code != 2 {
		t.Errorf("the daemon itself has a command that writes man pages: exit status %d", code)
	}
	if _, err := exec.LookPath("man"); err != nil {
		return // what is wrong with their form, lintian says as well
	}
	pages, err := filepath.Glob(filepath.Join(dir, "man1", "*.1"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		c := exec.CommandContext(t.Context(), "man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page)
		c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANROFFSEQ=", "MANWIDTH=80")
		var complaints strings.Builder
		c.Stderr = &complaints
		if err := c.Run(); err != nil || complaints.String() != "" {
			t.Errorf("%s: %v\n%s", filepath.Base(page), err, complaints.String())
		}
	}
}
