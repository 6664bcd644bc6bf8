package kernels

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// memory gives slices at whose end, or in every second whose start, stands a
// page that cannot be touched. What assembly reads or writes beyond them is a fault.
type memory struct {
	tb    testing.TB
	pages [][]byte
}

func newMemory(tb testing.TB) *memory { return &memory{tb: tb} }

func (m *memory) take(n int) []int8 {
	page := os.Getpagesize()
	size := (n + page - 1) / page * page
	mem, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		m.tb.Fatal(err)
	}
	m.pages = append(m.pages, mem)
	for _, guard := range [][]byte{mem[:page], mem[page+size:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			m.tb.Fatal(err)
		}
	}
	inner := mem[page : page+size]
	if len(m.pages)%4 == 0 {
		inner = inner[:n:n]
	} else {
		inner = inner[size-n:]
	}
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(inner))), n)
}

func (m *memory) free() {
	for _, mem := range m.pages {
		if err := syscall.Munmap(mem); err != nil {
			m.tb.Fatal(err)
		}
	}
	m.pages = nil
}
