// Package tflite reads and writes quantized MobileNetV2 networks as TensorFlow
// Lite files.
//
// [Load] and [Read] take a .tflite file and give the [mnv2.Network] in it;
// [Write] is the way back. Which layer is which is read from the edges of the
// file's graph, not from names or from the order of its operators. Files of
// 2018 to 2020, whose numbers are uint8 with one scale for all weights of a
// layer, are converted to what mnv2 knows: int8, symmetric weights, one scale
// for each output channel. A file is not trusted: every offset in it is
// checked before it is followed, and one that is damaged, or is not a quantized
// MobileNetV2, gets an error that names the place.
//
// The format is the published schema (schema.fbs), the arithmetic it implies
// the TensorFlow Lite 8-bit quantization specification, the network Sandler et
// al., arXiv 1801.04381.
package tflite

//go:generate flatc --go --go-namespace schema -o internal schema.fbs metadata.fbs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tarsier/mnv2"
)

// maxFile is the largest file that is read. A MobileNetV2 of width 1.4 has
// 6 MB.
const maxFile = 64 << 20

// Load reads the network in a .tflite file. Its Name is the one in the file's
// metadata, else the file's.
func Load(path string) (*mnv2.Network, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", path, err)
	}
	net, err := Read(data)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", path, err)
	}
	if net.Name == "" {
		net.Name = strings.TrimSuffix(filepath.Base(path), ".tflite")
	}
	return net, nil
}

func readFile(path string) ([]byte, error) {
	// Asked before the file is opened: to open a pipe would wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, cause(err)
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, errors.New("a directory; name a .tflite file in it")
	case !mode.IsRegular():
		return nil, errors.New("not a regular file")
	}
	if err := checkSize(info.Size()); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("reading %d bytes: %w", len(data), cause(err))
	}
	return data, nil
}

// cause takes the path from an error, since Load's has it already.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func checkSize(n int64) error {
	switch {
	case n == 0:
		return errors.New("the file is empty")
	case n > maxFile:
		return fmt.Errorf("the file has %d bytes, more than the %d MiB that a MobileNetV2 may have", n, maxFile>>20)
	}
	return nil
}

// Read gives the network in the bytes of a .tflite file. It keeps data: the
// network's weights are slices of it where they need no conversion, so data
// must not change afterwards.
func Read(data []byte) (*mnv2.Network, error) {
	if err := checkSize(int64(len(data))); err != nil {
		return nil, err
	}
	m, err := open(data)
	if err != nil {
		return nil, err
	}
	net, err := m.network()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	net.SHA256 = hex.EncodeToString(sum[:])
	return net, nil
}
