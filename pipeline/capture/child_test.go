package capture_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"tarsier/pipeline/capture"
)

func init() {
	parts["environment"] = func() {
		fmt.Fprintf(os.Stderr, "tarsier-capture: it has %q\n", os.Environ())
	}
}

// A child has nothing of our environment.
func TestChildEnvironment(t *testing.T) {
	t.Setenv("TARSIER_HTTP_PASSWORD", "secret")
	c := runCamera(t, capture.Options{Source: "any", Child: as(t, "environment")})
	c.waits(false, "it has []")
}

// limits are those of a process, by their names in /proc.
func limits(t *testing.T, pid int) map[string]string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		t.Fatal(err)
	}
	hard := map[string]string{}
	for _, line := range strings.Split(string(b), "\n") {
		if len(line) > 67 {
			hard[strings.TrimSpace(line[:26])] = strings.TrimSpace(line[47:68])
		}
	}
	return hard
}

// A child may not grow without end, and dumps no core.
func TestChildLimits(t *testing.T) {
	c := runCamera(t, capture.Options{Source: testdata(t, "videos/bottle.mp4"), Loop: true})
	var f capture.Frame
	c.newest(&f)
	pid := children(os.Getpid())[0]
	got := limits(t, pid)
	for name, most := range map[string]string{"Max data size": "1073741824", "Max open files": "256", "Max core file size": "0"} {
		if got[name] != most {
			t.Errorf("%s: %q, want %s", name, got[name], most)
		}
	}
	filter, err := os.ReadFile(fmt.Sprintf("/proc/%d/coredump_filter", pid))
	if err != nil || strings.Trim(string(filter), "0\n") != "" {
		t.Errorf("its core would hold memory: the filter is %q, %v", filter, err)
	}
}

// One that grows without end is ended by its limit, says so, and is replaced. This one's pictures come faster than they are taken
// out of a queue that has no bound.
func TestChildLeaks(t *testing.T) {
	c := runCamera(t, capture.Options{Source: "gst:videotestsrc pattern=black is-live=false ! video/x-raw,format=BGR,width=1920,height=1080 ! " +
		"queue max-size-buffers=0 max-size-bytes=0 max-size-time=0 ! identity sleep-time=200000"})
	var f capture.Frame
	c.newest(&f)
	first := children(os.Getpid())[0]
	var largest int
	eventually(t, "the child that leaks is gone", func() bool {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", first))
		if _, data, ok := strings.Cut(string(status), "VmData:"); ok {
			var kB int
			_, _ = fmt.Sscan(data, &kB)
			largest = max(largest, kB)
		}
		return gone(first)
	})
	if largest < 600<<10 || largest > 1<<20 {
		t.Errorf("it had %d kB at its end, and may have %d", largest, 1<<20)
	}
	c.newest(&f)
	if again := children(os.Getpid()); len(again) != 1 || again[0] == first {
		t.Errorf("children: %v, before: %v", again, first)
	}
	if !strings.Contains(c.log.String(), "tarsier-capture ended unexpectedly") {
		t.Errorf("nothing is said of it")
	}
}
