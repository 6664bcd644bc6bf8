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
		r.resetStem(w)
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
		switch {
		case b.add == nil:
		case i > 0:
			r.m.set.Add(rows[0], input[y*rowLen:(y+n)*rowLen], rows[0], b.add)
		default: // so narrow a network that block 0 adds too
			for j := range n {
				sum := rows[0][j*rowLen : (j+1)*rowLen]
				r.m.set.Add(sum, w.stemRow(y+j), sum, b.add)
			}
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

// resetStem prepares the rings in front of block 0's.
func (r *Runner) resetStem(w *worker) {
	m := r.m
	w.image.reset(3, m.facts.Size, 3, m.firstPad, m.inputZero, max(0, 2*w.ring.next-m.firstPad.Before))
	if m.blocks[0].expand != nil {
		w.stem.reset(w.ring.rows, m.firstSize, m.first.Out, Padding{}, 0, w.ring.next)
	}
}

// stem fills the ring of block 0 up to row end: the first convolution is made
// row by row too, from the picture, and expanded if block 0 does that.
func (r *Runner) stem(w *worker, end int) {
	m := r.m
	rowLen := m.facts.Size * 3
	for w.ring.next < end {
		first := 2*w.ring.next - m.firstPad.Before
		for w.image.next < min(first+3, m.facts.Size) {
			y := w.image.next
			m.set.Quantize(w.image.add(), r.rgb[y*rowLen:(y+1)*rowLen], r.pixels)
		}
		for j := range w.pixels {
			w.pixels[j] = w.image.row(first + j)
		}
		rows := append(w.rows[:0], w.ring.add())
		if expand := m.blocks[0].expand; expand != nil {
			row := w.stem.add()
			m.set.First(row, &w.pixels, m.first, w.scratch)
			m.set.Pointwise(rows, row, expand, w.scratch)
		} else {
			m.set.First(rows[0], &w.pixels, m.first, w.scratch)
		}
	}
}

// stemRow gives row y out of the first convolution, one of those that the ring
// of block 0 has.
func (w *worker) stemRow(y int) []int8 {
	if w.stem.rows > 0 {
		return w.stem.inner(y)
	}
	return w.ring.inner(y)
}
