package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarsier/config"
	"tarsier/daemon/web"
	"tarsier/daemon/web/webtest"
)

// TestPage opens the page of the real daemon while two videos play, in a real Chromium, and does what people do there. With
// TARSIER_SCREENSHOTS=DIR it waits until there is more to see, and leaves screenshots there.
func TestPage(t *testing.T) {
	bin := buildPrograms(t)
	videos := testdata(t, "videos")
	dir := t.TempDir()
	broker := startMosquitto(t, dir, freePort(t))
	models := filepath.Join(dir, "models")
	must(t, os.Mkdir(models, 0o755))
	link(t, filepath.Join(testdata(t, "golden"), "imagenet_1.0_int8.tflite"), models)
	link(t, filepath.Join(testdata(t, "models"), "imagenet_labels.txt"), filepath.Join(models, "labels.txt"))
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	path := filepath.Join(dir, "tarsier.yaml")
	text := fmt.Sprintf(`node: porch-pi
model: {dir: %s}
thresholds: {enter: 0.3, leave: 0.15, hold: 200ms, smoothing: 500ms, top_k: 2}
cameras:
  - name: counter
    source: %s/bottle.mp4
    loop: true
    regions:
      - {name: table, box: [0.2, 0.1, 0.6, 0.85]}
  - {name: street, source: %[2]s/car.mp4, loop: true, thresholds: {only: [cab, minivan, sports car, police van]}}
mqtt: {brokers: ["tcp://127.0.0.1:%d"]}
http: {listen: %q}
log: {format: json}
`, models, videos, broker.port, listen)
	must(t, os.WriteFile(path, []byte(text), 0o644))
	d := startDaemon(t, bin, path)
	p := &webPage{t: t, base: "http://" + listen, screenshots: os.Getenv("TARSIER_SCREENSHOTS")}
	p.waitHistory()

	p.ctx = webtest.Browser(t)
	p.axe, _ = os.ReadFile(filepath.Join("web", "testdata", "axe.min.js"))
	p.look(1400, 900, "light")
	p.do("open the page", chromedp.Navigate(p.base), chromedp.WaitVisible("#plot canvas"), chromedp.WaitVisible("#events li img"))
	p.until("all is well", `$("#summary").textContent === "All is well"`)
	p.until("both cameras have pictures", `[...document.querySelectorAll(".camera .picture img")].every(i => i.naturalWidth === 640)`)
	p.until("a label is entered", `$("#events .enter strong").textContent === "water bottle" || document.querySelectorAll("#events .enter").length > 1`)
	p.until("the region is drawn on the picture", `$(".picture rect").getAttribute("width") === "0.6"`)
	p.until("pictures are refreshed", `(i => (i.first ||= i.src) !== i.src)($(".camera .picture img"))`)

	// With the thresholds that hold, the page's rules give the events that the daemon made.
	p.until("the events that would be are those that were", `(() => {
		const key = e => [e.type, e.index, Math.round(e.time / 1e9)].join()
		const were = scores.recording.events.map(key), would = scores.plot.simulation.events.map(key)
		return were.length > 0 && were.join(" ") === would.join(" ")
	})()`)
	if p.screenshots != "" {
		p.until("both cameras see something", `document.querySelectorAll(".tags .entered").length === 2`)
	}
	p.photograph("page.png", 2000)

	p.tryThresholds(path, text)
	p.drawRegion(path, text)
	p.accessible()
	p.leaksNothing()
	p.unseen()

	// The daemon goes away and comes back: so does the page.
	must(t, d.cmd.Process.Signal(syscall.SIGTERM))
	must(t, d.wait())
	p.until("the page says that nobody answers", `$("#summary").dataset.state === "bad"`)
	startDaemon(t, bin, path)
	p.until("the page goes on by itself", `$("#summary").textContent === "All is well" && scores.recording !== null`)
}

// A webPage is a tab of the browser that shows the page.
type webPage struct {
	t           *testing.T
	ctx         context.Context
	base        string
	axe         []byte
	screenshots string
}

