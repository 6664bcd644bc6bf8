package main

import (
	"strings"
	"testing"
)

func TestMeasuredText(t *testing.T) {
	models := []model{{width: "1.0"}, {width: "0.35"}}
	all := []*contender{
		{name: "tarsier with `portable`", ours: true, ms: map[string][]float64{"1.0": {60, 61, 70}, "0.35": {12, 12, 12}}},
		{name: "tarsier with `avx2`", ours: true, ms: map[string][]float64{"1.0": {2, 2, 4}, "0.35": {0.5, 0.5, 0.5}}},
		{name: "LiteRT 2.3.0", ms: map[string][]float64{"1.0": {4, 4.2, 8.8}, "0.35": {1.5, 1.5, 1.5}}},
		{name: "ONNX Runtime 1.32.0", ms: map[string][]float64{"1.0": {3, 3.2, 6}}},
	}
	text := measuredText("a CPU", models, all)
	for _, want := range []string{
		"on one core (a CPU):",
		"| | width 1.0 | factor | width 0.35 | factor |\n| --- | --- | --- | --- | --- |\n",
		"| tarsier with `portable` | 61.0 | 0.069 | 12.0 | 0.12 |\n",
		"| tarsier with `avx2` | 2.00 | 2.10 | 0.50 | 3.00 |\n",
		"| LiteRT 2.3.0 | 4.20 | 1.00 | 1.50 | 1.00 |\n",
		"| ONNX Runtime 1.32.0 | 3.20 | 1.33 | – | – |\n",
		"At width 1.0, tarsier with `avx2` is 1.50 times as fast as ONNX Runtime 1.32.0, the fastest of the others.",
		"At width 0.35, tarsier with `avx2` is 3.00 times as fast as LiteRT 2.3.0, the fastest of the others.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not found: %q in\n%s", want, text)
		}
	}
	if text := measuredText("a CPU", models, all[3:]); !strings.Contains(text, "| ONNX Runtime 1.32.0 | 3.20 | – | – | – |\n") {
		t.Errorf("without LiteRT there is no factor:\n%s", text)
	}
}

func TestLastLine(t *testing.T) {
	for out, want := range map[string]string{"": "", "3.1\n": "3.1", "INFO: a delegate\n4.2\n": "4.2"} {
		if got := lastLine(out); got != want {
			t.Errorf("%q: %q, want %q", out, got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	if m := median([]float64{9, 1, 2}); m != 2 {
		t.Errorf("of three: %v, want 2", m)
	}
	if m := median([]float64{9, 1, 2, 4}); m != 3 {
		t.Errorf("of four: %v, want 3", m)
	}
}
