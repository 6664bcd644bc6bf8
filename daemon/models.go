package main

import (
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func modelsCommand() *cobra.Command {
	var configPath string
	c := &cobra.Command{
		Use:   "models [DIR]",
		Short: "List what is in the model directory",
		Example: `  tarsier models
  tarsier models /var/lib/tarsier/models`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var dir string
			if len(args) == 1 {
				dir = args[0]
			} else {
				cfg, err := loadModelConfig(configPath, c.Flags().Changed("config"))
				if err != nil {
					return err
				}
				dir = cfg.Dir
			}
			files, err := readModelDir(dir)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "FILE\tWIDTH\tINPUT\tCLASSES\tSIZE\tPARAMETERS\tMULTIPLY-ADDS")
			failed := false
			for _, f := range files {
				if f.err != nil {
					failed = true
					fmt.Fprintf(c.ErrOrStderr(), "tarsier: %v\n", f.err)
					continue
				}
				classes := fmt.Sprint(f.facts.Classes)
				if f.facts.Classes == 0 {
					classes = "none (features)"
				}
				fmt.Fprintf(w, "%s\t%v\t%dx%d\t%s\t%.1f MB\t%.2f M\t%.0f M\n", filepath.Base(f.path), f.facts.WidthMult,
					f.facts.Size, f.facts.Size, classes, float64(f.bytes)/1e6, float64(f.facts.Parameters)/1e6, float64(f.facts.MultiplyAdds)/1e6)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			if failed {
				return errReported
			}
			return nil
		},
	}
	configFlag(c, &configPath)
	return c
}
