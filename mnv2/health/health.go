// Package health is the model that tarsier has built in: it sees how a camera is, not what stands before it.
//
// Files holds a MobileNetV2 of 224x224 pixels and seven classes (int8 .tflite) at the widths 0.35 and 0.5, labels.txt and model.yaml, as a model
// directory has them. The classes are clear (the normal state), dark, overexposed, blurred (defocus or dirt), covered
// (a hand, tape, a web, snow), corrupt (decoder smear, blocks, torn frames, test patterns, no signal) and noisy (high gain at night).
package health

import "embed"

// Name is what events call the model, whatever its width.
const Name = "camera_health"

// Normal is the label of a camera that is as it should be.
const Normal = "clear"

// Files is the model directory.
//
//go:embed *.tflite labels.txt model.yaml
var Files embed.FS
