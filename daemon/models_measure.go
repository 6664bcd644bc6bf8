package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"tarsier/config"
	"tarsier/mnv2"
)

// measuredRuns is how often each width is timed.
const measuredRuns = 30

// measuredModel is a line of `tarsier models --measure --json`.
type measuredModel struct {
	File string `json:"file"`
	benchResult
	Accuracy *float64 `json:"accuracy,omitempty"` // that model.yaml states
	Possible float64  `json:"inferences_per_s"`   // one after the other

	// Only with a config.
	Needed  *float64 `json:"inferences_per_s_needed,omitempty"` // by all cameras
	FPS     *float64 `json:"fps,omitempty"`                     // that all cameras together would get
	Load    *float64 `json:"load,omitempty"`                    // the part of the time that this would take
	KeepsUp *bool    `json:"keeps_up,omitempty"`
	Auto    bool     `json:"auto"` // width_mult: auto would start with it

	shown string // the file's name in the table
}

// measureModels times the models of a directory, and says which keep up with
// the config's cameras.
func measureModels(dir string, files []modelFile, configPath string, asked, asJSON bool, out io.Writer) error {
	cfg, err := loadConfig(configPath)
	if errors.Is(err, os.ErrNotExist) && !asked {
		cfg = &config.Config{}
	} else if err != nil {
		return err
	}
	accuracy, err := readAccuracy(files)
	if err != nil {
		return err
	}
	var cameras []demand
	for i := range cfg.Cameras {
		cameras = append(cameras, demand{cfg.Cameras[i].FPS, pictureCount(&cfg.Cameras[i])})
	}
	need := inferences(cameras)

	var lines []measuredModel
	var costs []time.Duration
	for i, f := range files {
		r, err := bench(f, mnv2.Options{Threads: cfg.Model.Threads}, measuredRuns, false)
		if err != nil {
			return fmt.Errorf("time %s: %w", f.path, err)
		}
		l := measuredModel{File: filepath.Base(f.path), shown: f.name(), benchResult: r, Accuracy: accuracy[i], Possible: 1e3 / r.MedianMS}
		cost := time.Duration(r.MinMS * float64(time.Millisecond)) // what auto starts with goes by the shortest, too
		if len(cameras) > 0 {
			fps, load := frames(cameras, l.Possible), need/l.Possible
			keepsUp := load <= fits
			l.Needed, l.FPS, l.Load, l.KeepsUp = &need, &fps, &load, &keepsUp
		}
		lines, costs = append(lines, l), append(costs, cost)
	}
	_, _, noAuto := autoModels(dir)
	if noAuto == nil && len(cameras) > 0 {
		lines[newLadder(costs, need, defaultPatience).at].Auto = true
	}

	if asJSON {
		e := json.NewEncoder(out)
		for _, l := range lines {
			if err := e.Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	if err := printMeasured(lines, cameras, out); err != nil {
		return err
	}
	if len(cameras) == 0 {
		_, err = fmt.Fprintf(out, "There is no config %s, and so there are no cameras to keep up with.\n", configPath)
		return err
	}
	var each []string
	for i, c := range cfg.Cameras {
		rate := "as many frames as are left"
		if c.FPS > 0 {
			rate = fmt.Sprintf("%v frames a second", c.FPS)
		}
		each = append(each, fmt.Sprintf("%s %s of %d", c.Name, rate, cameras[i].pictures))
	}
	fmt.Fprintf(out, "The cameras need %.3g inferences a second: %s.\n", need, strings.Join(each, ", "))
	if noAuto != nil {
		_, err = fmt.Fprintf(out, "width_mult: auto cannot choose among them: %v\n", noAuto)
	}
	return err
}

// frames is how many a second all cameras together get, where so many
// inferences are possible.
func frames(cameras []demand, possible float64) float64 {
	need := inferences(cameras)
	paced, unpaced, pictures := 0.0, 0, 0
	for _, c := range cameras {
		paced += c.fps
		if c.fps == 0 {
			unpaced++
			pictures += c.pictures
		}
	}
	if possible <= need {
		paced *= possible / need
	}
	if unpaced == 0 {
		return paced
	}
	// What is left goes round: a frame of each.
	used := 0.0
	for _, c := range cameras {
		used += c.fps * float64(c.pictures)
	}
	return paced + max(0, possible-used)*float64(unpaced)/float64(pictures)
}

func printMeasured(lines []measuredModel, cameras []demand, out io.Writer) error {
	wanted := 0.0
	for _, c := range cameras {
		wanted += c.fps
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "FILE\tWIDTH\tACCURACY\tMS\tINFERENCES/S")
	if len(cameras) > 0 {
		fmt.Fprint(w, "\tFPS\tLOAD\tKEEPS UP")
	}
	fmt.Fprintln(w)
	for _, l := range lines {
		accuracy := "not stated"
		if l.Accuracy != nil {
			accuracy = fmt.Sprintf("%.1f %%", 100**l.Accuracy)
		}
		fmt.Fprintf(w, "%s\t%v\t%s\t%.2f\t%.0f", l.shown, l.WidthMult, accuracy, l.MedianMS, l.Possible)
		if len(cameras) > 0 {
			fmt.Fprintf(w, "\t%.3g of %.3g\t%.0f %%\t%s", *l.FPS, max(wanted, *l.FPS), 100**l.Load, onOff(*l.KeepsUp, "yes", "no"))
		}
		if l.Auto {
			fmt.Fprint(w, ", auto")
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
