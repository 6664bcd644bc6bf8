package mnv2

import "tarsier/mnv2/internal/kernels"

// lastAndMean makes embedding channels from up to to of a picture: the last
// convolution, and of its channels at once the mean, so that only a few of
// them exist at a time.
func (r *Runner) lastAndMean(w *worker, input kernels.Pixels, from, to int) {
	m := r.m
	pixels := m.lastSize() * m.lastSize()
	head := kernels.Pixels{Data: w.head, Stride: pixels * kernels.Group}
	for c := from; c < to; c += m.headStep {
		n := min(m.headStep, to-c)
		m.set.Pointwise(head, input, pixels, m.last, c, c+n, w.scratch)
		for i := 0; i < n; i += kernels.Group {
			m.set.Mean(r.group(r.embeddings, c+i), head.At(i, 0), pixels, m.mean)
		}
	}
}

// read turns what the kernels left of a picture into its result.
func (r *Runner) read(picture int) {
	m, l, result := r.m, &r.late[picture], &r.results[picture]
	r.picture = picture
	r.unpack(l.embedding, r.embeddings)
	dequantize(result.Embedding, l.embedding, m.embedding)
	if m.classifier != nil {
		r.unpack(l.logits, r.logits)
		dequantize(result.Logits, l.logits, m.logits)
		softmax(result.Scores, l.logits, &m.exp)
	}
}

// unpack takes the picture's channels out of a batch's pixels.
func (r *Runner) unpack(dst, pixels []int8) {
	for c := 0; c < len(dst); c += kernels.Group {
		copy(dst[c:], r.group(pixels, c))
	}
	if flip := r.m.set.Flip; flip != 0 {
		for c := range dst {
			dst[c] ^= flip
		}
	}
}

// group is the picture's channels from c on, of the pixels of a batch.
func (r *Runner) group(pixels []int8, c int) []int8 {
	return pixels[c*len(r.results)+r.picture*kernels.Group:][:kernels.Group]
}

func dequantize(dst []float32, src []int8, q Quantization) {
	src = src[:len(dst)]
	for i := range dst {
		dst[i] = q.Scale * float32(int32(src[i])-q.Zero)
	}
}
