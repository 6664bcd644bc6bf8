package mnv2

import (
	"math/bits"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// affinity is a set of CPUs, as the scheduler takes it.
type affinity [16]uint64

// onCPUs is the set of these CPUs.
func onCPUs(cpus []int) *affinity {
	var a affinity
	for _, cpu := range cpus {
		a[cpu/64] |= 1 << (cpu % 64)
	}
	return &a
}

// current is where the calling thread may run. It is empty if the system does
// not tell.
func current() (a affinity) {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(a), uintptr(unsafe.Pointer(&a)))
	if errno != 0 {
		return affinity{}
	}
	return a
}

// apply makes the calling thread run there. If it may not, it stays where it
// is: it will be slower, not wrong.
func (a *affinity) apply() {
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(*a), uintptr(unsafe.Pointer(a)))
}

func (a *affinity) cpus() (cpus []int) {
	for i, word := range a {
		for ; word != 0; word &= word - 1 {
			cpus = append(cpus, 64*i+bits.TrailingZeros64(word))
		}
	}
	return cpus
}

// machineCores is cores of this machine.
func machineCores() (cpus []int, big int) {
	allowed := current()
	cpus, big = cores(os.DirFS("/sys/devices/system/cpu"), allowed.cpus())
	if len(cpus) == 0 {
		n := runtime.NumCPU()
		return make([]int, n), n
	}
	return cpus, big
}
