package main

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

//go:embed plugin/blocks.c
var pluginC string

// A core is one of a small arm64 board.
type core struct {
	name     string
	qemu     string // what QEMU calls it, or one with the same instructions
	board    string
	schedule string // LLVM's model
	part     string // its number in /proc/cpuinfo, by which LiteRT chooses its kernels
	features string // there too
}

const (
	featuresV80 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
	featuresV82 = featuresV80 + " atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
)

var cores = []core{
	{"Cortex-A76", "cortex-a76", "Pi 5", "neoverse-n1", "0xd0b", featuresV82},
	{"Cortex-A55", "cortex-a76", "RK3588", "cortex-a55", "0xd05", featuresV82},
	{"Cortex-A72", "cortex-a72", "Pi 4", "cortex-a72", "0xd08", featuresV80},
	{"Cortex-A53", "cortex-a53", "Pi 3", "cortex-a53", "0xd03", featuresV80},
}

// A cost is what an inference takes.
type cost struct{ cycles, instructions, misses1, misses2 float64 }

var unknown = cost{math.NaN(), math.NaN(), math.NaN(), math.NaN()}

// A comparison is a row of the table of modelled cycles.
type comparison struct {
	width        string
	core         core
	kernel       string // ours
	ours, theirs cost
}

// The same program runs twice, with fewer and with more inferences. What the
// second takes more has nothing of starting and loading in it.
const fewer, more = 2, 4

// An emulator runs arm64 programs and counts.
type emulator struct {
	*tools
	dir    string            // for its files
	ours   string            // this program for arm64
	boards map[string]string // by core: the folder that stands for / of a board with LiteRT; none if that cannot be had
}

// modelled makes the table of what small boards would take.
func modelled(ctx context.Context, w *workshop, models []model) (text string, missing []error) {
	e, err := newEmulator(ctx, w)
	if err != nil {
		return "", []error{err}
	}
	if err := e.makeBoards(ctx, w, models[0]); err != nil {
		missing = append(missing, err)
	}

	var rows []*comparison
	var tasks []func() error
	for _, m := range models {
		for _, c := range cores {
			r := &comparison{width: m.width, core: c, kernel: "–", ours: unknown, theirs: unknown}
			rows = append(rows, r)
			tasks = append(tasks, func() error {
				cost, kernel, err := e.cost(ctx, c, e.ourCommand(m))
				if err == nil {
					r.ours, r.kernel = cost, "`"+kernel+"`"
				}
				return err
			})
			if board := e.boards[c.name]; board != "" {
				tasks = append(tasks, func() (err error) {
					r.theirs, _, err = e.cost(ctx, c, litertCommand(board, m))
					return err
				})
			}
		}
	}
	missing = append(missing, inParallel(ctx, tasks)...)
	return modelledText(rows), missing
}

func newEmulator(ctx context.Context, w *workshop) (*emulator, error) {
	e := &emulator{dir: w.scrap, ours: filepath.Join(w.scrap, "compare")}
	var err error
	if e.tools, err = w.tools(ctx); err != nil {
		return nil, err
	}
	gcc, err := w.program(ctx, "gcc", "gcc", "libc6-dev")
	if err != nil {
		return nil, err
	}
	source := filepath.Join(e.dir, "blocks.c")
	if err := os.WriteFile(source, []byte(pluginC), 0o644); err != nil {
		return nil, err
	}
	if _, err := output(exec.CommandContext(ctx, gcc, "-O2", "-shared", "-fPIC", "-o", filepath.Join(e.dir, "blocks.so"), source)); err != nil {
		return nil, err
	}

	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", e.ours, "./mnv2/compare")
	build.Dir = w.root
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	_, err = output(build)
	return e, err
}

const qemu = "usr/bin/qemu-aarch64"

// ourCommand runs our program, up to the number of inferences: with one goroutine
// at a time and no garbage collector, so that it can be counted.
func (e *emulator) ourCommand(m model) []string {
	return []string{"-E", "GOMAXPROCS=1", "-E", "GOGC=off", e.ours, "run", "best", m.tflite}
}

// litertCommand does the same for LiteRT.
func litertCommand(board string, m model) []string {
	return []string{
		"-L", board, "-E", "PYTHONHOME=" + board + "/usr", "-E", "PYTHONPATH=" + board + "/site", "-E", "PYTHONHASHSEED=0",
		board + "/usr/bin/python" + debianPython, "-c", peersPy, "run", litert.name, m.tflite,
	}
}

// makeBoards gets LiteRT and makes a board of each core. It lets LiteRT run once,
// so that Python has compiled all that it imports and does not do so in one of
// the runs that are counted.
func (e *emulator) makeBoards(ctx context.Context, w *workshop, m model) error {
	litertDir, err := w.litertARM64(ctx)
	if err != nil {
		return err
	}
	boards := map[string]string{}
	for _, c := range cores {
		if boards[c.name], err = e.board(c, litertDir); err != nil {
			return err
		}
	}
	c := cores[0]
	args := append(litertCommand(boards[c.name], m), "1")
	if _, err := output(e.command(ctx, qemu, append([]string{"-cpu", c.qemu}, args...)...)); err != nil {
		return fmt.Errorf("run LiteRT's arm64 build: %w", err)
	}
	e.boards = boards
	return nil
}

