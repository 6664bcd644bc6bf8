package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tarsier/mnv2"
)

// benchResult is what `tarsier bench --json` prints.
type benchResult struct {
	Model     string  `json:"model"`
	WidthMult float64 `json:"width_mult"`
	Kernel    string  `json:"kernel"`
	Threads   int     `json:"threads"`
	Runs      int     `json:"runs"`
	MinMS     float64 `json:"min_ms"`
	MedianMS  float64 `json:"median_ms"`
	P95MS     float64 `json:"p95_ms"`
	GMACs     float64 `json:"gmacs"` // multiply-adds in a second, in 10^9, at the median

	// Only with --profile.
	PeakGMACs float64     `json:"peak_gmacs,omitempty"` // what one core can do with operands in registers
	Parts     []benchPart `json:"parts,omitempty"`
}

// benchPart is a part of the network, at the median of all runs.
type benchPart struct {
	Name     string  `json:"name"`
	Shape    string  `json:"shape"`
	MedianMS float64 `json:"median_ms"`
	Percent  float64 `json:"percent"` // of the time of all parts
	GMACs    float64 `json:"gmacs"`
	Peak     float64 `json:"percent_of_peak"` // of as many cores as there are threads
}

func benchCommand() *cobra.Command {
	var (
		modelPath, configPath string
		o                     mnv2.Options
		runs                  int
		asJSON, profile       bool
	)
	c := &cobra.Command{
		Use:   "bench",
		Short: "Time the engine",
		Example: `  tarsier bench --model mobilenet_v2.tflite
  tarsier bench --threads 4 --runs 500 --json
  tarsier bench --profile`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if runs < 1 {
				return usagef("--runs is %d; it must be at least 1", runs)
			}
			if o.Threads < 0 {
				return usagef("--threads is %d; it must be 0 (one per core) or more", o.Threads)
			}
			if o.Kernel != "" && !slices.Contains(mnv2.Kernels(), o.Kernel) {
				return usagef("no kernel %q on this CPU; there is %s", o.Kernel, strings.Join(mnv2.Kernels(), ", "))
			}
			m, err := configuredModel(configPath, c.Flags().Changed("config"), modelPath)
			if err != nil {
				return err
			}
			r, err := bench(m, o, runs, profile)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(r)
			}
			if profile {
				if err := r.printParts(c.OutOrStdout()); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s, width_mult %v, kernel %s, %d thread(s): median %.2f ms, min %.2f, 95%% under %.2f (%d runs, %.1f G multiply-adds a second)\n",
				r.Model, r.WidthMult, r.Kernel, r.Threads, r.MedianMS, r.MinMS, r.P95MS, r.Runs, r.GMACs)
			return err
		},
	}
	c.Flags().StringVar(&modelPath, "model", "", "model `FILE` or directory (default: the config's, or the built-in one)")
	c.Flags().IntVar(&o.Threads, "threads", 1, "threads; 0 = one per core")
	c.Flags().IntVar(&runs, "runs", 100, "timed runs")
	c.Flags().StringVar(&o.Kernel, "kernel", "", "kernel `NAME` (default: the fastest for this CPU)")
	c.Flags().BoolVar(&profile, "profile", false, "say where the time goes, part by part of the network")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	configFlag(c, &configPath)
	return c
}

// configuredModel finds the model of --model, or else of the config. Only a
// config that was asked for by name has to exist.
func configuredModel(configPath string, asked bool, flag string) (modelFile, error) {
	if flag != "" {
		return resolveModel(flag, "", 0)
	}
	cfg, err := loadModelConfig(configPath, asked)
	if err != nil {
		return modelFile{}, err
	}
	return resolveModel("", cfg.Dir, oneWidth(cfg.WidthMult))
}

func bench(f modelFile, o mnv2.Options, runs int, profile bool) (benchResult, error) {
	if f.err != nil {
		return benchResult{}, f.err
	}
	engine, err := mnv2.New(f.network, o)
	if err != nil {
		return benchResult{}, err
	}
	runner := engine.NewRunner()
	defer runner.Close()
	picture := noise(f.facts.Size)
	took := make([]float64, runs)
	for i := -max(3, runs/10); i < runs; i++ { // the first ones warm up caches and clocks
		start := time.Now()
		if err := runner.Run(picture); err != nil {
			return benchResult{}, err
		}
		if i >= 0 {
			took[i] = time.Since(start).Seconds() * 1e3
		}
	}
	slices.Sort(took)
	median := took[runs/2]
	r := benchResult{
		Model: f.network.Name, WidthMult: f.facts.WidthMult, Kernel: engine.Kernel(), Threads: engine.Threads(), Runs: runs,
		MinMS: took[0], MedianMS: median, P95MS: took[min(runs-1, runs*95/100)],
		GMACs: float64(f.facts.MultiplyAdds) / median / 1e6,
	}
	if profile {
		r.PeakGMACs = engine.Peak() / 1e9
		r.Parts, err = benchParts(runner, picture, runs, r.PeakGMACs*float64(r.Threads))
	}
	return r, err
}

// benchParts runs a picture and gives the median time of each part. peak is
// in 10^9 multiply-adds a second.
func benchParts(runner *mnv2.Runner, picture []byte, runs int, peak float64) ([]benchPart, error) {
	var parts []mnv2.Part
	var took [][]float64 // by part
	for range runs {
		var err error
		if parts, err = runner.Profile(picture); err != nil {
			return nil, err
		}
		if took == nil {
			took = make([][]float64, len(parts))
		}
		for i, p := range parts {
			took[i] = append(took[i], p.Time.Seconds()*1e3)
		}
	}
	result := make([]benchPart, len(parts))
	total := 0.0
	for i, p := range parts {
		slices.Sort(took[i])
		median := took[i][runs/2]
		gmacs := float64(p.MultiplyAdds) / median / 1e6
		result[i] = benchPart{Name: p.Name, Shape: p.Shape, MedianMS: median, GMACs: gmacs, Peak: 100 * gmacs / peak}
		total += median
	}
	for i := range result {
		result[i].Percent = 100 * result[i].MedianMS / total
	}
	return result, nil
}

// printParts prints the parts as a table.
func (r *benchResult) printParts(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "part\tms\tof all\tGMAC/s\tof peak\t  shape")
	for _, p := range r.Parts {
		fmt.Fprintf(t, "%s\t%.3f\t%.1f %%\t%.1f\t%.0f %%\t  %s\n", p.Name, p.MedianMS, p.Percent, p.GMACs, p.Peak, p.Shape)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "peak: %.1f GMAC/s a core, measured with operands in registers\n", r.PeakGMACs)
	return err
}
