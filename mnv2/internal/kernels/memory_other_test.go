//go:build !linux

package kernels

import "testing"

type memory struct{}

func newMemory(testing.TB) *memory { return &memory{} }

func (m *memory) take(n int) []int8 { return make([]int8, n) }

func (m *memory) free() {}
