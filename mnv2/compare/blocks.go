package main

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
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

// A piece is what QEMU translates at once: a block, or less of it where it ends
// for QEMU's own reasons, with a page of memory or after 512 instructions.
type piece struct {
	address uint64
	code    block
	tally
}

// readBlocks reads what plugin/blocks.c writes.
func readBlocks(r io.Reader) (counts, error) {
	var pieces []piece
	lines := bufio.NewReader(r) // 512 instructions make a line of 4 KiB
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF && line == "" {
			return join(pieces), nil
		}
		if err != nil {
			return nil, fmt.Errorf("counted blocks, line %d: %w", n, err) // the last one too ends with a newline
		}
		p, err := parsePiece(line)
		if err != nil {
			return nil, fmt.Errorf("counted blocks, line %d: %w", n, err)
		}
		pieces = append(pieces, p)
	}
}

func parsePiece(line string) (p piece, err error) {
	fields := strings.Fields(line)
	if len(fields) != 5 {
		return p, fmt.Errorf("%d fields, want 5", len(fields))
	}
	if p.address, err = strconv.ParseUint(fields[0], 16, 64); err != nil {
		return p, err
	}
	for i, number := range []*int64{&p.executions, &p.misses1, &p.misses2} {
		if *number, err = strconv.ParseInt(fields[1+i], 10, 64); err != nil {
			return p, err
		}
	}
	code, err := hex.DecodeString(fields[4])
	if err != nil || len(code)%4 != 0 {
		return p, fmt.Errorf("%q is not the code of arm64 instructions", fields[4])
	}
	p.code = block(code)
	return p, nil
}

// join puts together again what QEMU cut: else the cost of a loop would depend on
// where in a page it lies. A piece that does not end with a branch always runs on
// into the next, where others may begin too.
func join(pieces []piece) counts {
	// The last address first, so that what a piece runs on into is whole already.
	slices.SortFunc(pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(b.address, a.address), cmp.Compare(a.code, b.code))
	})
	whole := pieces[:0]
	for _, p := range pieces {
		if n := len(whole); n > 0 && whole[n-1].address == p.address && whole[n-1].code == p.code {
			whole[n-1].add(p.tally, 1) // it was translated twice
		} else {
			whole = append(whole, p)
		}
	}
	at := map[uint64]*piece{}
	for i := range whole {
		p := &whole[i]
		next := at[p.address+uint64(len(p.code))]
		if next != nil && !isBranch(p.code.word(p.code.instructions()-1)) && next.executions >= p.executions {
			p.code += next.code
			next.executions -= p.executions
			if next.executions == 0 { // nothing else begins there
				p.add(next.tally, 1)
				next.tally = tally{}
			}
		}
		at[p.address] = p
	}
	c := counts{}
	for _, p := range whole {
		c.add(p.code, p.tally, 1)
	}
	return c
}

func (t *tally) add(u tally, times int64) {
	t.executions += times * u.executions
	t.misses1 += times * u.misses1
	t.misses2 += times * u.misses2
}

func (c counts) add(b block, t tally, times int64) {
	sum := c[b]
	sum.add(t, times)
	c[b] = sum
}

// minus is what ran in c and not in the other run of the same program.
func (c counts) minus(other counts) counts {
	d := maps.Clone(c)
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

// isBranch tells whether the instruction is one, or another that is encoded among
// them: a hint, a barrier, a trap.
func isBranch(word uint32) bool { return word>>26&0b111 == 0b101 }

// total counts the instructions that were executed, and all misses.
func (c counts) total() (instructions, misses1, misses2 int64) {
	for b, t := range c {
		instructions += t.executions * int64(b.instructions())
		misses1 += t.misses1
		misses2 += t.misses2
	}
	return instructions, misses1, misses2
}
