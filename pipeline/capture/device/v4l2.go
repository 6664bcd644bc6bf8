// Package device knows the cameras that are attached to this machine: the V4L2 devices, which of a camera's modes suits best, and what is
// on a board's own connectors. It asks and opens no stream, so that both programs may use it.
//
// Structures and numbers are those of linux/videodev2.h; a format is its four characters.
package device

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Info is what a V4L2 device says of itself.
type Info struct {
	Driver, Card string
	Caps         uint32
}

// What a device can do. Neither a device whose pictures come only through a topology that somebody else must set up (IO_MC) is a camera
// that can be opened, nor one that gives back what it is given (M2M).
const (
	capVideoCapture = 0x00000001
	capM2MMPlane    = 0x00004000
	capM2M          = 0x00008000
	capIOMC         = 0x20000000
	capDeviceCaps   = 0x80000000
)

const (
	vidiocQuerycap           = 0x80685600
	vidiocEnumFmt            = 0xc0405602
	vidiocEnumFramesizes     = 0xc02c564a
	vidiocEnumFrameintervals = 0xc034564b
)

// The types of buffers, and of sizes and intervals.
const (
	bufCapture      = 1
	bufOutput       = 2
	bufOutputMPlane = 10

	discrete = 1
)

type v4l2Capability struct {
	driver       [16]byte
	card         [32]byte
	_            [32]byte // bus
	_            uint32   // version
	capabilities uint32
	deviceCaps   uint32
	_            [3]uint32
}

type v4l2Fmtdesc struct {
	index, kind uint32
	_           uint32 // flags
	_           [32]byte
	format      [4]byte
	_           [4]uint32
}

type v4l2Frmsize struct {
	index  uint32
	format [4]byte
	kind   uint32
	size   [6]uint32 // width, height; or the least, most and step of each
	_      [2]uint32
}

type v4l2Frmival struct {
	index         uint32
	format        [4]byte
	width, height uint32
	kind          uint32
	interval      [3]struct{ numerator, denominator uint32 } // itself; or the least, most and step
	_             [2]uint32
}

// ioctl asks a device for a structure.
func ioctl[T any](fd, request uintptr, into *T) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(into)))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

func open(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0) }

// Query asks a V4L2 device what it is.
func Query(path string) (Info, error) {
	f, err := open(path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	return query(f)
}

func query(f *os.File) (Info, error) {
	var c v4l2Capability
	if err := ioctl(f.Fd(), vidiocQuerycap, &c); err != nil {
		return Info{}, fmt.Errorf("ask %s what it is: %w", f.Name(), err)
	}
	i := Info{Driver: text(c.driver[:]), Card: text(c.card[:]), Caps: c.capabilities}
	if i.Caps&capDeviceCaps != 0 {
		i.Caps = c.deviceCaps
	}
	return i, nil
}

// text is a C string for people. What a USB device says is not to be trusted.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
}

// most is how many formats, sizes or intervals are asked for; the kernel has no limit of its own.
const most = 256

// each asks for one thing after the other until there are no more.
func each[T any](fd, request uintptr, at func(i uint32) *T, got func(*T)) error {
	for i := range uint32(most) {
		v := at(i)
		switch err := ioctl(fd, request, v); {
		case err == nil:
			got(v)
		case errors.Is(err, unix.EINVAL):
			return nil
		default:
			return err
		}
	}
	return nil
}

// Modes lists how a camera can give pictures that OpenCV reads. Of what has no steps it lists what is usual.
func Modes(path string) ([]Mode, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var modes []Mode
	fd := f.Fd()
	err = each(fd, vidiocEnumFmt, func(i uint32) *v4l2Fmtdesc { return &v4l2Fmtdesc{index: i, kind: bufCapture} }, func(d *v4l2Fmtdesc) {
		if _, ok := formats[string(d.format[:])]; !ok {
			return
		}
		_ = each(fd, vidiocEnumFramesizes, func(i uint32) *v4l2Frmsize { return &v4l2Frmsize{index: i, format: d.format} }, func(s *v4l2Frmsize) {
			for _, size := range s.sizes() {
				modes = append(modes, rates(fd, d.format, size)...)
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("ask %s for its modes: %w", path, err)
	}
	return modes, nil
}

func (s *v4l2Frmsize) sizes() [][2]uint32 {
	if s.kind == discrete {
		return [][2]uint32{{s.size[0], s.size[1]}}
	}
	return stepped(s.size)
}

// rates are the modes of one size.
func rates(fd uintptr, format [4]byte, size [2]uint32) (modes []Mode) {
	mode := Mode{Format: string(format[:]), Width: int(size[0]), Height: int(size[1])}
	_ = each(fd, vidiocEnumFrameintervals, func(i uint32) *v4l2Frmival {
		return &v4l2Frmival{index: i, format: format, width: size[0], height: size[1]}
	}, func(v *v4l2Frmival) {
		rate := func(i int) float64 {
			return float64(v.interval[i].denominator) / float64(max(v.interval[i].numerator, 1))
		}
		mode.Rate = rate(0)
		modes = append(modes, mode)
		if v.kind != discrete && rate(0) > usualRate { // the least interval is the highest rate
			mode.Rate = max(rate(1), usualRate)
			modes = append(modes, mode)
		}
	})
	if len(modes) == 0 {
		modes = append(modes, mode)
	}
	return modes
}

// DecodesH264 says whether a device is a decoder that takes a stream of H.264 as it comes.
func DecodesH264(path string) bool {
	f, err := open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	i, err := query(f)
	if err != nil || i.Caps&(capM2M|capM2MMPlane) == 0 {
		return false
	}
	kind := uint32(bufOutput)
	if i.Caps&capM2MMPlane != 0 {
		kind = bufOutputMPlane
	}
	found := false
	_ = each(f.Fd(), vidiocEnumFmt, func(i uint32) *v4l2Fmtdesc { return &v4l2Fmtdesc{index: i, kind: kind} }, func(d *v4l2Fmtdesc) {
		found = found || string(d.format[:]) == "H264"
	})
	return found
}
