package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// An Error is one mistake in a config.
type Error struct {
	File     string // as it was named to Load
	Line     int    // from 1
	Variable string // of the environment, if the value is from there and not from the file
	Key      string // cameras[0].fps; "" for the file as a whole
	Found    string
	Allowed  string
}

// Error is one line: where, what was found, what is allowed.
func (e Error) Error() string {
	where := e.Variable
	if where == "" {
		where = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Key != "" {
		where += ": " + e.Key
	}
	return fmt.Sprintf("%s: found %s, allowed: %s", where, e.Found, e.Allowed)
}

// Errors are all mistakes in a config: those in the file by line, then those in the environment by name.
type Errors []Error

// Error has a line for each mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

func (e Errors) sort() {
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Variable, b.Variable), cmp.Compare(a.Line, b.Line))
	})
}

// similar gives the key that was probably meant, or "".
func similar(found string, keys []string) string {
	found = strings.ToLower(found)
	best, closest := "", min(3, len(found)/2+1) // further off than that is another word
	for _, key := range keys {
		if d := distance(found, key); d < closest {
			best, closest = key, d
		}
	}
	if best != "" {
		return best
	}
	for _, key := range keys {
		if len(found) > 2 && (strings.HasPrefix(key, found) || strings.HasPrefix(found, key)) {
			return key // password: password_file
		}
	}
	return ""
}

// distance counts the letters to add, drop, change or swap with their neighbour (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
