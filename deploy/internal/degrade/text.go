package degrade

import (
	"fmt"
	"image"
	"image/color"
)

var white = color.RGBA{255, 255, 255, 255}

// glyphs are 5 pixels wide and 7 high, a byte a row: what cameras and recorders write into pictures.
var glyphs = map[rune][7]byte{
	'0': {14, 17, 19, 21, 25, 17, 14}, '1': {4, 12, 4, 4, 4, 4, 14}, '2': {14, 17, 1, 6, 8, 16, 31}, '3': {14, 17, 1, 6, 1, 17, 14},
	'4': {2, 6, 10, 18, 31, 2, 2}, '5': {31, 16, 30, 1, 1, 17, 14}, '6': {6, 8, 16, 30, 17, 17, 14}, '7': {31, 1, 2, 4, 8, 8, 8},
	'8': {14, 17, 17, 14, 17, 17, 14}, '9': {14, 17, 17, 15, 1, 2, 12}, ':': {0, 4, 4, 0, 4, 4, 0}, '-': {0, 0, 0, 31, 0, 0, 0},
	'A': {14, 17, 17, 31, 17, 17, 17}, 'C': {14, 17, 16, 16, 16, 17, 14}, 'D': {30, 17, 17, 17, 17, 17, 30}, 'E': {31, 16, 16, 30, 16, 16, 31},
	'F': {31, 16, 16, 30, 16, 16, 16}, 'G': {14, 17, 16, 23, 17, 17, 14}, 'H': {17, 17, 17, 31, 17, 17, 17}, 'I': {14, 4, 4, 4, 4, 4, 14},
	'L': {16, 16, 16, 16, 16, 16, 31}, 'M': {17, 27, 21, 21, 17, 17, 17}, 'N': {17, 25, 21, 19, 17, 17, 17}, 'O': {14, 17, 17, 17, 17, 17, 14},
	'R': {30, 17, 17, 30, 20, 18, 17}, 'S': {15, 16, 16, 14, 1, 1, 30}, 'T': {31, 4, 4, 4, 4, 4, 4}, 'V': {17, 17, 17, 17, 17, 10, 4},
	'X': {17, 17, 10, 4, 10, 17, 17}, 'Y': {17, 17, 10, 4, 4, 4, 4},
}

func textWidth(text string, size int) int { return 6 * size * len(text) }

// write puts text with a shadow into a picture; each pixel of a glyph is size pixels wide and high.
func write(p *image.RGBA, left, top, size int, text string, colour color.RGBA) {
	for _, layer := range []struct {
		by     int
		colour color.RGBA
	}{{max(1, size/2), color.RGBA{0, 0, 0, 255}}, {0, colour}} {
		for i, letter := range text {
			for row, bits := range glyphs[letter] {
				for column := range 5 {
					if bits&(16>>column) != 0 {
						x, y := left+(6*i+column)*size+layer.by, top+row*size+layer.by
						fill(p, image.Rect(x, y, x+size, y+size), layer.colour)
					}
				}
			}
		}
	}
}

func fill(p *image.RGBA, r image.Rectangle, c color.RGBA) {
	r = r.Intersect(p.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p.SetRGBA(x, y, c)
		}
	}
}

func clock(r random) string {
	return fmt.Sprintf("20%02d-%02d-%02d %02d:%02d:%02d", r.whole(19, 29), r.whole(1, 12), r.whole(1, 28), r.IntN(24), r.IntN(60), r.IntN(60))
}
