package web

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"
	"time"
)

//go:generate ./get-uplot

// A Report is what `tarsier tune` found in recordings. It becomes one file that needs nothing else: it can be sent, kept, and
// opened anywhere.
type Report struct {
	Model   string         `json:"model"`
	Camera  string         `json:"camera"` // of the config; "": none
	FPS     float64        `json:"fps"`
	Regions []ReportRegion `json:"regions"`
	Videos  []ReportVideo  `json:"videos"`
}

// A ReportRegion is a region, and the thresholds that it has.
type ReportRegion struct {
	Name       string      `json:"name"`
	Box        [4]float64  `json:"box"` // x, y, width, height as fractions of the picture
	Thresholds Thresholds  `json:"thresholds"`
	Suggested  *Thresholds `json:"suggested"` // those that do best by what a person says there was to see; nil: nobody said
	Judged     []int       `json:"judged"`    // the classes that this is said of
}

// A ReportVideo is one recording, with one entry of Regions for each of the report's.
type ReportVideo struct {
	Name    string            `json:"name"`
	Thumbs  []Thumb           `json:"thumbs"`
	Regions []ReportRecording `json:"regions"`
}

// A Thumb is a small picture; its JPEG is base64 in JSON.
type Thumb struct {
	Time int64  `json:"time"` // as in Recording.Times
	JPEG []byte `json:"jpeg"`
}

// A ReportRecording is what a region scored in a video, and what there was to see.
type ReportRecording struct {
	Recording Recording  `json:"recording"`
	Truth     []Interval `json:"truth"`
}

// An Interval is a time in which a label was to be seen, start and end included, as in Recording.Times.
type Interval struct {
	Index int   `json:"index"`
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// WriteHTML writes the report as a page with everything in it.
func (r *Report) WriteHTML(w io.Writer) error {
	data, err := json.Marshal(r) // escapes <, so that nothing in it ends its element
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	read := func(names ...string) string {
		var all strings.Builder
		for _, name := range names {
			b, e := static.ReadFile("static/" + name)
			if e != nil {
				panic(e) // they are in the program
			}
			all.Write(b)
			all.WriteByte('\n')
		}
		return all.String()
	}
	style := read("uplot.css", "plot.css", "base.css", "report.css")
	script := read("uplot.js", "rules.js", "plot.js", "report.js")
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	page := template.Must(template.New("report").Parse(read("report.html")))
	return page.Execute(w, map[string]string{
		"Policy": "default-src 'none'; img-src data:; style-src " + hash(style) + "; script-src " + hash(script) + "; base-uri 'none'; form-action 'none'",
		"Style":  style, "Script": script, "Data": string(data), "Made": time.Now().Format("2006-01-02 15:04"),
	})
}
