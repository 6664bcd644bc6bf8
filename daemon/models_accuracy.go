package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"tarsier/config"
)

// descriptionName is the file of a model directory that says what its models do
// not: model.yaml, with the one key accuracy, a share from 0 to 1 for each
// width or file name.
//
//	accuracy: {"1.0": 0.718, mobilenet_v2_0.35.tflite: 0.603}
const descriptionName = "model.yaml"

// readAccuracy gives what the directory's description states of each of its
// files, nil where it states nothing.
func readAccuracy(files []modelFile) ([]*float64, error) {
	if len(files) == 0 {
		return nil, nil
	}
	data, path, err := files[0].beside(descriptionName)
	if errors.Is(err, fs.ErrNotExist) {
		return make([]*float64, len(files)), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what the directory says of its models: %w", err)
	}
	return parseAccuracy(path, data, files)
}

// A description is one that is being read.
type description struct {
	path     string
	files    []modelFile
	stated   []*float64 // of each file
	mistakes config.Errors
}

// parseAccuracy reads a description, in which whatever is not known is wrong:
// then the error is config.Errors.
func parseAccuracy(path string, data []byte, files []modelFile) ([]*float64, error) {
	d := &description{path: path, files: files, stated: make([]*float64, len(files))}
	if root := d.document(data); root != nil {
		d.top(root)
	}
	if d.mistakes != nil {
		return nil, d.mistakes
	}
	return d.stated, nil
}

func (d *description) wrong(line int, key, found, allowed string) {
	d.mistakes = append(d.mistakes, config.Error{File: d.path, Line: max(1, line), Key: key, Found: found, Allowed: allowed})
}

const descriptionForm = `accuracy: {"1.0": 0.718}`

// document parses the YAML, nil if there is nothing in it.
func (d *description) document(data []byte) *yaml.Node {
	var document, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if err = decoder.Decode(&second); err == nil {
			d.wrong(second.Line, "", "a second document", "one")
			return nil
		}
	}
	if !errors.Is(err, io.EOF) {
		line := 1
		_, _ = fmt.Sscanf(err.Error(), "yaml: line %d:", &line)
		d.wrong(line, "", "text that is not YAML ("+strings.TrimPrefix(err.Error(), "yaml: ")+")", descriptionForm)
		return nil
	}
	return document.Content[0]
}

// top reads the keys, of which there is one.
func (d *description) top(root *yaml.Node) {
	if root.Kind != yaml.MappingNode {
		d.wrong(root.Line, "", inWords(root), descriptionForm)
		return
	}
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Value != "accuracy":
			d.wrong(key.Line, inWords(key), "an unknown key", "accuracy")
		case i > 0 && root.Content[0].Value == key.Value:
			d.wrong(key.Line, key.Value, "the key again", "once")
		case value.Kind != yaml.MappingNode:
			d.wrong(value.Line, key.Value, inWords(value), descriptionForm)
		default:
			for i := 0; i < len(value.Content); i += 2 {
				d.accuracy(value.Content[i], value.Content[i+1])
			}
		}
	}
}

// accuracy reads one entry. A width that no file has may be one that was not
// downloaded.
func (d *description) accuracy(name, share *yaml.Node) {
	key := "accuracy." + inWords(name)
	width, err := config.ParseWidth(name.Value)
	isWidth := err == nil && width > 0 && name.Kind == yaml.ScalarNode
	var of []int
	for i, f := range d.files {
		if isWidth && float64(width) == f.facts.WidthMult || name.Kind == yaml.ScalarNode && name.Value == filepath.Base(f.path) {
			of = append(of, i)
		}
	}
	value, err := strconv.ParseFloat(share.Value, 64)
	switch {
	case len(of) == 0 && !isWidth:
		d.wrong(name.Line, key, "neither a width nor a file", `a width, such as "1.0", or the name of a .tflite file beside it`)
	case len(of) > 1:
		d.wrong(name.Line, key, fmt.Sprintf("a width that %d files have", len(of)), "the name of each")
	case share.Kind != yaml.ScalarNode || err != nil || !(value >= 0 && value <= 1):
		d.wrong(share.Line, key, inWords(share), "a share from 0 to 1")
	case len(of) == 1 && d.stated[of[0]] != nil:
		d.wrong(name.Line, key, "the same model again", "each once")
	case len(of) == 1:
		d.stated[of[0]] = &value
	}
}

// inWords is what a node is; of a scalar its text.
func inWords(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	return fmt.Sprintf("%.60q", n.Value)
}
