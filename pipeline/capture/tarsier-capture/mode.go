package main

import (
	"math"

	"gocv.io/x/gocv"

	"tarsier/pipeline/capture/device"
	"tarsier/pipeline/capture/wire"
)

// need is how large a picture must be for every box to have at least size pixels.
func need(boxes []wire.Box, size int) (w, h int) {
	for _, b := range boxes {
		w = max(w, int(math.Ceil(float64(size)/b[2])))
		h = max(h, int(math.Ceil(float64(size)/b[3])))
	}
	return w, h
}

// setMode asks a camera for the cheapest of its modes that is large enough; of one that does not tell, OpenCV's choice stays. The order is what
// OpenCV's V4L2 wants: it starts anew at each change, the size at its second half, and with a format that does not have the size
// takes what is near. The rate is set last, since the camera forgets it.
func (s *stream) setMode(vc *gocv.VideoCapture) {
	modes, err := device.Modes(s.src.uri)
	m, ok := device.Choose(modes, s.need.X, s.need.Y, float64(s.rate))
	if err != nil || !ok {
		return
	}
	vc.Set(gocv.VideoCaptureFOURCC, vc.ToCodec(m.Format))
	vc.Set(gocv.VideoCaptureFrameWidth, float64(m.Width))
	vc.Set(gocv.VideoCaptureFrameHeight, float64(m.Height))
	if m.Rate > 0 {
		vc.Set(gocv.VideoCaptureFPS, m.Rate)
	}
}
