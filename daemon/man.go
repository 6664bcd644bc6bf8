//go:build docs

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// The man pages are made from the commands, by a program that has one more: go run -tags docs ./daemon man DIR. Their date is
// SOURCE_DATE_EPOCH.
func init() { commands = append(commands, manCommand) }

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the man pages to a folder",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make the folder for the man pages: %w", err)
			}
			root := c.Root()
			root.DisableAutoGenTag = true // a date in the text, that of today
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "tarsier " + version, Manual: "tarsier"}, args[0])
		},
	}
}
