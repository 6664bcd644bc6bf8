package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

type change struct {
	config *Config
	err    error
}

// watching watches path until the test ends, and gives what Watch tells.
func watching(t *testing.T, path string, loaded *Config) <-chan change {
	t.Helper()
	goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(context.Background())
	changes, done := make(chan change), make(chan error, 1)
	go func() {
		done <- Watch(ctx, path, loaded, func(c *Config, err error) {
			select {
			case changes <- change{c, err}:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	return changes
}

// next waits for a change and checks that it is a config of this node, or an error that contains the text after "!".
func next(t *testing.T, changes <-chan change, want string) {
	t.Helper()
	select {
	case c := <-changes:
		text, wrong := strings.CutPrefix(want, "!")
		switch {
		case wrong && (c.err == nil || c.config != nil || !strings.Contains(c.err.Error(), text)):
			t.Fatalf("got %+v and %v, want an error with %q", c.config, c.err, text)
		case !wrong && (c.err != nil || c.config.Node != want):
			t.Fatalf("got %+v and %v, want the node %s", c.config, c.err, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("nothing was told; want %s", want)
	}
}

func named(node string) string { return smallest + "node: " + node + "\n" }

// replace writes as editors and package managers do: beside it, then over it.
func replace(t *testing.T, path, content string) {
	t.Helper()
	write(t, path+".new", content)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func started(t *testing.T) (path string, changes <-chan change) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tarsier.yaml")
	write(t, path, named("a"))
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, watching(t, path, loaded)
}

func TestWatch(t *testing.T) {
	path, changes := started(t)
	write(t, path, named("b"))
	next(t, changes, "b")
	replace(t, path, named("c"))
	next(t, changes, "c")
	// Invalid, then valid again, and invalid in another way.
	write(t, path, named("d d"))
	next(t, changes, `!tarsier.yaml:2: node: found "d d"`)
	write(t, path, named("e e"))
	next(t, changes, `!tarsier.yaml:2: node: found "e e"`)
	replace(t, path, named("c"))
	next(t, changes, "c")
	// Gone, and there again as it was.
	remove(t, path)
	next(t, changes, "!there is no config file")
	write(t, path, named("c"))
	next(t, changes, "c")
}

func TestWatchTellsOnlyOfChanges(t *testing.T) {
	path, changes := started(t)
	write(t, filepath.Join(filepath.Dir(path), "other"), "x")
	write(t, path, named("a"))
	replace(t, path, named("a"))
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	// Whoever deletes it and writes it again, or empties it first, is not yet done.
	remove(t, path)
	write(t, path, "")
	write(t, path, named("b"))
	next(t, changes, "b")
}

func TestWatchNeverMissesTheLast(t *testing.T) {
	path, changes := started(t)
	for i := range 300 {
		if i%2 == 0 {
			write(t, path, named(fmt.Sprint("n", i)))
		} else {
			replace(t, path, named(fmt.Sprint("n", i)))
		}
	}
	write(t, path, named("last"))
	for {
		select {
		case c := <-changes:
			if c.err == nil && c.config.Node == "last" {
				return
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the last change was not told")
		}
	}
}

// While the caller is busy with one change, another is made.
func TestWatchWhileBusy(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	write(t, path, named("a"))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var told []string
	err := Watch(ctx, path, nil, func(c *Config, err error) {
		if err != nil {
			t.Error(err)
			cancel()
			return
		}
		told = append(told, c.Node)
		if c.Node == "a" {
			replace(t, path, named("b"))
		} else {
			cancel()
		}
	})
	if err != nil || !slices.Equal(told, []string{"a", "b"}) {
		t.Errorf("told of %v, then %v", told, err)
	}
}

// In a busy folder it is never left alone, and is read all the same.
func TestWatchInABusyFolder(t *testing.T) {
	path, changes := started(t)
	stop, stopped := make(chan struct{}), make(chan struct{})
	defer func() {
		close(stop)
		<-stopped
	}()
	go func() {
		defer close(stopped)
		tick := time.NewTicker(settle / 10)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = os.WriteFile(path+".log", nil, 0o600)
			}
		}
	}()
	write(t, path, named("b"))
	next(t, changes, "b")
}

func TestWatchTellsWhatWasWrittenSinceLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	write(t, path, named("a"))
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, named("b"))
	next(t, watching(t, path, loaded), "b")
}

func TestWatchWithoutConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	changes := watching(t, path, nil)
	next(t, changes, "!there is no config file")
	write(t, path, named("a"))
	next(t, changes, "a")
}

// The way Kubernetes mounts a ConfigMap: tarsier.yaml -> ..data/tarsier.yaml, ..data -> ..1, which is replaced by ..2.
func TestWatchKubernetes(t *testing.T) {
	dir := t.TempDir()
	version := func(name, node string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "tarsier.yaml"), named(node))
		link(t, name, filepath.Join(dir, "..new"))
		if err := os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", "a")
	path := filepath.Join(dir, "tarsier.yaml")
	link(t, filepath.Join("..data", "tarsier.yaml"), path)
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	changes := watching(t, path, loaded)
	for i, node := range []string{"b", "c", "d"} {
		version(fmt.Sprint("..", i+2), node)
		remove(t, filepath.Join(dir, fmt.Sprint("..", i+1)))
		next(t, changes, node)
	}
}

// A link into another folder, where the file is edited; then the link leads elsewhere.
func TestWatchLink(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	path, target := filepath.Join(here, "tarsier.yaml"), filepath.Join(there, "real.yaml")
	write(t, target, named("a"))
	link(t, target, path)
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	changes := watching(t, path, loaded)
	replace(t, target, named("b"))
	next(t, changes, "b")
	other := filepath.Join(t.TempDir(), "other.yaml")
	write(t, other, named("c"))
	link(t, other, path+".new")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	next(t, changes, "c")
	write(t, other, named("d"))
	next(t, changes, "d")
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// The folder goes, and another of its name comes.
func TestWatchFolderIsReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc")
	path := filepath.Join(dir, "tarsier.yaml")
	create := func(node string) {
		t.Helper()
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, named(node))
	}
	create("a")
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	changes := watching(t, path, loaded)
	write(t, path, named("b"))
	next(t, changes, "b") // so it is watched by now
	remove(t, dir)
	next(t, changes, "!there is no config file")
	create("b")
	next(t, changes, "b")
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	create("c")
	next(t, changes, "c")
	write(t, path, named("d"))
	next(t, changes, "d")
}

func TestWatchNoFolder(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "no", "tarsier.yaml")
	err := Watch(context.Background(), path, nil, func(*Config, error) { t.Error("called") })
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), filepath.Dir(path)) {
		t.Errorf("got %v", err)
	}
}

func TestWatchEndsAtOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	write(t, path, named("a"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Watch(ctx, path, nil, func(*Config, error) {}); err != nil {
		t.Error(err)
	}
}