// board makes a folder that QEMU shows to the program in place of /: LiteRT's
// files, and those by which it knows the core.
func (e *emulator) board(c core, litertDir string) (string, error) {
	dir, err := os.MkdirTemp(e.dir, "board-")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"lib", "usr", "site"} {
		if err := os.Symlink(filepath.Join(litertDir, name), filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	const cpus, cpu0 = "sys/devices/system/cpu/", "sys/devices/system/cpu/cpu0/"
	for name, text := range map[string]string{
		// LiteRT knows that an A55 of variant 0 has no dot product.
		"proc/cpuinfo": "processor\t: 0\nFeatures\t: " + c.features +
			"\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: " + c.part + "\nCPU revision\t: 0\n\n",
		cpus + "kernel_max":                    "0",
		cpus + "possible":                      "0",
		cpus + "present":                       "0",
		cpus + "online":                        "0",
		cpu0 + "cpufreq/cpuinfo_max_freq":      "1500000",
		cpu0 + "cpufreq/cpuinfo_min_freq":      "1500000",
		cpu0 + "topology/core_id":              "0",
		cpu0 + "topology/physical_package_id":  "0",
		cpu0 + "topology/core_siblings_list":   "0",
		cpu0 + "topology/thread_siblings_list": "0",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// cost counts what an inference takes and models its cycles. It also returns what
// the program printed last.
func (e *emulator) cost(ctx context.Context, c core, command []string) (cost, string, error) {
	first, _, err := e.count(ctx, c, append(command, strconv.Itoa(fewer)))
	if err != nil {
		return unknown, "", fmt.Errorf("count on a %s: %w", c.name, err)
	}
	second, printed, err := e.count(ctx, c, append(command, strconv.Itoa(more)))
	if err != nil {
		return unknown, "", fmt.Errorf("count on a %s: %w", c.name, err)
	}
	inferences := second.minus(first)
	instructions, misses1, misses2 := inferences.total()
	cycles, err := e.cycles(ctx, inferences, c.schedule)
	if err != nil {
		return unknown, "", err
	}
	const n = more - fewer
	return cost{cycles / n, float64(instructions) / n, float64(misses1) / n, float64(misses2) / n}, lastLine(printed), nil
}

// count runs a program to its end.
func (e *emulator) count(ctx context.Context, c core, args []string) (counts, string, error) {
	file, err := os.CreateTemp(e.dir, "blocks-")
	if err != nil {
		return nil, "", err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	run := e.command(ctx, qemu, append([]string{"-cpu", c.qemu, "-plugin", "./blocks.so,out=" + filepath.Base(file.Name())}, args...)...)
	run.Dir = e.dir // a comma in a path would end it for QEMU
	printed, err := output(run)
	if err != nil {
		return nil, "", err
	}
	counted, err := readBlocks(file)
	return counted, printed, err
}

// inParallel does the tasks, as many at a time as there are CPUs: what is counted
// does not depend on what else runs.
func inParallel(ctx context.Context, tasks []func() error) (failed []error) {
	var (
		wait sync.WaitGroup
		lock sync.Mutex
		done int
		slot = make(chan struct{}, runtime.NumCPU())
	)
	for _, task := range tasks {
		wait.Add(1)
		slot <- struct{}{}
		go func() {
			defer wait.Done()
			defer func() { <-slot }()
			if ctx.Err() != nil {
				return
			}
			err := task()
			lock.Lock()
			defer lock.Unlock()
			done++
			say("modelling, %d of %d", done, len(tasks))
			if err != nil {
				failed = append(failed, err)
			}
		}()
	}
	wait.Wait()
	return failed
}

func modelledText(rows []*comparison) string {
	var b strings.Builder
	fmt.Fprintf(&b, `**Modelled** for one core of small arm64 boards: millions for a picture, one thread, int8. Instructions and cache misses are counted, of this
program and of LiteRT %s's own arm64 build, both run by QEMU, told that it is that core; the cache is the same for all, 32 KiB (level 1) and 512 KiB
(level 2), and fetches nothing ahead. Cycles are a model: LLVM's schedule of the core (llvm-mca %s; a Cortex-A76 is taken to be its
sibling, the Neoverse N1) for each block of code that was counted, in steady state, all loads hitting level 1 and all branches free. So
they compare two programs on a core, and are no time on a board.

| width | core | kernel | cycles | LiteRT | times as fast | instructions | LiteRT | level-1 misses | LiteRT | level-2 misses | LiteRT |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
`, litert.version, llvm)
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s (%s) | %s |", r.width, r.core.name, r.core.board, r.kernel)
		for _, v := range []float64{
			r.ours.cycles / 1e6, r.theirs.cycles / 1e6, r.theirs.cycles / r.ours.cycles, r.ours.instructions / 1e6, r.theirs.instructions / 1e6,
			r.ours.misses1 / 1e6, r.theirs.misses1 / 1e6, r.ours.misses2 / 1e6, r.theirs.misses2 / 1e6,
		} {
			b.WriteString(" " + number(v) + " |")
		}
		b.WriteByte('\n')
	}
	return b.String()
}
