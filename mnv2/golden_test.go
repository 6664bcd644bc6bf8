package mnv2_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/testfiles"
	"tarsier/mnv2/tflite"
)

// goldenIndex is index.json of a golden file.
type goldenIndex struct {
	Model string
	Cases []goldenCase
}

type goldenCase struct {
	Name   string
	Input  string // zip entry of the int8 input
	Layers []goldenLayer
}

type goldenLayer struct {
	Op        string
	Shape     []int
	Scale     float64
	ZeroPoint int32 `json:"zero_point"`
	SHA256    string
	Data      string // zip entry; "" for most
}

// TestGolden compares every layer of every case with what LiteRT gave.
func TestGolden(t *testing.T) {
	zips, err := filepath.Glob(filepath.Join(testfiles.Path(t, "golden"), "*.zip"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range zips {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".zip"), func(t *testing.T) {
			t.Parallel()
			testGolden(t, path)
		})
	}
}

func testGolden(t *testing.T, path string) {
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var index goldenIndex
	if err := json.Unmarshal(entry(t, z, "index.json"), &index); err != nil {
		t.Fatal(err)
	}
	n, err := tflite.Load(filepath.Join(filepath.Dir(path), index.Model))
	if err != nil {
		t.Fatal(err)
	}
	m, err := mnv2.New(n, mnv2.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	r := m.NewRunner()
	defer r.Close()
	if testfiles.RaceDetector { // one case shows all races that eleven do
		index.Cases = index.Cases[:1]
	}
	for _, c := range index.Cases {
		input := int8s(entry(t, z, c.Input))
		outputs := mnv2.Unfused(m, n, input)
		if len(outputs) != len(c.Layers) {
			t.Fatalf("%d layers: want %d", len(outputs), len(c.Layers))
		}
		for i, want := range c.Layers {
			got := outputs[i]
			where := fmt.Sprintf("%s, layer %d", c.Name, i)
			shape := fmt.Sprint([]int{1, got.Size, got.Size, got.Channels})
			if len(want.Shape) == 2 {
				shape = fmt.Sprint([]int{1, got.Channels})
			}
			if got.Op != want.Op || shape != fmt.Sprint(want.Shape) {
				t.Fatalf("%s: %s %s: want %s %v", where, got.Op, shape, want.Op, want.Shape)
			}
			if want.Data != "" {
				mustEqual(t, where, got.Data, int8s(entry(t, z, want.Data)))
			}
			if sum := sha256.Sum256(bytesOf(got.Data)); hex.EncodeToString(sum[:]) != want.SHA256 {
				t.Errorf("%s (%s): SHA-256 %x: want %s", where, got.Op, sum, want.SHA256)
			}
		}
		if err := r.RunInt8(input); err != nil {
			t.Fatal(err)
		}
		mustEqualFused(t, c.Name, r, outputs)
	}
}

// mustEqualFused compares what is left of a run with the layers taken apart.
func mustEqualFused(t *testing.T, where string, r *mnv2.Runner, outputs []mnv2.Output) {
	t.Helper()
	embedding, logits := r.Quantized()
	for i := len(outputs) - 1; i >= 0; i-- {
		switch o := outputs[i]; o.Op {
		case "fully_connected":
			mustEqual(t, where+", fused logits", logits, o.Data)
		case "mean":
			mustEqual(t, where+", fused embedding", embedding, o.Data)
			return
		}
	}
}

func mustEqual(t *testing.T, where string, got, want []int8) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values: want %d", where, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: value %d of %d is %d: want %d", where, i, len(got), got[i], want[i])
		}
	}
}

func entry(t *testing.T, z *zip.ReadCloser, name string) []byte {
	t.Helper()
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func int8s(b []byte) []int8 {
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(b))), len(b))
}

func bytesOf(q []int8) []byte {
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(q))), len(q)))
}
