package mnv2

// block makes output rows from to to of the i-th inverted residual block, as
// one loop over rows: it expands the input rows that the next output rows need
// into the ring, convolves them depthwise, projects and adds. The expanded
// tensor, six times the input, exists a few rows at a time.
func (r *Runner) block(i int, w *worker, from, to int) {
	if from == to {
		return
	}
	b := &r.m.blocks[i]
	output := r.mem.activations[i%2]
	input := r.mem.activations[1-i%2]
	first := from*b.stride - b.pad.Before // of the input rows
	w.ring.reset(b.ringRows(), b.in, b.depthwise.In, b.pad, b.zero, max(0, first))
	if i == 0 {
		r.resetImage(w, w.ring.next)
	}
	for y := from; y < to; y += b.step {
		n := min(b.step, to-y)
		first := y*b.stride - b.pad.Before
		window := w.window[:(n-1)*b.stride+3]
		end := min(first+len(window), b.in)
		if i == 0 {
			r.stem(w, end)
		} else {
			r.expand(b, w, input, end)
		}
		for j := range window {
			window[j] = w.ring.row(first + j)
		}
		tile := w.tile[:n*b.out*b.depthwise.Out]
		r.m.set.Depthwise(tile, window, b.depthwise, b.stride)

		rowLen := b.out * b.project.Out
		rows := w.rows[:1]
		rows[0] = output[y*rowLen : (y+n)*rowLen]
		r.m.set.Pointwise(rows, tile, b.project, w.scratch)
		if b.add != nil {
			r.m.set.Add(rows[0], input[y*rowLen:(y+n)*rowLen], rows[0], b.add)
		}
	}
}

// expand fills the ring up to row end.
func (r *Runner) expand(b *block, w *worker, input []int8, end int) {
	from := w.ring.next
	if from >= end {
		return
	}
	rows := w.rows[:0]
	for w.ring.next < end {
		rows = append(rows, w.ring.add())
	}
	rowLen := b.in * b.expand.In
	r.m.set.Pointwise(rows, input[from*rowLen:end*rowLen], b.expand, w.scratch)
}

// resetImage prepares the input's ring for row y of the first convolution.
func (r *Runner) resetImage(w *worker, y int) {
	next := max(0, 2*y-r.m.firstPad.Before)
	w.image.reset(3, r.m.facts.Size, 3, r.m.firstPad, r.m.inputZero, next)
}

// stem fills the ring of block 0 up to row end: the first convolution is made
// row by row too, from the picture, and expanded if block 0 does that.
func (r *Runner) stem(w *worker, end int) {
	rowLen := r.m.facts.Size * 3
	for w.ring.next < end {
		first := 2*w.ring.next - r.m.firstPad.Before
		for w.image.next < min(first+3, r.m.facts.Size) {
			y := w.image.next
			r.m.set.Quantize(w.image.add(), r.rgb[y*rowLen:(y+1)*rowLen], r.pixels)
		}
		for j := range w.pixels {
			w.pixels[j] = w.image.row(first + j)
		}
		row := w.ring.add()
		if expand := r.m.blocks[0].expand; expand != nil {
			r.m.set.First(w.stem, &w.pixels, r.m.first, w.scratch)
			rows := append(w.rows[:0], row)
			r.m.set.Pointwise(rows, w.stem, expand, w.scratch)
		} else {
			r.m.set.First(row, &w.pixels, r.m.first, w.scratch)
		}
	}
}
