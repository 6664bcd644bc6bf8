package main

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// memory tells how much this process has of what RLIMIT_DATA counts, and how much it may have; 0 where that is not known.
//
// At the limit OpenCV and FFmpeg fail one way or another, and not always end: a source is then said to be unusable, each time it is tried.
func memory() (has, may uint64) {
	var l unix.Rlimit
	b, err := os.ReadFile("/proc/self/statm")
	f := bytes.Fields(b)
	if err != nil || len(f) < 6 || unix.Getrlimit(unix.RLIMIT_DATA, &l) != nil || l.Cur == unix.RLIM_INFINITY {
		return 0, 0
	}
	pages, err := strconv.ParseUint(string(f[5]), 10, 64)
	if err != nil {
		return 0, 0
	}
	return pages * uint64(os.Getpagesize()), l.Cur
}
