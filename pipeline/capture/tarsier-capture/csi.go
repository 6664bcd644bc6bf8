package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tarsier/pipeline/capture/wire"
)

// libcamera makes the pipeline for the camera on a board's own connector. libcamera names cameras by their place in the device tree; the
// number counts those names backwards, as the Raspberry Pi's own tools (rpicam-hello --camera N) do. root is / but in tests.
func libcamera(root, number string) (string, error) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return "", fault(wire.ReasonAsked, "csi:%s: must be csi: and the number of a camera, 0 for the first", number)
	}
	sensors, _ := filepath.Glob(filepath.Join(root, "sys/class/video4linux/v4l-subdev*/device/of_node"))
	tree := filepath.Join(root, "sys/firmware/devicetree")
	var names []string
	for _, s := range sensors {
		node, err := filepath.EvalSymlinks(s)
		if err != nil || !strings.Contains(node, "/i2c") {
			continue
		}
		// A lens motor on the same bus has no port that pictures leave by.
		if _, err := os.Stat(filepath.Join(node, "port")); err == nil {
			names = append(names, strings.TrimPrefix(node, tree))
		}
	}
	slices.Sort(names)
	slices.Reverse(names)
	if names = slices.Compact(names); n >= len(names) {
		return "", fault(wire.ReasonMissing, "csi:%d: the board's connectors have %d cameras; is it plugged in, and enabled in the boot config?", n, len(names))
	}
	return "libcamerasrc camera-name=" + names[n] + " ! video/x-raw,width=1280,height=720" + sink, nil
}
