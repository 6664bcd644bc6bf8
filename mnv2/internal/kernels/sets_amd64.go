//go:build !purego

package kernels

// assembly lists the sets in assembly that this CPU runs, fastest first.
func assembly() (s []*Set) {
	if hasAVX512VNNI {
		s = append(s, &avx512vnni)
	}
	s = append(s, avx2Sets()...)
	return s
}
