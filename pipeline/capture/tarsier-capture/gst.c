#define _GNU_SOURCE // RTLD_DEFAULT
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "gst.h"

// GStreamer came with OpenCV's videoio; its headers did not.
struct GError {
	unsigned domain;
	int code;
	char *message;
};

#define GST_PARSE_FLAG_FATAL_ERRORS 1

char *pipeline_fault(const char *pipeline) {
	int (*init)(int *, char ***, struct GError **) = dlsym(RTLD_DEFAULT, "gst_init_check");
	void *(*parse)(const char *, void *, int, struct GError **) = dlsym(RTLD_DEFAULT, "gst_parse_launch_full");
	void (*unref)(void *) = dlsym(RTLD_DEFAULT, "gst_object_unref");
	if (!init || !parse || !unref) return NULL;
	struct GError *error = NULL;
	if (!init(NULL, NULL, &error)) return strdup(error ? error->message : "GStreamer does not start");
	void *made = parse(pipeline, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
	if (made) unref(made);
	return error ? strdup(error->message) : NULL;
}
