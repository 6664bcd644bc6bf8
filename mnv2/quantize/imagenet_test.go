package quantize

import (
	"archive/zip"
	"encoding/json"
	"io"
	"path/filepath"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/testfiles"
	"tarsier/mnv2/tflite"
)

// TestImageNet quantizes a trained network with four photographs, and compares it
// on others with the file that TensorFlow's converter made.
func TestImageNet(t *testing.T) {
	net, err := tflite.LoadFloat(filepath.Join(testfiles.Path(t, "models/float"), "imagenet_1.0_float.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := tflite.Load(filepath.Join(testfiles.Path(t, "golden"), "imagenet_1.0_int8.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	photos := goldenPhotos(t)
	if testfiles.RaceDetector { // TestQuantize has all the goroutines
		testReference(t, theirs, photos[0])
		return
	}
	ours, err := Quantize(net, photos[:4], Options{})
	if err != nil {
		t.Fatal(err)
	}
	testReference(t, ours, photos[6])
	testReference(t, theirs, photos[6])
	testFile(t, ours)

	var others [][]byte
	for _, p := range photos[4:] {
		others = append(others, p, mirrored(p, net.Size))
	}
	compare := func(name string, q *mnv2.Network) *Report {
		r, err := Compare(net, q, others, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: agreement %.3f, score error %.4f, SNR of the logits %.1f dB", name, r.Agreement, r.ScoreError, r.Layers[len(r.Layers)-1].SNR)
		return r
	}
	a, b := compare("ours", ours), compare("TensorFlow's", theirs)
	if a.Agreement < b.Agreement || a.ScoreError > b.ScoreError {
		t.Errorf("agreement %.3f, score error %.4f: TensorFlow's file has %.3f and %.4f", a.Agreement, a.ScoreError, b.Agreement, b.ScoreError)
	}
	for i, l := range a.Layers {
		if theirs := b.Layers[i].SNR; l.SNR < theirs-1 {
			t.Errorf("%s: SNR is %.1f dB: TensorFlow's file has %.1f", l.Name, l.SNR, theirs)
		}
	}
}

// goldenPhotos gives the photographs that the golden files were made with.
func goldenPhotos(t *testing.T) (photos [][]byte) {
	t.Helper()
	z, err := zip.OpenReader(filepath.Join(testfiles.Path(t, "golden"), "imagenet_1.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	read := func(name string) []byte {
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
	var index struct {
		Cases []struct{ Name, Input string }
	}
	if err := json.Unmarshal(read("index.json"), &index); err != nil {
		t.Fatal(err)
	}
	for _, c := range index.Cases[:7] {
		rgb := read(c.Input)
		for i := range rgb {
			rgb[i] ^= 128 // int8 to byte
		}
		photos = append(photos, rgb)
	}
	return photos
}

func mirrored(rgb []byte, size int) []byte {
	m := make([]byte, 0, len(rgb))
	for y := range size {
		for x := range size {
			m = append(m, rgb[(y*size+size-1-x)*3:][:3]...)
		}
	}
	return m
}
