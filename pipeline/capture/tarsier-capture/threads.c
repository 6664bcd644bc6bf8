#include <unistd.h>

long __sysconf(int name);

// What makes a thread for each processor is told of no more than four. OpenCV 4.6 has FFmpeg decode so, and listens to nothing else
// (later ones do to OPENCV_FFMPEG_THREADS): every thread holds pictures of its own, and what comes out is a picture later for each.
// With 16 of them a 4K stream takes 850 MB, with four 470 MB.
long sysconf(int name) {
	long n = __sysconf(name);
	return name == _SC_NPROCESSORS_ONLN && n > 4 ? 4 : n;
}
