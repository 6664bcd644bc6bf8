package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"tarsier/pipeline/capture/device"
)

func camerasCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cameras",
		Short: "List the cameras that are attached, and the YAML for them",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cameras, err := attachedCameras()
			if err != nil {
				return err
			}
			printCameras(c.OutOrStdout(), cameras)
			return nil
		},
	}
}

// networkCameras is for who has none that is attached. The sub-stream is the one that cameras make for small screens.
const networkCameras = `# No camera is attached. Network cameras are given by their address. Of the streams a camera has, the small one (its sub-stream) is
# large enough, and costs a fraction:
#   Axis                   rtsp://USER:PASSWORD@HOST/axis-media/media.amp?resolution=640x360
#   Dahua, Amcrest, Lorex  rtsp://USER:PASSWORD@HOST/cam/realmonitor?channel=1&subtype=1
#   Foscam                 rtsp://USER:PASSWORD@HOST:88/videoSub
#   Hikvision, Annke       rtsp://USER:PASSWORD@HOST/Streaming/Channels/102
#   Reolink                rtsp://USER:PASSWORD@HOST/h264Preview_01_sub
#   TP-Link Tapo           rtsp://USER:PASSWORD@HOST/stream2
#   UniFi Protect          rtsp://CONSOLE:7447/ID (switched on in the camera's settings; take Low)
#   MJPEG or snapshots     http://HOST/..., such as http://ESP32-CAM:81/stream or http://USER:PASSWORD@HOST/snapshot.jpg
# Others: the camera's own page, or an ONVIF program, tells. In USER and PASSWORD write @ as %40, : as %3A, / as %2F and # as %23.
cameras:
  - name: porch
    source: rtsp://USER:PASSWORD@192.168.1.20/stream2
`

// printCameras writes them as they go into a config.
func printCameras(w io.Writer, cameras []attachedCamera) {
	if len(cameras) == 0 {
		fmt.Fprint(w, networkCameras)
		return
	}
	fmt.Fprintln(w, "cameras:")
	for i, cam := range cameras {
		about := cam.card
		if cam.mode != "" {
			about += ": " + cam.mode
		}
		fmt.Fprintf(w, "  - name: camera%d  # %s\n    source: %s\n", i+1, about, cam.path)
	}
}

// An attachedCamera is one that can be a source.
type attachedCamera struct {
	path string // what goes into source:
	card string // what it calls itself
	mode string // how its whole picture would be asked for; "" where that is not known
}

// attachedCameras says on standard error which devices could not be asked, and lists the others.
func attachedCameras() ([]attachedCamera, error) {
	cameras, errs := device.Attached()
	for _, err := range errs {
		hint := ""
		if errors.Is(err, fs.ErrPermission) {
			hint = " (is this user in the group video?)"
		}
		fmt.Fprintf(os.Stderr, "tarsier: %v%s\n", err, hint)
	}
	var attached []attachedCamera
	for _, c := range cameras {
		attached = append(attached, attachedCamera{c.Source, c.Card, c.Mode})
	}
	return attached, nil
}
