#define _GNU_SOURCE // RTLD_NEXT
#include <dlfcn.h>
#include <libavcodec/avcodec.h>

#include "resized.h"

// OpenCV converts every picture of a stream as it did the first. One that is smaller it reads beyond the end of, and of one that is larger
// it makes the picture before again, and says nothing. So it gets none: these stand before FFmpeg's functions of the same name, and
// the stream is over. It is opened again as what it is then.
static int watching, changed, width, height, format;
static const AVCodecContext *decoder;

void expect_one_size(void) {
	watching = 1;
	changed = 0;
	decoder = NULL;
}

void expect_any_size(void) { watching = changed = 0; }

int resized(void) { return changed; }

// A decoder that is opened is a new one, even where another was that has been freed: that of the sound, in FFmpeg's own look at the stream.
int avcodec_open2(AVCodecContext *c, const AVCodec *codec, AVDictionary **options) {
	static int (*open)(AVCodecContext *, const AVCodec *, AVDictionary **);
	if (!open) open = dlsym(RTLD_NEXT, "avcodec_open2");
	if (c == decoder) decoder = NULL;
	return open(c, codec, options);
}

int avcodec_receive_frame(AVCodecContext *c, AVFrame *f) {
	static int (*receive)(AVCodecContext *, AVFrame *);
	if (!receive) receive = dlsym(RTLD_NEXT, "avcodec_receive_frame");
	int err = receive(c, f);
	if (err < 0 || !watching) return err;
	if (c != decoder) { // the first was FFmpeg's own look at the stream
		decoder = c;
		width = f->width, height = f->height, format = f->format;
	} else if (width != f->width || height != f->height || format != f->format) {
		changed = 1;
		return AVERROR_INPUT_CHANGED;
	}
	return 0;
}

int avcodec_send_packet(AVCodecContext *c, const AVPacket *p) {
	static int (*send)(AVCodecContext *, const AVPacket *);
	if (!send) send = dlsym(RTLD_NEXT, "avcodec_send_packet");
	return watching && changed ? AVERROR_INPUT_CHANGED : send(c, p);
}
