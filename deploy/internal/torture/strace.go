package main

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// traced are the system calls by which a program could change files; strace stops it only at these.
const traced = "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,syncfs,sync," +
	"rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,copy_file_range,sendfile,mmap,lseek"

// straceCommand runs a program so that its calls are written to a file in the form that parseTrace reads. The tracer
// is not the program's parent, so that who starts and signals it has to do with the program itself.
func straceCommand(file string) []string {
	return []string{"strace", "-D", "-f", "-q", "-y", "-xx", "-s", "16777216", "--seccomp-bpf", "-e", "signal=none", "-e", "trace=" + traced, "-o", file}
}

// A fileOp is something that was done to a file, and had its effect.
type fileOp struct {
	call string // open, create, write, resize, sync, rename, remove
	path string
	to   string // of a rename
	data []byte // of a write
	at   int64  // where a write begins; the size of a resize
}

var (
	callLine    = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+)`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	unfinished  = " <unfinished ...>"
)

// parseTrace reads what strace has written, and gives what was done to files of a folder, in order. A call that it
// does not know to have an effect it can repeat is an error.
func parseTrace(text, folder string) ([]fileOp, error) {
	var ops []fileOp
	begun := map[string]string{} // calls that another thread's came between, by thread
	position := map[string]int64{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if head, ok := strings.CutSuffix(line, unfinished); ok {
			pid, _, _ := strings.Cut(line, " ")
			begun[pid] = head
			continue
		}
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			line = begun[m[1]] + m[2]
			delete(begun, m[1])
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(m[4], "-") {
			continue // a signal, an end, or a call that failed
		}
		call, returned := m[2], m[4]
		args, err := traceArgs(m[3])
		if err != nil {
			return nil, fmt.Errorf("%w in %.200s", err, line)
		}
		op, err := fileOpOf(call, returned, args, position)
		if err != nil {
			return nil, fmt.Errorf("%w: %.300s", err, line)
		}
		if strings.HasPrefix(op.path, folder+"/") {
			if op.call == "" {
				return nil, fmt.Errorf("%s of %s is not understood: %.300s", call, op.path, line)
			}
			ops = append(ops, op)
		}
	}
	return ops, nil
}

// A traceArg is an argument of a call: a text, a number or a name, and the path that belongs to a file descriptor.
type traceArg struct {
	text string
	path string
}

func (a traceArg) number() (n int64) {
	n, _ = strconv.ParseInt(a.text, 10, 64)
	return n
}

// traceArgs takes apart "9<path>, "text", 12, O_RDONLY".
func traceArgs(s string) (args []traceArg, err error) {
	for s != "" {
		var a traceArg
		if s[0] == '"' {
			end := strings.IndexByte(s[1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("a text without an end")
			}
			if a.text, err = unhex(s[1 : 1+end]); err != nil {
				return nil, err
			}
			if s = s[end+2:]; strings.HasPrefix(s, "...") {
				return nil, fmt.Errorf("a text that strace has cut off")
			}
		} else {
			end := strings.IndexAny(s, ",<")
			if end < 0 {
				end = len(s)
			}
			a.text, s = s[:end], s[end:]
			if strings.HasPrefix(s, "<") {
				end := strings.IndexByte(s, '>')
				if end < 0 {
					return nil, fmt.Errorf("a path without an end")
				}
				path := s[1:end]
				if a.path, err = unhex(path); err != nil {
					a.path = path // a socket's
				}
				s = s[end+1:]
			}
		}
		args = append(args, a)
		// What follows until the next comma is of no interest: "<(deleted)", "|0x20".
		comma := strings.Index(s, ", ")
		if comma < 0 {
			break
		}
		s = s[comma+2:]
	}
	return args, nil
}

// unhex decodes \x2f\x74.
func unhex(s string) (string, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	return string(b), err
}

// fileOpOf says what a call has done. One that does not change files has no path; one that is not understood no name.
// position holds, by descriptor and path, where the next write goes.
func fileOpOf(call, returned string, args []traceArg, position map[string]int64) (op fileOp, err error) {
	arg := func(i int) traceArg {
		if i < len(args) {
			return args[i]
		}
		return traceArg{}
	}
	n, _ := strconv.ParseInt(returned, 10, 64)
	descriptor := func(a traceArg) string { return a.text + a.path }
	// named is a path given as a folder's descriptor and a name in it.
	named := func(i int) string {
		if name := arg(i + 1).text; strings.HasPrefix(name, "/") {
			return name
		}
		return arg(i).path + "/" + arg(i+1).text
	}
	switch call {
	case "open", "openat":
		flags := arg(1).text
		if op.path = arg(0).text; call == "openat" {
			op.path, flags = named(0), arg(2).text
		}
		switch {
		case strings.Contains(flags, "O_APPEND"):
			return op, nil
		case strings.Contains(flags, "O_TRUNC"):
			op.call = "resize"
		case strings.Contains(flags, "O_CREAT"):
			op.call = "create"
		default:
			op.call = "open"
		}
		position[returned+op.path] = 0
	case "write":
		op = fileOp{"write", arg(0).path, "", []byte(arg(1).text)[:min(n, int64(len(arg(1).text)))], position[descriptor(arg(0))]}
		position[descriptor(arg(0))] += n
	case "pwrite64":
		op = fileOp{"write", arg(0).path, "", []byte(arg(1).text)[:n], arg(3).number()}
	case "lseek":
		op = fileOp{call: "open", path: arg(0).path}
		position[descriptor(arg(0))] = n
	case "ftruncate":
		op = fileOp{call: "resize", path: arg(0).path, at: arg(1).number()}
	case "fsync", "fdatasync":
		op = fileOp{call: "sync", path: arg(0).path}
	case "rename":
		op = fileOp{call: "rename", path: arg(0).text, to: arg(1).text}
	case "renameat", "renameat2":
		op = fileOp{call: "rename", path: named(0), to: named(2)}
	case "unlink":
		op = fileOp{call: "remove", path: arg(0).text}
	case "unlinkat":
		op = fileOp{call: "remove", path: named(0)}
	case "mmap":
		if op.path = arg(4).path; !strings.Contains(arg(3).text, "MAP_SHARED") || !strings.Contains(arg(2).text, "PROT_WRITE") {
			op.call = "open"
		}
	default:
		for _, a := range args {
			if op.path = a.path; op.path == "" {
				op.path = a.text
			}
			if strings.HasPrefix(op.path, "/") {
				break
			}
		}
	}
	return op, nil
}
