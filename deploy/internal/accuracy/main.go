// Command accuracy measures how well the models of the project do their work, for ./deploy/accuracy, and can put what it
// found into README.md.
//
// Health is the built-in camera-health model: photographs and video frames of the test data are degraded (package degrade,
// which shares nothing with what the model was trained on; damaged bytes that real decoders make something of) and shown to it
// through tarsier-capture, as the daemon does. It prints the kinds of damage, the worst first, and the confusion matrix.
//
// Quantizer is our int8 of a float32 network beside TensorFlow's: how often each says the same as the float32 network.
//
// Seeds are fixed: the same code and data give the same numbers, but for what a decoder's threads make of damaged video.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"tarsier/mnv2/compare/readme"
	"tarsier/mnv2/health"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		if errors.As(err, new(usageError)) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

type usageError struct{ error }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("accuracy", flag.ExitOnError)
	write := flags.Bool("write", false, "rewrite the tables in README.md, and what mnv2/health/model.yaml states")
	only := flags.String("only", "", "`PART` to do, health or quantizer (default: both)")
	dir := flags.String("model", "", "`DIR` of a camera-health model, *.tflite and labels.txt (default: the one that is built in)")
	every := flags.Int("every", 1, "take only one of `N` scenes: quick and rough, health only")
	sheet := flags.String("sheets", "", "`DIR` to write a contact sheet of each class to, and nothing else")
	_ = flags.Parse(args) // exits
	switch *only {
	case "", "health", "quantizer":
	default:
		return usageError{fmt.Errorf("-only %s: there is health and quantizer", *only)}
	}
	if flags.NArg() > 0 {
		return usageError{fmt.Errorf("what is %q? There are only flags: see -help", flags.Arg(0))}
	}
	if *every < 1 {
		return usageError{fmt.Errorf("-every is %d; it must be at least 1", *every)}
	}
	if *sheet != "" && (*write || *only == "quantizer") {
		return usageError{errors.New("-sheets writes contact sheets of the damage and measures nothing: give it without -write and -only quantizer")}
	}
	if *write && (*dir != "" || *every > 1) {
		return usageError{errors.New("-write is for the model that is built in, not for that of -model, and for all scenes, not for some of -every")}
	}
	data := os.Getenv("TARSIER_TESTDATA")
	if data == "" {
		data = filepath.Join("..", "shared")
	}

	var (
		parts  []readme.Part
		widths []*width
	)
	if *only != "quantizer" {
		scenes, err := findScenes(ctx, data)
		if err != nil {
			return err
		}
		if *sheet != "" {
			return sheets(ctx, *sheet, scenes)
		}
		var models fs.FS = health.Files
		if *dir != "" {
			models = os.DirFS(*dir)
		}
		if widths, err = readWidths(models); err != nil {
			return err
		}
		some := scenes[:0]
		for i := 0; i < len(scenes); i += *every {
			some = append(some, scenes[i])
		}
		all, err := makers(data, some)
		if err != nil {
			return err
		}
		if err := show(ctx, all, widths); err != nil {
			return err
		}
		text := healthText(widths, some)
		fmt.Fprintf(out, "%s\n%s\n", kindsText(widths), text)
		parts = append(parts, readme.Part{Name: "accuracy health", Text: text})
	}
	if *only != "health" {
		all, err := measureQuantizer(ctx, data)
		if err != nil {
			return err
		}
		text := quantizerText(all)
		fmt.Fprint(out, text)
		parts = append(parts, readme.Part{Name: "accuracy quantizer", Text: text})
	}
	if !*write {
		return nil
	}
	if widths != nil {
		if err := os.WriteFile(filepath.Join("mnv2", "health", "model.yaml"), []byte(descriptionText(widths)), 0o644); err != nil {
			return err
		}
	}
	return readme.Rewrite("README.md", parts...)
}

// progress is a bar on a terminal, and silent elsewhere.
func progress(what string, total int) *progressbar.ProgressBar {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return progressbar.DefaultSilent(int64(total))
	}
	return progressbar.NewOptions(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
}
