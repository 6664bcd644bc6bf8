package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

func TestModelledText(t *testing.T) {
	text := modelledText([]*comparison{
		{"1.0", cores[0], "`sdot`", cost{14.1e6, 33.2e6, 0.25e6, 0.1e6}, cost{22.6e6, 49.2e6, 0.9e6, 0.215e6}},
		{"0.35", cores[3], "`neon`", cost{29e6, 30e6, 1e5, 5e4}, unknown},
	})
	for _, want := range []string{
		"| 1.0 | Cortex-A76 (Pi 5) | `sdot` | 14.1 | 22.6 | 1.60 | 33.2 | 49.2 | 0.25 | 0.90 | 0.10 | 0.21 |\n",
		"| 0.35 | Cortex-A53 (Pi 3) | `neon` | 29.0 | – | – | 30.0 | – | 0.10 | – | 0.050 | – |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not found: %q in\n%s", want, text)
		}
	}
}

func TestInParallel(t *testing.T) {
	var done atomic.Int32
	bad := errors.New("bad")
	tasks := make([]func() error, 9)
	for i := range tasks {
		tasks[i] = func() error {
			done.Add(1)
			if i%4 == 0 {
				return bad
			}
			return nil
		}
	}
	if failed := inParallel(context.Background(), tasks); done.Load() != 9 || len(failed) != 3 {
		t.Errorf("%d tasks done, %d failed: want 9, 3", done.Load(), len(failed))
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	done.Store(0)
	inParallel(stopped, tasks)
	if done.Load() != 0 {
		t.Errorf("%d tasks done after the end", done.Load())
	}
}
