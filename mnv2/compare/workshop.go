package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed peers.py
var peersPy string

// A peer is another engine: a package of PyPI, always of the same version, so
// that two tables differ by what we changed.
type peer struct {
	name, pip, version string
	file               func(model) string
}

var peers = []peer{
	{"LiteRT", "ai-edge-litert", "2.3.0", func(m model) string { return m.tflite }},
	{"ONNX Runtime", "onnxruntime", "1.32.0", func(m model) string { return m.onnx }},
	{"OpenVINO", "openvino", "2026.4.1", func(m model) string { return m.tflite }},
}

var litert = peers[0]

// A workshop has the tools of the comparison: programs of Debian's packages, and
// in a folder that stays the other engines. What is there is not fetched again.
type workshop struct {
	root  string // of the project
	dir   string // stays
	scrap string // does not

	aptUpdated bool
}

func newWorkshop(root string) (*workshop, error) {
	w := &workshop{root: root, dir: filepath.Join(root, ".cache", "compare")}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	w.scrap, err = os.MkdirTemp(w.dir, "run-")
	return w, err
}

func (w *workshop) close() { _ = os.RemoveAll(w.scrap) }

// program finds a program, after it has installed the packages that it comes
// with if need be.
func (w *workshop) program(ctx context.Context, name string, packages ...string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	if err := w.apt(ctx, packages...); err != nil {
		return "", fmt.Errorf("get %s: %w", name, err)
	}
	return exec.LookPath(name)
}

func (w *workshop) apt(ctx context.Context, packages ...string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("no apt-get here: install by hand what Debian calls %s", strings.Join(packages, ", "))
	}
	if !w.aptUpdated {
		if err := asRoot(ctx, "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3", "update"); err != nil {
			return err
		}
		w.aptUpdated = true
	}
	say("installing %s", strings.Join(packages, " "))
	return asRoot(ctx, append([]string{
		"env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=a",
		"apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3", "install", "--no-install-recommends",
	}, packages...)...)
}

func asRoot(ctx context.Context, command ...string) error {
	if os.Getuid() != 0 {
		if _, err := exec.LookPath("sudo"); err != nil {
			return fmt.Errorf("needs root to run %q, and there is no sudo: run it as root", strings.Join(command, " "))
		}
		command = append([]string{"sudo"}, command...)
	}
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Stdin = os.Stdin // sudo asks for a password
	_, err := output(c)
	return err
}

// python is that of a virtual environment, which can install packages.
func (w *workshop) python(ctx context.Context) (string, error) {
	python := filepath.Join(w.dir, "venv", "bin", "python")
	if exec.CommandContext(ctx, python, "-m", "pip", "--version").Run() == nil {
		return python, nil
	}
	system, err := w.program(ctx, "python3", "python3-venv")
	if err != nil {
		return "", err
	}
	if exec.CommandContext(ctx, system, "-c", "import ensurepip, venv").Run() != nil {
		if err := w.apt(ctx, "python3-venv"); err != nil {
			return "", fmt.Errorf("make a Python environment: %w", err)
		}
	}
	_, err = output(exec.CommandContext(ctx, system, "-m", "venv", "--clear", filepath.Join(w.dir, "venv")))
	return python, err
}

// peer installs another engine, and returns the Python that can import it.
func (w *workshop) peer(ctx context.Context, p peer) (python string, err error) {
	if python, err = w.python(ctx); err != nil {
		return "", fmt.Errorf("install %s: %w", p.name, err)
	}
	wanted := p.pip + "==" + p.version
	has := `import importlib.metadata as m, sys; name, _, version = sys.argv[1].partition("=="); assert m.version(name) == version`
	if exec.CommandContext(ctx, python, "-c", has, wanted).Run() == nil {
		return python, nil
	}
	say("installing %s", wanted)
	if _, err := output(exec.CommandContext(ctx, python, "-m", "pip", "install", "--quiet", "--only-binary=:all:", wanted)); err != nil {
		return "", fmt.Errorf("install %s: %w", p.name, err)
	}
	return python, nil
}

// The Debian, its Python and the wheels that LiteRT's arm64 build runs in. Like
// LiteRT itself they are always the same.
var (
	guestDebian = "bookworm"
	guestPython = "3.11"
	guestWheels = []string{litert.pip + "==" + litert.version, "numpy==2.2.6", "flatbuffers==25.2.10"}
)

// litertARM64 makes a folder with LiteRT's arm64 build and all that it needs, for
// QEMU to find: no part of it is installed. It needs no root.
func (w *workshop) litertARM64(ctx context.Context) (string, error) {
	guest := filepath.Join(w.dir, "litert-arm64")
	recipe := strings.Join(append([]string{guestDebian}, guestWheels...), "\n")
	if made, err := os.ReadFile(filepath.Join(guest, "recipe")); err == nil && string(made) == recipe {
		return guest, nil
	}
	python, err := w.python(ctx)
	if err != nil {
		return "", err
	}
	mmdebstrap, err := w.program(ctx, "mmdebstrap", "mmdebstrap", "debian-archive-keyring")
	if err != nil {
		return "", err
	}
	say("fetching LiteRT's arm64 build and an arm64 Python")
	if err := os.RemoveAll(guest); err != nil {
		return "", err
	}
	_, err = output(exec.CommandContext(ctx, mmdebstrap, "--quiet", "--mode=chrootless", "--variant=extract", "--arch=arm64",
		"--include=python3,libstdc++6,libgomp1", guestDebian, guest))
	if err != nil {
		return "", fmt.Errorf("fetch an arm64 Python: %w", err)
	}
	wheels := filepath.Join(guest, "wheels")
	_, err = output(exec.CommandContext(ctx, python, append([]string{
		"-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version", guestPython,
		"--platform", "manylinux_2_27_aarch64", "--platform", "manylinux2014_aarch64", "--platform", "any", "-d", wheels,
	}, guestWheels...)...))
	if err != nil {
		return "", fmt.Errorf("fetch LiteRT's arm64 build: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(wheels, "*.whl"))
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if _, err := output(exec.CommandContext(ctx, python, "-m", "zipfile", "-e", name, filepath.Join(guest, "site"))); err != nil {
			return "", err
		}
	}
	return guest, errors.Join(os.RemoveAll(wheels), os.WriteFile(filepath.Join(guest, "recipe"), []byte(recipe), 0o644))
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
