package mnv2

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// cores lists the CPUs to run threads on, one for each physical core that the
// process may use, fastest first; big is how many of them are about as fast as
// the first. sys is /sys/devices/system/cpu, and allowed what the scheduler
// allows. Linux tells the relative speed of cores where they differ
// (Documentation/ABI/testing/sysfs-devices-system-cpu, cpu_capacity).
func cores(sys fs.FS, allowed []int) (cpus []int, big int) {
	capacity := make(map[int]int)
	seen := make(map[string]bool)
	for _, cpu := range allowed {
		dir := "cpu" + strconv.Itoa(cpu) + "/"
		// Hyper-threads of one core share its vector units.
		siblings := readLine(sys, dir+"topology/thread_siblings_list")
		if siblings != "" && seen[siblings] {
			continue
		}
		seen[siblings] = true
		capacity[cpu], _ = strconv.Atoi(readLine(sys, dir+"cpu_capacity"))
		cpus = append(cpus, cpu)
	}
	slices.SortStableFunc(cpus, func(a, b int) int { return capacity[b] - capacity[a] })
	for big < len(cpus) && 4*capacity[cpus[big]] >= 3*capacity[cpus[0]] {
		big++
	}
	return cpus, big
}

func readLine(sys fs.FS, name string) string {
	data, err := fs.ReadFile(sys, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
