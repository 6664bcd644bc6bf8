// Package readme keeps what programs of the project measure in a Markdown file.
// Each text has its place between two comments: "<!-- NAME: begin -->" and
// "<!-- NAME: end -->", each a line of its own.
package readme

import (
	"bytes"
	"fmt"
	"os"
)

// A Part is a text and the name of its place.
type Part struct{ Name, Text string }

// Rewrite puts parts into a file, all or none.
func Rewrite(path string, parts ...Part) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if file, err = Replace(file, p.Name, p.Text); err != nil {
			return fmt.Errorf("rewrite %s: %w", path, err)
		}
	}
	return os.WriteFile(path, file, 0o644)
}

// Replace puts a text between the comments that mark its place. They stay.
func Replace(file []byte, name, text string) ([]byte, error) {
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
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
