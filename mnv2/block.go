package mnv2

import "tarsier/mnv2/internal/kernels"

// rows makes output rows from to to of a block, as one loop over passes: it
// expands the input rows that the next output rows need into the ring,
// convolves them depthwise, projects and adds. The expanded tensor, six times
// the input, exists a few rows or a few channels at a time.
func (r *Runner) rows(b *block, w *worker, input, output kernels.Pixels, from, to int) {
	pass := b.pass(to - from)
	w.padded = nil
	w.ring.reset(b.ringRows(pass), b.in, b.ringChannels(), b.pad, b.zero, max(0, from*b.stride-b.pad.Before))
	if b.stem {
		r.resetStem(w)
	}
	for y := from; y < to; y += pass {
		n := min(pass, to-y)
		tile := kernels.Pixels{Data: w.tile, Stride: n * b.out * kernels.Group}
		r.convolve(b, w, input, tile, y, n, 0, b.depthwise.Out)
		r.project(b, w, input, output, tile, y*b.out, (y+n)*b.out)
		if b.stem && b.add != nil { // so narrow a network that block 0 adds too
			for j := range n {
				r.add(b, output.At(0, (y+j)*b.out), w.stemRow(y+j), b.out)
			}
		}
	}
}

// channels makes the channels from up to to of a late block's image after its
// depthwise convolution, in the tile.
func (r *Runner) channels(b *block, w *worker, input, tile kernels.Pixels, from, to int) {
	if w.padded != b { // else the padding is still there
		w.padded = b
		w.ring.reset(b.ringRows(b.out), b.in, b.ringChannels(), b.pad, b.zero, 0)
	}
	w.ring.next = 0
	r.convolve(b, w, input, tile, 0, b.out, from, to)
}

// convolve makes n rows of the depthwise convolution from row y on, of the
// channels from up to to, in the tile: it expands some channels of the rows
// that are not in the ring yet, and convolves them while they are in the
// first cache. The ring of a late block has only those channels at a time.
func (r *Runner) convolve(b *block, w *worker, input, tile kernels.Pixels, y, n, from, to int) {
	first := y*b.stride - b.pad.Before
	next := w.ring.next
	end := min(first+(n-1)*b.stride+3, b.in)
	if b.stem {
		r.stem(b, w, end)
	}
	for c := from; c < to; c += b.step {
		to := min(c+b.step, to)
		at := c // in the ring
		if b.late {
			at = 0
		}
		if !b.stem {
			for y := next; y < end; y++ {
				r.m.set.Pointwise(w.ring.inner(y).At(at, 0), input.At(0, y*b.in), b.in,
					b.expand, c, min(to, b.expand.Out), w.scratch)
			}
		}
		for i := 0; i < n; {
			dst := w.dst[:min(n-i, 3-b.stride)]
			for j := range dst {
				dst[j] = tile.At(c, (i+j)*b.out)
			}
			src := w.src[:2+len(dst)]
			for j := range src {
				src[j] = w.ring.row(first+i*b.stride+j).At(at, 0)
			}
			r.m.set.Depthwise(dst, src, b.out, b.depthwise, b.stride, c, to)
			i += len(dst)
		}
	}
	w.ring.next = max(next, end)
}

// project makes pixels from up to to of a block's output of the tile, which
// begins with pixel from, some at a time: as many as stay in the first cache
// while all weights pass by.
func (r *Runner) project(b *block, w *worker, input, output, tile kernels.Pixels, from, to int) {
	n := chunk(to-from, b.project.In)
	for p := from; p < to; p += n {
		n := min(n, to-p)
		dst := output.At(0, p)
		r.m.set.Pointwise(dst, tile.At(0, p-from), n, b.project, 0, b.project.Out, w.scratch)
		if b.add != nil && !b.stem {
			r.add(b, dst, input.At(0, p), n)
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

// chunkBytes is how much input a pointwise convolution should be given, of a
// first cache of 32 KiB.
const chunkBytes = 24 << 10

// chunk divides a number of pixels into equal parts, as few as that allows,
// and says how many pixels a part has.
func chunk(pixels, channels int) int {
	parts := (pixels*channels + chunkBytes - 1) / chunkBytes
	return (pixels + parts - 1) / parts
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
