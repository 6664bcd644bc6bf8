// Pictures that change size or format in the middle of a stream.

#pragma once

// expect_one_size begins to watch the next stream that OpenCV opens with FFmpeg; not what GStreamer decodes, which has its own way.
void expect_one_size(void);
void expect_any_size(void);

// resized says whether it was broken off for a picture of another size or format than its first.
int resized(void);
