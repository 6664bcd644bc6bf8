// What GoCV 0.31 does not have of OpenCV.

#pragma once

#ifdef __cplusplus
extern "C" {
#endif

// one_thread lets OpenCV work in the thread that calls it: pictures as small as ours are not worth waking others. The environment's
// OPENCV_FOR_THREADS_NUM is not heeded where OpenCV is built with TBB, as Debian's is.
void one_thread(void);

// build_information is a text about how OpenCV was built. It is OpenCV's.
const char *build_information(void);

#ifdef __cplusplus
}
#endif
