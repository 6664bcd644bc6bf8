package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// hexed writes a text as strace -xx does.
func hexed(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, `\x%02x`, c)
	}
	return b.String()
}

func TestParseTrace(t *testing.T) {
	q, cwd := hexed("/q/db"), hexed("/somewhere")
	text := strings.Join([]string{
		`12 openat(AT_FDCWD<` + cwd + `>, "` + q + `", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 9<` + q + `>`,
		`12 open("` + hexed("/q/new") + `", O_RDWR|O_TRUNC, 0644) = 7<` + hexed("/q/new") + `>`,
		`12 pwrite64(9<` + q + `>, "` + hexed("abc, \"") + `", 6, 4096) = 6`,
		`13 openat(AT_FDCWD<` + cwd + `>, "` + hexed("/q/none") + `", O_RDONLY) = -1 ENOENT (No such file or directory)`,
		`13 write(2<` + hexed("pipe:[123]") + `>, "` + hexed("log") + `", 3) = 3`,
		`12 fdatasync(9<` + q + `> <unfinished ...>`,
		`13 write(8<` + hexed("/q/seq") + `>, "` + hexed("1") + `", 1) = 1`,
		`12 <... fdatasync resumed>) = 0`,
		`13 write(8<` + hexed("/q/seq") + `>, "` + hexed("23") + `", 2) = 2`,
		`12 ftruncate(9<` + q + `>, 4096) = 0`,
		`12 renameat(AT_FDCWD<` + cwd + `>, "` + q + `", AT_FDCWD<` + cwd + `>, "` + hexed("/q/old") + `") = 0`,
		`12 unlinkat(AT_FDCWD<` + cwd + `>, "` + hexed("/q/old") + `", 0) = 0`,
		`13 +++ exited with 0 +++`,
	}, "\n") + "\n"
	want := []fileOp{
		{call: "create", path: "/q/db"},
		{call: "resize", path: "/q/new"},
		{call: "write", path: "/q/db", data: []byte("abc, \""), at: 4096},
		{call: "write", path: "/q/seq", data: []byte("1")},
		{call: "sync", path: "/q/db"},
		{call: "write", path: "/q/seq", data: []byte("23"), at: 1},
		{call: "resize", path: "/q/db", at: 4096},
		{call: "rename", path: "/q/db", to: "/q/old"},
		{call: "remove", path: "/q/old"},
	}
	ops, err := parseTrace(text, "/q")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(ops, want) {
		t.Errorf("got\n%+v, want\n%+v", ops, want)
	}
	for _, line := range []string{
		`12 pwritev(9<` + q + `>, [{iov_base="` + hexed("a") + `", iov_len=1}], 1, 0) = 1`,
		`12 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 9<` + q + `>, 0) = 0x7f`,
		`12 write(9<` + q + `>, "` + hexed("a") + `"..., 2) = 2`,
	} {
		if ops, err := parseTrace(line+"\n", "/q"); err == nil {
			t.Errorf("%s is taken for %+v", line, ops)
		}
	}
}

func TestTraceEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	for text, want := range map[string]bool{
		"": false,
		"439   openat(1) = 2\n441   +++ exited with 0 +++\n":                                  false,
		"439   openat(1) = 2\n441   +++ exited with 0 +++\n439   +++ exited with 0 +++\n":     true,
		"12345 openat(1) = 2\n441   +++ exited with 0 +++\n12345 +++ killed by SIGKILL +++\n": true,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, ok := traceEnd(path); ok != want {
			t.Errorf("%q: ended %v", text, ok)
		}
	}
}

// What a program does under a real strace, done again, makes the same files.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	q := filepath.Join(dir, "q")
	if err := os.Mkdir(q, 0o755); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(dir, "trace")
	args := append(straceCommand(trace), "sh", "-c", `cd "$0" && printf hello > a && printf ab > b && mv b c && (printf 1; printf 23) > d && rm a; true`, q)
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("strace: %v: %s", err, out)
		}
		t.Skipf("strace: %v: %s", err, out)
	}
	text, ok := "", false
	for end := time.Now().Add(patience); !ok && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		text, ok = traceEnd(trace) // the tracer outlives the program
	}
	ops, err := parseTrace(text, q)
	if err != nil {
		t.Fatal(err)
	}
	files := diskState{}
	for _, op := range ops {
		files.apply(op, len(op.data))
	}
	got := map[string]string{}
	for path, f := range files {
		got[filepath.Base(path)] = string(f.data)
	}
	want := map[string]string{"c": "ab", "d": "123"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("replayed: %q, want %q; %+v", got, want, ops)
	}
}
