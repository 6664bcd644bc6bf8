package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tarsier/mnv2"
	"tarsier/pipeline"
	"tarsier/pipeline/capture"
)

// classified is one line of `tarsier classify --json`.
type classified struct {
	Source string           `json:"source"`
	TimeS  float64          `json:"time_s"`
	Top    []pipeline.Score `json:"top"`
}

func classifyCommand() *cobra.Command {
	var (
		k                                classifier
		modelPath, labelPath, configPath string
		width                            float64
	)
	c := &cobra.Command{
		Use:   "classify IMAGE or VIDEO...",
		Short: "Print the best labels of pictures, and of each second of videos",
		Example: `  tarsier classify owl.jpg
  tarsier classify --model models/bird.tflite --labels models/bird_labels.txt garden.mp4
  tarsier classify --json --top 1 *.jpg | jq -r .top[0].label`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, sources []string) error {
			switch k.fit {
			case "stretch", "crop", "tiles":
			default:
				return usagef("--fit is %q; it must be stretch, crop or tiles", k.fit)
			}
			if k.top < 1 {
				return usagef("--top is %d; it must be at least 1", k.top)
			}
			var dir string
			if modelPath == "" {
				cfg, err := loadModelConfig(configPath, c.Flags().Changed("config"))
				if err != nil {
					return err
				}
				dir = cfg.Dir
				if width == 0 {
					width = oneWidth(cfg.WidthMult)
				}
			}
			file, err := resolveModel(modelPath, dir, width)
			if err == nil {
				err = file.err
			}
			if err != nil {
				return err
			}
			m, err := loadModel(file, labelPath, mnv2.Options{})
			if err != nil {
				return err
			}
			k.model = m
			k.runner = m.engine.NewRunner()
			defer k.runner.Close()
			defer k.close()
			k.out = c.OutOrStdout()
			failed := false
			for _, s := range sources {
				if err := k.classify(c.Context(), s); err != nil {
					if c.Context().Err() != nil {
						return errors.New("interrupted")
					}
					fmt.Fprintf(c.ErrOrStderr(), "tarsier: %v\n", err)
					failed = true
				}
			}
			if failed {
				return errReported
			}
			return nil
		},
	}
	c.Flags().StringVar(&modelPath, "model", "", "model `FILE` or directory (default: the config's, or the built-in one)")
	c.Flags().StringVar(&labelPath, "labels", "", "labels `FILE` (default: labels.txt beside the model)")
	c.Flags().Float64Var(&width, "width-mult", 0, "which width of a model directory (default: the config's, or the widest)")
	c.Flags().StringVar(&k.fit, "fit", "stretch", "how a picture meets the model's square: stretch, crop or tiles")
	c.Flags().IntVar(&k.top, "top", 3, "labels to print")
	c.Flags().BoolVar(&k.json, "json", false, "print one JSON object a line")
	configFlag(c, &configPath)
	return c
}

// A classifier classifies files, one after the other.
type classifier struct {
	model  *model
	runner *mnv2.Runner
	fit    string
	top    int
	json   bool
	out    io.Writer

	session *capture.Session // of the last source; nil: none
}

// classify prints the best labels of a picture, or of each second of a video:
// the mean of its frames' scores.
func (k *classifier) classify(ctx context.Context, source string) error {
	if err := k.open(ctx, source); err != nil {
		return err
	}
	var bar *progressbar.ProgressBar
	defer func() {
		if bar != nil {
			_ = bar.Exit()
		}
	}()
	var (
		frame  capture.Frame
		scores = make([]float32, len(k.model.labels))
		sum    = make([]float64, len(k.model.labels))
		n      = 0 // frames in sum
		total  = 0
		second = 0
	)
	flush := func(video bool) error {
		if n == 0 {
			return nil
		}
		mean := make([]float32, len(sum))
		for i, s := range sum {
			mean[i] = float32(s / float64(n))
		}
		if bar != nil {
			_ = bar.Clear()
		}
		clear(sum)
		n = 0
		return k.print(classified{Source: capture.Redact(source), TimeS: float64(second), Top: pipeline.Best(k.model.labels, mean, k.top)}, video)
	}
	for {
		err := k.session.Next(ctx, &frame)
		if errors.Is(err, io.EOF) {
			return flush(total > 1)
		}
		if err != nil {
			return errors.Join(flush(total > 1), err)
		}
		if at := int(math.Floor(frame.Stream.Seconds())); at != second {
			if err := flush(true); err != nil {
				return err
			}
			second = at
		}
		clear(scores)
		for _, p := range frame.Pictures {
			if err := k.runner.Run(p.RGB); err != nil {
				return err
			}
			pipeline.BestOf(scores, k.runner.Scores())
		}
		for i, s := range scores {
			sum[i] += float64(s)
		}
		n++
		total++
		if total == 2 && term.IsTerminal(int(os.Stderr.Fd())) {
			bar = progressbar.NewOptions(max(k.session.Total(), 2), progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(filepath.Base(capture.Redact(source))),
				progressbar.OptionShowIts(), progressbar.OptionSetItsString("frames"), progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionClearOnFinish())
		}
		if bar != nil {
			_ = bar.Set(min(total, bar.GetMax())) // a file may hold more than it says
		}
	}
}

// open opens a source, with the capture program of the last one if it lives:
// to start one takes longer than most pictures do.
func (k *classifier) open(ctx context.Context, source string) (err error) {
	if k.session != nil && !k.session.Dead() {
		return k.session.Reopen(ctx, source)
	}
	k.close()
	k.session, err = capture.Open(ctx, capture.Options{
		Name: "classify", Source: source, EveryFrame: true, Fit: k.fit,
		Regions: []capture.Region{{Name: "frame", Box: [4]float64{0, 0, 1, 1}}},
		Size:    k.model.file.facts.Size,
	})
	return err
}

func (k *classifier) close() {
	if k.session != nil {
		_ = k.session.Close()
	}
	k.session = nil
}

func (k *classifier) print(c classified, video bool) error {
	if k.json {
		return json.NewEncoder(k.out).Encode(c)
	}
	line := filepath.Base(c.Source)
	if video {
		line += fmt.Sprintf(" %4.0f s", c.TimeS)
	}
	for i, s := range c.Top {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		line += fmt.Sprintf("%s%s %.2f", sep, s.Label, s.Score)
	}
	_, err := fmt.Fprintln(k.out, line)
	return err
}
