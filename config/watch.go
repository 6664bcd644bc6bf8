package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long a folder must have been left alone before the file is read: editors write in several steps.
	settle = 100 * time.Millisecond
	// patience is after how long it is read all the same, and how long it may be empty or gone before that is told.
	patience = time.Second
	// retry is how often a folder that cannot be watched is tried again.
	retry = time.Second
)

// Watch calls changed whenever the file has other content than before, with the new config or with what is wrong with it; that it is gone
// is wrong, too. The calls come one after another, from Watch itself. loaded is the config that the caller has: what was written
// since it was loaded counts as a change. Watch ends with ctx and then gives nil; any other end is an error.
//
// Not the file is watched but its folder, and that which symbolic links lead to: editors and package managers replace
// the file by another, and Kubernetes replaces a link in the middle of the path.
func Watch(ctx context.Context, path string, loaded *Config, changed func(*Config, error)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the config file: %w", err)
	}
	defer watcher.Close()
	w := &watch{path: path, watcher: watcher, changed: changed}
	if loaded != nil {
		w.seen = loaded.content
	}
	if err := w.follow(); err != nil {
		return err
	}

	first := time.Now() // event since the last look; to begin with, what was written since loaded
	timer := time.NewTimer(settle)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case _, ok := <-watcher.Events:
			if !ok {
				return errors.New("watch the config file: the watcher has ended")
			}
			if first.IsZero() {
				first = time.Now()
			}
			timer.Reset(min(settle, patience-time.Since(first)))
		case _, ok := <-watcher.Errors:
			if !ok {
				return errors.New("watch the config file: the watcher has ended")
			}
			timer.Reset(settle) // events were lost: any may have been ours
		case <-timer.C:
			first = time.Time{}
			again := w.follow() != nil
			if w.look() || again {
				timer.Reset(retry)
			}
		}
	}
	return nil
}

type watch struct {
	path    string
	watcher *fsnotify.Watcher
	changed func(*Config, error)
	seen    [sha256.Size]byte // the content, or what hindered reading it
	vague   time.Time         // since when the file is empty or gone; zero if it is not
}

// follow watches the folders that matter now: those of the path, and of what it leads to.
func (w *watch) follow() error {
	folders := []string{filepath.Dir(w.path)}
	if real, err := filepath.EvalSymlinks(w.path); err == nil && filepath.Dir(real) != folders[0] {
		folders = append(folders, filepath.Dir(real))
	}
	for _, old := range w.watcher.WatchList() {
		if old != folders[0] && old != folders[len(folders)-1] {
			_ = w.watcher.Remove(old) // it may be gone
		}
	}
	for _, folder := range folders {
		if err := w.watcher.Add(folder); err != nil {
			return fmt.Errorf("watch the config file: watch %s: %w", folder, err)
		}
	}
	return nil
}

// look reads the file and tells of what is new. It says whether to look again: whoever empties or removes the file may be about to write it.
func (w *watch) look() (again bool) {
	data, err := read(w.path)
	sum := sha256.Sum256(data)
	if err != nil {
		sum = sha256.Sum256([]byte("cannot be read: " + err.Error()))
	}
	if err == nil && len(data) > 0 {
		w.vague = time.Time{}
	} else if w.vague.IsZero() {
		w.vague = time.Now()
	}
	switch {
	case sum == w.seen:
	case !w.vague.IsZero() && time.Since(w.vague) < patience:
		return true
	case err != nil:
		w.seen = sum
		w.changed(nil, err)
	default:
		w.seen = sum
		w.changed(parse(w.path, data))
	}
	return false
}
