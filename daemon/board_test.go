package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestThrottled(t *testing.T) {
	const (
		firmware  = "sys/devices/platform/soc/soc:firmware/get_throttled"
		firmware5 = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"
		cooling   = "sys/class/thermal/cooling_device"
	)
	yes, no := true, false
	for name, c := range map[string]struct {
		files map[string]string
		want  *bool
	}{
		"nothing is told":          {nil, nil},
		"only a fan is told of":    {map[string]string{cooling + "0/type": "pwm-fan\n", cooling + "0/cur_state": "3\n"}, nil},
		"a state without a number": {map[string]string{cooling + "0/type": "cpufreq-cpu0\n", cooling + "0/cur_state": "?\n"}, nil},
		"at full speed":            {map[string]string{cooling + "0/type": "cpufreq-cpu0\n", cooling + "0/cur_state": "0\n"}, &no},
		"one of two clusters is slow": {map[string]string{
			cooling + "0/type": "cpufreq-cpu0\n", cooling + "0/cur_state": "0\n", cooling + "1/type": "cpufreq-cpu4\n", cooling + "1/cur_state": "2\n",
		}, &yes},
		"an older name": {map[string]string{cooling + "2/type": "thermal-cpufreq-0\n", cooling + "2/cur_state": "1\n"}, &yes},
		"a PC":          {map[string]string{cooling + "0/type": "Processor\n", cooling + "0/cur_state": "1\n"}, &yes},
		"a PC that idles more": {map[string]string{
			cooling + "0/type": "Processor\n", cooling + "0/cur_state": "0\n", cooling + "1/type": "intel_powerclamp\n", cooling + "1/cur_state": "5\n",
		}, &no},
		"a Pi that is well":              {map[string]string{firmware: "0\n"}, &no},
		"a Pi that was too hot once":     {map[string]string{firmware: "e0000\n"}, &no},
		"a Pi with too little voltage":   {map[string]string{firmware: "50005\n"}, &yes},
		"a Pi at its soft limit":         {map[string]string{firmware: "80008\n"}, &yes},
		"a Pi 5 that is throttled":       {map[string]string{firmware5: "4\n"}, &yes},
		"what the firmware tells counts": {map[string]string{firmware: "2\n", cooling + "0/type": "cpufreq-cpu0\n", cooling + "0/cur_state": "0\n"}, &yes},
		"a Pi's voltage sensor": {map[string]string{
			"sys/class/hwmon/hwmon1/name": "rpi_volt\n", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n",
		}, &yes},
		"another sensor": {map[string]string{"sys/class/hwmon/hwmon1/name": "ina219\n", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n"}, nil},
	} {
		root := t.TempDir()
		for path, content := range c.files {
			path = filepath.Join(root, path)
			must(t, os.MkdirAll(filepath.Dir(path), 0o755))
			must(t, os.WriteFile(path, []byte(content), 0o644))
		}
		switch got := throttledIn(root); {
		case got == nil && c.want == nil:
		case got == nil || c.want == nil || *got != *c.want:
			t.Errorf("%s: %v, want %v", name, text(got), text(c.want))
		}
	}
}

func TestTemperature(t *testing.T) {
	const zone = "sys/class/thermal/thermal_zone"
	for name, c := range map[string]struct {
		files map[string]string
		want  float64 // 0: unknown
	}{
		"nothing is told": {nil, 0},
		"the hottest of two": {map[string]string{
			zone + "0/type": "cpu-thermal\n", zone + "0/temp": "51500\n", zone + "1/type": "gpu-thermal\n", zone + "1/temp": "53000\n",
		}, 53},
		"a Jetson": {map[string]string{
			zone + "1/type": "CPU-therm\n", zone + "1/temp": "41500\n", zone + "4/type": "PMIC-Die\n", zone + "4/temp": "100000\n",
		}, 41.5},
		"a zone that cannot be read": {map[string]string{zone + "0/type": "wifi\n", zone + "0/temp": "\n"}, 0},
	} {
		root := t.TempDir()
		for path, content := range c.files {
			path = filepath.Join(root, path)
			must(t, os.MkdirAll(filepath.Dir(path), 0o755))
			must(t, os.WriteFile(path, []byte(content), 0o644))
		}
		got := temperatureIn(root)
		if (got == nil) != (c.want == 0) || got != nil && *got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func text(b *bool) string {
	switch {
	case b == nil:
		return "unknown"
	case *b:
		return "throttled"
	}
	return "not throttled"
}
