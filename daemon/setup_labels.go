package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tarsier/mnv2/health"
)

func (s *setup) askLabels() error {
	s.say("3. What to look for?")
	if s.model.file.builtIn {
		s.say("   All there are: %s. Everything is all but %s.", strings.Join(s.model.labels, ", "), health.Normal)
	} else {
		s.say("   Such as: bottle, coffee mug. All there are: %s", s.model.labelPath)
	}
	const everything = "everything"
	for {
		answer, err := s.ask("Labels", everything)
		if err != nil || answer == everything {
			return err
		}
		only, err := s.labels(strings.Split(answer, ","))
		if err != nil {
			return err
		}
		if len(only) > 0 {
			s.file.Thresholds.Only = only
			s.say("Looking for: %s.", strings.Join(only, ", "))
			return nil
		}
	}
}

// maxMatches is how many labels a word may mean.
const maxMatches = 30

// labels finds the labels for words; it asks which, where a word is in several.
// There are none if a word is in no label.
func (s *setup) labels(words []string) ([]string, error) {
	file, _, err := s.model.file.beside("labels.txt")
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(file), "\n")
	matches := make([][]string, len(words))
	fine := true
	for i, word := range words {
		words[i] = strings.TrimSpace(word)
		if words[i] == "" {
			continue
		}
		matches[i] = matchLabels(s.model.labels, lines, words[i])
		switch n := len(matches[i]); {
		case n == 0:
			s.say("No label has %q in it.", words[i])
			fine = false
		case n > maxMatches:
			s.say("%d labels have %q in them: write more of it.", n, words[i])
			fine = false
		}
	}
	if !fine {
		return nil, nil
	}
	var only []string
	for i, found := range matches {
		if len(found) > 1 || len(found) == 1 && !strings.EqualFold(found[0], words[i]) {
			if found, err = s.choose(words[i], found); err != nil {
				return nil, err
			}
		}
		for _, label := range found {
			if !slices.Contains(only, label) {
				only = append(only, label)
			}
		}
	}
	return only, nil
}

// matchLabels finds the label that was written, in whatever case, or those with
// it as a word of their line in the labels file, or else as a part of it: a line
// has more names of a thing (tabby, tabby cat).
func matchLabels(labels, lines []string, written string) []string {
	if i := slices.IndexFunc(labels, func(l string) bool { return strings.EqualFold(l, written) }); i >= 0 {
		return labels[i : i+1]
	}
	quoted := regexp.QuoteMeta(written)
	for _, pattern := range []string{`(^|[^\pL\pN])` + quoted + `($|[^\pL\pN])`, quoted} {
		match := regexp.MustCompile(`(?i)` + pattern)
		var found []string
		for i, l := range labels {
			if match.MatchString(l) || i < len(lines) && match.MatchString(lines[i]) {
				found = append(found, l)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// choose asks which of the labels with a word are meant.
func (s *setup) choose(word string, found []string) ([]string, error) {
	s.say("Labels with %q:", word)
	for i, label := range found {
		s.say("  %2d  %s", i+1, label)
	}
	for {
		answer, err := s.ask("Which? Numbers, all or none", "all")
		switch {
		case err != nil || answer == "none":
			return nil, err
		case answer == "all":
			return found, nil
		}
		var chosen []string
		for _, number := range strings.FieldsFunc(answer, func(r rune) bool { return r == ',' || r == ' ' }) {
			n, err := strconv.Atoi(number)
			if err != nil || n < 1 || n > len(found) {
				s.say("%s is none of 1 to %d.", number, len(found))
				chosen = nil
				break
			}
			chosen = append(chosen, found[n-1])
		}
		if chosen != nil {
			return chosen, nil
		}
	}
}
