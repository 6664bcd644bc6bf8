package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/term"
)

// logLevel is what is logged; a reload can change it.
var logLevel = new(slog.LevelVar)

// newLogger logs to standard error. The format auto is journal fields where
// standard error is the journal, text on a terminal, and JSON elsewhere.
func newLogger(format string) *slog.Logger {
	if format == "auto" {
		switch {
		case stderrIsJournal():
			format = "journal"
		case term.IsTerminal(int(os.Stderr.Fd())):
			format = "text"
		default:
			format = "json"
		}
	}
	switch format {
	case "journal":
		return slog.New(newLineHandler(journalSink))
	case "text":
		return slog.New(newLineHandler(textSink(os.Stderr)))
	default:
		return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: logLevel}))
	}
}

func stderrIsJournal() bool {
	ok, err := journal.StderrIsJournalStream()
	return ok && err == nil
}

// setLogLevel takes a level of the config: debug, info, warn or error.
func setLogLevel(name string) {
	var level slog.Level
	if level.UnmarshalText([]byte(name)) == nil {
		logLevel.Set(level)
	}
}

// A lineHandler writes a record as one line for people, "message key=value",
// and leaves what stands around it to a sink.
type lineHandler struct {
	text *lineBuffer
	slog.Handler
	with []slog.Attr // of WithAttrs, outside any group
	sink lineSink
}

// A lineSink takes a record, all its attributes and the line made of them.
type lineSink func(r slog.Record, attrs []slog.Attr, line string)

type lineBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func newLineHandler(sink lineSink) *lineHandler {
	b := new(lineBuffer)
	return &lineHandler{
		text: b,
		Handler: slog.NewTextHandler(b, &slog.HandlerOptions{
			Level: logLevel,
			ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
				if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
					return slog.Attr{}
				}
				return a
			},
		}),
		sink: sink,
	}
}

func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	h.text.mu.Lock()
	defer h.text.mu.Unlock()
	h.text.Reset()
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	attrs := h.with[:len(h.with):len(h.with)]
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	h.sink(r, attrs, strings.TrimSpace(r.Message+" "+h.text.String()))
	return nil
}

func (h *lineHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return &lineHandler{h.text, h.Handler.WithAttrs(a), append(h.with[:len(h.with):len(h.with)], a...), h.sink}
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	return &lineHandler{h.text, h.Handler.WithGroup(name), h.with, h.sink}
}

func textSink(w io.Writer) lineSink {
	return func(r slog.Record, _ []slog.Attr, line string) {
		_, _ = io.WriteString(w, r.Time.Format(time.TimeOnly)+" "+r.Level.String()+" "+line+"\n")
	}
}

// journalSink gives the journal the line, and each attribute as a field of its
// own, TARSIER_CAMERA=porch, to select by.
func journalSink(r slog.Record, attrs []slog.Attr, line string) {
	fields := map[string]string{"SYSLOG_IDENTIFIER": "tarsier"}
	for _, a := range attrs {
		fields["TARSIER_"+journalKey(a.Key)] = a.Value.String()
	}
	_ = journal.Send(line, journalPriority(r.Level), fields)
}

// journalKey keeps to what a journal field may be called: A-Z, 0-9 and "_".
func journalKey(key string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToUpper(key))
}

func journalPriority(l slog.Level) journal.Priority {
	switch {
	case l >= slog.LevelError:
		return journal.PriErr
	case l >= slog.LevelWarn:
		return journal.PriWarning
	case l >= slog.LevelInfo:
		return journal.PriInfo
	default:
		return journal.PriDebug
	}
}
