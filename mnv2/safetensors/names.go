package safetensors

import (
	"errors"
	"fmt"
	"strings"
)

// A naming is how a program calls the layers of a MobileNetV2.
type naming struct {
	program     string // for messages
	first, last layer
	// block gives the names of the i-th block of a stage, both from 0; index
	// counts all blocks.
	block      func(stage, i, index int) block
	classifier []string // what it may be called
}

// A layer is a convolution and the batch normalization behind it.
type layer struct{ conv, norm string }

// A block is an inverted residual block; expand has no names where it has no
// expansion.
type block struct{ expand, depthwise, project layer }

func pair(prefix string) layer { return layer{prefix + ".0", prefix + ".1"} }

// torchvision is torchvision.models.mobilenet_v2.
var torchvision = naming{
	program: "torchvision",
	first:   pair("features.0"),
	last:    pair("features.18"),
	block: func(_, _, index int) block {
		p := fmt.Sprintf("features.%d.conv.", index+1)
		if index == 0 {
			return block{depthwise: pair(p + "0"), project: layer{p + "1", p + "2"}}
		}
		return block{pair(p + "0"), pair(p + "1"), layer{p + "2", p + "3"}}
	},
	classifier: []string{"classifier.1", "classifier"},
}

// timm is timm's EfficientNet as mobilenetv2_* configures it.
var timm = naming{
	program: "timm",
	first:   layer{"conv_stem", "bn1"},
	last:    layer{"conv_head", "bn2"},
	block: func(stage, i, _ int) block {
		p := fmt.Sprintf("blocks.%d.%d.", stage, i)
		if stage == 0 {
			return block{depthwise: layer{p + "conv_dw", p + "bn1"}, project: layer{p + "conv_pw", p + "bn2"}}
		}
		return block{layer{p + "conv_pw", p + "bn1"}, layer{p + "conv_dw", p + "bn2"}, layer{p + "conv_pwl", p + "bn3"}}
	},
	classifier: []string{"classifier"},
}

// plain is the module of simple programs, whose t = 1 block expands too.
var plain = naming{
	program: "tarsier",
	first:   pair("first_layer"),
	last:    pair("last_layer"),
	block: func(_, _, index int) block {
		p := fmt.Sprintf("layers.%d.conv.", index)
		return block{layer{p + "0", p + "1"}, layer{p + "3", p + "4"}, layer{p + "6", p + "7"}}
	},
	classifier: []string{"classifier", "classifier.1"},
}

// naming tells the program by the name of its first layer, and what it puts in
// front of every name.
func (f *file) naming() (n naming, prefix string, err error) {
	found := 0
	for _, candidate := range []naming{torchvision, timm, plain} {
		weights := candidate.first.conv + ".weight"
		for name := range f.tensors {
			p, ok := strings.CutSuffix(name, weights)
			if ok && (p == "" || strings.HasSuffix(p, ".")) {
				n, prefix = candidate, p
				found++
			}
		}
	}
	switch found {
	case 0:
		return n, "", errors.New("no tensor is called as the first layer of a MobileNetV2: features.0.0.weight (torchvision), conv_stem.weight (timm) or first_layer.0.weight; export the model to ONNX, which has a graph")
	case 1:
		return n, prefix, nil
	}
	return n, "", fmt.Errorf("%d tensors are called as the first layer of a MobileNetV2; there must be one network in a file", found)
}
