package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A block is arm64 code that runs from its first instruction to its last: the
// words of the instructions, as a string to be compared.
type block string

// A tally is what was counted of a block.
type tally struct{ executions, misses1, misses2 int64 }

// counts are those of a program. Its blocks go by their code and not by their
// address, which can differ from run to run.
type counts map[block]tally

// readBlocks reads what plugin/blocks.c writes.
func readBlocks(r io.Reader) (counts, error) {
	c := counts{}
	lines := bufio.NewReader(r) // a block of 512 instructions is a line of 4 KiB
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF && line == "" {
			return c, nil
		}
		if err != nil {
			return nil, fmt.Errorf("counted blocks, line %d: %w", n, err) // the last one too ends with a newline
		}
		fields := strings.Fields(line)
		if len(fields) != 4 {
			return nil, fmt.Errorf("counted blocks, line %d: %d fields, want 4", n, len(fields))
		}
		var numbers [3]int64
		for i := range numbers {
			if numbers[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
				return nil, fmt.Errorf("counted blocks, line %d: %w", n, err)
			}
		}
		code, err := hex.DecodeString(fields[3])
		if err != nil || len(code)%4 != 0 {
			return nil, fmt.Errorf("counted blocks, line %d: %q is not the code of arm64 instructions", n, fields[3])
		}
		c.add(block(code), tally{numbers[0], numbers[1], numbers[2]}, 1)
	}
}

func (c counts) add(b block, t tally, times int64) {
	sum := c[b]
	sum.executions += times * t.executions
	sum.misses1 += times * t.misses1
	sum.misses2 += times * t.misses2
	c[b] = sum
}

// minus is what ran in c and not in the other run of the same program. It does
// not keep the other.
func (c counts) minus(other counts) counts {
	d := counts{}
	for b, t := range c {
		d.add(b, t, 1)
	}
	for b, t := range other {
		d.add(b, t, -1)
	}
	for b, t := range d {
		if t.executions <= 0 { // the start of a program is not the same twice
			delete(d, b)
		}
	}
	return d
}

func (b block) instructions() int { return len(b) / 4 }

// word is the i-th instruction.
func (b block) word(i int) uint32 {
	return uint32(b[4*i])<<24 | uint32(b[4*i+1])<<16 | uint32(b[4*i+2])<<8 | uint32(b[4*i+3])
}

// total counts the instructions that were executed, and all misses.
func (c counts) total() (instructions, misses1, misses2 int64) {
	for b, t := range c {
		instructions += t.executions * int64(b.instructions())
		misses1 += t.misses1
		misses2 += t.misses2
	}
	return instructions, misses1, misses2
}
