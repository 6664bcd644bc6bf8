package main

import (
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func modelsCommand() *cobra.Command {
	var configPath string
	var measured, asJSON bool
	c := &cobra.Command{
		Use:   "models [DIR]",
		Short: "List what is in the model directory, and measure how fast it is here",
		Long: `List what is in the model directory; without one, what is built in.

With --measure each width is timed, with the config's threads, and held against what the config's cameras need: each needs
as many inferences a second as its fps times its regions, or times their tiles. FPS is what they would get of it. A width keeps
up if that takes no more than ` + fmt.Sprintf("%.0f", 100*fits) + ` % of the time; auto marks the one that width_mult: auto would start with.

How accurate each is, a model.yaml in the directory may say, by width or by file name, as a share:

  accuracy: {"1.0": 0.718, "0.35": 0.603}`,
		Example: `  tarsier models
  tarsier models --measure
  tarsier models --measure --json | jq 'select(.auto).width_mult'
  tarsier models /var/lib/tarsier/models`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if asJSON && !measured {
				return usagef("--json is for --measure")
			}
			asked := c.Flags().Changed("config")
			var dir string
			if len(args) == 1 {
				dir = args[0]
			} else {
				cfg, err := loadModelConfig(configPath, asked)
				if err != nil {
					return err
				}
				dir = cfg.Dir
			}
			files, err := readModelDir(dir)
			if err != nil {
				return err
			}
			var usable []modelFile
			for _, f := range files {
				if f.err != nil {
					fmt.Fprintf(c.ErrOrStderr(), "tarsier: %v\n", f.err)
				} else {
					usable = append(usable, f)
				}
			}
			if measured {
				err = measureModels(dir, usable, configPath, asked, asJSON, c.OutOrStdout())
			} else {
				err = listModels(usable, c.OutOrStdout())
			}
			if err == nil && len(usable) < len(files) {
				err = errReported
			}
			return err
		},
	}
	c.Flags().BoolVar(&measured, "measure", false, "time each width, and say which keep up with the config's cameras")
	c.Flags().BoolVar(&asJSON, "json", false, "with --measure: print one JSON object a line, one for each width")
	configFlag(c, &configPath)
	return c
}

func listModels(files []modelFile, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FILE\tWIDTH\tINPUT\tCLASSES\tSIZE\tPARAMETERS\tMULTIPLY-ADDS")
	for _, f := range files {
		classes := fmt.Sprint(f.facts.Classes)
		if f.facts.Classes == 0 {
			classes = "none (features)"
		}
		fmt.Fprintf(w, "%s\t%v\t%dx%d\t%s\t%.1f MB\t%.2f M\t%.0f M\n", f.name(), f.facts.WidthMult,
			f.facts.Size, f.facts.Size, classes, float64(f.bytes)/1e6, float64(f.facts.Parameters)/1e6, float64(f.facts.MultiplyAdds)/1e6)
	}
	return w.Flush()
}

// name is the file's, as it is shown in a list.
func (f *modelFile) name() string {
	name := filepath.Base(f.path)
	if f.builtIn {
		name += " (built in)"
	}
	return name
}
