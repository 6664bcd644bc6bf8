package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// What of a picture must change for anyone to see that it is damaged.
const (
	changedBy    = 32   // of 255, in a channel
	changed      = 0.25 // of the pixels
	edgesChanged = 0.04 // of the pixels: the difference to a neighbour is another
)

// changes gives the parts of the pixels, 224 a row, that differ, and of those whose difference to the pixel before or above does.
func changes(a, b []byte) (pixels, edges float64) {
	const row = 3 * 224
	for i := row + 3; i < len(a); i += 3 {
		pixel, edge := 0, 0
		for c := i; c < i+3; c++ {
			d := int(a[c]) - int(b[c])
			pixel = max(pixel, d, -d)
			for _, before := range [2]int{c - 3, c - row} {
				e := d - int(a[before]) + int(b[before])
				edge = max(edge, e, -e)
			}
		}
		if pixel >= changedBy {
			pixels++
		}
		if edge >= changedBy {
			edges++
		}
	}
	n := float64(len(a) / 3)
	return pixels / n, edges / n
}

// damagedVideo flips bits of a copy of an H.264 file, in about so many places, and gives up to n of the frames that FFmpeg's
// decoder then makes something visibly different of, as the daemon gets them.
func damagedVideo(ctx context.Context, path, dir string, places, n int, seed uint64) (pictures [][]byte, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	from, to, err := mediaData(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	gap := float64(to-from) / float64(places)
	for at := from + int(gap*rng.Float64()); at < to; at += 1 + int(rng.ExpFloat64()*gap) {
		for i := at; i < min(at+1+rng.IntN(12), to); i++ {
			b[i] ^= 1 << rng.IntN(8)
		}
	}
	damaged := filepath.Join(dir, "damaged-"+filepath.Base(path))
	if err := os.WriteFile(damaged, b, 0o600); err != nil {
		return nil, err
	}
	defer os.Remove(damaged)

	good, stop := iter.Pull2(shots(ctx, path))
	defer stop()
	const apart = 5 // frames: the next looks much like one
	since := apart
	var was *shot
	for is, err := range shots(ctx, damaged) {
		if err != nil {
			break // nothing more can be made of it
		}
		// The decoder may leave frames out: those of the same time belong together.
		for was == nil || was.frame.Stream < is.frame.Stream {
			var ok bool
			if was, err, ok = good(); err != nil || !ok {
				return pictures, err
			}
		}
		if since++; since < apart || was.frame.Stream != is.frame.Stream {
			continue
		}
		rgb := is.frame.Pictures[0].RGB
		if pixels, edges := changes(was.frame.Pictures[0].RGB, rgb); pixels < changed || edges < edgesChanged {
			continue
		}
		since = 0
		if pictures = append(pictures, bytes.Clone(rgb)); len(pictures) == n {
			break
		}
	}
	return pictures, ctx.Err()
}

// mediaData finds the compressed pictures in an MP4 file (ISO/IEC 14496-12).
func mediaData(b []byte) (from, to int, err error) {
	for at := 0; at+8 <= len(b); {
		size, header := uint64(binary.BigEndian.Uint32(b[at:])), 8
		if size == 1 && at+16 <= len(b) {
			size, header = binary.BigEndian.Uint64(b[at+8:]), 16
		}
		if size < uint64(header) || size > uint64(len(b)-at) {
			break
		}
		if string(b[at+4:at+8]) == "mdat" {
			return at + header, at + int(size), nil
		}
		at += int(size)
	}
	return 0, 0, errors.New("not an MP4 file: it has no whole mdat box")
}

// damagedJPEG is a JPEG with some bytes of its compressed pixels changed, or with its end missing.
func damagedJPEG(p *image.RGBA, rng *rand.Rand) ([]byte, error) {
	file, err := jpegOf(p)
	if err != nil {
		return nil, err
	}
	scan := bytes.Index(file, []byte{0xff, 0xda}) + 14 // what follows the header of the scan
	if rng.IntN(4) == 0 {
		return file[:scan+(len(file)-scan)*(20+rng.IntN(40))/100], nil
	}
	for range 1 + rng.IntN(6) {
		at := scan + rng.IntN((len(file)-scan)*2/3)
		if file[at] != 0xff && file[at-1] != 0xff {
			file[at] ^= 1 << rng.IntN(7)
		}
	}
	return file, nil
}

func jpegOf(p *image.RGBA) ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, p, &jpeg.Options{Quality: 80})
	return b.Bytes(), err
}
