package readme_test

import (
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
<!-- accuracy: begin -->
<!-- accuracy: end -->
after
`

const after = `# tarsier
<!-- compare measured: begin -->
new
<!-- compare measured: end -->
between
<!-- accuracy: begin -->
good
<!-- accuracy: end -->
after
`

func TestRewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, again := range []string{"once", "twice"} {
		if err := readme.Rewrite(path, readme.Part{Name: "compare measured", Text: "new\n"}, readme.Part{Name: "accuracy", Text: "good\n"}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != after {
			t.Errorf("%s: got\n%s\nwant\n%s", again, got, after)
		}
	}
	if err := readme.Rewrite(path, readme.Part{Name: "accuracy", Text: "bad\n"}, readme.Part{Name: "nowhere"}); err == nil {
		t.Error("a part without a place: want an error")
	}
	if got, _ := os.ReadFile(path); string(got) != after {
		t.Errorf("after an error the file is\n%s\nwant it as it was", got)
	}
}

func TestReplaceRefuses(t *testing.T) {
	begin, end := "<!-- a: begin -->\n", "<!-- a: end -->\n"
	for _, file := range []string{"", begin, end, end + begin, begin + begin + end, begin + end + end} {
		if got, err := readme.Replace([]byte(file), "a", "new\n"); err == nil {
			t.Errorf("%q became %q, want an error", file, got)
		}
	}
}
