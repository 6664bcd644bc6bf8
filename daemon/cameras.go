package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
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
			out := c.OutOrStdout()
			if len(cameras) == 0 {
				fmt.Fprintln(out, "# No camera is attached. Network cameras are given by their address:")
				fmt.Fprint(out, "cameras:\n  - name: porch\n    source: rtsp://192.168.1.20/stream1\n")
				return nil
			}
			fmt.Fprintln(out, "cameras:")
			for i, cam := range cameras {
				fmt.Fprintf(out, "  - name: camera%d  # %s\n    source: %s\n", i+1, cam.card, cam.path)
			}
			return nil
		},
	}
}

// An attachedCamera is a V4L2 device that gives pictures.
type attachedCamera struct{ path, card string }

// attachedCameras asks every V4L2 device what it can do. A camera has several
// devices; only those that capture video are listed, by the name under
// /dev/v4l/by-id, which stays when cameras are plugged in another order.
func attachedCameras() ([]attachedCamera, error) {
	devices, err := filepath.Glob("/dev/video*")
	if err != nil {
		return nil, err
	}
	slices.Sort(devices)
	stable := map[string]string{}
	links, _ := filepath.Glob("/dev/v4l/by-id/*")
	for _, l := range links {
		if target, err := filepath.EvalSymlinks(l); err == nil {
			stable[target] = l
		}
	}
	var found []attachedCamera
	for _, path := range devices {
		card, captures, err := queryV4L2(path)
		switch {
		case err != nil:
			fmt.Fprintf(os.Stderr, "tarsier: ask %s what it is: %v (is this user in the group video?)\n", path, err)
		case captures:
			if l, ok := stable[path]; ok {
				path = l
			}
			found = append(found, attachedCamera{path, card})
		}
	}
	return found, nil
}

// v4l2Capability is struct v4l2_capability of linux/videodev2.h.
type v4l2Capability struct {
	_            [16]byte // driver
	card         [32]byte
	_            [32]byte // bus
	_            uint32   // version
	capabilities uint32
	deviceCaps   uint32
	_            [3]uint32
}

const (
	vidiocQuerycap     = 0x80685600 // _IOR('V', 0, struct v4l2_capability)
	v4l2VideoCapture   = 0x00000001
	v4l2DeviceCapsKnow = 0x80000000
)

func queryV4L2(path string) (card string, captures bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	var c v4l2Capability
	if err := ioctl(f.Fd(), vidiocQuerycap, &c); err != nil {
		return "", false, err
	}
	caps := c.capabilities
	if caps&v4l2DeviceCapsKnow != 0 {
		caps = c.deviceCaps
	}
	card, _, _ = strings.Cut(string(c.card[:]), "\x00")
	return card, caps&v4l2VideoCapture != 0, nil
}
