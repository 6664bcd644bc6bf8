package main

import (
	"errors"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-only", "all"}, {"now"}} {
		if err := run(t.Context(), args); !errors.As(err, new(usageError)) {
			t.Errorf("%q: %v, want an error of usage", args, err)
		}
	}
}

func TestFindModelsSaysWhereTheyBelong(t *testing.T) {
	t.Setenv("TARSIER_TESTDATA", t.TempDir())
	if _, err := findModels("."); err == nil || !strings.Contains(err.Error(), "TARSIER_TESTDATA") {
		t.Errorf("%v, want to be told of TARSIER_TESTDATA", err)
	}
}

func TestEngineRefuses(t *testing.T) {
	for _, args := range [][]string{{"time"}, {"run", "best"}, {"run", "best", "/nonexistent", "3"}} {
		if err := engine(args); err == nil {
			t.Errorf("%q: want an error", args)
		}
	}
}
