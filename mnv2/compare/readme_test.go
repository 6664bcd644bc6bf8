package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

const readme = `# tarsier
<!-- compare measured: begin -->
old
<!-- compare measured: end -->
between
<!-- compare modelled: begin -->
<!-- compare modelled: end -->
after
`

func TestReplacePart(t *testing.T) {
	got, err := replacePart([]byte(readme), "measured", "new\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, err = replacePart(got, "modelled", "model\n"); err != nil {
		t.Fatal(err)
	}
	want := `# tarsier
<!-- compare measured: begin -->
new
<!-- compare measured: end -->
between
<!-- compare modelled: begin -->
model
<!-- compare modelled: end -->
after
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if again, err := replacePart(got, "measured", "new\n"); err != nil || string(again) != want {
		t.Errorf("the same once more: %v\n%s", err, again)
	}
}

func TestReplacePartRefuses(t *testing.T) {
	begin, end := "<!-- compare measured: begin -->\n", "<!-- compare measured: end -->\n"
	for _, file := range []string{"", begin, end, end + begin, begin + begin + end, begin + end + end} {
		if got, err := replacePart([]byte(file), "measured", "new\n"); err == nil {
			t.Errorf("%q became %q, want an error", file, got)
		}
	}
}

func TestRewriteLeavesIncompleteParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte(readme), 0o600); err != nil {
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
	want, err := replacePart([]byte(readme), "modelled", "model\n")
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
		if _, err := replacePart(file, name, ""); err != nil {
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
