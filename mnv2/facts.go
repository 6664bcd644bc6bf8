package mnv2

import "math"

// Facts are figures of a network as they are published of MobileNetV2.
type Facts struct {
	// WidthMult is the factor on the channels of table 2. Files do not tell
	// it: this is the roundest number that gives the file's channels, whether
	// they were rounded to multiples of 8 or down; see widthMult.
	WidthMult float64

	// Parameters counts all weights, and the biases of the classifier; those
	// of the convolutions come of batch normalization and are not counted.
	Parameters int64

	MultiplyAdds int64 // of all convolutions and the classifier, for one picture
	Classes      int   // 0 for a feature extractor
	Embedding    int   // length of the embedding, usually 1280
	Size         int   // height and width of the input in pixels
}

// facts counts; the network has been checked.
func (n *Network) facts() Facts {
	f := Facts{WidthMult: n.widthMult(), Embedding: n.Last.Out, Size: n.Size}
	size := n.Size
	count := func(c *Conv) {
		size = c.outSize(size)
		f.Parameters += int64(len(c.Weights))
		f.MultiplyAdds += int64(len(c.Weights)) * int64(size*size)
	}
	count(&n.First)
	for i := range n.Blocks {
		b := &n.Blocks[i]
		if b.Expand != nil {
			count(b.Expand)
		}
		count(&b.Depthwise)
		count(&b.Project)
	}
	count(&n.Last)
	if n.Classifier != nil {
		size = 1
		count(n.Classifier)
		f.Classes = n.Classifier.Out
		f.Parameters += int64(n.Classifier.Out)
	}
	return f
}

// widthMult finds the factor that gives the network's channels: the roundest
// multiple of 0.05, else of 0.01, else of 0.001. For channels that no factor
// gives it is that of the last block, to two digits.
func (n *Network) widthMult() float64 {
	last := n.Blocks[len(n.Blocks)-1].Project.Out
	about := float64(last) / 320
	for _, parts := range []float64{20, 100, 1000} {
		// Rounding moves 320 channels by 4, or by 1 downwards.
		for i := math.Floor((about - 0.02) * parts); i <= math.Ceil((about+0.02)*parts); i++ {
			if w := i / parts; n.hasChannels(w, roundToEight) || n.hasChannels(w, truncate) {
				return w
			}
		}
	}
	return math.Round(about*100) / 100
}

// hasChannels tells whether width multiplier w gives the network's channels.
func (n *Network) hasChannels(w float64, round func(float64) int) bool {
	if n.First.Out != round(32*w) || n.Last.Out != round(1280*max(1, w)) {
		return false
	}
	for i, b := range architecture {
		if n.Blocks[i].Project.Out != round(float64(b.channels)*w) {
			return false
		}
	}
	return true
}

// roundToEight rounds to a multiple of 8, but never loses more than 10 %
// (TensorFlow, torchvision).
func roundToEight(channels float64) int {
	n := max(8, int(channels+4)/8*8)
	if float64(n) < 0.9*channels {
		n += 8
	}
	return n
}

// truncate is what simple PyTorch code does.
func truncate(channels float64) int { return int(channels) }
