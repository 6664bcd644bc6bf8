#include <opencv2/core/utility.hpp>

#include "threads.h"

void one_thread(void) { cv::setNumThreads(1); }
