package mnv2

import "tarsier/mnv2/internal/kernels"

// A ring holds the last rows of an image that is made row by row, padded: as
// many as the 3x3 convolution that reads it needs at a time. The image's rows
// are 0 to height-1; those above and below read as padding.
//
// All rows of a group of channels lie together, and those of the groups that
// are worked on at a time: were it row by row, these parts of rows could stand
// in the same few sets of a cache.
type ring struct {
	buf []int8 // of the largest ring that uses this memory

	rows   int // that fit; behind them stands one of padding
	length int // of a row in bytes, padding included
	height int
	before int // pixels of padding in front of a row
	next   int // the first row that was not made yet
}

// ringSize is how much memory a ring takes.
func ringSize(rows, width, channels int) int { return (rows + 1) * width * channels }

// reset empties the ring, for an image of height x height pixels, whose first
// row to be made is next.
func (r *ring) reset(rows, height, channels int, pad Padding, zero int8, next int) {
	width := pad.Before + height + pad.After
	r.rows, r.height, r.before, r.next = rows, height, pad.Before, next
	r.length = width * kernels.Group
	for buf := r.buf[:ringSize(rows, width, channels)]; len(buf) > 0; {
		for range rows {
			fill(buf[:pad.Before*kernels.Group], zero)
			fill(buf[r.length-pad.After*kernels.Group:r.length], zero)
			buf = buf[r.length:]
		}
		fill(buf[:r.length], zero)
		buf = buf[r.length:]
	}
}

// row gives row y with its padding.
func (r *ring) row(y int) kernels.Pixels {
	i := r.rows
	if y >= 0 && y < r.height {
		i = y % r.rows
	}
	return kernels.Pixels{Data: r.buf[i*r.length:], Stride: (r.rows + 1) * r.length}
}

// inner gives row y, one of the image, from its first pixel on.
func (r *ring) inner(y int) kernels.Pixels {
	return r.row(y).At(0, r.before)
}

// An imageRing is a ring of three rows of the input, of three bytes a pixel.
type imageRing struct {
	rows   [3][]int8
	zero   []int8 // a row of padding
	before int    // bytes of padding in front of a row
	height int
	next   int // the first row that was not made yet
}

func newImageRing(a allocator, width int) imageRing {
	return imageRing{rows: [3][]int8{a.take(width), a.take(width), a.take(width)}, zero: a.take(width)}
}

func (r *imageRing) reset(height int, pad Padding, zero int8, next int) {
	r.before, r.height, r.next = 3*pad.Before, height, next
	fill(r.zero, zero)
	for _, row := range r.rows {
		fill(row, zero)
	}
}

// row gives row y with its padding.
func (r *imageRing) row(y int) []int8 {
	if y < 0 || y >= r.height {
		return r.zero
	}
	return r.rows[y%3]
}

// add gives the place of the next row, without its padding, to be written to.
func (r *imageRing) add() []int8 {
	r.next++
	return r.row(r.next - 1)[r.before:][:3*r.height]
}

func fill(s []int8, v int8) {
	for n := 0; n < len(s); {
		if n < kernels.Group {
			s[n] = v
			n++
		} else {
			n += copy(s[n:], s[:n])
		}
	}
}
