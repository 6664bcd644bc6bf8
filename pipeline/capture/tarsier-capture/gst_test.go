package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tarsier/pipeline/capture/wire"
)

// needElements skips where GStreamer lacks one, but not where everything has to be there.
func needElements(t *testing.T, elements ...string) {
	t.Helper()
	for _, e := range elements {
		if err := exec.Command("gst-inspect-1.0", e).Run(); err == nil {
			continue
		}
		why := "GStreamer has no " + e + ", or there is no gst-inspect-1.0 (apt-get install gstreamer1.0-tools gstreamer1.0-libcamera gstreamer1.0-libav " +
			"gstreamer1.0-plugins-good gstreamer1.0-plugins-bad)"
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
}

func place(t *testing.T, root, name, text string) {
	t.Helper()
	p := filepath.Join(root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// The pipeline of a Raspberry Pi's camera, made by the real GStreamer with the real libcamera.
func TestCSI(t *testing.T) {
	root := t.TempDir()
	const node = "/base/axi/pcie@1000120000/rp1/i2c@88000/imx219@10"
	place(t, root, "sys/firmware/devicetree"+node+"/port/name", "")
	place(t, root, "sys/class/video4linux/v4l-subdev0/device/name", "")
	if err := os.Symlink(filepath.Join(root, "sys/firmware/devicetree"+node), filepath.Join(root, "sys/class/video4linux/v4l-subdev0/device/of_node")); err != nil {
		t.Fatal(err)
	}
	p, err := csi(root, "0")
	if err != nil || !strings.HasPrefix(p, "libcamerasrc camera-name="+node+" ! ") {
		t.Errorf("%s, %v", p, err)
	}
	for _, number := range []string{"1", "-1", "x", ""} {
		var f *wire.Fault
		if p, err := csi(root, number); !errors.As(err, &f) {
			t.Errorf("csi:%s: %s, %v", number, p, err)
		}
	}
	needElements(t, "libcamerasrc", "videoconvert")
	if why := pipelineFault(p); why != "" {
		t.Errorf("%s: %s", p, why)
	}
}

// A Jetson's, with what Debian has in place of what it does not.
func TestCSIOfJetson(t *testing.T) {
	root := t.TempDir()
	place(t, root, "sys/firmware/devicetree/base/compatible", "nvidia,p3768-0000+p3767-0005\x00nvidia,tegra234\x00")
	p, err := csi(root, "1")
	if err != nil || !strings.HasPrefix(p, "nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM),") {
		t.Errorf("%s, %v", p, err)
	}
	needElements(t, "videotestsrc", "videoconvert")
	if why := pipelineFault(p); !strings.Contains(why, "nvarguscamerasrc") || !strings.Contains(why, "NVIDIA") {
		t.Errorf("without NVIDIA's system: %q", why)
	}
	stand := strings.NewReplacer("nvarguscamerasrc sensor-id=1", "videotestsrc", "(memory:NVMM)", "", "nvvidconv", "videoconvert").Replace(p)
	if why := pipelineFault(stand); why != "" {
		t.Errorf("%s: %s", stand, why)
	}
}

func TestPipelineFault(t *testing.T) {
	needElements(t, "videotestsrc", "videoconvert", "rtspsrc")
	for pipeline, want := range map[string]string{
		"videotestsrc" + sink:                                           "",
		"nosuchthing" + sink:                                            `no element "nosuchthing"`,
		"videotestsrc patern=ball" + sink:                               `no property "patern"`,
		"videotestsrc ! video/x-raw,width=(int" + sink:                  "video/x-raw",
		"videotestsrc !":                                                "",
		"rtspsrc location=rtsp://watcher:T0pS3cret@h/1 nosuch=1" + sink: "nosuch",
	} {
		why := pipelineFault(pipeline)
		if (why == "") != (want == "") && pipeline != "videotestsrc !" || !strings.Contains(why, want) || strings.Contains(why, "T0pS3cret") {
			t.Errorf("%s: %q, want %q", pipeline, why, want)
		}
	}
}

// A value stays one, whatever is in it.
func TestGstURL(t *testing.T) {
	needElements(t, "rtspsrc")
	for _, password := range []string{"simple", `a"b`, `a\b`, "a b", "a!b", "a%21b", `\"`, "a=b", "a'b"} {
		p := "rtspsrc location=" + gstURL("rtsp://u:"+password+"@h/1?a=1&b=2") + " ! fakesink"
		if why := pipelineFault(p); why != "" {
			t.Errorf("%s: %s", p, why)
		}
	}
}
