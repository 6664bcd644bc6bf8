package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tarsier/mnv2"
	"tarsier/pipeline/capture"
)

// version and commit are set by the linker: -X main.version=1.2.3.
var version, commit = "dev", ""

func versionCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the CPU's features and the kernel that would run",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			out := c.OutOrStdout()
			fmt.Fprintf(out, "tarsier %s (%s), %s %s/%s\n", version, buildCommit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			fmt.Fprintf(out, "board:  %s\n", board())
			fmt.Fprintf(out, "cpu:    %s\n", strings.Join(mnv2.CPUFeatures(), " "))
			fmt.Fprintf(out, "kernel: %s (of %s)\n", mnv2.Kernels()[0], strings.Join(mnv2.Kernels(), ", "))
			if !all {
				return nil
			}
			ctx, cancel := context.WithTimeout(c.Context(), 20*time.Second)
			defer cancel()
			v, err := capture.Versions(ctx, "")
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(out, strings.TrimSpace(v))
			return err
		},
	}
	c.Flags().BoolVar(&all, "all", false, "also what tarsier-capture is built with (OpenCV)")
	return c
}

// buildCommit is what the linker was told, or what Go noted by itself.
func buildCommit() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return s.Value[:12]
			}
		}
	}
	return "commit unknown"
}
