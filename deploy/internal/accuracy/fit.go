package main

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"tarsier/pipeline/capture"
	"tarsier/pipeline/capture/wire"
)

// A tarsier-capture that got no processor for seconds is taken for one that hangs, and killed. On a busy machine it is started again.
const starts = 10

// open reads a source as the daemon does, into squares of 224 pixels.
func open(ctx context.Context, source string) (s *capture.Session, err error) {
	for range starts {
		s, err = capture.Open(ctx, capture.Options{
			Name: "accuracy", Source: source, EveryFrame: true, Fit: "stretch",
			Regions: []capture.Region{{Name: "frame", Box: [4]float64{0, 0, 1, 1}}},
		})
		// What tarsier-capture itself says of a source will not change.
		if err == nil || errors.As(err, new(*wire.Fault)) || errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
			break
		}
	}
	return s, err
}

// A shot is a picture of a source, and the session that has it whole; both are valid until the next.
type shot struct {
	session *capture.Session
	frame   capture.Frame
}

// shots gives all pictures of a source, or an error at the end.
func shots(ctx context.Context, source string) iter.Seq2[*shot, error] {
	return func(yield func(*shot, error) bool) {
		var s shot
		for seen, start := 0, 1; ; start++ {
			var err error
			if s.session, err = open(ctx, source); err != nil {
				yield(nil, err)
				return
			}
			for i := 0; ; i++ {
				if err = s.session.Next(ctx, &s.frame); err != nil {
					break
				}
				if i < seen {
					continue
				}
				if seen++; !yield(&s, nil) {
					_ = s.session.Close()
					return
				}
			}
			again := s.session.Dead() && start < starts
			_ = s.session.Close()
			if again && ctx.Err() == nil {
				continue
			}
			if !errors.Is(err, io.EOF) {
				yield(nil, err)
			}
			return
		}
	}
}

// A fitter makes of pictures what the daemon's model gets: tarsier-capture reads them from files. It is for one goroutine.
type fitter struct {
	path    string
	session *capture.Session
	frame   capture.Frame
	file    bytes.Buffer
}

func newFitter(dir string) *fitter { return &fitter{path: filepath.Join(dir, "picture")} }

func (f *fitter) close() {
	if f.session != nil {
		_ = f.session.Close()
	}
	f.session = nil
}

// fit gives 224x224 pixels of RGB, valid until the next call.
func (f *fitter) fit(ctx context.Context, p *image.RGBA) ([]byte, error) {
	f.file.Reset()
	e := png.Encoder{CompressionLevel: png.NoCompression}
	if err := e.Encode(&f.file, p); err != nil {
		return nil, err
	}
	return f.read(ctx, f.file.Bytes())
}

// read does the same with the bytes of a picture file.
func (f *fitter) read(ctx context.Context, file []byte) ([]byte, error) {
	if err := os.WriteFile(f.path, file, 0o600); err != nil {
		return nil, err
	}
	for start := 1; ; start++ {
		err := f.next(ctx)
		if err == nil {
			return f.frame.Pictures[0].RGB, nil
		}
		if f.session == nil || !f.session.Dead() || start == starts || ctx.Err() != nil {
			return nil, err
		}
		f.close()
	}
}

// next reads the file that was written, with the tarsier-capture of the last one: to start one takes longer than most pictures do.
func (f *fitter) next(ctx context.Context) (err error) {
	if f.session == nil {
		f.session, err = open(ctx, f.path)
	} else {
		err = f.session.Reopen(ctx, f.path)
	}
	if err != nil {
		return err
	}
	return f.session.Next(ctx, &f.frame)
}
