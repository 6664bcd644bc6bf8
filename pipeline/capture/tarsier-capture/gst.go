package main

// #include <stdlib.h>
// #include "gst.h"
import "C"

import (
	"strings"
	"unsafe"

	"tarsier/pipeline/capture/wire"
)

// packages have the parts of pipelines that may be missing.
var packages = map[string]string{
	"libcamerasrc":     "apt-get install gstreamer1.0-libcamera",
	"rtspsrc":          "apt-get install gstreamer1.0-plugins-good",
	"h264parse":        "apt-get install gstreamer1.0-plugins-bad",
	"nvarguscamerasrc": nvidia,
	"nvvidconv":        nvidia,
	"nvv4l2decoder":    nvidia,
}

const nvidia = "it comes with NVIDIA's own system, in nvidia-l4t-gstreamer"

// pipelineFault is what GStreamer says of a pipeline that cannot be made; "" of one that can.
func pipelineFault(pipeline string) string {
	p := C.CString(pipeline)
	defer C.free(unsafe.Pointer(p))
	m := C.pipeline_fault(p)
	if m == nil {
		return ""
	}
	defer C.free(unsafe.Pointer(m))
	why := wire.Redact(C.GoString(m))
	for element, from := range packages {
		if strings.Contains(why, `"`+element+`"`) {
			return why + ": " + from
		}
	}
	return why
}

// gstURL is a URL as one value in a pipeline, whatever is in it.
func gstURL(s string) string {
	return `"` + strings.NewReplacer(`\`, "%5C", `"`, "%22", " ", "%20").Replace(s) + `"`
}
