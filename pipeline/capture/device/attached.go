package device

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Camera is one that can be a source.
type Camera struct {
	Source string // as the config has it
	Card   string // what it calls itself
	Mode   string // how it would be opened for a whole picture; "" where that is not known
}

// Attached lists the cameras of this machine; errs are about devices that could not be asked.
func Attached() (cameras []Camera, errs []error) { return attached("/", Query, Modes) }

// attached has root other than /, and devices that are asked otherwise, in tests.
func attached(root string, query func(string) (Info, error), modes func(string) ([]Mode, error)) (cameras []Camera, errs []error) {
	for i, name := range Ribbon(root) {
		cameras = append(cameras, Camera{Source: "csi:" + strconv.Itoa(i), Card: cardOf(name)})
	}
	devices, _ := filepath.Glob(filepath.Join(root, "dev/video[0-9]*"))
	number := func(path string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), "video"))
		return n
	}
	slices.SortFunc(devices, func(a, b string) int { return number(a) - number(b) })
	stable := names(root)
	for _, path := range devices {
		info, err := query(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !info.camera() {
			continue
		}
		list, err := modes(path)
		if err == nil && len(list) == 0 {
			continue // what it gives is nothing to look at: a sensor's raw values, an encoder's stream
		}
		c := Camera{Source: path, Card: info.Card}
		if s, ok := stable[path]; ok {
			c.Source = s
		}
		if m, ok := Choose(list, 0, 0, 0); ok {
			c.Mode = m.String()
		}
		cameras = append(cameras, c)
	}
	return cameras, errs
}

// camera says whether a device is one that can be opened by itself: not metadata, codecs, or a part of what is behind csi:N.
func (i Info) camera() bool {
	return i.Caps&capVideoCapture != 0 && i.Caps&(capM2M|capM2MMPlane|capIOMC) == 0 && i.Driver != "bcm2835-isp" && i.Driver != tegra
}

// names are those of video devices that stay when cameras are plugged in another order: by what it is, where it says so, else by where
// it is plugged in. Of two alike, only one has the first.
func names(root string) map[string]string {
	stable := map[string]string{}
	for _, by := range []string{"by-id", "by-path"} {
		links, _ := filepath.Glob(filepath.Join(root, "dev/v4l", by, "*"))
		for _, l := range links {
			if target, err := filepath.EvalSymlinks(l); err == nil && stable[target] == "" {
				stable[target] = l
			}
		}
	}
	return stable
}

// Ribbon names the cameras on the board's own connectors, in the order that csi:N counts them. On a Raspberry Pi a name is what
// libcamera calls the camera, its place in the device tree, and they are counted backwards, as Raspberry Pi's own tools (rpicam-hello
// --camera N) do. root is / but in tests.
func Ribbon(root string) []string {
	var cameras []string
	if Jetson(root) {
		nodes, _ := filepath.Glob(filepath.Join(root, "sys/class/video4linux/video*/name"))
		for _, n := range nodes { // vi-output, imx219 9-0010
			b, _ := os.ReadFile(n)
			if _, sensor, ok := strings.Cut(string(b), "vi-output, "); ok {
				cameras = append(cameras, strings.TrimSpace(sensor))
			}
		}
		return cameras
	}
	sensors, _ := filepath.Glob(filepath.Join(root, "sys/class/video4linux/v4l-subdev*/device/of_node"))
	tree := filepath.Join(root, "sys/firmware/devicetree")
	for _, s := range sensors {
		node, err := filepath.EvalSymlinks(s)
		if err != nil || !strings.Contains(node, "/i2c") {
			continue
		}
		// A lens motor on the same bus has no port that pictures leave by.
		if _, err := os.Stat(filepath.Join(node, "port")); err == nil {
			cameras = append(cameras, strings.TrimPrefix(node, tree))
		}
	}
	slices.Sort(cameras)
	slices.Reverse(cameras)
	return slices.Compact(cameras)
}

// cardOf is the sensor in a ribbon camera's name: imx708 of /base/axi/pcie@1000120000/rp1/i2c@80000/imx708@1a.
func cardOf(name string) string {
	sensor, _, _ := strings.Cut(filepath.Base(name), "@")
	return sensor + " on the board's connector"
}

// tegra drives a Jetson's connectors. What its devices give is raw.
const tegra = "tegra-video"

// Jetson says whether this is one of NVIDIA's boards. The file is also /proc/device-tree/compatible, which a service may not see.
func Jetson(root string) bool {
	b, _ := os.ReadFile(filepath.Join(root, "sys/firmware/devicetree/base/compatible"))
	return strings.Contains(string(b), "nvidia,tegra")
}
