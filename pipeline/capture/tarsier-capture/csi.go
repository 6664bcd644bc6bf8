package main

import (
	"fmt"
	"strconv"

	"tarsier/pipeline/capture/device"
	"tarsier/pipeline/capture/wire"
)

// csi makes the pipeline for the camera on a board's own connector. root is / but in tests.
func csi(root, number string) (string, error) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return "", fault(wire.ReasonAsked, "csi:%s: must be csi: and the number of a camera, 0 for the first", number)
	}
	if device.Jetson(root) {
		// The sensor's pictures stay in NVIDIA's memory until they are converted, to a format that videoconvert knows.
		return fmt.Sprintf("nvarguscamerasrc sensor-id=%d ! video/x-raw(memory:NVMM),format=NV12,width=1280,height=720,framerate=30/1 ! "+
			"nvvidconv ! video/x-raw,format=BGRx", n) + sink, nil
	}
	names := device.Ribbon(root)
	if n >= len(names) {
		return "", fault(wire.ReasonMissing, "csi:%d: the board's connectors have %d cameras; is it plugged in, and enabled in the boot config?", n, len(names))
	}
	return "libcamerasrc camera-name=" + names[n] + " ! video/x-raw,width=1280,height=720" + sink, nil
}
