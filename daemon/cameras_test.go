package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarsier/config"
)

// What `tarsier cameras` prints is a config.
func TestCamerasYAML(t *testing.T) {
	for name, c := range map[string]struct {
		cameras []attachedCamera
		want    []string
	}{
		"none": {nil, []string{"rtsp://USER:PASSWORD@192.168.1.20/stream2"}},
		"some": {[]attachedCamera{
			{"csi:0", "imx708 on the board's connector", ""},
			{"/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_1A2B3C4D-video-index0", "HD Pro Webcam C920", "640x360 YUYV, 15 a second"},
			{"/dev/v4l/by-path/platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.3:1.0-video-index0", `USB: "2.0" {Camera}`, "640x480 MJPG, 30 a second"},
		}, []string{"csi:0", "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_1A2B3C4D-video-index0", "/dev/v4l/by-path/platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.3:1.0-video-index0"}},
	} {
		var out strings.Builder
		printCameras(&out, c.cameras)
		path := filepath.Join(t.TempDir(), "tarsier.yaml")
		must(t, os.WriteFile(path, []byte(out.String()), 0o600))
		cfg, err := config.Load(path)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out.String())
			continue
		}
		if len(cfg.Cameras) != len(c.want) {
			t.Fatalf("%s: %d cameras\n%s", name, len(cfg.Cameras), out.String())
		}
		for i, source := range c.want {
			if cfg.Cameras[i].Source != source {
				t.Errorf("%s: %s, not %s", name, cfg.Cameras[i].Source, source)
			}
		}
	}
}
