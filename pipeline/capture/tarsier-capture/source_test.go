package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocv.io/x/gocv"

	"tarsier/pipeline/capture/wire"
)

func TestParseSource(t *testing.T) {
	dir := t.TempDir()
	write := func(name, start string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(start), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		in, uri string
		backend gocv.VideoCaptureAPI
		file    bool
		still   bool
	}{
		{"rtsp://u:p@h/1", "rtsp://u:p@h/1", gocv.VideoCaptureFFmpeg, false, false},
		{"https://h/1.mjpg", "https://h/1.mjpg", gocv.VideoCaptureFFmpeg, false, false},
		{"gst:videotestsrc", "videotestsrc" + sink, gocv.VideoCaptureGstreamer, false, false},
		{"gst: a ! appsink", "a ! appsink", gocv.VideoCaptureGstreamer, false, false},
		{write("a.mp4", "\x00\x00\x00\x20ftypmp42"), dir + "/a.mp4", gocv.VideoCaptureFFmpeg, true, false},
		{write("a:b.jpg", "\xff\xd8\xff\xe0 and so on"), dir + "/a:b.jpg", gocv.VideoCaptureFFmpeg, true, true},
		{write("none", "\x89PNG\r\n\x1a\n and so on"), dir + "/none", gocv.VideoCaptureFFmpeg, true, true},
		{write("a.bmp", "BM"), dir + "/a.bmp", gocv.VideoCaptureFFmpeg, true, true},
		{write("a.webp", "RIFF\x00\x00\x00\x00WEBP"), dir + "/a.webp", gocv.VideoCaptureFFmpeg, true, true},
		{write("a.avi", "RIFF\x00\x00\x00\x00AVI "), dir + "/a.avi", gocv.VideoCaptureFFmpeg, true, false},
		{write("a.mjpg", "\xff\xd8\xff\xe0 and so on"), dir + "/a.mjpg", gocv.VideoCaptureFFmpeg, true, false},
	} {
		got, err := parseSource(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		} else if got.uri != c.uri || got.backend != c.backend || got.file != c.file || got.still != c.still {
			t.Errorf("%s: %+v", c.in, got)
		}
		if strings.Contains(got.shown, "u:p") {
			t.Errorf("%s is shown as %s", c.in, got.shown)
		}
	}
}

func TestDiagnose(t *testing.T) {
	for line, want := range map[string]wire.Reason{
		"[rtsp @ 0x1] method DESCRIBE failed: 401 Unauthorized":               wire.ReasonRefused,
		"[OPENCV:FFMPEG:16] method DESCRIBE failed: 401Unauthorized":          wire.ReasonRefused,
		"[tcp @ 0x1] Connection to tcp://h:1 failed: Connection refused":      wire.ReasonMissing,
		"[http @ 0x1] HTTP error 404 Not Found":                               wire.ReasonMissing,
		"[tcp @ 0x1] Failed to resolve hostname h: Name or service not known": wire.ReasonMissing,
		"[h264 @ 0x1] something":                                              wire.ReasonUnusable,
	} {
		if got, _ := diagnose([]string{"first", line}); got != want {
			t.Errorf("%s: %d", line, got)
		}
	}
}
