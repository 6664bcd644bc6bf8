package mnv2

// last makes every threads-th part of the last convolution from the i-th on,
// and of each at once the mean: only one part of its output exists at a time.
func (r *Runner) last(w *worker, i int) {
	m := r.m
	final := len(m.blocks) - 1
	pixels := m.lastSize() * m.lastSize()
	input := r.mem.activations[final%2][:pixels*m.last[0].In]
	for ; i < len(m.last); i += m.threads {
		l := m.last[i]
		rows := w.rows[:1]
		rows[0] = w.head[:pixels*l.Out]
		m.set.Pointwise(rows, input, l, w.scratch)
		m.set.Mean(r.mem.embedding[i*m.last[0].Out:][:l.Out], rows[0], m.mean)
	}
}

// classifier makes every threads-th part of the logits from the i-th on.
func (r *Runner) classifier(w *worker, i int) {
	m := r.m
	for ; i < len(m.classifier); i += m.threads {
		l := m.classifier[i]
		rows := w.rows[:1]
		rows[0] = r.mem.logits[i*m.classifier[0].Out:][:l.Out]
		m.set.Pointwise(rows, r.mem.embedding[:l.In], l, w.scratch)
	}
}
