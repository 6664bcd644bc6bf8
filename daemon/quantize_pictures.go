package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"tarsier/config"
	"tarsier/pipeline/capture"
)

// A pictureSource is where pictures for a calibration come from.
type pictureSource struct {
	name   string   // for people
	stills []string // files of a picture each; or
	video  string   // a source as the config has it
	live   bool     // which has no end

	fit     string
	regions []capture.Region
}

// A shot is what a network would be shown of one picture: a square for each
// region or tile, size*size*3 bytes of RGB.
type shot [][]byte

// pictureExtensions are those of the files that are taken from a folder.
var pictureExtensions = []string{".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}

func isPicture(path string) bool {
	return slices.Contains(pictureExtensions, strings.ToLower(filepath.Ext(path)))
}

// isLive says whether a source goes on for ever.
func isLive(source string) bool {
	return strings.Contains(source, "://") || slices.ContainsFunc([]string{"/dev/", "csi:", "gst:"}, func(p string) bool { return strings.HasPrefix(source, p) })
}

// aName is what cameras may be called.
var aName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// findPictures says what the command line names: picture files, folders of
// them, videos, cameras, and cameras of the config by their names. All picture
// files together are one source, the first.
func findPictures(args []string, fit, configPath string) ([]pictureSource, error) {
	whole := []capture.Region{{Name: "frame", Box: [4]float64{0, 0, 1, 1}}}
	var stills []string
	var sources []pictureSource
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case err == nil && info.IsDir():
			found, err := picturesIn(arg)
			if err != nil {
				return nil, err
			}
			stills = append(stills, found...)
		case err != nil && aName.MatchString(arg):
			s, err := cameraOf(configPath, arg, fit)
			if err != nil {
				return nil, err
			}
			sources = append(sources, s)
		case isPicture(arg) && !isLive(arg):
			stills = append(stills, arg)
		default:
			sources = append(sources, pictureSource{name: filepath.Base(capture.Redact(arg)), video: arg, live: isLive(arg), fit: cmp.Or(fit, "stretch"), regions: whole})
		}
	}
	if len(stills) > 0 {
		sources = slices.Insert(sources, 0, pictureSource{name: "pictures", stills: stills, fit: cmp.Or(fit, "stretch"), regions: whole})
	}
	return sources, nil
}

// picturesIn lists the pictures of a folder and of those in it.
func picturesIn(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && isPicture(path) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		return nil, usagef("look for pictures in %s: %w", dir, err)
	}
	if len(found) == 0 {
		return nil, usagef("no pictures in the folder %s, nor in those in it: it has no %s", dir, strings.Join(pictureExtensions, ", "))
	}
	return found, nil
}

// cameraOf finds a camera of the config.
func cameraOf(configPath, name, fit string) (pictureSource, error) {
	cfg, err := loadConfig(configPath)
	if errors.Is(err, os.ErrNotExist) {
		return pictureSource{}, usagef("--calibrate %s: there is no such file or folder, and no config %s that might have a camera of that name (--config names another)", name, configPath)
	}
	if err != nil {
		return pictureSource{}, err
	}
	at := slices.IndexFunc(cfg.Cameras, func(c config.Camera) bool { return c.Name == name })
	if at < 0 {
		var names []string
		for _, c := range cfg.Cameras {
			names = append(names, c.Name)
		}
		return pictureSource{}, usagef("--calibrate %s: there is no such file or folder, and the cameras of %s are %s", name, configPath, strings.Join(names, ", "))
	}
	c := cfg.Cameras[at]
	s := pictureSource{name: c.Name, video: c.Source, live: isLive(c.Source), fit: cmp.Or(fit, c.Fit)}
	for _, r := range c.Regions {
		s.regions = append(s.regions, capture.Region{Name: r.Name, Box: r.Box})
	}
	return s, nil
}

// A gatherer takes pictures from sources, cut and resized as the daemon would.
type gatherer struct {
	size     int
	interval time.Duration // from one picture of a camera to the next: what it sees should differ a little
	stderr   io.Writer     // what cannot be read, and a bar for each source
	failed   bool          // something could not be read
}

// gather takes at most so many pictures, as many from each source as there are
// and spread evenly over it. When enough ends, live sources are left; an error
// is that ctx ended.
func (g *gatherer) gather(ctx, enough context.Context, sources []pictureSource, most int) ([]shot, error) {
	// A source may have fewer than its share, and those after it get the rest. Of files that is known soonest, and a camera has any number.
	sources = slices.Clone(sources)
	slices.SortStableFunc(sources, func(a, b pictureSource) int {
		rank := func(s pictureSource) int {
			switch {
			case s.stills != nil:
				return 0
			case !s.live:
				return 1
			}
			return 2
		}
		return cmp.Compare(rank(a), rank(b))
	})
	var all []shot
	for i, s := range sources {
		share := (most + len(sources) - i - 1) / (len(sources) - i)
		if share == 0 {
			break
		}
		bar := newBar(g.stderr, s.name)
		var got []shot
		var err error
		switch {
		case s.stills != nil:
			got = g.stills(ctx, s, share, bar)
		case s.live:
			got, err = g.watch(enough, s, share, bar)
			if enough.Err() != nil {
				err = nil
			}
		default:
			got, err = g.play(ctx, s, share, bar)
		}
		bar.clear()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			g.complain(err)
		}
		for _, s := range got {
			// Where a frame is several pictures, the last may have no room.
			if s = s[:min(len(s), share)]; len(s) > 0 {
				all, share, most = append(all, s), share-len(s), most-len(s)
			}
		}
	}
	return all, nil
}

