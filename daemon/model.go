package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarsier/config"
	"tarsier/mnv2"
	"tarsier/mnv2/health"
	"tarsier/mnv2/tflite"
	"tarsier/pipeline"
)

// A modelFile is a .tflite file and what it holds, or why it cannot be used.
type modelFile struct {
	path    string
	builtIn bool // a file of package health, and path only a name for it
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

// readBuiltIn reads a file of package health.
func readBuiltIn(name string) modelFile {
	f := modelFile{path: "built-in/" + name, builtIn: true}
	data, err := health.Files.ReadFile(name)
	f.bytes = int64(len(data))
	if err == nil {
		f.network, err = tflite.Read(data)
	}
	if err == nil {
		f.network.Name = health.Name
		f.facts, err = f.network.Facts()
	}
	if err != nil {
		f.err = fmt.Errorf("model %s: %w", f.path, err)
	}
	return f
}

// beside reads another file of the directory that the model is in. It gives
// that file's path, too.
func (f *modelFile) beside(name string) (data []byte, path string, err error) {
	path = filepath.Join(filepath.Dir(f.path), name)
	if f.builtIn {
		data, err = health.Files.ReadFile(name)
	} else {
		data, err = os.ReadFile(path)
	}
	return data, path, err
}

// readModelDir reads every .tflite file of a directory, the widest first; "" is
// the built-in model.
func readModelDir(dir string) ([]modelFile, error) {
	var entries []fs.DirEntry
	var err error
	read := readBuiltIn
	if dir == "" {
		entries, err = health.Files.ReadDir(".")
	} else {
		entries, err = os.ReadDir(dir)
		read = func(name string) modelFile { return readModelFile(filepath.Join(dir, name)) }
	}
	if err != nil {
		return nil, usagef("read the model directory: %w; set model.dir to a directory with *.tflite files and labels.txt (/usr/share/tarsier/get-models, or deploy/get-models in the project, downloads one), or leave it out for the built-in model", err)
	}
	var files []modelFile
	for _, e := range entries {
		if strings.EqualFold(filepath.Ext(e.Name()), ".tflite") {
			files = append(files, read(e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, usagef("no *.tflite file in the model directory %s (/usr/share/tarsier/get-models, or deploy/get-models in the project, downloads one)", dir)
	}
	slices.SortStableFunc(files, func(a, b modelFile) int { return cmp.Compare(b.facts.WidthMult, a.facts.WidthMult) })
	return files, nil
}

// usableModels returns the files of a directory that can be used, the widest
// first; there is at least one. broken says what is wrong with the others.
func usableModels(dir string) (usable []modelFile, broken []error, err error) {
	files, err := readModelDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files {
		if f.err != nil {
			broken = append(broken, f.err)
		} else {
			usable = append(usable, f)
		}
	}
	if len(usable) == 0 {
		return nil, nil, &usageError{fmt.Errorf("no usable model in %s: %w", dir, errors.Join(broken...))}
	}
	return usable, broken, nil
}

// oneWidth is the width that a command without cameras runs: of Auto the
// widest, since nothing has to keep up.
func oneWidth(w config.Width) float64 { return float64(max(w, config.Widest)) }

// pickModel returns the file of a directory with that width, or the widest
// if width is 0.
func pickModel(dir string, width float64) (modelFile, error) {
	usable, broken, err := usableModels(dir)
	if err != nil {
		return modelFile{}, err
	}
	dir = cmp.Or(dir, "the built-in model")
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
	labels, labelPath, err := readLabels(f, labelPath)
	if err != nil {
		return nil, err
	}
	engine, err := mnv2.New(f.network, o)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", f.path, err)
	}
	return &model{file: f.bare(), engine: engine, labels: labels, labelPath: labelPath}, nil
}

// bare is the file without its weights, which the engine has in its own order.
func (f modelFile) bare() modelFile {
	f.network = &mnv2.Network{Name: f.network.Name, SHA256: f.network.SHA256}
	return f
}

// readLabels reads the labels of a file's classes, from path or from labels.txt
// beside it.
func readLabels(f modelFile, path string) ([]string, string, error) {
	if f.facts.Classes == 0 {
		return nil, "", usagef("%s is a feature extractor: it has no classifier, and so no labels to see", f.path)
	}
	var text []byte
	var err error
	if path == "" {
		text, path, err = f.beside("labels.txt")
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, "", usagef("read the labels of %s: %w; a labels file has one line a class", f.path, err)
	}
	labels, err := pipeline.ReadLabels(bytes.NewReader(text))
	if err != nil {
		return nil, "", usagef("read the labels %s: %w", path, err)
	}
	if len(labels) != f.facts.Classes {
		return nil, "", usagef("%s has %d labels, but the model %s has %d classes: the two do not belong together",
			path, len(labels), f.path, f.facts.Classes)
	}
	return labels, path, nil
}

// unload lets go of the weights once another width of the same labels runs:
// those who know the labels by this model keep it.
func (m *model) unload() { m.engine = nil }

// equal says whether two models give the same scores to the same labels.
func (m *model) equal(o *model) bool {
	return m.file.network.SHA256 == o.file.network.SHA256 && slices.Equal(m.labels, o.labels)
}

// replaces says whether what is for o can be given to m: pictures of one size,
// scores of the same labels.
func (m *model) replaces(o *model) bool {
	return m == o || m.file.facts.Size == o.file.facts.Size && slices.Equal(m.labels, o.labels)
}

// events are the classes that make events where nobody has chosen: all (none
// here), of the built-in model those of a camera that is not as it should be.
func (m *model) events() (only []int) {
	for i := range m.labels {
		if m.problem(i) {
			only = append(only, i)
		}
	}
	return only
}

// problem says whether a class is of a camera that is not as it should be: of the built-in model all but one, of others none.
func (m *model) problem(class int) bool { return m.file.builtIn && m.labels[class] != health.Normal }

// info is what events say of the model.
func (m *model) info() pipeline.Model {
	return pipeline.Model{Name: m.file.network.Name, WidthMult: m.file.facts.WidthMult, SHA256: m.file.network.SHA256[:8]}
}
