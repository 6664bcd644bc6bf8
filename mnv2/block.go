package mnv2

import "tarsier/mnv2/internal/kernels"

// rows makes output rows from to to of a block, band by band.
func (r *Runner) rows(b *block, w *worker, input, output kernels.Pixels, from, to int) {
	w.padded = nil
	r.resetRing(b, w, from)
	for y := from; y < to; y += b.band {
		t := tile{w.tile, y}
		n := min(b.band, to-y)
		r.convolve(b, w, input, t, y, y+n, 0, b.depthwise.Out)
		r.project(b, w, input, output, t, y, y+n)
		if b.stem && b.add != nil { // so narrow a network that block 0 adds too
			for j := range n {
				r.add(b, output.At(0, (y+j)*b.out), w.stemRow(y+j), b.out)
			}
		}
	}
}

// channels makes the channels from up to to of a late block's image after its
// depthwise convolution.
func (r *Runner) channels(b *block, w *worker, input kernels.Pixels, image tile, from, to int) {
	if w.padded != b { // else the padding is still there
		w.padded = b
		r.resetRing(b, w, 0)
	}
	w.ring.next = 0
	r.convolve(b, w, input, image, 0, b.out, from, to)
}

// convolve makes rows top to bottom of the depthwise convolution, of the
// channels from up to to, some channels at a time, so that their weights and
// their rows of the ring stay in the first cache.
func (r *Runner) convolve(b *block, w *worker, input kernels.Pixels, t tile, top, bottom, from, to int) {
	if b.stem {
		r.stem(b, w, b.needsTo(bottom))
	}
	for c := from; c < to; c += b.step {
		next := w.ring.next
		for y := top; y < bottom; y += b.unit() {
			end := min(y+b.unit(), bottom)
			r.pass(b, w, input, t, y, end, c, min(c+b.step, to), next)
			next = b.needsTo(end)
		}
	}
	w.ring.next = b.needsTo(bottom)
}

// pass makes the next rows, top to bottom, of the depthwise convolution, of the
// channels from up to to: it expands these of the rows from next on, which are
// not in the ring yet, and convolves them. The expanded tensor, six times the
// input, exists a few rows at a time.
func (r *Runner) pass(b *block, w *worker, input kernels.Pixels, t tile, top, bottom, from, to, next int) {
	set := r.m.set
	first, at := top*b.stride-b.pad.Before, b.ringChannel(from)
	dst := w.dst[:bottom-top]
	src := w.src[:(len(dst)-1)*b.stride+3]
	for i := range src {
		src[i] = w.ring.row(first+i).At(at, 0)
	}
	if !b.stem {
		for y := next; y < b.needsTo(bottom); y++ {
			set.Pointwise(src[y-first].At(0, b.pad.Before), input.At(0, y*b.in), b.in,
				b.expand, from, min(to, b.expand.Out), w.scratch)
		}
	}
	for i := range dst {
		dst[i] = b.row(t, top+i).At(from, 0)
	}
	set.Depthwise(dst, src, b.out, b.depthwise, b.stride, from, to)
}

// resetRing empties the ring for output rows from y on.
func (r *Runner) resetRing(b *block, w *worker, y int) {
	w.ring.reset(b.ringRows(), b.in, b.ringChannels(), b.pad, b.zero, b.needsFrom(y))
	if b.stem {
		r.resetStem(w)
	}
}

// needsFrom is the first row of the input that output rows from y on need.
func (b *block) needsFrom(y int) int { return max(0, y*b.stride-b.pad.Before) }

// needsTo is the end of the rows of the input that output rows up to y need.
func (b *block) needsTo(y int) int { return min((y-1)*b.stride-b.pad.Before+3, b.in) }

// A tile is rows of a block after its depthwise convolution, from row top on.
// As many of them as are projected at a time lie together, all channels.
type tile struct {
	data []int8
	top  int
}

// row gives row y of a tile and those that lie with it below.
func (b *block) row(t tile, y int) kernels.Pixels {
	first, i := (y-t.top)/b.together, (y-t.top)%b.together
	size := b.together * b.out
	return kernels.Pixels{
		Data:   t.data[first*size*b.depthwise.Out+i*b.out*kernels.Group:],
		Stride: size * kernels.Group,
	}
}

// project makes rows from to to of a block's output of the tile, some at a
// time: as many as stay in the first cache while all weights pass by.
func (r *Runner) project(b *block, w *worker, input, output kernels.Pixels, t tile, from, to int) {
	for y := from; y < to; y += b.together {
		dst, n := output.At(0, y*b.out), min(b.together, to-y)*b.out
		r.m.set.Pointwise(dst, b.row(t, y), n, b.project, 0, b.project.Out, w.scratch)
		if b.add != nil && !b.stem {
			r.add(b, dst, input.At(0, y*b.out), n)
		}
	}
}

// add adds a block's input to n pixels of its output.
func (r *Runner) add(b *block, sum, input kernels.Pixels, n int) {
	for c := 0; c < b.project.Out; c += kernels.Group {
		sum := sum.At(c, 0).Data[:n*kernels.Group]
		r.m.set.Add(sum, input.At(c, 0).Data[:n*kernels.Group], sum, b.add)
	}
}

// resetStem prepares the rings in front of block 0's.
func (r *Runner) resetStem(w *worker) {
	m := r.m
	w.image.reset(m.facts.Size, m.firstPad, m.inputZero, max(0, 2*w.ring.next-m.firstPad.Before))
	if m.blocks[0].expand != nil {
		w.stem.reset(w.ring.rows, m.firstSize, kernels.Pad(m.first.Out), Padding{}, 0, w.ring.next)
	}
}

// stem fills the ring of block 0 up to row end: the first convolution is made
// row by row too, from the picture, and expanded if block 0 does that.
func (r *Runner) stem(b *block, w *worker, end int) {
	m := r.m
	rowLen := m.facts.Size * 3
	for y := w.ring.next; y < end; y++ {
		first := 2*y - m.firstPad.Before
		for w.image.next < min(first+3, m.facts.Size) {
			y := w.image.next
			r.pixels.quantize(w.image.add(), r.rgb[y*rowLen:(y+1)*rowLen])
		}
		for i := range w.rgb {
			w.rgb[i] = w.image.row(first + i)
		}
		row := w.stemRow(y)
		m.set.First(row, &w.rgb, m.firstSize, m.first, w.scratch)
		if b.expand != nil {
			for c := 0; c < b.expand.Out; c += b.step {
				m.set.Pointwise(w.ring.inner(y).At(c, 0), row, m.firstSize,
					b.expand, c, min(c+b.step, b.expand.Out), w.scratch)
			}
		}
	}
}

// stemRow gives row y out of the first convolution, one of those that the ring
// of block 0 has.
func (w *worker) stemRow(y int) kernels.Pixels {
	if w.stem.rows > 0 {
		return w.stem.inner(y)
	}
	return w.ring.inner(y)
}
