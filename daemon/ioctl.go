package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctl asks a device for a structure.
func ioctl[T any](fd, request uintptr, into *T) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(into))); errno != 0 {
		return errno
	}
	return nil
}
