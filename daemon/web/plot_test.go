package web

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"tarsier/daemon/web/webtest"
	"tarsier/pipeline"
)

// TestScorePlot drags the lines of a plot with mouse, keyboard and finger, in light and dark, on a phone too.
func TestScorePlot(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.FileServer(http.Dir(".")))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		fmt.Fprint(w, `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>plot</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="static/uplot.css"><link rel="stylesheet" href="static/plot.css">
<script src="static/uplot.js"></script><script src="static/rules.js"></script><script src="static/plot.js"></script>
<body><main id="plot"></main></html>`)
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	start := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	rec := Recording{Start: pipeline.Time{Time: start}, Ends: []End{{1500, 300e9 - 1, pipeline.CameraOffline}}}
	for i := range 3000 {
		rec.Times = append(rec.Times, int64(i)*2e8)
	}
	for l, name := range []string{"water bottle", "pop bottle", "lotion", "crane (135)", "a label whose name is long enough to need two lines on a phone", "cab", "tench", "quail"} {
		s := make(Scores, len(rec.Times))
		for i := range s {
			s[i] = float32(math.Max(0, math.Sin(float64(i)/(150+30*float64(l))+float64(l)))) * float32(8-l) / 9
		}
		rec.Labels = append(rec.Labels, LabelScores{Label: name, Index: 10 * l, Scores: s})
	}
	th := NewThresholds(pipeline.Thresholds{Enter: 0.6, Leave: 0.4, Hold: time.Second, Smoothing: time.Second})
	marks := []simulated{{Time: 100e9, Type: "enter", Index: 0}, {Time: 130e9, Type: "leave", Index: 0}}
	data, err := json.Marshal([]any{rec, th, marks})
	if err != nil {
		t.Fatal(err)
	}

	ctx := webtest.Browser(t)
	var box struct{ X, Y, W, H float64 }
	where := func(selector string) chromedp.Action {
		return chromedp.Evaluate(fmt.Sprintf(`(r => ({X: r.x, Y: r.y, W: r.width, H: r.height}))(document.querySelector(%q).getBoundingClientRect())`, selector), &box)
	}
	var now Thresholds
	thresholds := chromedp.Evaluate("moved", &now)
	run := func(actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	run(chromedp.Navigate(server.URL), chromedp.Evaluate(fmt.Sprintf(`
		let moved = null, pointed = null
		const data = %s, plot = new ScorePlot(document.querySelector("#plot"), { onThresholds: t => { moved = t }, onCursor: time => { pointed = time } })
		plot.set(...data)`, data), nil))

	// With the mouse, by where the line is to where it is to go.
	run(where(".plot-lines"))
	at := func(score float64) float64 { return box.Y + box.H*(1-score) }
	drag := func(from, to float64) []chromedp.Action {
		x := box.X + box.W/2
		mouse := func(kind input.MouseType, y float64) chromedp.Action {
			return chromedp.MouseEvent(kind, x, y, chromedp.ButtonLeft)
		}
		return []chromedp.Action{mouse(input.MousePressed, from), mouse(input.MouseMoved, (from+to)/2), mouse(input.MouseMoved, to), mouse(input.MouseReleased, to)}
	}
	run(append(drag(at(0.6), at(0.75)), thresholds)...)
	if math.Abs(now.Enter-0.75) > 0.011 || now.Leave != 0.4 {
		t.Errorf("enter was dragged from 0.6 to 0.75, and the thresholds are %+v", now)
	}
	run(append(drag(at(0.4)+5, at(0.9)+5), thresholds)...)
	if math.Abs(now.Leave-0.9) > 0.011 || now.Enter != now.Leave {
		t.Errorf("leave was dragged above enter, to 0.9, and the thresholds are %+v", now)
	}
	// Where they meet, enter is taken from above and leave from below.
	run(append(drag(at(0.9)+12, at(0.5)+12), thresholds)...)
	if math.Abs(now.Leave-0.5) > 0.02 || math.Abs(now.Enter-0.9) > 0.02 {
		t.Errorf("leave was dragged from where it met enter to 0.5, and the thresholds are %+v", now)
	}
	run(chromedp.Focus(".plot-enter"), chromedp.KeyEvent("\ue015"), thresholds)
	var enter, valuenow, entered string
	run(chromedp.Evaluate(`String(plot.thresholds.enter)`, &enter), chromedp.AttributeValue(".plot-enter", "aria-valuenow", &valuenow, nil))
	if enter != valuenow {
		t.Errorf("a screen reader says enter is %s, not %s", valuenow, enter)
	}
	before := now.Enter
	run(chromedp.Evaluate(`document.querySelector(".plot-enter").dispatchEvent(new KeyboardEvent("keydown", {key: "PageDown"}))`, nil), thresholds)
	if math.Abs(before-0.1-now.Enter) > 0.02 {
		t.Errorf("a page down moved enter from %v to %v", before, now.Enter)
	}
	run(chromedp.Evaluate(`document.querySelector(".plot-legend tbody td:last-child").textContent`, &entered))
	if entered == "" {
		t.Error("the table does not say how often the first label was entered")
	}
	// The pointer says when.
	var pointed float64
	run(chromedp.MouseEvent(input.MouseMoved, box.X+box.W/2, at(0.2)), chromedp.Poll("pointed !== null", nil), chromedp.Evaluate("pointed", &pointed))
	if math.Abs(pointed-300e9) > 2e9 {
		t.Errorf("the pointer is at the middle, and that is %v s", pointed/1e9)
	}
	shoot(t, ctx, "plot-light.png")

	// On a phone, with a finger, in the dark.
	run(chromedp.EmulateViewport(320, 640, chromedp.EmulateMobile, chromedp.EmulateTouch),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}),
		chromedp.Poll("plot.uplot.width <= 320", nil))
	var width int
	run(chromedp.Evaluate("document.documentElement.scrollWidth", &width))
	if width > 320 {
		t.Errorf("the plot is %d pixels wide on a screen of 320", width)
	}
	run(chromedp.Evaluate("plot.set(...data)", nil), where(".plot-lines"))
	touch := func(kind input.TouchType, y float64) chromedp.Action {
		points := []*input.TouchPoint{{X: box.X + box.W/2, Y: y}}
		if kind == input.TouchEnd {
			points = []*input.TouchPoint{}
		}
		return input.DispatchTouchEvent(kind, points)
	}
	run(touch(input.TouchStart, at(0.6)-10), touch(input.TouchMove, at(0.7)-10), touch(input.TouchMove, at(0.8)-10), touch(input.TouchEnd, 0), thresholds)
	if math.Abs(now.Enter-0.8) > 0.02 {
		t.Errorf("a finger moved enter from 0.6 to 0.8, and the thresholds are %+v", now)
	}
	shoot(t, ctx, "plot-phone.png")

	// What is set again and again stays as large as it is.
	var nodes []int
	run(chromedp.Evaluate(`[1, 2].map(() => { for (let i = 0; i < 50; i++) plot.set(...data); return document.querySelectorAll("*").length })`, &nodes))
	if nodes[0] != nodes[1] {
		t.Errorf("the page had %d elements, and has %d", nodes[0], nodes[1])
	}
	var left int
	run(chromedp.Evaluate(`plot.destroy(); document.querySelector("#plot").childNodes.length`, &left))
	if left != 0 {
		t.Errorf("destroy left %d elements", left)
	}
}

// shoot writes a picture of the page where $TARSIER_SCREENSHOTS says.
func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("TARSIER_SCREENSHOTS")
	if dir == "" {
		return
	}
	var png []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), png, 0o644); err != nil {
		t.Fatal(err)
	}
}
