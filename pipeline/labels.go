package pipeline

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ReadLabels reads labels.txt: a line a class, in the order of the classes, UTF-8. It gives the label of each class, all different.
//
// A number at the start of a line is dropped, of several names (separated by commas) the first is the label, and labels
// that would be the same get their class index: "crane (135)".
func ReadLabels(r io.Reader) ([]string, error) {
	var labels []string
	lines := bufio.NewScanner(r)
	empty := 0 // line number of the first of the empty lines before this one
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff") // what Windows editors begin with
		}
		if !utf8.ValidString(line) {
			return nil, fmt.Errorf("labels: line %d is not UTF-8 text: %.40q", n, line)
		}
		if strings.TrimSpace(line) == "" {
			if empty == 0 {
				empty = n
			}
			continue
		}
		if empty > 0 {
			// To skip it might give every later class the label of its neighbour.
			return nil, fmt.Errorf("labels: line %d is empty: a line for each class is needed, in the order of the classes", empty)
		}
		label := parseLabel(line)
		if label == "" {
			return nil, fmt.Errorf("labels: line %d has no name: %.40q", n, line)
		}
		labels = append(labels, label)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("labels: line %d is longer than %d bytes: this is no list of labels", len(labels)+1, bufio.MaxScanTokenSize)
	} else if err != nil {
		return nil, fmt.Errorf("labels: after line %d: %w", len(labels), err)
	}
	if len(labels) == 0 {
		return nil, errors.New("labels: the list is empty: a line for each class is needed")
	}
	tellApart(labels)
	return labels, nil
}

// parseLabel gives the first name of a line, without the number before it; "" if there is none.
func parseLabel(line string) string {
	line = strings.TrimSpace(line)
	if rest := strings.TrimLeft(line, "0123456789"); rest != line {
		// Only a number that stands alone: not that of "3D printer".
		rest = strings.TrimLeft(rest, ":,")
		if name := strings.TrimSpace(rest); name != "" && name != rest {
			line = name
		}
	}
	for name := range strings.SplitSeq(line, ",") {
		if name = strings.TrimSpace(name); name != "" {
			return name
		}
	}
	return ""
}

// tellApart appends its class index to every label that several classes have, and again where that makes one that a line
// has already.
func tellApart(labels []string) {
	for {
		classes := make(map[string]int, len(labels))
		for _, label := range labels {
			classes[label]++
		}
		if len(classes) == len(labels) {
			return
		}
		for i, label := range labels {
			if classes[label] > 1 {
				labels[i] = fmt.Sprintf("%s (%d)", label, i)
			}
		}
	}
}
