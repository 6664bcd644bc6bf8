//go:build !purego

package kernels

import "golang.org/x/sys/cpu"

// assembly lists the sets in assembly that this CPU runs, fastest first.
func assembly() (s []*Set) {
	if cpu.ARM64.HasASIMDDP {
		s = append(s, &sdot)
	}
	return append(s, &neon)
}
