//go:build purego || !(amd64 || arm64)

package kernels

// assembly is empty where there is none.
func assembly() []*Set { return nil }
