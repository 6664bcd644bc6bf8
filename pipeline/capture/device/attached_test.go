package device

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// What the kernel is asked for has the size that the request says.
func TestRequests(t *testing.T) {
	for request, size := range map[uintptr]uintptr{
		vidiocQuerycap: unsafe.Sizeof(v4l2Capability{}), vidiocEnumFmt: unsafe.Sizeof(v4l2Fmtdesc{}),
		vidiocEnumFramesizes: unsafe.Sizeof(v4l2Frmsize{}), vidiocEnumFrameintervals: unsafe.Sizeof(v4l2Frmival{}),
	} {
		if request>>16&0x3fff != size {
			t.Errorf("%#x asks for %d bytes, not %d", request, request>>16&0x3fff, size)
		}
	}
}

func TestText(t *testing.T) {
	if got := text([]byte("HD\n  - name: \x1b[31mx\xff\x00rest")); got != "HD  - name: [31mx" {
		t.Errorf("%q", got)
	}
}

type board struct {
	t    *testing.T
	root string
}

func newBoard(t *testing.T) board { return board{t, t.TempDir()} }

func (b board) file(name, text string) {
	b.t.Helper()
	p := filepath.Join(b.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, []byte(text), 0o600)); err != nil {
		b.t.Fatal(err)
	}
}

func (b board) link(name, to string) {
	b.t.Helper()
	p := filepath.Join(b.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.Symlink(filepath.Join(b.root, to), p)); err != nil {
		b.t.Fatal(err)
	}
}

// pi has two cameras on i2c buses, one with a lens motor, and what else calls itself a subdevice.
func pi(t *testing.T) board {
	b := newBoard(t)
	for i, node := range []string{"i2c@80000/imx708@1a/port", "i2c@80000/dw9817@c", "i2c@88000/imx219@10/port", "csi@110000/port"} {
		const rp1 = "sys/firmware/devicetree/base/axi/pcie@1000120000/rp1/"
		b.file(rp1+node+"/name", "")
		b.link("sys/class/video4linux/v4l-subdev"+string(rune('0'+i))+"/device/of_node", rp1+strings.TrimSuffix(node, "/port"))
	}
	return b
}

func TestRibbon(t *testing.T) {
	want := []string{"/base/axi/pcie@1000120000/rp1/i2c@88000/imx219@10", "/base/axi/pcie@1000120000/rp1/i2c@80000/imx708@1a"}
	if got := Ribbon(pi(t).root); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	b := newBoard(t)
	b.file("sys/firmware/devicetree/base/compatible", "nvidia,p3450-0000\x00nvidia,tegra210\x00")
	b.file("sys/class/video4linux/video0/name", "vi-output, imx219 7-0010\n")
	b.file("sys/class/video4linux/video1/name", "HD Pro Webcam C920\n")
	if got := Ribbon(b.root); !slices.Equal(got, []string{"imx219 7-0010"}) || !Jetson(b.root) {
		t.Errorf("%q", got)
	}
	if b := newBoard(t); Jetson(b.root) || len(Ribbon(b.root)) > 0 {
		t.Error("a machine without connectors has cameras on them")
	}
}

// What a Raspberry Pi has with two ribbon cameras, two USB cameras that are alike, and one that this user may not open.
func TestAttached(t *testing.T) {
	b := pi(t)
	const capture, metadata = capVideoCapture, 0x00800000
	devices := map[string]Info{
		"video0":  {"rp1-cfe", "rp1-cfe", capture | capIOMC},
		"video8":  {"uvcvideo", "HD Pro Webcam C920", capture},
		"video9":  {"uvcvideo", "HD Pro Webcam C920", metadata},
		"video10": {"uvcvideo", "HD Pro Webcam C920", capture},
		"video12": {"bcm2835-isp", "bcm2835-isp", capture},
		"video13": {"bcm2835-codec", "bcm2835-codec-decode", capM2MMPlane},
		"video14": {"raw", "a sensor", capture},
		"video19": {"rpi-hevc-dec", "rpi-hevc-dec", capM2MMPlane},
		"video20": {"pispbe", "pispbe", capture | capIOMC},
		"video21": {},
		"video22": {"uvcvideo", "does not say", capture},
	}
	for name := range devices {
		b.file("dev/"+name, "")
	}
	b.link("dev/v4l/by-id/usb-046d_C920-video-index0", "dev/video10")
	b.link("dev/v4l/by-path/usb-0:1:1.0-video-index0", "dev/video8")
	b.link("dev/v4l/by-path/usb-0:2:1.0-video-index0", "dev/video10")
	denied := errors.New("permission denied")
	got, errs := attached(b.root, func(path string) (Info, error) {
		i := devices[filepath.Base(path)]
		if i == (Info{}) {
			return i, denied
		}
		return i, nil
	}, func(path string) ([]Mode, error) {
		switch filepath.Base(path) {
		case "video14":
			return nil, nil
		case "video22":
			return nil, errors.New("inappropriate ioctl")
		}
		return c920, nil
	})
	want := []Camera{
		{"csi:0", "imx219 on the board's connector", ""},
		{"csi:1", "imx708 on the board's connector", ""},
		{b.root + "/dev/v4l/by-path/usb-0:1:1.0-video-index0", "HD Pro Webcam C920", "640x360 YUYV, 15 a second"},
		{b.root + "/dev/v4l/by-id/usb-046d_C920-video-index0", "HD Pro Webcam C920", "640x360 YUYV, 15 a second"},
		{b.root + "/dev/video22", "does not say", ""},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if len(errs) != 1 || !errors.Is(errs[0], denied) {
		t.Errorf("%v", errs)
	}
}
