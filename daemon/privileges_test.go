package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNoCoreDumps lets a copy of this program crash where a core would be
// left, and looks for one.
func TestNoCoreDumps(t *testing.T) {
	const role = "TARSIER_TEST_CRASH"
	if os.Getenv(role) != "" {
		if os.Getenv(role) == "locked" {
			must(t, noCoreDumps())
			filter, err := os.ReadFile("/proc/self/coredump_filter")
			if err == nil && strings.Trim(string(filter), "0\n") != "" {
				t.Fatalf("the core dump filter is %s", filter)
			}
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		select {}
	}
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	must(t, err)
	if strings.ContainsAny(string(pattern), "|/") {
		t.Skipf("this machine's cores go elsewhere (%s)", pattern)
	}
	dumps := func(how string) bool {
		dir := t.TempDir()
		c := exec.Command("sh", "-c", `ulimit -c unlimited; exec "$0" -test.run '^TestNoCoreDumps$'`, os.Args[0])
		c.Dir = dir
		c.Env = append(os.Environ(), role+"="+how, "GOTRACEBACK=crash")
		out, err := c.CombinedOutput()
		if err == nil {
			t.Errorf("it did not crash: %s", out)
		}
		found, err := filepath.Glob(filepath.Join(dir, "*core*"))
		must(t, err)
		return len(found) > 0
	}
	if !dumps("free") {
		t.Skip("this machine dumps no core of anything")
	}
	if dumps("locked") {
		t.Error("a core was dumped")
	}
}
