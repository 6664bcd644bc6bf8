package main

import (
	"fmt"
	"math"
	"os"
	"strconv"

	"tarsier/mnv2/compare/readme"
)

// rewrite puts the complete parts into the README. A row that is missing, or
// one of another run or another machine among the new ones, would mislead.
func rewrite(path string, parts []*part) error {
	var complete []readme.Part
	for _, p := range parts {
		if !p.complete {
			fmt.Fprintf(os.Stderr, "compare: what is %s stays as it was in %s\n", p.name, path)
			continue
		}
		complete = append(complete, readme.Part{Name: "compare " + p.name, Text: p.text})
	}
	return readme.Rewrite(path, complete...)
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
