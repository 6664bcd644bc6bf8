package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
)

// A scene is a real picture of something, as nothing has happened to it.
type scene struct {
	of      string // file
	name    string
	picture *image.RGBA
}

// What is taken of the test data.
const (
	framesOfVideo = 14 // spread over it
	viewsOfPhoto  = 4
)

// findScenes gives views of the photographs and frames of the videos, as tarsier-capture decodes them.
func findScenes(ctx context.Context, data string) ([]scene, error) {
	photos, err := files(filepath.Join(data, "photos"), ".bmp", ".jpg", ".jpeg", ".png")
	if err != nil {
		return nil, err
	}
	videos, err := files(filepath.Join(data, "videos"), ".mp4")
	if err != nil {
		return nil, err
	}
	var scenes []scene
	for _, path := range photos {
		whole, err := pictures(ctx, path, 1)
		if err != nil {
			return nil, err
		}
		for i := range viewsOfPhoto {
			scenes = append(scenes, scene{filepath.Base(path), fmt.Sprintf("%s, view %d", filepath.Base(path), i+1), view(whole[0], i)})
		}
	}
	for _, path := range videos {
		frames, err := pictures(ctx, path, framesOfVideo)
		if err != nil {
			return nil, err
		}
		for i, f := range frames {
			scenes = append(scenes, scene{filepath.Base(path), fmt.Sprintf("%s, frame %d of %d", filepath.Base(path), i+1, len(frames)), f})
		}
	}
	return scenes, nil
}

func files(dir string, extensions ...string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("find the test data: %w; TARSIER_TESTDATA is the folder that photos, videos and models are in", err)
	}
	var found []string
	for _, e := range entries {
		if slices.Contains(extensions, filepath.Ext(e.Name())) {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("find the test data: nothing that ends in %q is in %s", extensions, dir)
	}
	return found, nil
}

// pictures gives n pictures of a source in their own size, spread over all.
func pictures(ctx context.Context, source string, n int) ([]*image.RGBA, error) {
	var all []*image.RGBA
	i := 0
	for s, err := range shots(ctx, source) {
		if err != nil {
			return nil, err
		}
		i++
		if i <= (2*len(all)+1)*max(s.session.Total(), 1)/(2*n) {
			continue
		}
		b, err := s.session.JPEG(ctx, 0)
		if err != nil {
			return nil, err
		}
		p, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("decode picture %d of %s: %w", i, source, err)
		}
		if all = append(all, rgba(p)); len(all) == n {
			break
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds no picture", source)
	}
	return all, nil
}

// view is the whole picture, or a part of it, which some mirror: at least two fifths of its area, nothing enlarged.
func view(p *image.RGBA, i int) *image.RGBA {
	w, h := float64(p.Rect.Dx()), float64(p.Rect.Dy())
	parts := [][4]float64{{0, 0, 1, 1}, {0, 0.1, 0.66, 0.66}, {0.25, 0.25, 0.75, 0.75}, {0.15, 0, 0.8, 0.7}}
	b := parts[i%len(parts)]
	out := rgba(p.SubImage(image.Rect(int(b[0]*w), int(b[1]*h), int((b[0]+b[2])*w), int((b[1]+b[3])*h))))
	if i%2 == 1 {
		mirror(out)
	}
	return out
}

func mirror(p *image.RGBA) {
	for y := range p.Rect.Dy() {
		for x, to := 0, p.Rect.Dx()-1; x < to; x, to = x+1, to-1 {
			a, b := p.RGBAAt(x, y), p.RGBAAt(to, y)
			p.SetRGBA(x, y, b)
			p.SetRGBA(to, y, a)
		}
	}
}

func rgba(p image.Image) *image.RGBA {
	b := p.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Rect, p, b.Min, draw.Src)
	return out
}

// fine says whether the picture has enough detail for a person to see that it is missing or in the wrong place. An empty
// car park has not.
func (s scene) fine() bool {
	small := image.NewRGBA(image.Rect(0, 0, 224, 224))
	shrink(small, s.picture)
	edges := 0
	for i := 4; i < len(small.Pix)-4*224; i += 4 {
		g := int(small.Pix[i+1])
		if d := max(g-int(small.Pix[i-3]), int(small.Pix[i-3])-g, g-int(small.Pix[i+1+4*224]), int(small.Pix[i+1+4*224])-g); d > 20 {
			edges++
		}
	}
	return edges > 224*224*15/1000
}
