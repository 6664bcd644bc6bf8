package modelfile

import (
	"fmt"
	"math"

	"tarsier/mnv2/float"
)

// BatchNorm is a batch normalization as it runs after training:
// y = Scale * (x - Mean) / sqrt(Variance + Epsilon) + Bias, for each channel
// (Ioffe and Szegedy, arXiv 1502.03167). Each list has one number a channel.
type BatchNorm struct {
	Scale, Bias, Mean, Variance []float32
	Epsilon                     float32
}

// Fold makes the normalization behind c part of its weights and bias.
func (n BatchNorm) Fold(c *float.Conv) error {
	for _, v := range []struct {
		what string
		list []float32
	}{{"scales", n.Scale}, {"biases", n.Bias}, {"means", n.Mean}, {"variances", n.Variance}} {
		if len(v.list) != c.Out {
			return fmt.Errorf("batch normalization with %d %s for %d channels", len(v.list), v.what, c.Out)
		}
	}
	if e := float64(n.Epsilon); math.IsInf(e, 0) || math.IsNaN(e) {
		return fmt.Errorf("batch normalization: epsilon %v; it must be a number", e)
	}
	factors, offsets := make([]float64, c.Out), make([]float64, c.Out)
	for i := range factors {
		v := float64(n.Variance[i]) + float64(n.Epsilon)
		if math.IsInf(v, 1) { // would make the channel 0
			return fmt.Errorf("batch normalization: variance %v of channel %d: the file is damaged, training diverged, or the model was saved in float16, which has no number above 65504: save it in float32",
				v, i)
		}
		if !(v > 0) {
			return fmt.Errorf("batch normalization: variance %v of channel %d; with epsilon %v it must be more than 0: the file is damaged or training diverged",
				n.Variance[i], i, n.Epsilon)
		}
		factors[i] = float64(n.Scale[i]) / math.Sqrt(v)
		offsets[i] = float64(n.Bias[i]) - float64(float64(n.Mean[i])*factors[i])
	}
	Affine(c, factors, offsets)
	return nil
}

// Affine makes y = factor * x + offset of each channel behind c part of it.
func Affine(c *float.Conv, factors, offsets []float64) {
	if c.Depthwise {
		for i := range c.Weights {
			c.Weights[i] = float32(float64(c.Weights[i]) * factors[i%c.Out])
		}
	} else {
		n := len(c.Weights) / c.Out
		for i := range c.Weights {
			c.Weights[i] = float32(float64(c.Weights[i]) * factors[i/n])
		}
	}
	for i := range c.Bias {
		c.Bias[i] = float32(float64(float64(c.Bias[i])*factors[i]) + offsets[i])
	}
}
