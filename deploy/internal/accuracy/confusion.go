package main

import (
	"fmt"
	"slices"
	"strings"
)

// enter is the smoothed score at which the daemon enters a label when its config does not say another.
const enter = 0.60

// A tally counts what a model said of the pictures of one kind.
type tally struct {
	class, kind string
	pictures    int
	first       []int // for each label: pictures that it has the best score of
	entered     int   // pictures in which the class itself would be entered: its score is at least enter
	alarms      int   // pictures in which a label other than the class, and other than the normal one, would be
}

// see counts a picture. class is the index of what it is, normal that of a camera that is as it should be.
func (t *tally) see(scores []float32, class, normal int) {
	if t.first == nil {
		t.first = make([]int, len(scores))
	}
	t.pictures++
	best, alarm := 0, false
	for i, s := range scores {
		if s > scores[best] {
			best = i
		}
		alarm = alarm || i != class && i != normal && s >= enter
	}
	t.first[best]++
	if scores[class] >= enter {
		t.entered++
	}
	if alarm {
		t.alarms++
	}
}

// A confusion is what a model said of all: the kinds of a class count alike, however many pictures each has.
type confusion struct {
	labels []string
	normal int // index of the label that is no alarm
	kinds  []*tally
}

func (c *confusion) index(label string) int { return slices.Index(c.labels, label) }

// add gives the tally of a kind, a new one if there is none.
func (c *confusion) add(class, kind string) *tally {
	for _, t := range c.kinds {
		if t.class == class && t.kind == kind {
			return t
		}
	}
	t := &tally{class: class, kind: kind}
	c.kinds = append(c.kinds, t)
	return t
}

// of gives the kinds of a class.
func (c *confusion) of(class string) (kinds []*tally) {
	for _, t := range c.kinds {
		if t.class == class && t.pictures > 0 {
			kinds = append(kinds, t)
		}
	}
	return kinds
}

// share is the mean over kinds of a count, as a part of the pictures.
func share(kinds []*tally, count func(*tally) int) float64 {
	sum := 0.0
	for _, t := range kinds {
		sum += float64(count(t)) / float64(t.pictures)
	}
	return sum / float64(max(len(kinds), 1))
}

// says is the part of a class's pictures whose best label is another, or itself: its recall.
func (c *confusion) says(class, label string) float64 {
	i := c.index(label)
	return share(c.of(class), func(t *tally) int { return t.first[i] })
}

// recall is the mean over all classes.
func (c *confusion) recall() float64 {
	sum := 0.0
	for _, l := range c.labels {
		sum += c.says(l, l)
	}
	return sum / float64(len(c.labels))
}

// falseAlarms counts the normal pictures, those in which another label has the best score, and those in which one would be entered.
func (c *confusion) falseAlarms() (pictures, best, entered int) {
	for _, t := range c.of(c.labels[c.normal]) {
		pictures += t.pictures
		best += t.pictures - t.first[c.normal]
		entered += t.alarms
	}
	return pictures, best, entered
}

// table is the matrix in Markdown, in percent.
func (c *confusion) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| is | pictures | %s |\n| --- |%s\n", strings.Join(c.labels, " | "), strings.Repeat(" ---: |", len(c.labels)+1))
	for _, class := range c.labels {
		n := 0
		for _, t := range c.of(class) {
			n += t.pictures
		}
		fmt.Fprintf(&b, "| %s | %d |", class, n)
		for _, label := range c.labels {
			says := c.says(class, label)
			switch {
			case label == class:
				fmt.Fprintf(&b, " **%.1f** |", 100*says)
			case says > 0:
				fmt.Fprintf(&b, " %.1f |", 100*says)
			default: // nothing to see where there is nothing
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// mistaken is the label that a kind is most often mistaken for.
func (c *confusion) mistaken(t *tally) string {
	worst := -1
	for i, n := range t.first {
		if c.labels[i] != t.class && n > 0 && (worst < 0 || n > t.first[worst]) {
			worst = i
		}
	}
	if worst < 0 {
		return ""
	}
	return c.labels[worst]
}