// waitHistory waits until something happened; for screenshots, for some minutes.
func (p *webPage) waitHistory() {
	p.t.Helper()
	enough := time.Second
	deadline := time.Now().Add(patience)
	if p.screenshots != "" {
		enough = 4 * time.Minute
		deadline = deadline.Add(enough)
	}
	for ; ; time.Sleep(200 * time.Millisecond) {
		var h web.RegionHistory
		if r, err := http.Get(p.base + "/api/history?camera=counter&region=table"); err == nil {
			_ = json.NewDecoder(r.Body).Decode(&h)
			r.Body.Close()
		}
		if n := len(h.Times); n > 0 && time.Duration(h.Times[n-1]) > enough && len(h.Events) > 0 {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("after all that time there are %d frames and %d events", len(h.Times), len(h.Events))
		}
	}
}

func (p *webPage) do(what string, actions ...chromedp.Action) {
	p.t.Helper()
	if err := chromedp.Run(p.ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// until waits until JavaScript says yes.
func (p *webPage) until(what, js string) {
	p.t.Helper()
	if err := chromedp.Run(p.ctx, chromedp.Poll(js, nil, chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(50*time.Millisecond))); err != nil {
		var html string
		_ = chromedp.Run(p.ctx, chromedp.Evaluate(`document.body.innerText`, &html))
		p.t.Fatalf("not seen: %s: %v\n%s", what, err, html)
	}
}

func (p *webPage) text(selector string) (text string) {
	p.t.Helper()
	p.do("read "+selector, chromedp.Evaluate(fmt.Sprintf("$(%q).textContent", selector), &text))
	return text
}

// look makes the window another.
func (p *webPage) look(width, height int64, scheme string) {
	p.t.Helper()
	p.do("resize", emulation.SetLocaleOverride().WithLocale("en-GB"),
		emulation.SetDeviceMetricsOverride(width, height, 1, width < 500), emulation.SetTouchEmulationEnabled(width < 500),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
}

// photograph leaves a screenshot of the page, or of its upper part.
func (p *webPage) photograph(name string, height int) {
	p.t.Helper()
	if p.screenshots == "" {
		return
	}
	var b []byte
	p.until("all pictures are there", `[...document.images].every(i => i.closest("dialog") || i.loading === "lazy" || i.complete)`)
	p.do("take a screenshot", chromedp.FullScreenshot(&b, 100))
	shot, err := png.Decode(bytes.NewReader(b))
	must(p.t, err)
	small := image.NewRGBA(image.Rect(0, 0, shot.Bounds().Dx(), min(height, shot.Bounds().Dy())))
	draw.Draw(small, small.Bounds(), shot, image.Point{}, draw.Src)
	// The noise of photographs is most of a file, and nobody sees it. Colours of areas stay as they are.
	common := map[color.RGBA]int{}
	each := func(f func(x, y int, c color.RGBA)) {
		for y := range small.Rect.Dy() {
			for x := range small.Rect.Dx() {
				f(x, y, small.RGBAAt(x, y))
			}
		}
	}
	each(func(_, _ int, c color.RGBA) { common[c]++ })
	each(func(x, y int, c color.RGBA) {
		if few := func(v uint8) uint8 { return uint8((int(v) + 2) / 5 * 5) }; common[c] < 8000 {
			small.SetRGBA(x, y, color.RGBA{few(c.R), few(c.G), few(c.B), 255})
		}
	})
	file, err := os.Create(filepath.Join(p.screenshots, name))
	must(p.t, err)
	defer file.Close()
	must(p.t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(file, small))
}

// rect is where an element is in the window.
func (p *webPage) rect(selector string) (r struct{ X, Y, W, H float64 }) {
	p.t.Helper()
	p.do("find "+selector, chromedp.ScrollIntoView(selector),
		chromedp.Evaluate(fmt.Sprintf(`(r => ({X: r.x, Y: r.y, W: r.width, H: r.height}))($(%q).getBoundingClientRect())`, selector), &r))
	return r
}

// drag moves the mouse from one point to another with its button down.
func (p *webPage) drag(x, y, toX, toY float64) {
	p.t.Helper()
	p.do("drag", chromedp.MouseEvent(input.MouseMoved, x, y), chromedp.MouseEvent(input.MousePressed, x, y, chromedp.ButtonLeft, chromedp.ClickCount(1)),
		chromedp.MouseEvent(input.MouseMoved, (x+toX)/2, (y+toY)/2, chromedp.ButtonLeft), chromedp.MouseEvent(input.MouseMoved, toX, toY, chromedp.ButtonLeft),
		chromedp.MouseEvent(input.MouseReleased, toX, toY, chromedp.ButtonLeft, chromedp.ClickCount(1)))
}

// touch does it with a finger.
func (p *webPage) touch(x, y, toX, toY float64) {
	p.t.Helper()
	at := func(x, y float64) []*input.TouchPoint { return []*input.TouchPoint{{X: x, Y: y}} }
	p.do("touch", input.DispatchTouchEvent(input.TouchStart, at(x, y)), input.DispatchTouchEvent(input.TouchMove, at((x+toX)/2, (y+toY)/2)),
		input.DispatchTouchEvent(input.TouchMove, at(toX, toY)), input.DispatchTouchEvent(input.TouchEnd, []*input.TouchPoint{}))
}

// load reads a config with a line of it replaced by some that the page gave.
func (p *webPage) load(path, text, line, with string) *config.Config {
	p.t.Helper()
	if !strings.Contains(text, line) {
		p.t.Fatalf("the config has no %q", line)
	}
	other := path + ".other"
	must(p.t, os.WriteFile(other, []byte(strings.Replace(text, line, with, 1)), 0o644))
	cfg, err := config.Load(other)
	if err != nil {
		p.t.Fatalf("what the page gave is no config: %v\n%s", err, with)
	}
	return cfg
}

// tryThresholds drags a line of the plot, and moves a slider with the keyboard.
func (p *webPage) tryThresholds(path, text string) {
	t := p.t
	t.Helper()
	const row = `[...document.querySelectorAll("#compared tbody tr")].find(r => r.firstChild.textContent === "water bottle")`
	p.until("both columns are the same", row+`?.children[2].textContent === `+row+`?.children[3].textContent`)
	line, plot := p.rect(".plot-enter"), p.rect(".plot-lines")
	line = p.rect(".plot-enter")
	// Its score is 0.3, and it is taken where its line is.
	p.drag(line.X+line.W/3, plot.Y+0.7*plot.H, line.X+line.W/3, plot.Y+0.02*plot.H)
	p.until("no bottle would be entered at 0.98", row+`?.children[3].textContent === "0×" && `+row+`?.children[2].textContent !== "0×"`)
	p.until("it is said in words", `/with these thresholds never/.test($("#compared-sum").textContent)`)
	p.until("the slider goes along", `Math.abs($("#slider-enter").value - 0.98) < 0.03`)
	yaml := p.text("#thresholds-yaml")
	cfg := p.load(path, text, "    loop: true\n", "    loop: true\n    "+yaml+"\n")
	if enter := *cfg.Cameras[0].Thresholds.Enter; math.Abs(enter-0.98) > 0.03 {
		t.Errorf("dragged to 0.98, the YAML is %s", yaml)
	}

	p.do("hold longer", chromedp.Focus("#slider-hold_ns"), chromedp.KeyEvent(kb.ArrowRight))
	p.until("the YAML holds longer", `/hold: 300ms/.test($("#thresholds-yaml").textContent)`)
	p.do("lower the line", chromedp.Focus(".plot-enter"), chromedp.KeyEvent(kb.PageDown), chromedp.KeyEvent(kb.PageDown), chromedp.KeyEvent(kb.PageDown))
	p.until("bottles would be entered at 0.68", row+`?.children[3].textContent !== "0×"`)
	if p.screenshots != "" {
		p.look(1400, 900, "dark")
		p.do("try another", chromedp.Blur(".plot-enter"), chromedp.Evaluate(`scores.slide("enter", 0.88); scrollTo(0, 0)`, nil))
		p.photograph("page-dark.png", 2000)
		p.look(1400, 900, "light")
	}
	p.do("undo", chromedp.Click("#sliders button"))
	p.until("the daemon's thresholds are back", `$("#thresholds-yaml").textContent === "thresholds: {enter: 0.3, leave: 0.15, hold: 200ms, smoothing: 500ms}"`)

	p.do("copy", chromedp.Evaluate(`getSelection().removeAllRanges()`, nil), chromedp.Click(`[data-copy=thresholds-yaml]`))
	p.until("it is copied", `/Copied|Ctrl/.test($("[data-copy=thresholds-yaml]").textContent)`)

	// Another region.
	p.do("choose the street", chromedp.Evaluate(`plot("street", "frame")`, nil))
	p.until("the street's labels are shown", `scores.recording?.labels.some(l => l.label === "cab") && $(".plot-legend").textContent.includes("cab")`)
	p.until("its thresholds are shown", `/only: \[cab, minivan, sports car, police van\]/.test($("#thresholds-yaml").textContent)`)
	p.do("choose the counter", chromedp.Evaluate(`plot("counter", "table")`, nil))
	p.until("the counter's labels are shown", `scores.recording?.labels.some(l => l.label === "water bottle")`)
}

// drawRegion draws one with the mouse, moves it with the keyboard, and draws another with a finger.
func (p *webPage) drawRegion(path, text string) {
	t := p.t
	t.Helper()
	p.until("a region can be drawn", `!$(".camera .title button").disabled`)
	p.do("open the dialog", chromedp.Click(".camera .title button"), chromedp.WaitVisible("#draw .box"))
	p.until("it has a picture", `$("#draw img").naturalWidth > 0`)
	check := func(want ...float64) {
		t.Helper()
		yaml := p.text("#draw-yaml")
		cfg := p.load(path, text, "      - {name: table, box: [0.2, 0.1, 0.6, 0.85]}\n",
			"      - {name: table, box: [0.2, 0.1, 0.6, 0.85]}\n      "+strings.ReplaceAll(yaml, "\n", "\n      ")+"\n")
		regions := cfg.Cameras[0].Regions
		if len(regions) != 2 || regions[1].Name != "door" {
			t.Fatalf("the regions are %+v", regions)
		}
		for i, x := range regions[1].Box {
			if math.Abs(x-want[i]) > 0.015 {
				t.Errorf("the box is %v, want %v", regions[1].Box, want)
				return
			}
		}
	}
	stage := p.rect("#draw .stage")
	p.drag(stage.X+0.1*stage.W, stage.Y+0.2*stage.H, stage.X+0.5*stage.W, stage.Y+0.9*stage.H)
	check(0.1, 0.2, 0.4, 0.7)
	p.drag(stage.X+0.3*stage.W, stage.Y+0.5*stage.H, stage.X+0.4*stage.W, stage.Y+0.4*stage.H)
	check(0.2, 0.1, 0.4, 0.7)
	p.drag(stage.X+0.6*stage.W, stage.Y+0.8*stage.H, stage.X+0.7*stage.W, stage.Y+0.6*stage.H) // a corner
	check(0.2, 0.1, 0.5, 0.5)
	p.do("move and resize", chromedp.Focus("#draw .box"), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowDown),
		chromedp.KeyEvent(kb.ArrowLeft, chromedp.KeyModifiers(input.ModifierShift)), chromedp.KeyEvent(kb.ArrowDown, chromedp.KeyModifiers(input.ModifierShift)))
	check(0.21, 0.12, 0.49, 0.51)
	p.do("type", chromedp.SetValue("#draw [name=x]", "0.9"), chromedp.Evaluate(`$("#draw [name=x]").dispatchEvent(new Event("input", {bubbles: true}))`, nil))
	check(0.51, 0.12, 0.49, 0.51) // as far as it goes
	p.audit("the dialog")
	p.do("name it", chromedp.SetValue("#draw [name=name]", "table"), chromedp.Evaluate(`$("#draw [name=name]").dispatchEvent(new Event("input", {bubbles: true}))`, nil))
	p.until("a name that there is already is refused", `$("#draw-wrong").textContent.includes("has a region of that name")`)
	p.do("close", chromedp.KeyEvent(kb.Escape))
	p.until("it is closed", `!$("#draw").open && drawing.live === null`)

	p.look(390, 844, "light")
	p.do("open the dialog on a phone", chromedp.Click(".camera .title button"), chromedp.WaitVisible("#draw .box"))
	p.until("it has a picture", `$("#draw img").naturalWidth > 0`)
	stage = p.rect("#draw .stage")
	p.touch(stage.X+0.1*stage.W, stage.Y+0.1*stage.H, stage.X+0.8*stage.W, stage.Y+0.7*stage.H)
	check(0.1, 0.1, 0.7, 0.6)
	p.do("close", chromedp.Click("#draw .close"))
	p.photograph("page-phone.png", 1420)
}

// accessible looks for what keeps people out, on large and small screens, light and dark.
func (p *webPage) accessible() {
	p.t.Helper()
	for _, width := range []int64{1400, 320} {
		for _, scheme := range []string{"light", "dark"} {
			p.look(width, 800, scheme)
			p.until("the page fits", fmt.Sprintf(`innerWidth === %d && document.documentElement.scrollWidth <= %[1]d`, width))
			p.audit(fmt.Sprintf("%s at %d pixels", scheme, width))
		}
	}
	p.look(1400, 900, "light")
}

// audit runs axe-core.
func (p *webPage) audit(what string) {
	p.t.Helper()
	type violation struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}
	var violations []violation
	p.do("run axe-core", chromedp.Evaluate(string(p.axe)+";0", nil),
		chromedp.Evaluate(`axe.run({resultTypes: ["violations"]}).then(r => r.violations)`, &violations, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	for _, v := range violations {
		for _, n := range v.Nodes {
			say := p.t.Logf
			if v.Impact == "serious" || v.Impact == "critical" {
				say = p.t.Errorf
			}
			say("%s: %s (%s): %s\n%s\n%s", what, v.ID, v.Impact, v.Help, n.HTML, n.FailureSummary)
		}
	}
}

// leaksNothing lets hours pass.
func (p *webPage) leaksNothing() {
	p.t.Helper()
	var r struct {
		Frames, Events, Ends, Before, After, List int
		Minutes                                   float64
	}
	p.do("let hours pass", chromedp.Evaluate(`(() => {
		const count = () => document.getElementById("scores").querySelectorAll("*").length
		const h = scores.recording, before = count()
		let uptime = h.uptime + h.times[h.times.length - 1]
		for (let minute = 0; minute < 240; minute++) {
			const d = {times: [], frames: [], ends: [{frame: 0, time: uptime, reason: "stopped"}], events: []}
			for (let i = 0; i < 300; i++) {
				d.times.push(uptime += 2e8)
				d.frames.push([899, i % 100 / 100, 738, 0.1])
			}
			d.events.push({time: uptime, type: "enter", reason: "", label: "water bottle", index: 899, score: 0.5})
			scores.add(d)
		}
		for (let seq = 1e6; seq < 1e6 + 500; seq++) {
			lastEvents.add({seq, time: new Date().toISOString(), type: "enter", label: "<b>owl</b>", score: 0.5, camera: "porch", region: "door", picture: false})
		}
		return {Frames: h.times.length, Events: h.events.length, Ends: h.ends.length, Before: before, After: count(),
			List: lastEvents.list.children.length, Minutes: (h.times[h.times.length - 1] - h.times[0]) / 60e9}
	})()`, &r))
	if r.Minutes < 9.9 || r.Minutes > 11.1 || r.Frames > 3400 || r.Events > 12 || r.Ends > 12 || r.List != 50 || r.After > r.Before+60 {
		p.t.Errorf("after hours the page has %+v", r)
	}
	if label := p.text("#events strong"); label != "<b>owl</b>" {
		p.t.Errorf("a label is not shown as it is: %s", label)
	}
	p.do("reload", chromedp.Reload(), chromedp.WaitVisible("#plot canvas"))
}

// unseen is a page that nobody looks at: it asks for nothing.
func (p *webPage) unseen() {
	p.t.Helper()
	p.do("hide the page", chromedp.Evaluate(`Object.defineProperty(document, "hidden", {get: () => window.away, configurable: true}); window.away = true;
		document.dispatchEvent(new Event("visibilitychange"))`, nil))
	p.until("it listens no more, and waits for no picture", `source === null && [...cards.values()].every(c => !c.live.loading && !c.live.timer)`)
	p.do("show the page", chromedp.Evaluate(`window.away = false; document.dispatchEvent(new Event("visibilitychange"))`, nil))
	p.until("it goes on", `source !== null && source.readyState === EventSource.OPEN`)
}
