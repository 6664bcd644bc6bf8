package mnv2

// A ring holds the last rows of an image that is made row by row, padded: as
// many as the 3x3 convolution that reads it needs at a time. The image's rows
// are 0 to height-1; those above and below read as padding.
type ring struct {
	buf  []int8 // of the largest ring that uses this memory
	zero []int8 // a row of padding

	rows   int // that fit
	width  int // of a row, padding included
	height int
	before int // length of the padding in front of a row
	after  int
	next   int // the first row that was not made yet
}

func newRing(a allocator, size, width int) ring {
	return ring{buf: a.take(size), zero: a.take(width)}
}

// reset empties the ring, for an image of height x height pixels, whose first
// row to be made is next.
func (r *ring) reset(rows, height, channels int, pad Padding, zero int8, next int) {
	r.rows, r.height, r.next = rows, height, next
	r.before, r.after = pad.Before*channels, pad.After*channels
	r.width = r.before + height*channels + r.after
	fill(r.zero[:r.width], zero)
	for i := range rows {
		row := r.buf[i*r.width : (i+1)*r.width]
		fill(row[:r.before], zero)
		fill(row[r.width-r.after:], zero)
	}
}

// row gives row y with its padding.
func (r *ring) row(y int) []int8 {
	if y < 0 || y >= r.height {
		return r.zero[:r.width]
	}
	i := y % r.rows
	return r.buf[i*r.width : (i+1)*r.width]
}

// inner gives row y, one of the image, without its padding.
func (r *ring) inner(y int) []int8 {
	return r.row(y)[r.before : r.width-r.after]
}

// add gives the place of the next row, without its padding, to be written to.
func (r *ring) add() []int8 {
	r.next++
	return r.inner(r.next - 1)
}

func fill(s []int8, v int8) {
	for i := range s {
		s[i] = v
	}
}
