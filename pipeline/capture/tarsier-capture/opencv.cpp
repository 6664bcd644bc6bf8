#include <opencv2/core/utility.hpp>

#include "opencv.h"

void one_thread(void) { cv::setNumThreads(1); }

const char *build_information(void) { return cv::getBuildInformation().c_str(); }
