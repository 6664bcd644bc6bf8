#pragma once

#ifdef __cplusplus
extern "C" {
#endif

// one_thread lets OpenCV work in the thread that calls it: a picture as small as ours is not worth waking others, who spin while
// they wait for the next. GoCV does not have it, and OPENCV_FOR_THREADS_NUM is not heeded where OpenCV is built with TBB, as Debian's is.
void one_thread(void);

#ifdef __cplusplus
}
#endif
