package modelfile

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"tarsier/mnv2/float"
)

// The keys of metadata that files of float32 networks may have, in ONNX's
// metadata_props and safetensors' __metadata__. Package train writes them.
const (
	// MeanKey and StdKey say which real value a pixel's byte p stands for:
	// (p - mean) / std. Each is one number, or three with commas between them
	// for red, green and blue, in units of bytes: "123.675,116.28,103.53".
	MeanKey = "tarsier.mean"
	StdKey  = "tarsier.std"
	// SizeKey is the height and width of the input in pixels.
	SizeKey = "tarsier.size"
)

// Pixels gives the normalization in metadata, standard where it has none.
func Pixels(metadata map[string]string, standard float.Normalization) (float.Normalization, error) {
	mean, hasMean := metadata[MeanKey]
	std, hasStd := metadata[StdKey]
	switch {
	case !hasMean && !hasStd:
		return standard, nil
	case hasMean != hasStd:
		return standard, fmt.Errorf("metadata: %s and %s go together, and only one of them is there", MeanKey, StdKey)
	}
	var (
		n   float.Normalization
		err error
	)
	if n.Mean, err = colours(MeanKey, mean); err != nil {
		return n, err
	}
	if n.Std, err = colours(StdKey, std); err != nil {
		return n, err
	}
	for _, s := range n.Std {
		if s <= 0 {
			return n, fmt.Errorf("metadata: %s %q: it must be more than 0", StdKey, std)
		}
	}
	return n, nil
}

func colours(key, list string) (v [3]float32, err error) {
	parts := strings.Split(list, ",")
	if len(parts) != 1 && len(parts) != 3 {
		return v, fmt.Errorf("metadata: %s %q: there must be one number, or three with commas between them", key, list)
	}
	for i := range v {
		f, err := strconv.ParseFloat(strings.TrimSpace(parts[i%len(parts)]), 32)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return v, fmt.Errorf("metadata: %s %q: %q is not a number", key, list, parts[i%len(parts)])
		}
		v[i] = float32(f)
	}
	return v, nil
}

// Size gives the height and width of the input in metadata, 224 where it has
// none.
func Size(metadata map[string]string) (int, error) {
	s, ok := metadata[SizeKey]
	if !ok {
		return 224, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("metadata: %s %q: it must be the height and width of the input in pixels", SizeKey, s)
	}
	return n, nil
}
