// Command tarsier watches cameras, classifies what it sees with an int8
// MobileNetV2 on the board's own CPU, and tells MQTT subscribers when what it
// sees changes. See `tarsier help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"tarsier/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// execute runs one command line and returns the exit status: 0 fine, 1
// failed, 2 wrong usage or config.
func execute(ctx context.Context, args []string) int {
	started := false // whether the command line itself was understood
	root := &cobra.Command{
		Use:   "tarsier",
		Short: "Watch cameras, classify what they see, tell MQTT subscribers",
		Long: `tarsier watches cameras, classifies what it sees with an int8 MobileNetV2 on
the board's own CPU, and tells MQTT subscribers when what it sees changes.

Results go to standard output, everything else to standard error.
Exit status: 0 fine, 1 failed, 2 wrong usage or config.`,
		SilenceErrors:    true,
		SilenceUsage:     true,
		PersistentPreRun: func(*cobra.Command, []string) { started = true },
	}
	for _, command := range commands {
		root.AddCommand(command())
	}
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var wrong *usageError
	var mistakes config.Errors
	switch {
	case errors.Is(err, errReported):
	case errors.As(err, &mistakes):
		fmt.Fprintln(os.Stderr, mistakes) // a line for each, which begins with the file
	default:
		fmt.Fprintf(os.Stderr, "tarsier: %v\n", err)
	}
	switch {
	case !started:
		fmt.Fprintln(os.Stderr, "Run 'tarsier help' for what there is.")
		return 2
	case errors.As(err, &wrong), mistakes != nil:
		return 2
	}
	return 1
}

// commands are all but the one that writes the man pages, see man.go.
var commands = []func() *cobra.Command{
	setupCommand, runCommand, checkCommand, classifyCommand, tuneCommand, quantizeCommand, benchCommand, modelsCommand, camerasCommand, versionCommand,
}

// errReported ends a command whose failures were printed where they happened.
var errReported = errors.New("some of it failed")

// A usageError is a command line or config that asks for what cannot be.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// configFlag is --config of the commands where a config matters.
func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "config", defaultConfig, "config `FILE`")
	_ = c.MarkFlagFilename("config", "yaml", "yml")
}

const defaultConfig = "/etc/tarsier/tarsier.yaml"
