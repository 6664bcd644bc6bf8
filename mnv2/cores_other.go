//go:build !linux

package mnv2

import "runtime"

type affinity struct{}

func onCPUs([]int) *affinity { return &affinity{} }

func current() affinity { return affinity{} }

func (*affinity) apply() {}

func machineCores() (cpus []int, big int) {
	n := runtime.NumCPU()
	return make([]int, n), n
}
