package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// board names the machine: what the device tree calls an ARM board, what the
// firmware calls a PC, or else the architecture.
func board() string {
	for _, path := range []string{"/sys/firmware/devicetree/base/model", "/sys/class/dmi/id/product_name"} {
		if b, err := os.ReadFile(path); err == nil {
			if name := strings.TrimSpace(strings.Trim(string(b), "\x00")); name != "" {
				return name
			}
		}
	}
	return runtime.GOARCH
}

// temperature is that of the hottest thermal zone in degrees Celsius, nil
// where the kernel tells none.
func temperature() *float64 { return temperatureIn("/") }

func temperatureIn(root string) *float64 {
	zones, _ := filepath.Glob(filepath.Join(root, "sys/class/thermal/thermal_zone*/temp"))
	var hottest *float64
	for _, z := range zones {
		if readTrimmed(filepath.Join(filepath.Dir(z), "type")) == "PMIC-Die" { // a Jetson's says 100 degrees always
			continue
		}
		milli, err := strconv.Atoi(readTrimmed(z))
		if c := float64(milli) / 1000; err == nil && (hottest == nil || c > *hottest) {
			hottest = &c
		}
	}
	return hottest
}

// throttled says whether the board slows its CPU down now, because it is too
// hot or has too little voltage; nil where the kernel does not tell.
func throttled() *bool { return throttledIn("/") }

func throttledIn(root string) *bool {
	known, slow := false, false
	types, _ := filepath.Glob(filepath.Join(root, "sys/class/thermal/cooling_device*/type"))
	for _, path := range types {
		// cpufreq-cpu0 and thermal-cpufreq-0 of ARM boards, Processor of a PC. Fans and idle injection are others.
		kind := readTrimmed(path)
		if !strings.HasPrefix(kind, "cpufreq-") && !strings.HasPrefix(kind, "thermal-cpufreq-") && kind != "Processor" {
			continue
		}
		if state, err := strconv.Atoi(readTrimmed(filepath.Join(filepath.Dir(path), "cur_state"))); err == nil {
			known, slow = true, slow || state > 0
		}
	}
	// A Raspberry Pi's firmware slows it down by itself, and tells in bits: 0 too little voltage, 1 frequency capped, 2 throttled, 3 soft
	// temperature limit; those from 16 on say that it was so once.
	firmware, _ := filepath.Glob(filepath.Join(root, "sys/devices/platform/soc*/soc*:firmware/get_throttled"))
	for _, path := range firmware {
		if bits, err := strconv.ParseUint(strings.TrimPrefix(readTrimmed(path), "0x"), 16, 32); err == nil {
			known, slow = true, slow || bits&0xf != 0
		}
	}
	// A kernel without that file may have a sensor for the voltage.
	sensors, _ := filepath.Glob(filepath.Join(root, "sys/class/hwmon/hwmon*/in0_lcrit_alarm"))
	for _, path := range sensors {
		if readTrimmed(filepath.Join(filepath.Dir(path), "name")) == "rpi_volt" {
			known, slow = true, slow || readTrimmed(path) == "1"
		}
	}
	if !known {
		return nil
	}
	return &slow
}

// readTrimmed is a line of the kernel's, "" where there is none.
func readTrimmed(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// memoryUse is what the daemon has in memory, and what the board has left,
// both in bytes; nil where a sandbox hides that.
func memoryUse() (resident int64, available *int64) {
	if f := strings.Fields(readTrimmed("/proc/self/statm")); len(f) > 1 {
		pages, _ := strconv.ParseInt(f[1], 10, 64)
		resident = pages * int64(os.Getpagesize())
	}
	for line := range strings.Lines(readTrimmed("/proc/meminfo")) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			if kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
				bytes := kib << 10
				available = &bytes
			}
		}
	}
	return resident, available
}
