package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
}

func benchCommand() *cobra.Command {
	var (
		modelPath, configPath string
		o                     mnv2.Options
		runs                  int
		asJSON                bool
	)
	c := &cobra.Command{
		Use:   "bench",
		Short: "Time the engine",
		Example: `  tarsier bench --model mobilenet_v2.tflite
  tarsier bench --threads 4 --runs 500 --json`,
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
			r, err := bench(m, o, runs)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(r)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s, width_mult %v, kernel %s, %d thread(s): median %.2f ms, min %.2f, 95%% under %.2f (%d runs, %.1f G multiply-adds a second)\n",
				r.Model, r.WidthMult, r.Kernel, r.Threads, r.MedianMS, r.MinMS, r.P95MS, r.Runs, r.GMACs)
			return err
		},
	}
	c.Flags().StringVar(&modelPath, "model", "", "model `FILE` or directory (default: the config's)")
	c.Flags().IntVar(&o.Threads, "threads", 1, "threads; 0 = one per core")
	c.Flags().IntVar(&runs, "runs", 100, "timed runs")
	c.Flags().StringVar(&o.Kernel, "kernel", "", "kernel `NAME` (default: the fastest for this CPU)")
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
	return resolveModel("", cfg.Dir, cfg.WidthMult)
}

func bench(f modelFile, o mnv2.Options, runs int) (benchResult, error) {
	if f.err != nil {
		return benchResult{}, f.err
	}
	engine, err := mnv2.New(f.network, o)
	if err != nil {
		return benchResult{}, err
	}
	runner := engine.NewRunner()
	defer runner.Close()
	picture := make([]byte, 3*f.facts.Size*f.facts.Size)
	noise := rand.NewChaCha8([32]byte{})
	_, _ = noise.Read(picture)

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
	return benchResult{
		Model: f.network.Name, WidthMult: f.facts.WidthMult, Kernel: engine.Kernel(), Threads: engine.Threads(), Runs: runs,
		MinMS: took[0], MedianMS: median, P95MS: took[min(runs-1, runs*95/100)],
		GMACs: float64(f.facts.MultiplyAdds) / median / 1e6,
	}, nil
}
