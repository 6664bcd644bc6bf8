package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"tarsier/pipeline/capture"
)

// A dialogue asks, and reads answers, one a line: from a terminal, or from
// whoever pipes them in.
type dialogue struct {
	ctx      context.Context
	in       *bufio.Reader
	out      io.Writer
	terminal *os.File // nil: answers are piped in
}

func newDialogue(ctx context.Context, in io.Reader, out io.Writer) *dialogue {
	d := &dialogue{ctx: ctx, in: bufio.NewReader(in), out: out}
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		d.terminal = f
	}
	return d
}

// errLeft ends a setup that somebody left before its end.
var errLeft = errors.New("setup was left, and nothing was changed")

func (d *dialogue) say(format string, args ...any) {
	fmt.Fprintf(d.out, format+"\n", args...)
}

// ask asks until there is an answer. Enter alone stands for what enter says, if
// it says something.
func (d *dialogue) ask(question, enter string) (string, error) {
	if enter != "" {
		question += " [" + enter + "]"
	}
	for {
		fmt.Fprint(d.out, question+": ")
		answer, err := d.line()
		if err != nil {
			return "", err
		}
		answer = strings.TrimSpace(answer)
		if d.terminal == nil {
			d.say("%s", capture.Redact(answer)) // nobody has seen it being typed
		}
		switch {
		case answer != "":
			return answer, nil
		case enter != "":
			return enter, nil
		}
	}
}

// yes asks a question that is answered with yes or no.
func (d *dialogue) yes(question string, enter bool) (bool, error) {
	for {
		answer, err := d.ask(question, onOff(enter, "Y/n", "y/N"))
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		case "y/n":
			return enter, nil
		}
	}
}

// secret asks for what nobody shall see.
func (d *dialogue) secret(question string) (string, error) {
	if d.terminal != nil {
		fd := int(d.terminal.Fd())
		shown, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return "", fmt.Errorf("ask the terminal how it is: %w", err)
		}
		hidden := *shown
		hidden.Lflag &^= unix.ECHO
		// Before the question is there, unlike term.ReadPassword: who types fast would see the first letters.
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, &hidden); err != nil {
			return "", fmt.Errorf("hide what is typed: %w", err)
		}
		defer func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, shown) }()
	}
	for {
		fmt.Fprint(d.out, question+": ")
		answer, err := d.line()
		if err != nil {
			return "", err
		}
		d.say("")
		if answer != "" {
			return answer, nil
		}
	}
}

// line waits for an answer, or for Ctrl-C: then a goroutine still reads.
func (d *dialogue) line() (string, error) {
	type line struct {
		text string
		err  error
	}
	got := make(chan line, 1)
	go func() {
		text, err := d.in.ReadString('\n')
		got <- line{text, err}
	}()
	err := errLeft
	select {
	case l := <-got:
		if l.err == nil || errors.Is(l.err, io.EOF) && l.text != "" {
			return strings.TrimRight(l.text, "\r\n"), nil
		}
		if !errors.Is(l.err, io.EOF) {
			err = fmt.Errorf("read an answer: %w", l.err)
		}
	case <-d.ctx.Done():
	}
	d.say("") // the cursor is still behind the question
	return "", err
}
