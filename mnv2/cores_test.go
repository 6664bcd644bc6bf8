package mnv2

import (
	"fmt"
	"slices"
	"testing"
	"testing/fstest"
)

func TestCores(t *testing.T) {
	// A Rockchip RK3588: four Cortex-A55 and four Cortex-A76.
	rk3588 := fstest.MapFS{}
	for i := range 8 {
		capacity := 530
		if i >= 4 {
			capacity = 1024
		}
		dir := fmt.Sprintf("cpu%d/", i)
		rk3588[dir+"cpu_capacity"] = &fstest.MapFile{Data: fmt.Appendf(nil, "%d\n", capacity)}
		rk3588[dir+"topology/thread_siblings_list"] = &fstest.MapFile{Data: fmt.Appendf(nil, "%d\n", i)}
	}
	// Two cores of two threads each.
	laptop := fstest.MapFS{}
	for i := range 4 {
		laptop[fmt.Sprintf("cpu%d/topology/thread_siblings_list", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "%d,%d\n", i%2, i%2+2)}
	}
	for _, c := range []struct {
		name    string
		sys     fstest.MapFS
		allowed []int
		want    []int
		big     int
	}{
		{"big.LITTLE", rk3588, []int{0, 1, 2, 3, 4, 5, 6, 7}, []int{4, 5, 6, 7, 0, 1, 2, 3}, 4},
		{"some of big.LITTLE", rk3588, []int{2, 3, 4}, []int{4, 2, 3}, 1},
		{"the little ones", rk3588, []int{0, 1}, []int{0, 1}, 2},
		{"hyper-threads", laptop, []int{0, 1, 2, 3}, []int{0, 1}, 2},
		{"one of two hyper-threads", laptop, []int{2, 3}, []int{2, 3}, 2},
		{"no sysfs", fstest.MapFS{}, []int{0, 1, 2}, []int{0, 1, 2}, 3},
	} {
		got, big := cores(c.sys, c.allowed)
		if !slices.Equal(got, c.want) || big != c.big {
			t.Errorf("%s: %v, %d of them big: want %v, %d", c.name, got, big, c.want, c.big)
		}
	}
}
