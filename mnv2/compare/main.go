// Compare measures the engine beside LiteRT, ONNX Runtime and OpenVINO, on the
// same network and with one thread, and can put what it found into README.md:
//
//	go run ./mnv2/compare                    # shows the tables
//	go run ./mnv2/compare -write             # and rewrites those in README.md
//	go run ./mnv2/compare -only modelled     # or -only measured: one of the two
//
// Measured is the time on this machine. Every engine, and ours once with every
// kernel that the CPU runs, has a process of its own in every round, so that
// whatever else slows the machine down slows all of them. Modelled is what an
// inference costs on the cores of small arm64 boards: QEMU runs our program and
// LiteRT's own arm64 build, a plugin of it counts (plugin/blocks.c), and the
// scheduling models of LLVM (llvm-mca) tell how many cycles each counted block
// takes. See the text of the tables for what that leaves out.
//
// It installs what it needs: Debian's packages by apt-get, the other engines by
// pip into .cache/compare of the project. What cannot be had is said and left
// out, and then the table that it belongs to is shown but not written. The
// networks are those of the test data (TARSIER_TESTDATA, by default ../shared).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		stop()
		if errors.As(err, new(usageError)) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

type usageError struct{ error }

// A model is a network in the formats that the engines read.
type model struct {
	width  string
	tflite string
	onnx   string // "": there is none
}

// A part is one of the two tables and its text, and what is missing in it.
type part struct {
	name     string
	make     func(context.Context, *workshop, []model) (text string, missing []error)
	text     string
	complete bool
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && (args[0] == "time" || args[0] == "run") {
		return engine(args) // one of our own processes
	}
	flags := flag.NewFlagSet("compare", flag.ExitOnError)
	write := flags.Bool("write", false, "rewrite the tables in README.md")
	only := flags.String("only", "", "`PART` to do, measured or modelled (default: both)")
	_ = flags.Parse(args) // exits
	parts := []*part{{name: "measured", make: measured}, {name: "modelled", make: modelled}}
	switch *only {
	case "":
	case "measured":
		parts = parts[:1]
	case "modelled":
		parts = parts[1:]
	default:
		return usageError{fmt.Errorf("-only %s: there is measured and modelled", *only)}
	}
	if flags.NArg() > 0 {
		return usageError{fmt.Errorf("what is %q? There are only flags: see -help", flags.Arg(0))}
	}

	root, err := projectRoot(ctx)
	if err != nil {
		return err
	}
	models, err := findModels(root)
	if err != nil {
		return err
	}
	shop, err := newWorkshop(root)
	if err != nil {
		return err
	}
	defer shop.close()

	incomplete := false
	for i, p := range parts {
		text, missing := p.make(ctx, shop, models)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.text, p.complete = text, len(missing) == 0
		if i > 0 {
			fmt.Println()
		}
		fmt.Print(text)
		for _, err := range missing {
			incomplete = true
			fmt.Fprintf(os.Stderr, "\ncompare: %s, left out: %v\n", p.name, err)
		}
	}
	if *write {
		if err := rewrite(filepath.Join(root, "README.md"), parts); err != nil {
			return err
		}
	}
	if incomplete {
		return errors.New("not everything could be compared, see above")
	}
	return nil
}

func projectRoot(ctx context.Context) (string, error) {
	out, err := output(exec.CommandContext(ctx, "go", "list", "-f", "{{.Module.Dir}}", "tarsier/mnv2"))
	if err != nil {
		return "", fmt.Errorf("find the project, to build the engine for arm64: run this in its folder: %w", err)
	}
	return strings.TrimSpace(out), nil
}

func findModels(root string) ([]model, error) {
	data := os.Getenv("TARSIER_TESTDATA")
	if data == "" {
		data = filepath.Join("..", "shared")
	}
	if !filepath.IsAbs(data) {
		data = filepath.Join(root, data)
	}
	golden := filepath.Join(data, "golden")
	models := []model{
		{"1.0", filepath.Join(golden, "imagenet_1.0_int8.tflite"), filepath.Join(golden, "imagenet_1.0_qdq.onnx")},
		{"0.35", filepath.Join(golden, "random_0.35_int8.tflite"), ""},
	}
	for _, m := range models {
		for _, path := range []string{m.tflite, m.onnx} {
			if path == "" {
				continue
			}
			if _, err := os.Stat(path); err != nil {
				return nil, fmt.Errorf("find the networks: %w; TARSIER_TESTDATA is the folder of the test data", err)
			}
		}
	}
	return models, nil
}

// output runs a command and returns what it prints on standard output. Its error
// ends with the last lines of standard error.
func output(c *exec.Cmd) (string, error) {
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(c.Args[0]), err, strings.Join(lines[max(0, len(lines)-3):], "; "))
	}
	return string(out), nil
}
