// Package modelfile has what the readers of model files share: reading a file
// with care, the number formats of weights, batch normalization that is folded
// into the convolution before it, and the metadata in which a float32 file says
// what its pixels stand for.
package modelfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tarsier/mnv2/float"
)

// The largest files that are read. A MobileNetV2 of width 1.4 has 6 MB in int8,
// and one with the 21,841 classes of all of ImageNet 28 MB.
const (
	MaxInt8  = 64 << 20
	MaxFloat = 4 * MaxInt8
)

// MaxRank is the largest number of dimensions of a tensor that is read.
const MaxRank = 8

// Load reads the float32 network in the file at path, whose name ends in ext,
// with read. Its Name is what read finds, else the file's.
func Load(path, ext string, read func([]byte) (*float.Network, error)) (*float.Network, error) {
	data, err := Read(path, ext, MaxFloat)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", path, err)
	}
	net, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", path, err)
	}
	if net.Name == "" {
		net.Name = Name(path, ext)
	}
	return net, nil
}

// Name is what a file's network is called where it does not say.
func Name(path, ext string) string { return strings.TrimSuffix(filepath.Base(path), ext) }

// Read gives the bytes of a regular file, limit of them at most. The errors do
// not name the path.
func Read(path, ext string, limit int64) ([]byte, error) {
	// Asked before the file is opened: to open a pipe would wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, cause(err)
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, fmt.Errorf("a directory; name a %s file in it", ext)
	case !mode.IsRegular():
		return nil, errors.New("not a regular file")
	}
	if err := CheckSize(info.Size(), limit); err != nil {
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

// cause takes the path from an error.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// CheckSize refuses files that are empty or have more than limit bytes.
func CheckSize(n, limit int64) error {
	switch {
	case n == 0:
		return errors.New("the file is empty")
	case n > limit:
		return fmt.Errorf("the file has %d bytes, more than the %d MiB that a MobileNetV2 may have", n, limit>>20)
	}
	return nil
}
