// Command tarsier-capture opens one camera and answers with its pictures: the only part of tarsier with OpenCV and FFmpeg in it.
// tarsier starts it, as its own child or through systemd, with a Unix stream socket as file descriptor 3, and speaks package wire
// over it. It ends with that socket, at once, whatever OpenCV is doing.
//
// It takes no arguments but --version, and nothing from the environment: the source, with its credentials, comes over the
// socket. What FFmpeg and OpenCV print is filtered before it reaches standard error, since it has credentials in it.
package main

// #cgo pkg-config: opencv4
// #cgo CXXFLAGS: -std=c++11
// #include "opencv.h"
import "C"

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"gocv.io/x/gocv"

	"tarsier/pipeline/capture/wire"
)

// socketFD is where both systemd (Accept=yes, the first of LISTEN_FDS) and tarsier put the socket.
const socketFD = 3

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(version())
		return
	}
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "tarsier-capture: takes no arguments but --version; tarsier starts it")
		os.Exit(2)
	}
	C.one_thread()
	// OpenCV takes these from the environment only.
	os.Setenv("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")                        // seconds; 10 is long for a camera that is dead
	os.Setenv("OPENCV_FFMPEG_LOGLEVEL", "24")                                  // warnings: that a login is refused over HTTP is one
	os.Setenv("OPENCV_FFMPEG_THREADS", strconv.Itoa(min(runtime.NumCPU(), 4))) // see threads.c
	stderr, err := filterStderr()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tarsier-capture:", err)
		os.Exit(1)
	}
	file := os.NewFile(socketFD, "socket")
	conn, err := net.FileConn(file)
	if err != nil {
		stderr.printf("file descriptor %d is no socket (%v); tarsier starts this program, it is of no use by hand", socketFD, err)
		os.Exit(2)
	}
	file.Close()

	s := &server{conn: conn, stderr: stderr, questions: make(chan wire.Message), news: make(chan struct{}, 1)}
	go s.pulse(time.Second)
	go s.answer()
	s.listen()
	os.Exit(0)
}

// version names what decodes.
func version() string {
	v := "tarsier-capture: OpenCV " + gocv.OpenCVVersion()
	for _, l := range strings.Split(C.GoString(C.build_information()), "\n") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(l), ":"); name {
		case "avcodec", "avformat", "GStreamer":
			v += ", " + name + " " + strings.Trim(strings.TrimPrefix(strings.TrimSpace(value), "YES"), " ()")
		}
	}
	return fmt.Sprintf("%s, GoCV %s, messages %d", v, gocv.Version(), wire.Version)
}

// watchdog tells systemd that this process still turns; without systemd it does nothing.
func watchdog() { _, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) }
