//go:build models

package quantize_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
	"tarsier/mnv2/onnx"
	"tarsier/mnv2/quantize"
	"tarsier/mnv2/safetensors"
	"tarsier/mnv2/tflite"
)

const (
	size = 224

	// What a float32 sum in another order may differ by, of logits up to 10.
	maxFloatError = 1e-4

	// The root of the mean square of what quantization changes, as a part of
	// that of the logits or the embedding around their mean. Networks of random
	// weights lose more than trained ones.
	maxInt8Error = 0.3
)

// A madeModel is an entry of models.json, see testdata/make_models.py.
type madeModel struct {
	File    string
	Answers string
	Kind    string // of answers: logits, scores, embedding
}

// TestRoundTrip takes files that TensorFlow, Keras, torchvision, timm and plain
// PyTorch have written: the float32 pass gives what the tool itself gives, and
// the int8 file that comes of it the same bits here and in LiteRT.
// deploy/test-models makes the files and says where they are.
func TestRoundTrip(t *testing.T) {
	folder, python := os.Getenv("TARSIER_MODELS"), os.Getenv("TARSIER_PYTHON")
	if folder == "" || python == "" {
		t.Fatal("TARSIER_MODELS and TARSIER_PYTHON must say where the models are, and a Python with LiteRT: run ./deploy/test-models")
	}
	var made struct {
		Pictures int
		Models   []madeModel
	}
	index, err := os.ReadFile(filepath.Join(folder, "models.json"))
	if err == nil {
		err = json.Unmarshal(index, &made)
	}
	if err != nil || len(made.Models) == 0 {
		t.Fatalf("%d models: %v", len(made.Models), err)
	}
	picturesFile := filepath.Join(folder, "pictures.bin")
	data, err := os.ReadFile(picturesFile)
	if err != nil {
		t.Fatal(err)
	}
	var pictures [][]byte
	for range made.Pictures {
		pictures, data = append(pictures, data[:size*size*3]), data[size*size*3:]
	}

	out := t.TempDir()
	outputs := map[string][]int8{} // of our int8 file
	args := []string{filepath.Join("testdata", "run_litert.py"), picturesFile}
	for _, m := range made.Models {
		t.Run(m.File, func(t *testing.T) {
			net, err := load(filepath.Join(folder, m.File))
			if err != nil {
				t.Fatal(err)
			}
			answers := readAnswers(t, filepath.Join(folder, m.Answers))
			compareFloat(t, net, m.Kind, pictures, answers)
			q, err := quantize.Quantize(net, pictures, quantize.Options{})
			if err != nil {
				t.Fatal(err)
			}
			file, err := tflite.Write(q, tflite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(out, m.File+".int8.tflite")
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			outputs[path] = runInt8(t, path, m.Kind, pictures, answers)
			args = append(args, path)
		})
	}
	if combined, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Fatalf("LiteRT: %v\n%s", err, combined)
	}
	for path, want := range outputs {
		got, err := os.ReadFile(path + ".outputs")
		if err != nil {
			t.Fatal(err)
		}
		different := 0
		for i := range want {
			if len(got) != len(want) || int8(got[i]) != want[i] {
				different++
			}
		}
		if different > 0 {
			t.Errorf("%s: LiteRT gives %d numbers, of which %d of %d differ", filepath.Base(path), len(got), different, len(want))
		}
	}
}

func load(path string) (*float.Network, error) {
	switch filepath.Ext(path) {
	case ".onnx":
		return onnx.Load(path)
	case ".safetensors":
		return safetensors.Load(path)
	default:
		return tflite.LoadFloat(path)
	}
}

func readAnswers(t *testing.T, path string) []float32 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, len(data)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return v
}

// compareFloat compares the float32 pass with the tool's own answers.
func compareFloat(t *testing.T, net *float.Network, kind string, pictures [][]byte, answers []float32) {
	t.Helper()
	r := float.NewRunner(net)
	worst := 0.0
	for i, p := range pictures {
		result, err := r.Run(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]float32{"logits": result.Logits, "scores": result.Scores, "embedding": result.Embedding}[kind]
		want := answers[i*len(answers)/len(pictures):][:len(answers)/len(pictures)]
		if len(got) != len(want) {
			t.Fatalf("%d %s; want %d", len(got), kind, len(want))
		}
		for j := range want {
			worst = max(worst, math.Abs(float64(got[j]-want[j])))
		}
	}
	t.Logf("float32 differs by %.1e at most", worst)
	if !(worst < maxFloatError) {
		t.Errorf("float32 differs from the tool's by %v", worst)
	}
}

// runInt8 gives the int8 numbers that come out of the file, and compares what
// they stand for with the tool's own float32 answers.
func runInt8(t *testing.T, path, kind string, pictures [][]byte, answers []float32) []int8 {
	t.Helper()
	net, err := tflite.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	model, err := mnv2.New(net, mnv2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := model.NewRunner()
	defer r.Close()
	quantization := net.Embedding
	if net.Classifier != nil {
		quantization = net.Classifier.Output
	}
	var (
		out         []int8
		errors, all float64
	)
	mean := 0.0
	for _, a := range answers {
		mean += float64(a) / float64(len(answers))
	}
	for i, p := range pictures {
		if err := r.Run(p); err != nil {
			t.Fatal(err)
		}
		real := r.Embedding()
		if net.Classifier != nil {
			real = r.Logits()
		}
		for _, v := range real {
			out = append(out, int8(math.Round(float64(v/quantization.Scale))+float64(quantization.Zero)))
		}
		got := map[string][]float32{"logits": r.Logits(), "scores": r.Scores(), "embedding": r.Embedding()}[kind]
		for j, v := range got {
			want := float64(answers[i*len(got)+j])
			errors += (float64(v) - want) * (float64(v) - want)
			all += (want - mean) * (want - mean)
		}
	}
	t.Logf("int8 differs by %.3f of the deviation", math.Sqrt(errors/all))
	if e := math.Sqrt(errors / all); !(e < maxInt8Error) {
		t.Errorf("int8 differs from the tool's answers by %.3f of their deviation", e)
	}
	return out
}
