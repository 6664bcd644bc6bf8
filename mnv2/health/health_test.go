package health_test

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/health"
	"tarsier/mnv2/tflite"
)

// maxBytes is what the files may add to the program.
const maxBytes = 1_200_000

// TestFiles loads and runs every width: each has the labels' classes, in their order.
func TestFiles(t *testing.T) {
	text, err := fs.ReadFile(health.Files, "labels.txt")
	if err != nil {
		t.Fatal(err)
	}
	labels := strings.Fields(string(text))
	if want := []string{"clear", "dark", "overexposed", "blurred", "covered", "corrupt", "noisy"}; !slices.Equal(labels, want) {
		t.Errorf("the labels are %q, not %q", labels, want)
	}
	if !slices.Contains(labels, health.Normal) {
		t.Errorf("%q is no label", health.Normal)
	}
	names, err := fs.Glob(health.Files, "*.tflite")
	if err != nil {
		t.Fatal(err)
	}
	var widths []float64
	size := 0
	for _, name := range names {
		data, err := fs.ReadFile(health.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		size += len(data)
		n, err := tflite.Read(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err := mnv2.New(n, mnv2.Options{Threads: 1})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f := m.Facts()
		if f.Classes != len(labels) || f.Size != 224 {
			t.Errorf("%s has %d classes and %dx%d pixels", name, f.Classes, f.Size, f.Size)
		}
		widths = append(widths, f.WidthMult)
		r := m.NewRunner()
		for label, pixel := range map[string]byte{"dark": 0, "overexposed": 255} {
			if err := r.Run(bytes.Repeat([]byte{pixel}, 3*f.Size*f.Size)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			scores := r.Scores()
			if best := labels[slices.Index(scores, slices.Max(scores))]; best != label {
				t.Errorf("%s takes a picture of the byte %d for %s", name, pixel, best)
			}
		}
		r.Close()
	}
	if !slices.Equal(widths, []float64{0.35, 0.5}) {
		t.Errorf("the widths are %v", widths)
	}
	if size > maxBytes {
		t.Errorf("the models have %d bytes, more than %d", size, maxBytes)
	}
}
