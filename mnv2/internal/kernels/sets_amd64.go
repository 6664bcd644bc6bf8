//go:build !purego

package kernels

// assembly lists the sets in assembly that this CPU runs, fastest first.
func assembly() (s []*Set) {
	s = append(s, avxSets()...)
	return s
}
