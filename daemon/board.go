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
func temperature() *float64 {
	zones, _ := filepath.Glob("/sys/class/thermal/thermal_zone*/temp")
	var hottest *float64
	for _, z := range zones {
		b, err := os.ReadFile(z)
		if err != nil {
			continue
		}
		milli, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if c := float64(milli) / 1000; err == nil && (hottest == nil || c > *hottest) {
			hottest = &c
		}
	}
	return hottest
}
