// Command probe plays code that took over tarsier-capture: it tries what such code must not be able to do, and what a camera
// needs. `probe outside DAEMON CAMERA` is the control: whoever may do all of it, as root may, must succeed in all of it, or the
// test proves nothing. `probe inside DAEMON CAMERA` runs in the sandbox. Both are process ids; the second, of another camera, may
// be left out.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

type attempt struct {
	what string
	do   func() error
}

func main() {
	inside := os.Args[1] == "inside"
	forbidden := attacks(pid(os.Args[2]))
	if len(os.Args) > 3 {
		forbidden = append(forbidden, spying(pid(os.Args[3]))...)
	}
	wrong := 0
	try := func(a attempt, allowed bool) {
		err := a.do()
		result := "done"
		if err != nil {
			result = err.Error()
		}
		if (err == nil) != allowed {
			result += " <- WRONG"
			wrong++
		}
		fmt.Printf("%s %s: %s\n", os.Args[1], a.what, result)
	}
	for _, a := range forbidden {
		try(a, !inside)
	}
	for _, a := range needs {
		try(a, true)
	}
	if wrong > 0 {
		os.Exit(1)
	}
}

func pid(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func attacks(daemon int) []attempt {
	proc := fmt.Sprintf("/proc/%d", daemon)
	return []attempt{
		{"read the config", read("/etc/tarsier/tarsier.yaml")},
		{"read the daemon's credential", read("/run/credentials/tarsier.service/mqtt")},
		{"look into the daemon's state", list("/var/lib/tarsier")},
		{"look into root's home", list("/root")},
		{"see the daemon", read(proc + "/status")},
		{"read the daemon's environment", read(proc + "/environ")},
		{"read the daemon's memory", func() error { return memory(proc) }},
		{"read the daemon's memory by system call", func() error { return memoryByCall(daemon) }},
		{"signal the daemon", func() error { return unix.Kill(daemon, unix.SIGCONT) }},
		{"signal a thread of the daemon", func() error { return unix.Tgkill(daemon, daemon, unix.SIGCONT) }},
		{"signal the daemon by a file descriptor", func() error {
			fd, err := unix.PidfdOpen(daemon, 0)
			if err != nil {
				return err
			}
			return unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0)
		}},
		{"listen on IPv4", listen("tcp4", "0.0.0.0:0")},
		{"listen on IPv6", listen("tcp6", "[::1]:0")},
		{"listen on a Unix socket", listen("unix", "@probe")},
		{"set up io_uring, which no filter sees into", func() error {
			var params [120]byte
			fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
			if errno != 0 {
				return errno
			}
			return unix.Close(int(fd))
		}},
		{"ask for another camera", connect("unix", "/run/tarsier/capture.sock")},
		{"open a packet socket", socket(unix.AF_PACKET)},
		{"write into /etc", create("/etc")},
		{"write into /run", create("/run")},
		{"write into /var/lib", create("/var/lib")},
		{"have a core dumped", func() error {
			var l unix.Rlimit
			if err := unix.Getrlimit(unix.RLIMIT_CORE, &l); err != nil {
				return err
			}
			if l.Max != 0 {
				return nil
			}
			l.Max = 1 << 20
			return unix.Setrlimit(unix.RLIMIT_CORE, &l)
		}},
	}
}

// spying is on another camera, which is the same user.
func spying(camera int) []attempt {
	proc := fmt.Sprintf("/proc/%d", camera)
	return []attempt{
		{"see another camera", read(proc + "/status")},
		{"read another camera's memory", func() error { return memory(proc) }},
		{"read another camera's memory by system call", func() error { return memoryByCall(camera) }},
		{"signal another camera", func() error { return unix.Kill(camera, unix.SIGCONT) }},
	}
}

// needs are what GStreamer, FFmpeg and libcamera do.
var needs = []attempt{
	{"read a video", read("/opt/testdata/videos/bottle.mp4")},
	{"read what the group video may", read("/srv/video-group")},
	{"connect over TCP", connect("tcp", "127.0.0.1:1883")},
	{"hear of devices", func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT)
		if err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 2})
	}},
	{"run what was just compiled", func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		return err
	}},
	{"share memory", func() error {
		_, err := unix.MemfdCreate("probe", 0)
		return err
	}},
	{"write a temporary file", create("/tmp")},
}

func read(path string) func() error {
	return func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.Read(make([]byte, 1))
		return err
	}
}

func list(path string) func() error {
	return func() error {
		_, err := os.ReadDir(path)
		return err
	}
}

func create(dir string) func() error {
	return func() error {
		path := filepath.Join(dir, "probe")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return err
		}
		return os.Remove(path)
	}
}

func listen(network, address string) func() error {
	return func() error {
		l, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		return l.Close()
	}
}

func connect(network, address string) func() error {
	return func() error {
		c, err := net.Dial(network, address)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

func socket(family int) func() error {
	return func() error {
		fd, err := unix.Socket(family, unix.SOCK_RAW, 0)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}
}

// memory reads where the stack is.
func memory(proc string) error {
	at, err := stack(proc + "/maps")
	if err != nil {
		return err
	}
	f, err := os.Open(proc + "/mem")
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.ReadAt(make([]byte, 1), at)
	return err
}

// memoryByCall reads it by process_vm_readv. Where the daemon's maps are hidden any address does: that it is refused shows
// before it is looked at.
func memoryByCall(pid int) error {
	at, err := stack(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		at = 1 << 20
	}
	b := make([]byte, 1)
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(1)
	_, err = unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: uintptr(at), Len: 1}}, 0)
	return err
}

// stack is the last address but one of a process's stack.
func stack(maps string) (int64, error) {
	f, err := os.Open(maps)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if !strings.HasSuffix(lines.Text(), "[stack]") {
			continue
		}
		var from, to int64
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x", &from, &to); err != nil {
			return 0, err
		}
		return to - 1, nil
	}
	return 0, errors.New("no stack in " + maps)
}
