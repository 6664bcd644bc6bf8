// What is wrong with a GStreamer pipeline.

#pragma once

// pipeline_fault is what GStreamer says of a pipeline that cannot be made, such as that a part of it is not installed: OpenCV would wait
// for its pictures without end. NULL where it can be made, or where OpenCV has no GStreamer. The caller frees it.
char *pipeline_fault(const char *pipeline);
