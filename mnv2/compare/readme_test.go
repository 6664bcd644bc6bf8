package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"tarsier/mnv2/compare/readme"
)

const before = `# tarsier
<!-- compare measured: begin -->
old
<!-- compare measured: end -->
between
<!-- compare modelled: begin -->
<!-- compare modelled: end -->
after
`

func TestRewriteLeavesIncompleteParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	parts := []*part{{name: "measured", text: "half\n"}, {name: "modelled", text: "model\n", complete: true}}
	if err := rewrite(path, parts); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := readme.Replace([]byte(before), "compare modelled", "model\n")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The project's own README has a place for every part.
func TestREADME(t *testing.T) {
	file, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"measured", "modelled"} {
		if _, err := readme.Replace(file, "compare "+name, ""); err != nil {
			t.Error(err)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		math.NaN(): "–", 0: "0.000", 0.0681: "0.068", 0.0996: "0.10", 0.899: "0.90", 9.994: "9.99", 9.996: "10.0", 22.59: "22.6", 99.96: "100", 676.2: "676",
	} {
		if got := number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}
