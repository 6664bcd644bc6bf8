package float

// A Tensor is an activation: Size x Size pixels from the top left, row by row,
// Channels numbers each (NHWC, one picture).
type Tensor struct {
	Size, Channels int
	Data           []float32
}

// Resize gives t a shape; what it holds is then undefined.
func (t *Tensor) Resize(size, channels int) {
	n := size * size * channels
	if cap(t.Data) < n {
		t.Data = make([]float32, n)
	}
	t.Size, t.Channels, t.Data = size, channels, t.Data[:n]
}

// Copy makes t equal to src.
func (t *Tensor) Copy(src *Tensor) {
	t.Resize(src.Size, src.Channels)
	copy(t.Data, src.Data)
}

// ReLU6 clamps t to 0..6.
func (t *Tensor) ReLU6() {
	for i, v := range t.Data {
		t.Data[i] = min(max(v, 0), 6)
	}
}

// Add adds u, of the same shape, to t.
func (t *Tensor) Add(u *Tensor) {
	sum, data := t.Data, u.Data[:len(t.Data)]
	for i, v := range data {
		sum[i] += v
	}
}

// Mean makes of t the mean of src over all pixels: one pixel.
func (t *Tensor) Mean(src *Tensor) {
	t.Resize(1, src.Channels)
	clear(t.Data)
	for p := 0; p < len(src.Data); p += src.Channels {
		for c, v := range src.Data[p : p+src.Channels] {
			t.Data[c] += v
		}
	}
	for c := range t.Data {
		t.Data[c] /= float32(src.Size * src.Size)
	}
}

// Pixels makes of t a picture of size x size pixels of three bytes.
func (t *Tensor) Pixels(rgb []byte, size int, p Normalization) {
	t.Resize(size, 3)
	var values [3][256]float32
	for c := range values {
		for i := range values[c] {
			values[c][i] = (float32(i) - p.Mean[c]) / p.Std[c]
		}
	}
	for i := 0; i < len(t.Data); i += 3 {
		t.Data[i] = values[0][rgb[i]]
		t.Data[i+1] = values[1][rgb[i+1]]
		t.Data[i+2] = values[2][rgb[i+2]]
	}
}
