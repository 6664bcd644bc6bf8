package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"tarsier/config"
	"tarsier/daemon/web"
	"tarsier/daemon/web/webtest"
	"tarsier/pipeline"
)

// TestTune tunes on real videos with a config of two regions and a truth, and uses the report as a person would: every event
// that it shows is one that pipeline.Region makes.
func TestTune(t *testing.T) {
	bin, videos, models := buildPrograms(t), testdata(t, "videos"), imagenetDir(t)
	dir := t.TempDir()
	cfg := filepath.Join(dir, "tarsier.yaml")
	must(t, os.WriteFile(cfg, []byte(fmt.Sprintf(`node: porch
model: {dir: %s}
cameras:
  - {name: other, source: /dev/video0}
  - name: porch
    source: /dev/video1
    fps: 4
    regions:
      - {name: shelf, box: [0.03, 0.2, 0.26, 0.75], thresholds: {enter: 0.5, leave: 0.3}}
      - {name: all, thresholds: {hold: 400ms, smoothing: 200ms, only: [water bottle, cab], labels: [{label: cab, enter: 0.3, leave: 0.2}]}}
mqtt: {queue: {dir: ""}}
`, models)), 0o644))
	facts := filepath.Join(dir, "truth.csv")
	must(t, os.WriteFile(facts, []byte(`video,region,label,start_s,end_s
bottle.mp4,shelf,water bottle,0,6.6
bottle.mp4,shelf,water bottle,12,16.8
bottle.mp4,shelf,"water bottle",27.8,40
car.mp4,all,cab,4.5,8.4
car.mp4,all,cab,15,18.2
car.mp4,all,cab,26,28
`), 0o644))
	out := filepath.Join(dir, "report.html")
	code, printed, errs := tarsier(t, bin, "tune", "--config", cfg, "--camera", "porch", "--truth", facts, "--out", out,
		filepath.Join(videos, "bottle.mp4"), filepath.Join(videos, "car.mp4"))
	if code != 0 || errs != "" {
		t.Fatalf("exit status %d\n%s%s", code, printed, errs)
	}
	t.Log(printed)
	report := readReport(t, out)
	if len(report.Videos) != 2 || len(report.Regions) != 2 || report.FPS != 4 || report.Camera != "porch" {
		t.Fatalf("the report has %d videos, %d regions, camera %q, %v a second", len(report.Videos), len(report.Regions), report.Camera, report.FPS)
	}
	if r := report.Videos[0].Regions[0].Recording; len(r.Times) < 140 || len(r.Times) > 180 || len(r.Labels) < 2 {
		t.Errorf("40 s at 4 a second are %d frames of %d labels", len(r.Times), len(r.Labels))
	}
	if n := len(report.Videos[0].Thumbs); n < 30 || n > 50 {
		t.Errorf("40 s have %d pictures", n)
	}
	if info, err := os.Stat(out); err != nil || info.Size() > 3<<20 || info.Mode().Perm() != 0o644 {
		t.Errorf("the report: %v, %+v", err, info)
	} else {
		t.Logf("the report of 70 s has %d KB", info.Size()/1000)
	}

	ctx := webtest.Browser(t)
	var fetched []string
	chromedp.ListenTarget(ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok && !strings.HasPrefix(e.Request.URL, "data:") && !strings.HasPrefix(e.Request.URL, "file:") {
			fetched = append(fetched, e.Request.URL)
		}
	})
	// By query: a search would find the page's own style and script, too.
	do := func(actions ...chromedp.Action) {
		t.Helper()
		must(t, chromedp.Run(ctx, actions...))
	}
	do(network.Enable(), chromedp.Navigate("file://"+out), chromedp.WaitVisible("#plot canvas", chromedp.ByQuery))

	// check compares what the page shows with what the daemon would do.
	check := func(video, region int, th pipeline.Thresholds) {
		t.Helper()
		recording := &report.Videos[video].Regions[region]
		want := [][]string{}
		starts := map[int]int{}
		for _, c := range replay(&recording.Recording, th, nil) {
			if c.Type == pipeline.Enter {
				starts[c.Index] = len(want)
				want = append(want, []string{c.Label, clock(c.At.Uptime), "", fmt.Sprintf("%.2f", c.Score)})
			} else {
				want[starts[c.Index]][2] = clock(c.At.Uptime)
			}
		}
		got := [][]string{}
		do(chromedp.Evaluate(`[...document.querySelectorAll("#events tbody tr")].map(r => [0, 1, 2, 4].map(i => r.cells[i].textContent))`, &got))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("video %d, region %d, %+v:\nthe page shows %v\nthe daemon does %v", video, region, th, got, want)
		}
		var yaml string
		do(chromedp.Text("#yaml", &yaml, chromedp.ByQuery))
		if got := thresholdsOf(t, report, yaml); !reflect.DeepEqual(got, web.NewThresholds(th)) {
			t.Errorf("the YAML is %s, which means %+v, not %+v", yaml, got, web.NewThresholds(th))
		}
		if region != 0 {
			return
		}
		var all []*web.ReportRecording
		for v := range report.Videos {
			all = append(all, &report.Videos[v].Regions[region])
		}
		verdict := judgeAll(all, th, report.Regions[region].Judged)
		var says string
		do(chromedp.Text("#verdict", &says, chromedp.ByQuery))
		for _, part := range []string{
			fmt.Sprintf("%d of %d events right", verdict.right, verdict.events), fmt.Sprintf("%d of %d found", verdict.found, verdict.intervals),
		} {
			if !strings.Contains(says, part) {
				t.Errorf("the page says %q, not %q", says, part)
			}
		}
	}
	slide := func(id string, value float64) chromedp.Action {
		return chromedp.Evaluate(fmt.Sprintf(`{ const s = document.getElementById(%q); s.value = %v; s.dispatchEvent(new Event("input")) }`, id, value), nil)
	}
	pick := func(id string, value int) chromedp.Action {
		return chromedp.Evaluate(fmt.Sprintf(`{ const s = document.getElementById(%q); s.value = %d; s.dispatchEvent(new Event("change")) }`, id, value), nil)
	}
	th := pipeline.Thresholds{Enter: 0.5, Leave: 0.3, Hold: time.Second, Smoothing: time.Second}
	check(0, 0, th)
	th.Enter = 0.55
	do(slide("enter", 0.55))
	check(0, 0, th)
	th.Hold, th.Smoothing = 0, 300*time.Millisecond
	do(slide("hold", 0), slide("smoothing", 0.3))
	check(0, 0, th)
	th.Enter, th.Leave = 0.2, 0.2
	do(slide("enter", 0.2)) // takes leave along
	check(0, 0, th)
	do(pick("video", 1))
	check(1, 0, th)
	do(pick("region", 1))
	check(1, 1, pipeline.Thresholds{
		Enter: 0.6, Leave: 0.4, Hold: 400 * time.Millisecond, Smoothing: 200 * time.Millisecond, Only: report.Regions[1].Thresholds.Only,
		Labels: []pipeline.LabelThreshold{{Index: report.Regions[1].Thresholds.Labels[0].Index, Enter: 0.3, Leave: 0.2}},
	})

	// The suggestion, and a line of the plot.
	do(pick("region", 0), pick("video", 0), chromedp.Click("#suggest", chromedp.ByQuery))
	best := report.Regions[0].Suggested
	th = pipeline.Thresholds{Enter: best.Enter, Leave: best.Leave, Hold: best.Hold, Smoothing: best.Smoothing}
	check(0, 0, th)
	if !strings.Contains(printed, fmt.Sprintf("thresholds: {enter: %v, leave: %v, hold: %v, smoothing: %v}", th.Enter, th.Leave, th.Hold, th.Smoothing)) {
		t.Errorf("the page suggests %+v, which the terminal did not", best)
	}
	var copied string
	do(chromedp.Click("#copy", chromedp.ByQuery), chromedp.Poll(`document.getElementById("copied").textContent !== ""`, nil), chromedp.Text("#copied", &copied, chromedp.ByQuery))
	do(chromedp.ActionFunc(func(ctx context.Context) error {
		var box struct{ X, Y, W, H float64 }
		if err := chromedp.Evaluate(`(r => ({X: r.x, Y: r.y, W: r.width, H: r.height}))(document.querySelector(".plot-lines").getBoundingClientRect())`, &box).Do(ctx); err != nil {
			return err
		}
		x, y := box.X+box.W/2, func(score float64) float64 { return box.Y + box.H*(1-score) - 2 }
		for _, a := range []chromedp.Action{
			chromedp.MouseEvent(input.MousePressed, x, y(th.Enter), chromedp.ButtonLeft), chromedp.MouseEvent(input.MouseMoved, x, y(0.45), chromedp.ButtonLeft),
			chromedp.MouseEvent(input.MouseReleased, x, y(0.45), chromedp.ButtonLeft),
		} {
			if err := a.Do(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
	var slider string
	do(chromedp.Value("#enter", &slider, chromedp.ByQuery))
	if slider != "0.45" && slider != "0.44" && slider != "0.46" {
		t.Errorf("the line was dragged to 0.45, and the slider is at %s", slider)
	}
	do(slide("enter", 0.45), slide("leave", 0.3))
	th.Enter, th.Leave = 0.45, 0.3
	check(0, 0, th)
	screenshot(t, ctx, "tune.png")
	var width int
	do(chromedp.EmulateViewport(320, 640, chromedp.EmulateMobile), chromedp.Evaluate("document.documentElement.scrollWidth", &width))
	if width > 320 {
		t.Errorf("the report is %d pixels wide on a screen of 320", width)
	}
	if len(fetched) > 0 {
		t.Errorf("the report fetched %v", fetched)
	}
}

// clock writes a time as the page does.
func clock(d time.Duration) string {
	s := int((d.Seconds()) + 0.5)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// thresholdsOf gives what YAML means below a camera.
func thresholdsOf(t *testing.T, report *web.Report, yaml string) web.Thresholds {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	must(t, os.WriteFile(path, []byte("cameras:\n  - name: porch\n    source: /dev/video0\n    "+yaml+"\n"), 0o644))
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatalf("%s: %v", yaml, err)
	}
	classes := map[string]int{}
	for _, v := range report.Videos {
		for _, r := range v.Regions {
			for _, l := range r.Recording.Labels {
				classes[l.Label] = l.Index
			}
		}
	}
	th := cfg.RegionThresholds(&cfg.Cameras[0], &cfg.Cameras[0].Regions[0])
	w := web.Thresholds{Enter: th.Enter, Leave: th.Leave, Hold: th.Hold, Smoothing: th.Smoothing, Only: []int{}, Labels: []web.LabelThreshold{}}
	for _, label := range th.Only {
		w.Only = append(w.Only, classes[label])
	}
	for _, l := range th.Labels {
		w.Labels = append(w.Labels, web.LabelThreshold{Index: classes[l.Label], Enter: l.Enter, Leave: l.Leave})
	}
	return w
}

// screenshot writes a picture of the page, 1280 wide, where $TARSIER_SCREENSHOTS says.
func screenshot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("TARSIER_SCREENSHOTS")
	if dir == "" {
		return
	}
	var png []byte
	must(t, chromedp.Run(ctx, chromedp.EmulateViewport(1280, 900), chromedp.Poll(`document.querySelector("#plot canvas").getBoundingClientRect().width > 700`, nil),
		chromedp.ActionFunc(func(ctx context.Context) (err error) {
			png, err = page.CaptureScreenshot().WithCaptureBeyondViewport(true).Do(ctx)
			return err
		})))
	must(t, os.WriteFile(filepath.Join(dir, name), png, 0o644))
	if len(png) > 300_000 {
		t.Errorf("%s has %d KB, more than 300", name, len(png)/1000)
	}
}

var reportData = regexp.MustCompile(`(?s)<script id="data" type="application/json">(.*?)</script>`)

func readReport(t *testing.T, path string) *web.Report {
	t.Helper()
	html, err := os.ReadFile(path)
	must(t, err)
	m := reportData.FindSubmatch(html)
	if m == nil {
		t.Fatal("the report holds no data")
	}
	var r web.Report
	must(t, json.Unmarshal(m[1], &r))
	return &r
}

// imagenetDir makes a model directory of the ImageNet network.
func imagenetDir(t *testing.T) string {
	t.Helper()
	dir := modelDir(t, 0, "imagenet_1.0")
	link(t, filepath.Join(testdata(t, "models"), "imagenet_labels.txt"), filepath.Join(dir, "labels.txt"))
	return dir
}

// tarsier runs a command line and gives its exit status, output and error output.
func tarsier(t *testing.T, bin string, args ...string) (int, string, string) {
	t.Helper()
	c := exec.Command(filepath.Join(bin, "tarsier"), args...)
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	_ = c.Run()
	return c.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestTuneMistakes: what is wrong is said, at once where it can be, and never leaves half a file.
func TestTuneMistakes(t *testing.T) {
	bin, videos, models := buildPrograms(t), testdata(t, "videos"), imagenetDir(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	car := filepath.Join(videos, "car.mp4")
	broken := write("broken.mp4", strings.Repeat("no video ", 1000))
	two := write("two.yaml", "model: {dir: "+models+"}\ncameras: [{name: a, source: /dev/video0}, {name: b, source: /dev/video1}]\n")
	facts := write("truth.csv", "label,start_s,end_s\ncab,1,2\n")
	wrong := write("wrong.csv", "label,start_s,end_s\nCab,1,2\ncab,x,2\ncab,3,2\ncab,1\nno such thing,1,2\n")
	odd := write("odd.csv", "label;start_s;end_s\ncab;1;2\n")
	empty := write("empty.csv", "label,start_s,end_s\n")
	reports := filepath.Join(dir, "reports")
	must(t, os.Mkdir(reports, 0o755))
	out := filepath.Join(reports, "report.html")

	for _, c := range []struct {
		name  string
		args  []string
		code  int
		says  []string
		wrote bool
	}{
		{"one video of two", []string{broken, car}, 1, []string{"broken.mp4", "cannot be opened as a video"}, true},
		{"no video", []string{broken, filepath.Join(dir, "none.mp4")}, 1, []string{"broken.mp4", "none.mp4", "no video could be read, so there is no report"}, false},
		{"a picture", []string{filepath.Join(testdata(t, "photos"), "owl.jpg")}, 1, []string{"owl.jpg", "tune needs a video"}, false},
		{"the same twice", []string{car, car}, 2, []string{"car.mp4 is given twice"}, false},
		{"out is a folder", []string{"--out", dir, car}, 2, []string{"--out", "which is no file"}, false},
		{"no folder for out", []string{"--out", filepath.Join(dir, "none", "report.html"), car}, 2, []string{"--out", "no such file or directory"}, false},
		{"several cameras", []string{"--config", two, car}, 2, []string{"several cameras", "--camera: a, b"}, false},
		{"no such camera", []string{"--config", two, "--camera", "c", car}, 2, []string{`"c"`, "are a, b"}, false},
		{"a camera without a config", []string{"--camera", "c", car}, 2, []string{"--config"}, false},
		{"fit", []string{"--fit", "squeeze", car}, 2, []string{"stretch, crop or tiles"}, false},
		{"no truth file", []string{"--truth", filepath.Join(dir, "none.csv"), car}, 2, []string{"none.csv", "no such file"}, false},
		{"wrong truth", []string{"--truth", wrong, car}, 2, []string{
			wrong + `:2: label: found "Cab", allowed: a label of `, `(did you mean "cab"?)`, wrong + `:3: start_s: found "x", allowed: seconds`,
			wrong + ":4: end_s: found 2, allowed: at least start_s, which is 3", wrong + ":5: found 2 columns, allowed: 3", wrong + `:6: label: found "no such thing"`,
		}, false},
		{"semicolons", []string{"--truth", odd, car}, 2, []string{odd + `:1: found a column "label;start_s;end_s", allowed: the columns video, region, label, start_s, end_s, with commas`}, false},
		{"empty truth", []string{"--truth", empty, car}, 2, []string{empty + ":1: found no line below a header"}, false},
		{"truth of which video", []string{"--truth", facts, car, filepath.Join(videos, "bottle.mp4")}, 2, []string{facts + ":1: found no column video"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"tune", "--model", models, "--out", out}, c.args...)
			code, printed, errs := tarsier(t, bin, args...)
			if code != c.code {
				t.Errorf("exit status %d, not %d", code, c.code)
			}
			for _, s := range c.says {
				if !strings.Contains(errs, s) {
					t.Errorf("it lacks %q:\n%s%s", s, printed, errs)
				}
			}
			left, err := filepath.Glob(filepath.Join(reports, "*"))
			must(t, err)
			hidden, err := filepath.Glob(filepath.Join(reports, ".*"))
			must(t, err)
			if c.wrote != (len(left) == 1) || len(hidden) > 0 {
				t.Errorf("there are %v %v", left, hidden)
			}
			_ = os.Remove(out)
		})
	}

	t.Run("interrupted", func(t *testing.T) {
		must(t, os.WriteFile(out, []byte("an older report"), 0o644))
		c := exec.Command(filepath.Join(bin, "tarsier"), "tune", "--model", models, "--out", out, filepath.Join(videos, "bottle.mp4"))
		var errs strings.Builder
		c.Stderr = &errs
		must(t, c.Start())
		eventually(t, "the new report is begun", func() bool {
			hidden, _ := filepath.Glob(filepath.Join(reports, ".*"))
			return len(hidden) > 0
		})
		must(t, c.Process.Signal(syscall.SIGINT))
		_ = c.Wait()
		if c.ProcessState.ExitCode() != 1 || errs.String() != "tarsier: interrupted; nothing was written\n" {
			t.Errorf("exit status %d: %s", c.ProcessState.ExitCode(), errs.String())
		}
		entries, err := os.ReadDir(reports)
		must(t, err)
		if old, _ := os.ReadFile(out); len(entries) != 1 || string(old) != "an older report" {
			t.Errorf("it left %v, and of the report %q", entries, old)
		}
	})
}

// eventually waits for something that happens soon.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

// TestTuneDefaults: without a config the thresholds are those of a config that says nothing.
func TestTuneDefaults(t *testing.T) {
	models := imagenetDir(t)
	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	must(t, os.WriteFile(path, []byte("model: {dir: "+models+"}\ncameras: [{name: a, source: /dev/video0}]\n"), 0o644))
	without, err := tuneOptions{model: models, config: filepath.Join(t.TempDir(), "none.yaml")}.plan(1)
	must(t, err)
	with, err := tuneOptions{config: path, configAsked: true}.plan(1)
	must(t, err)
	if !reflect.DeepEqual(without.thresholds, with.thresholds) || without.fps != with.fps || !reflect.DeepEqual(without.regions, with.regions) ||
		without.source.fit != with.source.fit || !reflect.DeepEqual(without.source.regions, with.source.regions) {
		t.Errorf("without a config: %+v\nwith one: %+v", without, with)
	}
}

func TestThumbs(t *testing.T) {
	th := thumbs{most: 10, every: time.Second}
	for at := time.Duration(0); at < 1000*time.Second; at += 200 * time.Millisecond {
		if at >= th.due {
			th.add(at, nil)
		}
	}
	for i, thumb := range th.all {
		if want := int64(i) * int64(128*time.Second); thumb.Time != want {
			t.Errorf("picture %d of %d is at %v", i, len(th.all), time.Duration(thumb.Time))
		}
	}
	if n := len(th.all); n < 5 || n > 10 {
		t.Errorf("%d pictures", n)
	}
}
