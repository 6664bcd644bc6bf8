package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"tarsier/mnv2"
)

// Rounds in which every engine takes its turn.
const rounds = 9

// A contender is an engine as it stands in the table of measured times.
type contender struct {
	name    string
	ours    bool
	command func(model) []string // nil: there is no file for it
	ms      map[string][]float64 // by width, one for each round
}

// measured makes the table of the times on this machine.
func measured(ctx context.Context, w *workshop, models []model) (text string, missing []error) {
	self, err := os.Executable()
	if err != nil {
		return "", []error{err}
	}
	var all []*contender
	for _, kernel := range mnv2.Kernels() {
		all = append(all, &contender{name: "tarsier with `" + kernel + "`", ours: true, ms: map[string][]float64{}, command: func(m model) []string {
			return []string{self, "time", kernel, m.tflite}
		}})
	}
	for _, p := range peers {
		python, err := w.peer(ctx, p)
		if err != nil {
			missing = append(missing, err)
			continue
		}
		all = append(all, &contender{name: p.name + " " + p.version, ms: map[string][]float64{}, command: func(m model) []string {
			if p.file(m) == "" {
				return nil
			}
			return []string{python, "-c", peersPy, "time", p.name, p.file(m)}
		}})
	}
	for round := range rounds {
		for _, m := range models {
			say("measuring width %s, round %d of %d", m.width, round+1, rounds)
			for _, c := range all {
				// Who failed once is out: the others go on.
				command := c.command(m)
				if command == nil || len(c.ms[m.width]) < round {
					continue
				}
				ms, err := timeOf(ctx, command)
				if err != nil {
					missing = append(missing, fmt.Errorf("time %s at width %s: %w", c.name, m.width, err))
					continue
				}
				c.ms[m.width] = append(c.ms[m.width], ms)
			}
		}
	}
	return measuredText(cpuName(), models, all), missing
}

func timeOf(ctx context.Context, command []string) (float64, error) {
	out, err := output(exec.CommandContext(ctx, command[0], command[1:]...))
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(lastLine(out), 64)
}

// lastLine is the answer of a process; libraries may print more before it.
func lastLine(out string) string {
	out = strings.TrimSpace(out)
	return out[strings.LastIndexByte(out, '\n')+1:]
}

func measuredText(cpu string, models []model, all []*contender) string {
	var b strings.Builder
	fmt.Fprintf(&b, `**Measured** on one core (%s): one thread, int8, 224x224 pixels, milliseconds for a picture. Each engine, and
each kernel of ours that this CPU runs, has a process of its own in each of %d rounds, all in turn; the median counts. The factor is how
many times as fast as LiteRT that is in the same round.

| |`, cpu, rounds)
	for _, m := range models {
		fmt.Fprintf(&b, " width %s | factor |", m.width)
	}
	b.WriteString("\n|")
	b.WriteString(" --- |" + strings.Repeat(" --- | --- |", len(models)) + "\n")
	for _, c := range all {
		b.WriteString("| " + c.name + " |")
		for _, m := range models {
			fmt.Fprintf(&b, " %s | %s |", number(center(c.ms[m.width])), number(timesAsFast(c, find(all, litert.name), m.width)))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	for _, m := range models {
		ours, other := fastest(all, m.width, true), fastest(all, m.width, false)
		if ours != nil && other != nil {
			fmt.Fprintf(&b, "At width %s, %s is %s times as fast as %s, the fastest of the others.\n", m.width, ours.name, number(timesAsFast(ours, other, m.width)), other.name)
		}
	}
	b.WriteString("ONNX Runtime has no file of width 0.35 to run.\n")
	return b.String()
}

func find(all []*contender, name string) *contender {
	for _, c := range all {
		if strings.HasPrefix(c.name, name) {
			return c
		}
	}
	return nil
}

func fastest(all []*contender, width string, ours bool) (best *contender) {
	for _, c := range all {
		if c.ours == ours && len(c.ms[width]) > 0 && (best == nil || center(c.ms[width]) < center(best.ms[width])) {
			best = c
		}
	}
	return best
}

// timesAsFast is the median over the rounds of how many times as fast c was.
func timesAsFast(c, than *contender, width string) float64 {
	if than == nil {
		return math.NaN()
	}
	var ratios []float64
	for i := range min(len(c.ms[width]), len(than.ms[width])) {
		ratios = append(ratios, than.ms[width][i]/c.ms[width][i])
	}
	return center(ratios)
}

// center is the median, of nothing NaN.
func center(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return median(values)
}

// cpuName is what the machine says of itself.
func cpuName() string {
	if board, err := os.ReadFile("/proc/device-tree/model"); err == nil {
		return strings.Trim(string(board), "\x00\n ")
	}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
