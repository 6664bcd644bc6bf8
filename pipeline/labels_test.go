package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func TestReadLabels(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"plain", "cat\ndog\n", []string{"cat", "dog"}},
		{"no line end", "cat\ndog", []string{"cat", "dog"}},
		{"Windows", "\ufeffcat\r\ndog\r\n", []string{"cat", "dog"}},
		{"empty lines at the end", "cat\ndog\n\n  \n", []string{"cat", "dog"}},
		{"numbers", "   0  background\n   1  tench\n", []string{"background", "tench"}},
		{"numbers and marks", "0: background\n1,\ttench\n", []string{"background", "tench"}},
		{"several names", "0 great grey owl, great gray owl, Strix nebulosa\n", []string{"great grey owl"}},
		{"iNaturalist", "0 Haemorhous cassinii (Cassin's Finch)\n", []string{"Haemorhous cassinii (Cassin's Finch)"}},
		{"number within a name", "3D printer\n7-eleven\nhighway 61\n", []string{"3D printer", "7-eleven", "highway 61"}},
		{"digits", "0\n1\n2\n", []string{"0", "1", "2"}},
		{"duplicates", "crane\nowl\n2 crane, bird\n", []string{"crane (0)", "owl", "crane (2)"}},
		{"duplicates, and one looks like it", "crane (2)\nowl\ncrane\ncrane\n", []string{"crane (2) (0)", "owl", "crane (2) (2)", "crane (3)"}},
		{"case tells apart", "cardigan\nCardigan\n", []string{"cardigan", "Cardigan"}},
		{"names are kept", "Ärmel\na  b\n\"x\"\n", []string{"Ärmel", "a  b", `"x"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ReadLabels(strings.NewReader(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestReadLabelsErrors(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", "labels: the list is empty: a line for each class is needed"},
		{"only empty lines", "\n\n", "labels: the list is empty: a line for each class is needed"},
		{"empty line", "cat\n\n\ndog\n", "labels: line 2 is empty: a line for each class is needed, in the order of the classes"},
		{"no name", "cat\n , ,\n", `labels: line 2 has no name: " , ,"`},
		{"bytes", "cat\nTFL3\xff\xfe\n", `labels: line 2 is not UTF-8 text: "TFL3\xff\xfe"`},
		{"long", "cat\n" + strings.Repeat("x", 70_000), "labels: line 2 is longer than 65536 bytes: this is no list of labels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := ReadLabels(strings.NewReader(c.in)); err == nil || err.Error() != c.want {
				t.Errorf("got %.3q and %v, want %s", got, err, c.want)
			}
		})
	}
	broken := errors.New("broken")
	if _, err := ReadLabels(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a reader's error became %v", err)
	}
}

func TestReadLabelsOfModels(t *testing.T) {
	for _, c := range []struct {
		file   string
		labels int
		some   map[int]string
	}{
		{"imagenet_labels.txt", 1001, map[int]string{
			0: "background", 1: "tench", 25: "great grey owl", 135: "crane (135)", 518: "crane (518)", 899: "water bottle",
		}},
		{"inat_bird_labels.txt", 965, map[int]string{0: "Haemorhous cassinii (Cassin's Finch)", 964: "background"}},
		{"inat_insect_labels.txt", 1022, map[int]string{0: "Nicrophorus tomentosus (Tomentose Burying Beetle)"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			file, err := os.Open(testData(t, filepath.Join("models", c.file)))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			labels, err := ReadLabels(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(labels) != c.labels {
				t.Fatalf("%d labels, want %d", len(labels), c.labels)
			}
			for i, want := range c.some {
				if labels[i] != want {
					t.Errorf("label %d is %q, want %q", i, labels[i], want)
				}
			}
		})
	}
}

// testData gives the path of a file of the test data, and skips where there is none.
func testData(t *testing.T, name string) string {
	dir := os.Getenv("TARSIER_TESTDATA")
	if dir == "" {
		dir = "../../shared"
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no test data: %v", err)
		}
		t.Skipf("no test data: %v (TARSIER_TESTDATA says where it is)", err)
	}
	return path
}

func FuzzReadLabels(f *testing.F) {
	f.Add("   0  background\n   1  tench, Tinca tinca\n")
	f.Add("crane (2)\nowl\ncrane\ncrane\n")
	f.Add("\ufeff1,2\r\n\n")
	f.Fuzz(func(t *testing.T, in string) {
		labels, err := ReadLabels(strings.NewReader(in))
		if err != nil {
			return
		}
		if lines := strings.Count(strings.TrimSpace(in), "\n") + 1; len(labels) > lines {
			t.Errorf("%d labels of %d lines", len(labels), lines)
		}
		seen := make(map[string]bool)
		for i, label := range labels {
			if label == "" || label != strings.TrimSpace(label) || !utf8.ValidString(label) {
				t.Errorf("label %d is %q", i, label)
			}
			if seen[label] {
				t.Errorf("label %d, %q, is there twice", i, label)
			}
			seen[label] = true
		}
	})
}
