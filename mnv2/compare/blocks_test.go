package main

import (
	"strings"
	"testing"
)

func TestReadBlocks(t *testing.T) {
	c, err := readBlocks(strings.NewReader("3 2 1 d503201fd65f03c0\n10 0 0 d503201f\n4 1 0 d503201fd65f03c0\n"))
	if err != nil {
		t.Fatal(err)
	}
	two := block("\xd5\x03\x20\x1f\xd6\x5f\x03\xc0")
	if got, want := c[two], (tally{7, 3, 1}); got != want {
		t.Errorf("a block that stands at two addresses: %+v, want %+v", got, want)
	}
	if two.instructions() != 2 || two.word(1) != 0xd65f03c0 {
		t.Errorf("%d instructions, the second %#x: want 2, 0xd65f03c0", two.instructions(), two.word(1))
	}
	if n, m1, m2 := c.total(); n != 24 || m1 != 3 || m2 != 1 {
		t.Errorf("total %d instructions, %d and %d misses: want 24, 3, 1", n, m1, m2)
	}
}

func TestReadBlocksRefuses(t *testing.T) {
	for _, file := range []string{
		"1 0 0\n",
		"1 0 0 d503201f 5\n",
		"1 0 x d503201f\n",
		"1 0 0 d503\n",
		"1 0 0 d503201g\n",
		"1 0 0 d503201f", // cut off
	} {
		if c, err := readBlocks(strings.NewReader("1 0 0 d503201f\n" + file)); err == nil {
			t.Errorf("%q: %v, want an error", file, c)
		} else if !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v, want the line", file, err)
		}
	}
}

func TestMinus(t *testing.T) {
	loop, start, late := block("loop"), block("strt"), block("late")
	first := counts{loop: {20, 4, 2}, start: {5, 5, 5}, late: {3, 0, 0}}
	second := counts{loop: {40, 9, 3}, start: {5, 7, 5}, late: {2, 0, 0}}
	d := second.minus(first)
	if len(d) != 1 || d[loop] != (tally{20, 5, 1}) {
		t.Errorf("%v, want 20, 5 and 1 of the loop alone", d)
	}
	if second[loop].executions != 40 {
		t.Error("the minuend was changed")
	}
}
