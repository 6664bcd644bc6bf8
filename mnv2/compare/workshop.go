package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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

// A workshop gets what the comparison needs: few packages of this machine's
// Debian, and all else into a folder that stays.
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

// Where QEMU, LLVM's models and LiteRT's arm64 build come from is always the same
// too: Debian 12. What Debian 13 has of QEMU for user mode takes no plugins.
const (
	debian       = "bookworm"
	debianPython = "3.11"
	llvm         = "19"
)

// Tools are programs that are not installed, and run with libraries of their own.
type tools struct{ dir, triplet, loader string }

// tools makes a folder with QEMU and LLVM.
func (w *workshop) tools(ctx context.Context) (*tools, error) {
	t := &tools{}
	arch := runtime.GOARCH
	switch arch {
	case "amd64":
		t.triplet, t.loader = "x86_64-linux-gnu", "ld-linux-x86-64.so.2"
	case "arm64":
		t.triplet, t.loader = "aarch64-linux-gnu", "ld-linux-aarch64.so.1"
	default:
		return nil, fmt.Errorf("get QEMU: there is amd64 and arm64, not %s", arch)
	}
	packages := []string{"qemu-user", "llvm-" + llvm}
	var err error
	t.dir, err = w.keep("debian", packages, func(dir string) error {
		say("fetching %s of Debian 12", strings.Join(packages, " and "))
		return w.extract(ctx, dir, arch, packages)
	})
	return t, err
}

func (t *tools) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	lib, usrLib := filepath.Join(t.dir, "lib", t.triplet), filepath.Join(t.dir, "usr", "lib", t.triplet)
	c := exec.CommandContext(ctx, filepath.Join(lib, t.loader),
		append([]string{"--library-path", lib + ":" + usrLib, filepath.Join(t.dir, program)}, args...)...)
	c.Args[0] = program // for the text of errors
	return c
}

// litertARM64 makes a folder with LiteRT's arm64 build and all that it runs in.
func (w *workshop) litertARM64(ctx context.Context) (string, error) {
	python, err := w.python(ctx)
	if err != nil {
		return "", fmt.Errorf("fetch LiteRT's arm64 build: %w", err)
	}
	packages := []string{"python3", "libstdc++6", "libgomp1"}
	wheels := []string{litert.pip + "==" + litert.version, "numpy==2.2.6", "flatbuffers==25.2.10"}
	return w.keep("litert-arm64", append(packages, wheels...), func(dir string) error {
		say("fetching LiteRT's arm64 build, and an arm64 Python of Debian 12")
		if err := w.extract(ctx, dir, "arm64", packages); err != nil {
			return err
		}
		_, err := output(exec.CommandContext(ctx, python, append([]string{
			"-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--python-version", debianPython,
			"--platform", "manylinux_2_27_aarch64", "--platform", "manylinux2014_aarch64", "--platform", "any",
			"--target", filepath.Join(dir, "site"),
		}, wheels...)...))
		if err != nil {
			return fmt.Errorf("fetch LiteRT's arm64 build: %w", err)
		}
		return nil
	})
}

// keep makes a folder, unless it is there and made by the same recipe.
func (w *workshop) keep(name string, recipe []string, fill func(dir string) error) (dir string, err error) {
	dir = filepath.Join(w.dir, name)
	mark, want := filepath.Join(dir, "recipe"), strings.Join(append([]string{debian}, recipe...), "\n")
	if made, err := os.ReadFile(mark); err == nil && string(made) == want {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := fill(dir); err != nil {
		return "", err
	}
	return dir, os.WriteFile(mark, []byte(want), 0o644)
}

// extract unpacks packages, and what they need, into a folder. It needs no root.
func (w *workshop) extract(ctx context.Context, dir, arch string, packages []string) error {
	mmdebstrap, err := w.program(ctx, "mmdebstrap", "mmdebstrap", "debian-archive-keyring")
	if err != nil {
		return err
	}
	mode := "chrootless"
	if os.Getuid() == 0 {
		mode = "root"
	}
	_, err = output(exec.CommandContext(ctx, mmdebstrap, "--quiet", "--mode="+mode, "--variant=extract", "--arch="+arch,
		"--include="+strings.Join(packages, ","), debian, dir))
	if err != nil {
		return fmt.Errorf("fetch %s of Debian 12: %w", strings.Join(packages, ", "), err)
	}
	return nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
