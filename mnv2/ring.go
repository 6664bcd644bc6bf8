package mnv2

import "tarsier/mnv2/internal/kernels"

// A ring holds the last rows of an image that is made row by row, padded: as
// many as the 3x3 convolution that reads it needs at a time. The image's rows
// are 0 to height-1; those above and below read as padding.
type ring struct {
	buf  []int8 // of the largest ring that uses this memory
	zero []int8 // a row of padding

	rows   int // that fit
	length int // of a row in bytes, padding included
	stride int // from a group of a row's channels to the next
	height int
	before int // pixels of padding in front of a row
	next   int // the first row that was not made yet
}

func newRing(a allocator, size, row int) ring {
	return ring{buf: a.take(size), zero: a.take(row)}
}

// reset empties the ring, for an image of height x height pixels, whose first
// row to be made is next.
func (r *ring) reset(rows, height, channels int, pad Padding, zero int8, next int) {
	width := pad.Before + height + pad.After
	r.rows, r.height, r.before, r.next = rows, height, pad.Before, next
	r.stride = width * kernels.Group
	r.length = width * channels
	fill(r.zero[:r.length], zero)
	for i := 0; i < rows*r.length; i += r.stride {
		row := r.buf[i : i+r.stride]
		fill(row[:pad.Before*kernels.Group], zero)
		fill(row[(width-pad.After)*kernels.Group:], zero)
	}
}

// row gives row y with its padding.
func (r *ring) row(y int) kernels.Pixels {
	if y < 0 || y >= r.height {
		return kernels.Pixels{Data: r.zero[:r.length], Stride: r.stride}
	}
	i := y % r.rows
	return kernels.Pixels{Data: r.buf[i*r.length : (i+1)*r.length], Stride: r.stride}
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
	for i := range s {
		s[i] = v
	}
}
