package float

// outSize is the height and width of what comes of an input of size pixels.
func (c *Conv) outSize(size int) int {
	return (size+c.Pad.Before+c.Pad.After-c.Kernel)/c.Stride + 1
}

// Forward makes of dst the convolution of src, without the activation. src must
// have In channels, and dst, which gets the shape of the output, must be another
// tensor. c must be of a network that has passed Check, and src of the size that
// it has there. *patches is working memory, nil at first, which Forward may
// replace by more.
func (c *Conv) Forward(dst, src *Tensor, patches *[]float32) {
	dst.Resize(c.outSize(src.Size), c.Out)
	switch {
	case c.Depthwise:
		c.depthwise(dst, src)
	case c.Kernel == 1 && c.Stride == 1:
		c.pointwise(dst.Data, src.Data, c.In)
	default:
		c.full(dst, src, patches)
	}
}

// full makes a row of pixels at a time, each with the patch that it sees, of a
// convolution with as many inputs.
func (c *Conv) full(dst, src *Tensor, patches *[]float32) {
	patch := c.Kernel * c.Kernel * c.In
	n := dst.Size * patch
	if cap(*patches) < n {
		*patches = make([]float32, n)
	}
	rows := (*patches)[:n]
	for y := range dst.Size {
		clear(rows)
		for x := range dst.Size {
			for k := range c.Kernel * c.Kernel {
				if at := c.tap(src, y, x, k); at != nil {
					copy(rows[x*patch+k*c.In:], at)
				}
			}
		}
		c.pointwise(dst.Data[y*dst.Size*c.Out:(y+1)*dst.Size*c.Out], rows, patch)
	}
}

// tap is the pixel of src that the k-th weights of output pixel y, x meet; nil
// outside of it.
func (c *Conv) tap(src *Tensor, y, x, k int) []float32 {
	y = y*c.Stride - c.Pad.Before + k/c.Kernel
	x = x*c.Stride - c.Pad.Before + k%c.Kernel
	if y < 0 || y >= src.Size || x < 0 || x >= src.Size {
		return nil
	}
	at := (y*src.Size + x) * src.Channels
	return src.Data[at : at+src.Channels]
}

func (c *Conv) depthwise(dst, src *Tensor) {
	for y := range dst.Size {
		for x := range dst.Size {
			at := (y*dst.Size + x) * c.Out
			sum := dst.Data[at : at+c.Out]
			copy(sum, c.Bias)
			for k := range c.Kernel * c.Kernel {
				if in := c.tap(src, y, x, k); in != nil {
					multiplyAdd(sum, in, c.Weights[k*c.Out:(k+1)*c.Out])
				}
			}
		}
	}
}

// multiplyAdd adds the products of a and b to sum.
func multiplyAdd(sum, a, b []float32) {
	a, b = a[:len(sum)], b[:len(sum)]
	for i := range sum {
		sum[i] += a[i] * b[i]
	}
}

// pointwise makes of pixels of in numbers pixels of Out numbers. It takes four
// pixels and two outputs at a time, so that six loads feed eight sums, as many
// as registers hold, and tiles of pixels that stay in the first cache while all
// weights pass by.
func (c *Conv) pointwise(dst, src []float32, in int) {
	const cache = 4096 // numbers
	tile := max(1, cache/in/4) * 4
	for n := len(src) / in; n >= 4; n = len(src) / in {
		tile = min(tile, n/4*4)
		for o := 0; o < c.Out; o += 2 {
			for p := 0; p < tile; p += 4 {
				c.dots(dst[p*c.Out:], src[p*in:], in, o)
			}
		}
		dst, src = dst[tile*c.Out:], src[tile*in:]
	}
	for ; len(src) > 0; dst, src = dst[c.Out:], src[in:] {
		for o := range c.Out {
			sum := c.Bias[o]
			for i, w := range c.Weights[o*in : (o+1)*in] {
				sum += src[i] * w
			}
			dst[o] = sum
		}
	}
}

// dots makes outputs o and o+1 of four pixels.
func (c *Conv) dots(dst, src []float32, in, o int) {
	p := min(o+1, c.Out-1) // the last of an odd number is made twice
	x0 := src[:in]
	x1, x2, x3 := src[in : 2*in][:len(x0)], src[2*in : 3*in][:len(x0)], src[3*in : 4*in][:len(x0)]
	w0, w1 := c.Weights[o*in : (o+1)*in][:len(x0)], c.Weights[p*in : (p+1)*in][:len(x0)]
	var a0, a1, a2, a3, b0, b1, b2, b3 float32
	for i, x := range x0 {
		v, w := w0[i], w1[i]
		a0 += x * v
		b0 += x * w
		x = x1[i]
		a1 += x * v
		b1 += x * w
		x = x2[i]
		a2 += x * v
		b2 += x * w
		x = x3[i]
		a3 += x * v
		b3 += x * w
	}
	a, b := c.Bias[o], c.Bias[p]
	dst[o], dst[p] = a0+a, b0+b
	dst[c.Out+o], dst[c.Out+p] = a1+a, b1+b
	dst[2*c.Out+o], dst[2*c.Out+p] = a2+a, b2+b
	dst[3*c.Out+o], dst[3*c.Out+p] = a3+a, b3+b
}
