// Package quantize makes int8 MobileNetV2 networks of float32 ones, after their
// training, and says what that costs.
//
// Quantize takes a float.Network and some pictures of what it is to see, Size x
// Size pixels, three bytes (red, green, blue) each; a handful will do. It gives
// the mnv2.Network, which package tflite writes to a file. Compare runs both on
// other pictures, and gives a Report.
//
// The scheme is that of TensorFlow Lite's 8-bit quantization specification:
// symmetric weights, one scale for each output channel, and activations with one
// scale and zero point each.
//
//   - A pixel's byte p is the int8 p - 128, whatever the network was trained with:
//     mean and deviation of each colour move into the first convolution.
//   - The scale of a channel's weights is the one of the least squared error. Of
//     weights that come from 8-bit ones that is their old scale, and no error.
//   - The range of an activation is the one of the least squared error over the
//     pictures (Nagel et al., arXiv 2106.08295, section 3.1), where what is cut
//     off counts twice, because more of it will come than was seen.
//   - Biases take back what rounded weights add on average, which is their error
//     times the mean of the input (Nagel et al., arXiv 1906.04721, section 4.2).
//   - The range of the logits leaves room above the largest that was seen, and for
//     a class that is certain.
//   - Dim pictures are seen a second time with their contrast stretched, so that
//     what was calibrated at night works by day.
//
// # What it was measured against
//
// A MobileNetV2 1.0 for ImageNet, quantized and judged on 160 photographs, video
// frames and drawings that calibration had not seen, by the root of the mean square
// of what the logarithms of the float32 network's five best scores are off by:
//
//	TensorFlow's converter                                                    0.82
//	weights rounded to 1/127 of the largest, ranges from least to largest     0.81
//	  and the scale of weights searched                                       0.36
//	  or, instead, biases corrected                                           0.32
//	all of the above, calibrated on 7 photographs                             0.24
//	on one photograph, or on eight frames of two videos                       0.25
//	on these frames darkened to a fifth, without the stretched contrast       0.59
//	  and with it                                                             0.29
//
// Left out, because they did not help: cross-layer equalization of the bottlenecks'
// channels (arXiv 1906.04721, section 4.1: 0.21 to 0.27, as it happens), factors
// for channels whose ReLU6 output is small (0.38 to 0.69: on other pictures it is
// cut off), biases corrected by the output of the quantized network (no gain from
// few pictures), and mirrored, enlarged, inverted or shrunk copies of the pictures.
package quantize

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"tarsier/mnv2"
	"tarsier/mnv2/float"
)

// Options say how the work is done. The zero value is a good choice.
type Options struct {
	Threads int // goroutines that share the pictures; 0 means one for each CPU

	// Progress, if not nil, is told how many pictures of a stage are done. It is
	// called by one goroutine at a time.
	Progress func(stage string, done, total int)
}

// Quantize makes an int8 network of net, calibrated on pictures. On one
// architecture the result depends on these alone, not on the number of threads; on
// another, such as arm64, Go may round the product and the sum of a float32
// convolution at once. It changes neither, and fails if there are no pictures, if
// they are of another size, or if net is not a MobileNetV2 or has numbers that are
// none.
func Quantize(net *float.Network, pictures [][]byte, o Options) (*mnv2.Network, error) {
	if err := check(net, pictures); err != nil {
		return nil, err
	}
	seen, err := calibrate(net, stretched(pictures), o)
	if err != nil {
		return nil, fmt.Errorf("network %q: %w", net.Name, err)
	}
	q := build(net, seen)
	if _, err := q.Facts(); err != nil {
		return nil, err
	}
	return q, nil
}

// check says whether a network and pictures go together.
func check(net *float.Network, pictures [][]byte) error {
	if err := net.Check(); err != nil {
		return fmt.Errorf("network %q: %w", net.Name, err)
	}
	if len(pictures) == 0 {
		return errors.New("there are no pictures: give some of what the network is to see")
	}
	for i, p := range pictures {
		if want := net.Size * net.Size * 3; len(p) != want {
			return fmt.Errorf("picture %d has %d bytes: want %d, %dx%d pixels of red, green and blue", i, len(p), want, net.Size, net.Size)
		}
	}
	return nil
}

// each calls do for every picture, from as many goroutines as there are workers,
// each with a worker of its own.
func each[W any](o Options, stage string, pictures [][]byte, workers []W, do func(worker W, i int) error) error {
	var (
		mu         sync.Mutex // of what follows
		next, done int
		failed     error
		all        sync.WaitGroup
	)
	take := func() (i int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= len(pictures) && failed == nil
	}
	end := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if done++; err != nil {
			failed = err
		}
		if o.Progress != nil {
			o.Progress(stage, done, len(pictures))
		}
	}
	for _, w := range workers {
		all.Add(1)
		go func() {
			defer all.Done()
			for i, ok := take(); ok; i, ok = take() {
				end(do(w, i))
			}
		}()
	}
	all.Wait()
	return failed
}

// threads is how many goroutines share n pictures.
func (o Options) threads(n int) int {
	if o.Threads > 0 {
		return min(o.Threads, n)
	}
	return min(runtime.GOMAXPROCS(0), n)
}
