package main

import (
	"context"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"

	"tarsier/deploy/internal/degrade"
)

// Contact sheets: a row a kind, a column a scene.
const (
	columns = 8
	edge    = 160 // of a picture, in pixels
	gap     = 4
)

// sheets writes a contact sheet a class into a folder, for people to look at what is measured.
func sheets(ctx context.Context, dir string, scenes []scene) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	rows := map[string][]degrade.Kind{}
	for _, k := range degrade.Kinds() {
		rows[k.Class] = append(rows[k.Class], k)
	}
	for class, kinds := range rows {
		sheet := image.NewRGBA(image.Rect(0, 0, columns*(edge+gap), len(kinds)*(edge+gap)))
		draw.Draw(sheet, sheet.Rect, image.White, image.Point{}, draw.Src)
		for row, k := range kinds {
			for column := range columns {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				n := (column*len(scenes)/columns + row) % len(scenes)
				p := k.Apply(scenes[n].picture, uint64(n))
				x, y := column*(edge+gap), row*(edge+gap)
				shrink(sheet.SubImage(image.Rect(x, y, x+edge, y+edge)).(*image.RGBA), p)
			}
		}
		f, err := os.Create(filepath.Join(dir, class+".png"))
		if err != nil {
			return err
		}
		if err := png.Encode(f, sheet); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// shrink gives each pixel the mean of those that it covers.
func shrink(to, from *image.RGBA) {
	w, h := to.Rect.Dx(), to.Rect.Dy()
	for y := range h {
		y0, y1 := y*from.Rect.Dy()/h, max((y+1)*from.Rect.Dy()/h, y*from.Rect.Dy()/h+1)
		for x := range w {
			x0, x1 := x*from.Rect.Dx()/w, max((x+1)*from.Rect.Dx()/w, x*from.Rect.Dx()/w+1)
			var sum [4]int
			for sy := y0; sy < y1; sy++ {
				for sx := x0; sx < x1; sx++ {
					for c, v := range from.Pix[from.PixOffset(sx, sy):][:4] {
						sum[c] += int(v)
					}
				}
			}
			at := to.PixOffset(to.Rect.Min.X+x, to.Rect.Min.Y+y)
			for c := range sum {
				to.Pix[at+c] = uint8(sum[c] / ((x1 - x0) * (y1 - y0)))
			}
		}
	}
}
