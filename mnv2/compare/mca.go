package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Blocks are modelled, the most executed first, until they are this share of all
// instructions. The rest, many thousand blocks, is taken to be as fast.
const modelledShare = 0.998

const llvmBin = "usr/lib/llvm-" + llvm + "/bin/"

// cycles is what all that was counted takes on a core, by LLVM's model of it.
func (t *tools) cycles(ctx context.Context, c counts, model string) (float64, error) {
	blocks := make([]block, 0, len(c))
	for b := range c {
		blocks = append(blocks, b)
	}
	executed := func(b block) int64 { return c[b].executions * int64(b.instructions()) }
	slices.SortFunc(blocks, func(a, b block) int {
		return cmp.Or(cmp.Compare(executed(b), executed(a)), cmp.Compare(a, b))
	})
	all, _, _ := c.total()
	var some int64
	for i, b := range blocks {
		some += executed(b)
		if float64(some) >= modelledShare*float64(all) {
			blocks = blocks[:i+1]
			break
		}
	}
	each, err := t.blockCycles(ctx, blocks, model)
	if err != nil {
		return 0, err
	}
	var sum float64
	for i, b := range blocks {
		sum += float64(c[b].executions) * each[i]
	}
	return sum * float64(all) / float64(some), nil
}

// blockCycles is how many cycles each block takes when it runs again and again.
func (t *tools) blockCycles(ctx context.Context, blocks []block, model string) ([]float64, error) {
	text, err := t.disassemble(ctx, blocks)
	if err != nil {
		return nil, err
	}
	mca := t.command(ctx, llvmBin+"llvm-mca", "-mtriple=aarch64", "-mcpu="+model, "-mattr=+v8.6a", "-iterations=100",
		"-skip-unsupported-instructions=any", "-instruction-info=0", "-resource-pressure=0", "-json")
	mca.Stdin = strings.NewReader(mcaInput(blocks, text))
	out, err := output(mca)
	if err != nil {
		return nil, fmt.Errorf("model a %s: %w", model, err)
	}
	return mcaCycles(out, len(blocks))
}

// disassemble returns the text of each instruction.
func (t *tools) disassemble(ctx context.Context, blocks []block) (map[uint32]string, error) {
	words := map[uint32]bool{}
	for _, b := range blocks {
		for i := range b.instructions() {
			words[b.word(i)] = true
		}
	}
	var in strings.Builder
	for w := range words {
		fmt.Fprintf(&in, "%#x %#x %#x %#x\n", byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	mc := t.command(ctx, llvmBin+"llvm-mc", "--disassemble", "--show-encoding", "-triple=aarch64", "-mattr=+v8.6a")
	mc.Stdin = strings.NewReader(in.String())
	out, err := output(mc)
	if err != nil {
		return nil, err
	}
	return parseDisassembly(out), nil
}

var disassembled = regexp.MustCompile(`(?m)^\s*(\S.*?)\s*// encoding: \[0x(..),0x(..),0x(..),0x(..)\]$`)

// parseDisassembly reads what llvm-mc prints: instructions, each with its bytes.
// Those that it does not know are not there.
func parseDisassembly(out string) map[uint32]string {
	text := map[uint32]string{}
	for _, m := range disassembled.FindAllStringSubmatch(out, -1) {
		if w, err := strconv.ParseUint(m[5]+m[4]+m[3]+m[2], 16, 32); err == nil {
			text[uint32(w)] = m[1]
		}
	}
	return text
}

// mcaInput makes a region of each block. Branches are taken to be free.
func mcaInput(blocks []block, text map[uint32]string) string {
	var in strings.Builder
	for n, b := range blocks {
		empty := true
		fmt.Fprintf(&in, "# LLVM-MCA-BEGIN %d\n", n)
		for i := range b.instructions() {
			if w := b.word(i); !isBranch(w) && text[w] != "" {
				in.WriteString(text[w] + "\n")
				empty = false
			}
		}
		if empty { // llvm-mca leaves out regions without instructions
			in.WriteString("nop\n")
		}
		fmt.Fprintf(&in, "# LLVM-MCA-END %d\n", n)
	}
	return in.String()
}

// mcaCycles reads what llvm-mca prints of n regions: the cycles of an iteration.
// One is left out, and free, when the model has none of its instructions: an
// atomic one can stand alone in a block.
func mcaCycles(out string, n int) ([]float64, error) {
	var report struct {
		CodeRegions []struct {
			Name        string
			SummaryView struct{ Iterations, TotalCycles float64 }
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		return nil, fmt.Errorf("read what llvm-mca says: %w", err)
	}
	cycles := make([]float64, n)
	for _, r := range report.CodeRegions {
		i, err := strconv.Atoi(r.Name)
		if err != nil || i < 0 || i >= n || r.SummaryView.TotalCycles <= 0 || r.SummaryView.Iterations <= 0 {
			return nil, fmt.Errorf("read what llvm-mca says: region %q of %d took %v cycles in %v iterations",
				r.Name, n, r.SummaryView.TotalCycles, r.SummaryView.Iterations)
		}
		cycles[i] = r.SummaryView.TotalCycles / r.SummaryView.Iterations
	}
	if len(report.CodeRegions) == 0 {
		return nil, errors.New("read what llvm-mca says: no region is there")
	}
	return cycles, nil
}
