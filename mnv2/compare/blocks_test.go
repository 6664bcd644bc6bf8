package main

import (
	"maps"
	"strings"
	"testing"
)

func TestReadBlocks(t *testing.T) {
	c, err := readBlocks(strings.NewReader("5500a0 3 2 1 d503201fd65f03c0\n1000 10 0 0 d65f03c0\n400000 4 1 0 d503201fd65f03c0\n5500a0 1 0 0 d503201fd65f03c0\n"))
	if err != nil {
		t.Fatal(err)
	}
	two := block("\xd5\x03\x20\x1f\xd6\x5f\x03\xc0")
	if got, want := c[two], (tally{8, 3, 1}); got != want {
		t.Errorf("a block that stands at two addresses: %+v, want %+v", got, want)
	}
	if two.instructions() != 2 || two.word(1) != 0xd65f03c0 {
		t.Errorf("%d instructions, the second %#x: want 2, 0xd65f03c0", two.instructions(), two.word(1))
	}
	if n, m1, m2 := c.total(); n != 26 || m1 != 3 || m2 != 1 {
		t.Errorf("total %d instructions, %d and %d misses: want 26, 3, 1", n, m1, m2)
	}
}

func TestReadBlocksRefuses(t *testing.T) {
	for _, line := range []string{
		"0 1 0 0\n",
		"0 1 0 0 d503201f 5\n",
		"0 1 0 x d503201f\n",
		"y 1 0 0 d503201f\n",
		"0 1 0 0 d503\n",
		"0 1 0 0 d503201g\n",
		"0 1 0 0 d503201f", // cut off
	} {
		if c, err := readBlocks(strings.NewReader("0 1 0 0 d503201f\n" + line)); err == nil {
			t.Errorf("%q: %v, want an error", line, c)
		} else if !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v, want the line", line, err)
		}
	}
}

func TestJoin(t *testing.T) {
	const add, sub, ret block = "\x8b\x00\x00\x00", "\xcb\x00\x00\x00", "\xd6\x5f\x03\xc0"
	for name, c := range map[string]struct {
		pieces []piece
		want   counts
	}{
		"cut in two places": {
			[]piece{{0xff8, add + sub, tally{5, 1, 0}}, {0x1000, sub, tally{5, 2, 0}}, {0x1004, add + ret, tally{5, 4, 1}}},
			counts{add + sub + sub + add + ret: {5, 7, 1}},
		},
		"others begin at the second piece": {
			[]piece{{0xff8, add + sub, tally{5, 1, 0}}, {0x1000, sub + ret, tally{7, 2, 0}}},
			counts{add + sub + sub + ret: {5, 1, 0}, sub + ret: {2, 2, 0}},
		},
		"a branch between": {
			[]piece{{0xff8, add + ret, tally{5, 1, 0}}, {0x1000, sub + ret, tally{5, 2, 0}}},
			counts{add + ret: {5, 1, 0}, sub + ret: {5, 2, 0}},
		},
		"something else there": {
			[]piece{{0xff8, add + sub, tally{5, 1, 0}}, {0x1000, ret, tally{3, 0, 0}}},
			counts{add + sub: {5, 1, 0}, ret: {3, 0, 0}},
		},
	} {
		got := join(c.pieces)
		maps.DeleteFunc(got, func(_ block, t tally) bool { return t == tally{} })
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
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
