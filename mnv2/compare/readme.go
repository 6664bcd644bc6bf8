package main

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// replacePart puts the text of a part between the two comments that mark its
// place in a Markdown file. They stay.
func replacePart(file []byte, name, text string) ([]byte, error) {
	begin, end := "<!-- compare "+name+": begin -->\n", "<!-- compare "+name+": end -->\n"
	for _, mark := range []string{begin, end} {
		if n := bytes.Count(file, []byte(mark)); n != 1 {
			return nil, fmt.Errorf("want one line %q, found %d", mark[:len(mark)-1], n)
		}
	}
	before, rest, _ := bytes.Cut(file, []byte(begin))
	_, after, found := bytes.Cut(rest, []byte(end))
	if !found {
		return nil, fmt.Errorf("%q stands before its begin", end[:len(end)-1])
	}
	return bytes.Join([][]byte{before, []byte(begin + text + end), after}, nil), nil
}

// number shows three digits, or that nothing is known.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case v < 0.0995:
		return strconv.FormatFloat(v, 'f', 3, 64)
	case v < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}
