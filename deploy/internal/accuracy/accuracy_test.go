package main

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"tarsier/deploy/internal/degrade"
	"tarsier/mnv2/compare/readme"
	"tarsier/mnv2/health"
)

// testData is the folder of the test data; without it the test is skipped, or fails where CI=true.
func testData(t *testing.T) string {
	t.Helper()
	data := os.Getenv("TARSIER_TESTDATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(data, "photos")); err != nil {
		absent(t, "no test data: %v (set TARSIER_TESTDATA)", err)
	}
	return data
}

// withCapture builds tarsier-capture and puts it into the path.
func withCapture(t *testing.T) {
	t.Helper()
	if err := exec.Command("pkg-config", "--exists", "opencv4").Run(); err != nil {
		absent(t, "OpenCV is not installed (apt-get install libopencv-dev g++ pkg-config)")
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir, "tarsier/pipeline/capture/tarsier-capture").CombinedOutput(); err != nil {
		t.Fatalf("build tarsier-capture: %v\n%s", err, out)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func absent(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func TestConfusion(t *testing.T) {
	c := confusion{labels: []string{"clear", "dark", "noisy"}, normal: 0, kinds: []*tally{
		{class: "clear", kind: "plain"}, {class: "dark", kind: "night"}, {class: "dark", kind: "cap"}, {class: "noisy", kind: "never seen"},
	}}
	for _, s := range [][]float32{{0.9, 0.1, 0}, {0.3, 0.65, 0.05}, {0.4, 0.45, 0.15}, {0.5, 0.2, 0.3}} {
		c.kinds[0].see(s, 0, 0)
	}
	for _, s := range [][]float32{{0.1, 0.9, 0}, {0.2, 0.1, 0.7}} {
		c.kinds[1].see(s, 1, 0)
	}
	c.kinds[2].see([]float32{0.35, 0.55, 0.1}, 1, 0)

	for _, want := range []struct {
		class, label string
		share        float64
	}{{"clear", "clear", 0.5}, {"clear", "dark", 0.5}, {"dark", "dark", 0.75}, {"dark", "noisy", 0.25}, {"dark", "clear", 0}, {"noisy", "noisy", 0}} {
		if got := c.says(want.class, want.label); math.Abs(got-want.share) > 1e-12 {
			t.Errorf("%s says %s: %v, want %v", want.class, want.label, got, want.share)
		}
	}
	if got, want := c.recall(), (0.5+0.75+0)/3; math.Abs(got-want) > 1e-12 {
		t.Errorf("recall %v, want %v", got, want)
	}
	if pictures, best, entered := c.falseAlarms(); pictures != 4 || best != 2 || entered != 1 {
		t.Errorf("%d pictures, %d and %d false alarms; want 4, 2 and 1", pictures, best, entered)
	}
	if k := c.kinds[1]; k.entered != 1 || k.alarms != 1 {
		t.Errorf("night was entered in %d pictures, another in %d; want 1 and 1", k.entered, k.alarms)
	}
	if k := c.kinds[2]; k.entered != 0 {
		t.Errorf("cap was entered with 0.55")
	}
	if got := c.mistaken(c.kinds[1]); got != "noisy" {
		t.Errorf("night is mistaken for %q, want noisy", got)
	}
	want := `| is | pictures | clear | dark | noisy |
| --- | ---: | ---: | ---: | ---: |
| clear | 4 | **50.0** | 50.0 | |
| dark | 3 | | **75.0** | 25.0 |
| noisy | 0 | | | **0.0** |
`
	if got := c.table(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// The kinds of degrade and the labels of the model are about the same classes, and the built-in model can be measured.
func TestReadWidths(t *testing.T) {
	widths, err := readWidths(health.Files)
	if err != nil {
		t.Fatal(err)
	}
	if len(widths) < 2 || widths[0].mult < widths[1].mult {
		t.Errorf("%d widths, want two, the widest first", len(widths))
	}
	for _, k := range degrade.Kinds() {
		if widths[0].result.index(k.Class) < 0 {
			t.Errorf("%s is no label of the model", k.Class)
		}
	}
	for name, dir := range map[string]fstest.MapFS{
		"nothing":      {},
		"no model":     {"labels.txt": {Data: []byte("clear\ndark\n")}},
		"not a model":  {"labels.txt": {Data: []byte("clear\ndark\n")}, "a.tflite": {Data: []byte("TFL3")}},
		"other labels": {"labels.txt": {Data: []byte("clear\ndark\n")}, "a.tflite": {Data: mustRead(t, "camera_health_0.35.tflite")}},
	} {
		if _, err := readWidths(dir); err == nil {
			t.Errorf("a directory with %s: want an error", name)
		}
	}
}

// What is shown is counted once, whoever shows it, and the first error ends all.
func TestShow(t *testing.T) {
	widths, err := readWidths(health.Files)
	if err != nil {
		t.Fatal(err)
	}
	var all []maker
	for i := range 7 {
		all = append(all, maker{"dark", []string{"a", "b"}[i%2], 3, func(_ context.Context, _ *fitter, _ string, see func([]byte) error) error {
			for range 3 {
				if err := see(make([]byte, 3*224*224)); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	if err := show(t.Context(), all, widths); err != nil {
		t.Fatal(err)
	}
	for _, w := range widths {
		k := w.result.kinds
		if len(k) != 2 || k[0].kind != "a" || k[0].pictures != 12 || k[1].pictures != 9 {
			t.Fatalf("width %v: %+v, want 12 pictures of a and 9 of b", w.mult, k)
		}
		for _, n := range k[0].first { // black is black
			if n != 0 && n != 12 {
				t.Errorf("width %v: one picture has several labels: %v", w.mult, k[0].first)
			}
		}
	}
	broken := errors.New("broken")
	all = append(all, maker{"dark", "c", 1, func(context.Context, *fitter, string, func([]byte) error) error { return broken }})
	if err := show(t.Context(), all, widths); !errors.Is(err, broken) {
		t.Errorf("%v, want the error of a maker", err)
	}
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	b, err := health.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-only", "all"}, {"now"}, {"-write", "-model", "x"}, {"-every", "0"}, {"-every", "2", "-write"}} {
		if err := run(t.Context(), args, &bytes.Buffer{}); !errors.As(err, new(usageError)) {
			t.Errorf("%q: %v, want an error of usage", args, err)
		}
	}
	t.Setenv("TARSIER_TESTDATA", t.TempDir())
	for _, part := range []string{"health", "quantizer"} {
		if err := run(t.Context(), []string{"-only", part}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "TARSIER_TESTDATA") {
			t.Errorf("%s without test data: %v, want to be told of TARSIER_TESTDATA", part, err)
		}
	}
}

func TestChanges(t *testing.T) {
	a, b := make([]byte, 3*224*224), make([]byte, 3*224*224)
	for i := range b {
		a[i], b[i] = 100, 140 // brighter all over: no edge is another
	}
	if pixels, edges := changes(a, b); pixels < 0.98 || edges != 0 {
		t.Errorf("brighter: %.3f of the pixels, %.3f of the edges; want about 1 and 0", pixels, edges)
	}
	for i := range b {
		b[i] = 100
		if i/3/224 >= 112 && i/3%224/8%2 == 0 {
			b[i] = 20 // stripes below
		}
	}
	if pixels, edges := changes(a, b); math.Abs(pixels-0.25) > 0.01 || math.Abs(edges-0.0625) > 0.005 {
		t.Errorf("stripes: %.3f of the pixels, %.3f of the edges; want about 0.25 and 0.0625", pixels, edges)
	}
}

func TestDamagedJPEG(t *testing.T) {
	p := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for i := range 320 * 200 {
		p.SetRGBA(i%320, i/320, color.RGBA{uint8(i), uint8(i / 7), uint8(i / 320), 255})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	whole, err := jpegOf(p)
	if err != nil {
		t.Fatal(err)
	}
	cut := 0
	for range 20 {
		file, err := damagedJPEG(p, rng)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jpeg.DecodeConfig(bytes.NewReader(file)); err != nil {
			t.Errorf("its head is damaged: %v", err)
		}
		if len(file) < len(whole) {
			cut++
		} else if bytes.Equal(file, whole) {
			t.Error("nothing is damaged")
		}
	}
	if cut == 0 || cut == 20 {
		t.Errorf("%d of 20 lack their end, want some", cut)
	}
}

// box is one of an MP4 file.
func box(name string, content ...byte) []byte {
	n := len(content) + 8
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), name[0], name[1], name[2], name[3]}, content...)
}

func TestMediaData(t *testing.T) {
	small := append(box("ftyp", 1, 2), box("mdat", 3, 4, 5)...)
	large := append(box("free"), 0, 0, 0, 1, 'm', 'd', 'a', 't', 0, 0, 0, 0, 0, 0, 0, 18, 7, 8)
	for _, c := range []struct {
		file     []byte
		from, to int
	}{{small, 18, 21}, {large, 24, 26}} {
		if from, to, err := mediaData(c.file); from != c.from || to != c.to || err != nil {
			t.Errorf("%x: %d..%d, %v; want %d..%d", c.file, from, to, err, c.from, c.to)
		}
	}
	for _, file := range [][]byte{nil, box("ftyp"), small[:len(small)-1], large[:len(large)-3]} {
		if _, _, err := mediaData(file); err == nil {
			t.Errorf("%x: want an error", file)
		}
	}
}

func FuzzMediaData(f *testing.F) {
	f.Add(append(box("ftyp", 1, 2), box("mdat", 3, 4, 5)...))
	f.Add(append(box("free"), 0, 0, 0, 1, 'm', 'd', 'a', 't', 0, 0, 0, 0, 0, 0, 0, 18, 7, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		from, to, err := mediaData(b)
		if err == nil && (from < 8 || to < from || to > len(b)) {
			t.Errorf("%d..%d of %d bytes", from, to, len(b))
		}
	})
}

// What is measured on is there, and tarsier-capture makes of a degraded picture what it makes of any.
func TestScenes(t *testing.T) {
	data := testData(t)
	withCapture(t)
	path := filepath.Join(data, "photos", "owl.jpg")
	whole, err := pictures(t.Context(), path, 1)
	if err != nil {
		t.Fatal(err)
	}
	if size := whole[0].Rect.Size(); size != image.Pt(512, 384) {
		t.Errorf("the owl has %v pixels", size)
	}
	for i := range viewsOfPhoto {
		v := view(whole[0], i)
		if area := float64(v.Rect.Dx()*v.Rect.Dy()) / (512 * 384); area < 0.4 {
			t.Errorf("view %d has %.2f of the area", i, area)
		}
		if !(scene{picture: v}).fine() {
			t.Errorf("view %d has no detail", i)
		}
	}
	if (scene{picture: image.NewRGBA(image.Rect(0, 0, 300, 300))}).fine() {
		t.Error("black has detail")
	}
	frames, err := pictures(t.Context(), filepath.Join(data, "videos", "car.mp4"), 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(frames) != 3 || frames[0].Rect.Size() != image.Pt(768, 432) {
		t.Errorf("%d frames of %v", len(frames), frames[0].Rect.Size())
	}

	f := newFitter(t.TempDir())
	defer f.close()
	var direct []byte
	for s, err := range shots(t.Context(), path) {
		if err != nil {
			t.Fatal(err)
		}
		direct = bytes.Clone(s.frame.Pictures[0].RGB)
	}
	rgb, err := f.fit(t.Context(), whole[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for i := range direct {
		sum += max(int(direct[i])-int(rgb[i]), int(rgb[i])-int(direct[i]))
	}
	if mean := float64(sum) / float64(len(direct)); mean > 3 { // it was a JPEG again in between
		t.Errorf("the picture by way of a file differs by %.2f on average", mean)
	}
	if _, err := f.read(t.Context(), []byte("not a picture")); err == nil {
		t.Error("not a picture: want an error")
	}
	if _, err := f.fit(t.Context(), whole[0]); err != nil {
		t.Errorf("after an error: %v", err)
	}
}

func TestAgreement(t *testing.T) {
	var a agreement
	a.see([]float32{0.1, 0.9}, []float32{0.2, 0.8})
	a.see([]float32{0.6, 0.4}, []float32{0.3, 0.7})
	if a.pictures != 2 || a.same != 1 || math.Abs(a.error-0.4) > 1e-6 {
		t.Errorf("%+v, want 2 pictures, 1 the same, and differences of 0.4", a)
	}
	want := `| int8 made by | same first class as float32 | score of that class differs by |
| --- | ---: | ---: |
| us | 50.0 % | 0.200 |
`
	a.name = "us"
	if got := quantizerText([]agreement{a}); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// The project's own README has a place for every part.
func TestREADME(t *testing.T) {
	file, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"accuracy health", "accuracy quantizer"} {
		if _, err := readme.Replace(file, name, ""); err != nil {
			t.Error(err)
		}
	}
}
