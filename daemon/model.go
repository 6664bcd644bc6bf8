package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarsier/mnv2"
	"tarsier/mnv2/tflite"
	"tarsier/pipeline"
)

// A modelFile is a .tflite file and what it holds, or why it cannot be used.
type modelFile struct {
	path    string
	bytes   int64
	network *mnv2.Network
	facts   mnv2.Facts
	err     error
}

func readModelFile(path string) modelFile {
	f := modelFile{path: path}
	if info, err := os.Stat(path); err == nil {
		f.bytes = info.Size()
	}
	if f.network, f.err = tflite.Load(path); f.err == nil {
		f.facts, f.err = f.network.Facts()
	}
	return f
}

// readModelDir reads every .tflite file of a directory, the widest first.
func readModelDir(dir string) ([]modelFile, error) {
	if dir == "" {
		return nil, usagef("no model: set model.dir in the config, or TARSIER_MODEL_DIR, or --model, to a directory with *.tflite files and labels.txt (/usr/share/tarsier/get-models, or deploy/get-models in the project, downloads one)")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, usagef("read the model directory: %w; set model.dir to a directory with *.tflite files and labels.txt (/usr/share/tarsier/get-models, or deploy/get-models in the project, downloads one)", err)
	}
	var files []modelFile
	for _, e := range entries {
		if strings.EqualFold(filepath.Ext(e.Name()), ".tflite") {
			files = append(files, readModelFile(filepath.Join(dir, e.Name())))
		}
	}
	if len(files) == 0 {
		return nil, usagef("no *.tflite file in the model directory %s (/usr/share/tarsier/get-models, or deploy/get-models in the project, downloads one)", dir)
	}
	slices.SortStableFunc(files, func(a, b modelFile) int {
		switch {
		case a.facts.WidthMult > b.facts.WidthMult:
			return -1
		case a.facts.WidthMult < b.facts.WidthMult:
			return 1
		}
		return 0
	})
	return files, nil
}

// pickModel returns the file of a directory with that width, or the widest
// if width is 0.
func pickModel(dir string, width float64) (modelFile, error) {
	files, err := readModelDir(dir)
	if err != nil {
		return modelFile{}, err
	}
	var broken []error
	var usable []modelFile
	for _, f := range files {
		if f.err != nil {
			broken = append(broken, f.err)
		} else {
			usable = append(usable, f)
		}
	}
	if len(usable) == 0 {
		return modelFile{}, &usageError{fmt.Errorf("no usable model in %s: %w", dir, errors.Join(broken...))}
	}
	if width == 0 {
		width = usable[0].facts.WidthMult
	}
	var found, others []string
	var pick modelFile
	for _, f := range usable {
		name := fmt.Sprintf("%v (%s)", f.facts.WidthMult, filepath.Base(f.path))
		if f.facts.WidthMult != width {
			others = append(others, name)
			continue
		}
		found = append(found, filepath.Base(f.path))
		pick = f
	}
	switch {
	case len(found) > 1:
		return modelFile{}, usagef("%s holds %d models of width_mult %v: %s; keep the models of one label set in a directory, one a width",
			dir, len(found), width, strings.Join(found, ", "))
	case len(found) == 0 && len(broken) > 0:
		return modelFile{}, &usageError{fmt.Errorf("no model of width_mult %v in %s; there are: %s; not usable: %w",
			width, dir, strings.Join(others, ", "), errors.Join(broken...))}
	case len(found) == 0:
		return modelFile{}, usagef("no model of width_mult %v in %s; there are: %s", width, dir, strings.Join(others, ", "))
	}
	return pick, nil
}

// resolveModel finds the model of a --model value, which is a file or a
// directory, or else of the config's model directory.
func resolveModel(flag, configDir string, width float64) (modelFile, error) {
	if flag == "" {
		return pickModel(configDir, width)
	}
	if info, err := os.Stat(flag); err == nil && info.IsDir() {
		return pickModel(flag, width)
	}
	f := readModelFile(flag)
	if errors.Is(f.err, os.ErrNotExist) {
		return f, &usageError{f.err}
	}
	if f.err == nil && width != 0 && f.facts.WidthMult != width {
		return f, usagef("%s has width_mult %v, not %v", flag, f.facts.WidthMult, width)
	}
	return f, f.err
}

// A model is a network ready to run, and what its classes are called.
type model struct {
	file   modelFile
	engine *mnv2.Model
	labels []string

	labelPath string // the file they are from
}

// loadModel prepares a file's network. The labels are read from path, or from
// labels.txt beside the model if path is "".
func loadModel(f modelFile, labelPath string, o mnv2.Options) (*model, error) {
	if f.facts.Classes == 0 {
		return nil, usagef("%s is a feature extractor: it has no classifier, and so no labels to see", f.path)
	}
	if labelPath == "" {
		labelPath = filepath.Join(filepath.Dir(f.path), "labels.txt")
	}
	file, err := os.Open(labelPath)
	if err != nil {
		return nil, usagef("read the labels of %s: %w; a labels file has one line a class", f.path, err)
	}
	defer file.Close()
	labels, err := pipeline.ReadLabels(file)
	if err != nil {
		return nil, usagef("read the labels %s: %w", labelPath, err)
	}
	if len(labels) != f.facts.Classes {
		return nil, usagef("%s has %d labels, but the model %s has %d classes: the two do not belong together",
			labelPath, len(labels), f.path, f.facts.Classes)
	}
	engine, err := mnv2.New(f.network, o)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", f.path, err)
	}
	f.network = &mnv2.Network{Name: f.network.Name, SHA256: f.network.SHA256} // the engine has the weights in its own order
	return &model{file: f, engine: engine, labels: labels, labelPath: labelPath}, nil
}

// equal says whether two models give the same scores to the same labels.
func (m *model) equal(o *model) bool {
	return m.file.network.SHA256 == o.file.network.SHA256 && slices.Equal(m.labels, o.labels)
}

// info is what events say of the model.
func (m *model) info() pipeline.Model {
	return pipeline.Model{Name: m.file.network.Name, WidthMult: m.file.facts.WidthMult, SHA256: m.file.network.SHA256[:8]}
}
