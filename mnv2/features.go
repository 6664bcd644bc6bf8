package mnv2

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// CPUFeatures lists the instructions of this CPU that matter to int8
// arithmetic, by the names that Linux gives them in /proc/cpuinfo.
func CPUFeatures() []string {
	var has []string
	for _, f := range []struct {
		arch, name string
		present    bool
	}{
		{"amd64", "avx2", cpu.X86.HasAVX2},
		{"amd64", "avx_vnni", cpu.X86.HasAVXVNNI},
		{"amd64", "avx512f", cpu.X86.HasAVX512F},
		{"amd64", "avx512bw", cpu.X86.HasAVX512BW},
		{"amd64", "avx512_vnni", cpu.X86.HasAVX512VNNI},
		{"arm64", "asimd", cpu.ARM64.HasASIMD},
		{"arm64", "asimddp", cpu.ARM64.HasASIMDDP},
		{"arm64", "i8mm", cpu.ARM64.HasI8MM},
	} {
		if f.arch == runtime.GOARCH && f.present {
			has = append(has, f.name)
		}
	}
	return has
}

// Facts checks that the network is a MobileNetV2 and tells what it is,
// without preparing it to be run.
func (n *Network) Facts() (Facts, error) {
	if err := n.check(); err != nil {
		return Facts{}, err
	}
	return n.facts(), nil
}
