package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestStderrFilter(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	f := &stderrFilter{real: out, in: w, pipe: r, marked: make(chan int, 1)}
	t.Setenv("LISTEN_FDS", "1")
	f.name("porch")
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.run()
	}()

	w.WriteString("from before\n")
	f.clear()
	w.WriteString("[rtsp @ 0x1] rtsp://admin:secret@h/1: 401 Unauthorized\r\n\n  \nno end")
	if got, want := f.since(), []string{"[rtsp @ 0x1] rtsp://***@h/1: 401 Unauthorized", "no end"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	f.clear()
	// FFmpeg cuts its lines, in the middle of a password too, and a hostile stream may make it print without end.
	w.WriteString("cut: " + strings.Repeat("x ", ffmpegLine/2) + "rtsp://admin:secr\n")
	w.WriteString(strings.Repeat("y", 3*maxLine) + " rtsp://admin:secret@h/1\n")
	w.WriteString("after\n")
	got := f.since()
	if len(got) != 3 || !strings.HasPrefix(got[0], "cut: ") || !strings.Contains(got[1], "left out") || got[2] != "after" {
		t.Errorf("%q", got)
	}
	for range 10 * maxRecent {
		w.WriteString("more\n")
	}
	if n := len(f.since()); n != maxRecent {
		t.Errorf("%d lines are kept", n)
	}
	f.printf("cannot open %s", "http://h/?password=secret")
	w.Close()
	<-done
	all, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(all), "secr") || strings.Contains(string(all), "mark") {
		t.Errorf("%s", all)
	}
	if !strings.Contains(string(all), "porch: from before\n") {
		t.Errorf("%s", all)
	}
}
