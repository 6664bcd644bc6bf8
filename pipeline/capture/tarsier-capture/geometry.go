package main

import (
	"image"
	"math"

	"tarsier/pipeline/capture/wire"
)

// region is a box in pixels of a picture of width w and height h: rounded to whole pixels, at least one, within the picture.
func region(b wire.Box, w, h int) image.Rectangle {
	span := func(start, length float64, edge int) (int, int) {
		lo := min(int(math.Round(start*float64(edge))), edge-1)
		hi := min(int(math.Round((start+length)*float64(edge))), edge)
		return lo, max(hi, lo+1)
	}
	x0, x1 := span(b[0], b[2], w)
	y0, y1 := span(b[1], b[3], h)
	return image.Rect(x0, y0, x1, y1)
}

// squares appends the parts of r that become pictures. Stretch takes r as it is, Crop its central square, and Tiles as few
// squares as cover it, as large as its shorter edge, the first and last at its ends and the others evenly between.
func squares(dst []image.Rectangle, r image.Rectangle, fit wire.Fit) []image.Rectangle {
	w, h := r.Dx(), r.Dy()
	edge := min(w, h)
	switch fit {
	case wire.Crop:
		at := r.Min.Add(image.Pt((w-edge)/2, (h-edge)/2))
		return append(dst, image.Rectangle{at, at.Add(image.Pt(edge, edge))})
	case wire.Tiles:
		long := max(w, h)
		n := (long + edge - 1) / edge
		for i := range n {
			shift := 0
			if n > 1 {
				shift = (i*(long-edge) + (n-1)/2) / (n - 1)
			}
			at := r.Min.Add(image.Pt(shift, 0))
			if h > w {
				at = r.Min.Add(image.Pt(0, shift))
			}
			dst = append(dst, image.Rectangle{at, at.Add(image.Pt(edge, edge))})
		}
		return dst
	default:
		return append(dst, r)
	}
}
