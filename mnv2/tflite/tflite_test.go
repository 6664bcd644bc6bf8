package tflite

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarsier/mnv2"
	"tarsier/mnv2/internal/modelfile"
	"tarsier/mnv2/internal/modelfile/modeltest"
	"tarsier/mnv2/internal/randnet"
	"tarsier/mnv2/internal/testfiles"
)

// What the files are said to be, in ../shared/README.md and by their makers.
func TestLoad(t *testing.T) {
	torch, same := mnv2.Padding{Before: 1, After: 1}, mnv2.Padding{After: 1}
	int8Input, legacyInput := mnv2.Quantization{Scale: 1 / 127.5, Zero: -1}, mnv2.Quantization{Scale: 1. / 128}
	legacyPixels := mnv2.Normalization{Mean: 128, Std: 128}
	for _, want := range []struct {
		file                 string
		first, last, classes int
		pad                  mnv2.Padding
		expands              bool // block 0
		input                mnv2.Quantization
		pixels               mnv2.Normalization
		rescaled             int // channels of a legacy file that do not fit -127..127
	}{
		{"golden/imagenet_1.0_int8.tflite", 32, 1280, 1001, same, false, int8Input, defaultPixels, 0},
		{"golden/random_0.35_int8.tflite", 16, 1280, 1001, same, false, int8Input, defaultPixels, 0},
		{"golden/random_0.35_features_int8.tflite", 16, 1280, 0, same, false, int8Input, defaultPixels, 0},
		{"golden/random_0.75_int8.tflite", 24, 1280, 1001, same, false, int8Input, defaultPixels, 0},
		{"golden/random_0.75_torch_int8.tflite", 24, 1280, 10, torch, true, int8Input, defaultPixels, 0},
		{"golden/random_1.4_int8.tflite", 48, 1792, 100, same, false, int8Input, defaultPixels, 0},
		{"models/mobilenet_v2_1.0_224_quant.tflite", 32, 1280, 1001, same, false, legacyInput, legacyPixels, 63},
		{"models/mobilenet_v2_1.0_224_inat_bird_quant.tflite", 32, 1280, 965, same, false, legacyInput, legacyPixels, 75},
		{"models/mobilenet_v2_1.0_224_inat_insect_quant.tflite", 32, 1280, 1022, same, false, legacyInput, legacyPixels, 60},
	} {
		t.Run(filepath.Base(want.file), func(t *testing.T) {
			net, err := Load(testfiles.Path(t, want.file))
			if err != nil {
				t.Fatal(err)
			}
			if name := strings.TrimSuffix(filepath.Base(want.file), ".tflite"); net.Name != name {
				t.Errorf("name %q, want %q", net.Name, name)
			}
			if b, err := hex.DecodeString(net.SHA256); err != nil || len(b) != 32 {
				t.Errorf("SHA-256 %q", net.SHA256)
			}
			classes := 0
			if net.Classifier != nil {
				classes = net.Classifier.Out
			}
			if net.Size != 224 || len(net.Blocks) != 17 || net.First.Out != want.first || net.Last.Out != want.last || classes != want.classes {
				t.Errorf("size %d, %d blocks, %d first and %d last channels, %d classes; want 224, 17, %d, %d, %d",
					net.Size, len(net.Blocks), net.First.Out, net.Last.Out, classes, want.first, want.last, want.classes)
			}
			if net.First.Pad != want.pad || (net.Blocks[0].Expand != nil) != want.expands {
				t.Errorf("padding %v, block 0 expands: %v", net.First.Pad, net.Blocks[0].Expand != nil)
			}
			if net.Input != want.input || net.Pixels != want.pixels {
				t.Errorf("input %v, pixels %v; want %v, %v", net.Input, net.Pixels, want.input, want.pixels)
			}
			residuals := 0
			for i := range net.Blocks {
				if net.Blocks[i].Residual != nil {
					residuals++
				}
			}
			if residuals != 10 {
				t.Errorf("%d residual additions, want 10", residuals)
			}
			if want.pixels == legacyPixels {
				if n := rescaled(net); n != want.rescaled {
					t.Errorf("%d channels were rescaled, want %d", n, want.rescaled)
				}
			}
		})
	}
}

// rescaled counts the channels whose scale is larger than others of the layer.
func rescaled(net *mnv2.Network) int {
	n := 0
	for _, c := range convs(net) {
		least := c.Scales[0]
		for _, s := range c.Scales {
			least = min(least, s)
		}
		for _, s := range c.Scales {
			if s > least {
				n++
			}
		}
	}
	return n
}

// convs gives all of a network's convolutions.
func convs(net *mnv2.Network) []*mnv2.Conv {
	list := []*mnv2.Conv{&net.First, &net.Last}
	for i := range net.Blocks {
		b := &net.Blocks[i]
		if b.Expand != nil {
			list = append(list, b.Expand)
		}
		list = append(list, &b.Depthwise, &b.Project)
	}
	if net.Classifier != nil {
		list = append(list, net.Classifier)
	}
	return list
}

func TestLoadFloat(t *testing.T) {
	_, err := Load(testfiles.Path(t, "models/float/random_0.35_float.tflite"))
	modeltest.WantError(t, err, `random_0.35_float.tflite: conv_2d #0 "functional`, "computes in floating point", "quantized to int8")
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	huge := write("huge.tflite", "x")
	if err := os.Truncate(huge, modelfile.MaxInt8+1); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, want string }{
		{filepath.Join(dir, "missing.tflite"), "missing.tflite: no such file"},
		{dir, "a directory; name a .tflite file"},
		{os.DevNull, "not a regular file"},
		{write("empty.tflite", ""), "empty.tflite: the file is empty"},
		{huge, "more than the 64 MiB"},
		{write("short.tflite", "TFL3"), "not a TensorFlow Lite file"},
		{write("page.tflite", "<!DOCTYPE html><title>404</title>"), `not a TensorFlow Lite file: no "TFL3" at offset 4`},
	} {
		_, err := Load(test.path)
		modeltest.WantError(t, err, "model "+test.path, test.want)
		if strings.Count(err.Error(), test.path) != 1 {
			t.Errorf("the path is not there once: %v", err)
		}
	}
	if _, err := Load(filepath.Join(dir, "missing.tflite")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

// BenchmarkRead reads a network of width 1.0: 4 MB.
func BenchmarkRead(b *testing.B) {
	data, err := Write(randnet.New(1, randnet.Options{Classes: 1001}), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(data); err != nil {
			b.Fatal(err)
		}
	}
}