func (g *gatherer) complain(err error) {
	fmt.Fprintf(g.stderr, "tarsier: %v\n", err)
	g.failed = true
}

func (g *gatherer) open(ctx context.Context, s pictureSource, source string) (*capture.Session, error) {
	return capture.Open(ctx, capture.Options{Name: "quantize", Source: source, EveryFrame: !s.live, Fit: s.fit, Regions: s.regions, Size: g.size})
}

// stills reads picture files that lie evenly among those that there are. How many
// pictures each is, is known then, so that it reads as many as if each were one.
func (g *gatherer) stills(ctx context.Context, s pictureSource, most int, b *bar) (got []shot) {
	paths := evenly(s.stills, most)
	b.more(len(paths))
	var session *capture.Session
	defer func() {
		if session != nil {
			session.Close()
		}
	}()
	var frame capture.Frame
	for _, path := range paths {
		var err error
		if session != nil && !session.Dead() {
			err = session.Reopen(ctx, path)
		} else {
			if session != nil {
				session.Close()
			}
			session, err = g.open(ctx, s, path)
		}
		if err == nil {
			err = session.Next(ctx, &frame)
		}
		if ctx.Err() != nil {
			return nil
		}
		b.add()
		if err != nil {
			b.clear()
			g.complain(err)
			continue
		}
		got = append(got, take(&frame))
	}
	return thin(got, most)
}

// thin keeps shots at equal distances that have about so many pictures together.
func thin(shots []shot, most int) []shot {
	pictures := 0
	for _, s := range shots {
		pictures += len(s)
	}
	if pictures <= most {
		return shots
	}
	return evenly(shots, max(1, len(shots)*most/pictures))
}

// play decodes a video from start to end. Of one that breaks off it gives what
// came before, and the error.
func (g *gatherer) play(ctx context.Context, s pictureSource, most int, b *bar) ([]shot, error) {
	session, err := g.open(ctx, s, s.video)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	b.more(session.Total())
	var frame capture.Frame
	var kept thinning
	for {
		if err = session.Next(ctx, &frame); err != nil {
			break
		}
		if kept.most == 0 {
			kept.most = max(1, most/len(frame.Pictures))
		}
		kept.add(&frame)
		b.add()
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return evenly(kept.shots, kept.most), err
}

// A thinning keeps frames of a video whose length nobody knows yet, at least
// as many as are wanted and less than twice that, at equal distances: when
// there are too many, every other one goes.
type thinning struct {
	most  int
	step  int // frames from one that is kept to the next; 0: 1
	seen  int
	shots []shot
}

func (t *thinning) add(f *capture.Frame) {
	t.step = max(t.step, 1)
	if t.seen%t.step == 0 {
		if len(t.shots) == 2*t.most {
			for i := range t.most {
				t.shots[i] = t.shots[2*i]
			}
			t.shots = t.shots[:t.most]
			t.step *= 2 // this frame is at a multiple of that, too
		}
		t.shots = append(t.shots, take(f))
	}
	t.seen++
}

// watch takes pictures of a camera as they come, until there are enough or ctx
// ends.
func (g *gatherer) watch(ctx context.Context, s pictureSource, most int, b *bar) (got []shot, err error) {
	session, err := g.open(ctx, s, s.video)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	fmt.Fprintf(g.stderr, "%s: a picture each %v; Ctrl-C goes on with those that there are\n", s.name, g.interval)
	b.more(most)
	tick := time.NewTicker(g.interval)
	defer tick.Stop()
	var frame capture.Frame
	for {
		if err := session.Newest(ctx, &frame); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return got, err
		}
		taken := take(&frame)
		got = append(got, taken)
		for range taken {
			b.add()
		}
		if most -= len(taken); most <= 0 {
			return got, nil
		}
		select {
		case <-ctx.Done():
			return got, ctx.Err()
		case <-tick.C:
		}
	}
}

// take copies a frame's pictures.
func take(f *capture.Frame) shot {
	s := make(shot, len(f.Pictures))
	for i, p := range f.Pictures {
		s[i] = slices.Clone(p.RGB)
	}
	return s
}

// evenly gives at most so many of all, at equal distances.
func evenly[T any](all []T, most int) []T {
	if len(all) <= most {
		return all
	}
	some := make([]T, most)
	for i := range some {
		some[i] = all[i*len(all)/most]
	}
	return some
}
