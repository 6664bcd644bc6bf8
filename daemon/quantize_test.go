package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tarsier/mnv2"
	"tarsier/mnv2/tflite"
	"tarsier/pipeline/capture"
)

// TestQuantize makes an int8 model of a float32 one with pictures of all kinds, and runs it.
func TestQuantize(t *testing.T) {
	bin, model, videos := buildPrograms(t), filepath.Join(testdata(t, "models"), "float", "random_0.35_float.tflite"), testdata(t, "videos")
	dir := t.TempDir()
	pictures := filepath.Join(dir, "pictures")
	must(t, os.MkdirAll(filepath.Join(pictures, "more"), 0o755))
	for i := range 3 {
		writePicture(t, filepath.Join(pictures, "more", fmt.Sprintf("%d.png", i)), i)
	}
	must(t, os.WriteFile(filepath.Join(pictures, "broken.jpg"), []byte("no picture"), 0o644))
	must(t, os.WriteFile(filepath.Join(pictures, "notes.txt"), []byte("no picture either"), 0o644))
	out := filepath.Join(dir, "small_int8.tflite")

	code, printed, errs := tarsier(t, bin, "quantize", model, "--calibrate", pictures, filepath.Join(videos, "car.mp4"), "--pictures", "21", "--out", out, "--json")
	if code != 1 || !strings.Contains(errs, "broken.jpg") || strings.Count(errs, "\n") != 1 {
		t.Errorf("with a picture that cannot be read: exit status %d\n%s", code, errs)
	}
	var report quantized
	must(t, json.Unmarshal([]byte(printed), &report))
	if report.Calibrated+report.HeldOut != 21 || report.HeldOut != 4 {
		t.Errorf("calibrated on %d pictures and compared on %d, which is not 17 and 4", report.Calibrated, report.HeldOut)
	}
	info, err := os.Stat(out)
	must(t, err)
	if report.WidthMult != 0.35 || report.Classes != 1001 || report.Size != 224 || report.Normalization != "symmetric" ||
		report.BytesAfter != info.Size() || report.BytesBefore < 3*report.BytesAfter || info.Mode().Perm() != 0o644 {
		t.Errorf("the report says %+v, the file has %d bytes and mode %v", report, info.Size(), info.Mode())
	}
	if len(report.Layers) < 52 || report.Agreement < 0 || report.Agreement > 1 || report.ScoreError < 0 || report.ScoreError > 1 || len(report.Warnings) > 0 {
		t.Errorf("the report says %+v", report)
	}
	network, err := tflite.Load(out)
	must(t, err)
	if _, err := mnv2.New(network, mnv2.Options{}); err != nil {
		t.Error(err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "labels.txt"), []byte(strings.Repeat("thing\n", 1001)), 0o644))
	code, printed, errs = tarsier(t, bin, "classify", "--model", out, filepath.Join(pictures, "more", "0.png"))
	if code != 0 || !strings.HasPrefix(printed, "0.png: thing") {
		t.Errorf("classify: %d\n%s%s", code, printed, errs)
	}

	// As text, with another normalization, and a name made of the model's.
	copied := filepath.Join(dir, "net.tflite")
	link(t, model, copied)
	code, printed, errs = tarsier(t, bin, "quantize", copied, "--calibrate", filepath.Join(pictures, "more"), "--normalization", "imagenet")
	if code != 0 || !strings.Contains(errs, "of fewer than 20 frames none is held out") {
		t.Errorf("exit status %d\n%s", code, errs)
	}
	for _, text := range []string{"net.tflite: width_mult 0.35, 224x224, 1001 classes, normalization imagenet\n", "calibrated on 3 pictures, compared with the float32 model on the same, in", "dB  ", "net_int8.tflite: 1.8 MB, of 6.7\n", "tarsier classify --model"} {
		if !strings.Contains(printed, text) {
			t.Errorf("the report lacks %q:\n%s", text, printed)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".tarsier*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// writePicture makes one that is unlike the others.
func writePicture(t *testing.T, path string, seed int) {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 120, 90))
	for y := range 90 {
		for x := range 120 {
			m.Set(x, y, color.RGBA{uint8(x * (seed + 1)), uint8(y*2 + 40*seed), uint8((x ^ y) + 90*seed), 255})
		}
	}
	f, err := os.Create(path)
	must(t, err)
	must(t, png.Encode(f, m))
	must(t, f.Close())
}

// TestQuantizeMistakes: what is wrong is said, before the work where it can be, and writes nothing.
func TestQuantizeMistakes(t *testing.T) {
	bin, golden, model := buildPrograms(t), testdata(t, "golden"), filepath.Join(testdata(t, "models"), "float", "random_0.35_float.tflite")
	t.Chdir(t.TempDir())
	writePicture(t, "a.png", 0)
	must(t, os.Mkdir("empty", 0o755))
	must(t, os.WriteFile("broken.jpg", []byte("no picture"), 0o644))
	must(t, os.WriteFile("notes.onnx", []byte("no model"), 0o644))
	must(t, os.WriteFile("notes.safetensors", []byte("no model"), 0o644))
	must(t, os.WriteFile("my.yaml", []byte("cameras: [{name: porch, source: /dev/video9}, {name: yard, source: /dev/video8}]\n"), 0o644))
	link(t, model, "net.tflite")
	link(t, filepath.Join(golden, "random_0.35_int8.tflite"), "int8.tflite")

	for _, c := range []struct {
		args string
		code int
		says []string
	}{
		{"net.tflite", 2, []string{"no pictures to calibrate with", "--calibrate"}},
		{"a.png --calibrate net.tflite", 2, []string{"the model is a.png", ".tflite, .onnx or .safetensors"}},
		{"none.onnx --calibrate a.png", 2, []string{"none.onnx", "no such file"}},
		{"notes.onnx --calibrate a.png", 1, []string{"notes.onnx"}},
		{"notes.safetensors --calibrate a.png", 1, []string{"notes.safetensors"}},
		{"int8.tflite --calibrate a.png", 1, []string{"int8.tflite", "quantized already"}},
		{"net.tflite --calibrate a.png --fit squeeze", 2, []string{"--fit", "stretch, crop or tiles"}},
		{"net.tflite --calibrate a.png --pictures 0", 2, []string{"--pictures is 0"}},
		{"net.tflite --calibrate a.png --normalization vgg", 2, []string{`--normalization is "vgg"`, "imagenet or symmetric"}},
		{"net.tflite --calibrate empty", 2, []string{"no pictures in the folder empty", ".jpg"}},
		{"net.tflite --calibrate broken.jpg", 1, []string{"broken.jpg", "none of the pictures could be read"}},
		{"net.tflite --calibrate gone.mp4", 1, []string{"gone.mp4", "none of the pictures could be read"}},
		{"net.tflite --calibrate garage --config my.yaml", 2, []string{"garage", "the cameras of my.yaml are porch, yard"}},
		{"net.tflite --calibrate garage --config none.yaml", 2, []string{"garage", "no config none.yaml"}},
		{"net.tflite --calibrate porch --config my.yaml", 1, []string{"/dev/video9", "none of the pictures could be read"}},
		{"net.tflite --calibrate a.png --out net.tflite", 2, []string{"--out is net.tflite, which is read"}},
		{"net.tflite --calibrate a.png --out a.png", 2, []string{"--out is a.png, which is read"}},
		{"net.tflite --calibrate a.png --out empty", 2, []string{"--out is empty"}},
		{"net.tflite --calibrate a.png --out none/x.tflite", 2, []string{"none/x.tflite"}},
	} {
		before := files(t, ".")
		code, printed, errs := tarsier(t, bin, append([]string{"quantize"}, strings.Fields(c.args)...)...)
		if code != c.code || printed != "" {
			t.Errorf("%s: exit status %d, not %d\n%s", c.args, code, c.code, printed)
		}
		for _, s := range c.says {
			if !strings.Contains(errs, s) {
				t.Errorf("%s: said %q, without %q", c.args, errs, s)
			}
		}
		if after := files(t, "."); !slices.Equal(before, after) {
			t.Errorf("%s: there are %v now", c.args, after)
		}
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestDoubts(t *testing.T) {
	flat := func(r, g, b byte) []byte { return bytes.Repeat([]byte{r, g, b}, 100) }
	wall, scene := flat(200, 190, 0), flat(1, 2, 3)
	wall[4] += flatRange - 1
	scene[4] += flatRange
	if isFlat(scene) || !isFlat(wall) {
		t.Error("a picture of one colour is not told from another")
	}
	for name, c := range map[string]struct {
		calibration, held [][]byte
		says              []string
	}{
		"fine":       {[][]byte{scene}, [][]byte{scene}, nil},
		"none held":  {[][]byte{scene}, nil, []string{"none is held out"}},
		"one black":  {[][]byte{scene, flat(0, 0, 0)}, [][]byte{scene}, []string{"1 of the 2 pictures it was calibrated on are of one colour"}},
		"only black": {[][]byte{flat(0, 0, 0)}, nil, []string{"are all of one colour", "none is held out"}},
	} {
		got := doubts(c.calibration, c.held)
		if len(got) != len(c.says) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, s := range c.says {
			if !strings.Contains(got[i], s) {
				t.Errorf("%s: %q lacks %q", name, got[i], s)
			}
		}
	}
}

// TestThinning keeps pictures at equal distances of videos of any length.
func TestThinning(t *testing.T) {
	for frames := range 200 {
		for _, most := range []int{1, 2, 7, 30} {
			k := thinning{most: most}
			for i := range frames {
				k.add(&capture.Frame{Pictures: []capture.Picture{{RGB: []byte{byte(i)}}}})
			}
			kept := evenly(k.shots, most)
			if len(kept) != min(most, frames) {
				t.Fatalf("%d of %d frames, not %d", len(kept), frames, most)
			}
			for i := 1; i < len(kept); i++ {
				distance := float64(kept[i][0][0]) - float64(kept[i-1][0][0])
				if even := float64(frames) / float64(len(kept)); distance < even/2-1 || distance > 2*even {
					t.Fatalf("%d of %d frames: %v", most, frames, kept)
				}
			}
		}
	}
}

func TestSplit(t *testing.T) {
	for n, want := range map[int]int{1: 0, leastHeldOut - 1: 0, leastHeldOut: leastHeldOut / heldOut, 100: 100 / heldOut} {
		var shots []shot
		for i := range n {
			shots = append(shots, shot{{byte(i)}, {byte(i)}}) // of two regions
		}
		calibration, held := split(shots)
		if len(held) != 2*want || len(calibration)+len(held) != 2*n {
			t.Errorf("of %d, %d are held out and %d are not", n, len(held)/2, len(calibration)/2)
		}
		for _, p := range held {
			if slices.ContainsFunc(calibration, func(q []byte) bool { return q[0] == p[0] }) {
				t.Errorf("a region of picture %d is held out, and another is not", p[0])
			}
		}
	}
}

// TestThin has pictures of any sizes come to about as many as are wanted.
func TestThin(t *testing.T) {
	for _, c := range []struct {
		sizes []int // of the shots, in pictures
		most  int
		want  []int // which stay
	}{
		{nil, 5, nil},
		{[]int{1, 1, 1}, 5, []int{0, 1, 2}},
		{[]int{2, 2, 2}, 6, []int{0, 1, 2}},
		{[]int{2, 2, 2, 2, 2, 2}, 6, []int{0, 2, 4}},
		{[]int{1, 1, 1, 1, 1, 4, 1, 1}, 8, []int{0, 1, 3, 4, 6}},
		{[]int{9, 9}, 2, []int{0}},
	} {
		var shots []shot
		for i, size := range c.sizes {
			shots = append(shots, shot(slices.Repeat([][]byte{{byte(i)}}, size)))
		}
		var got []int
		for _, s := range thin(shots, c.most) {
			got = append(got, int(s[0][0]))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d pictures of shots of %v: kept %v, not %v", c.most, c.sizes, got, c.want)
		}
	}
}

func TestFindPictures(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.MkdirAll("birds/owls", 0o755))
	for _, name := range []string{"birds/b.jpg", "birds/owls/A.JPEG", "birds/labels.txt", "c.png", "clip.mp4", "porch"} {
		must(t, os.WriteFile(name, nil, 0o644))
	}
	must(t, os.WriteFile("my.yaml", []byte(`cameras:
  - name: door
    source: rtsp://me:secret@10.0.0.7/1
    fit: tiles
    regions: [{name: step, box: [0, 0.5, 1, 0.5]}, {name: all}]
  - {name: porch, source: /dev/video0}
`), 0o644))
	whole := []capture.Region{{Name: "frame", Box: [4]float64{0, 0, 1, 1}}}
	got, err := findPictures([]string{"clip.mp4", "birds", "door", "c.png", "/dev/video3", "porch", "http://u:p@10.0.0.8/a.jpg"}, "", "my.yaml")
	must(t, err)
	want := []pictureSource{
		{name: "pictures", stills: []string{"birds/b.jpg", "birds/owls/A.JPEG", "c.png"}, fit: "stretch", regions: whole},
		{name: "clip.mp4", video: "clip.mp4", fit: "stretch", regions: whole},
		{name: "door", video: "rtsp://me:secret@10.0.0.7/1", live: true, fit: "tiles", regions: []capture.Region{{Name: "step", Box: [4]float64{0, 0.5, 1, 0.5}}, {Name: "all", Box: [4]float64{0, 0, 1, 1}}}},
		{name: "video3", video: "/dev/video3", live: true, fit: "stretch", regions: whole},
		{name: "porch", video: "porch", fit: "stretch", regions: whole}, // a file of that name comes first
		{name: "a.jpg", video: "http://u:p@10.0.0.8/a.jpg", live: true, fit: "stretch", regions: whole},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("found %+v\nnot %+v", got, want)
	}
	got, err = findPictures([]string{"door"}, "crop", "my.yaml")
	if err != nil || got[0].fit != "crop" {
		t.Errorf("with --fit: %+v, %v", got, err)
	}
}

// TestGather takes pictures of everything there is: what has few leaves its share to the others.
func TestGather(t *testing.T) {
	t.Setenv("PATH", buildPrograms(t)+":"+os.Getenv("PATH"))
	videos := testdata(t, "videos")
	camera := serveCamera(t)
	dir := t.TempDir()
	for i := range 3 {
		writePicture(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), i)
	}
	var said bytes.Buffer
	g := &gatherer{size: 64, interval: time.Millisecond, stderr: &said}
	sources, err := findPictures([]string{camera, filepath.Join(videos, "car.mp4"), dir, filepath.Join(dir, "gone.png")}, "", "")
	must(t, err)
	sources[2].regions = append(sources[2].regions, capture.Region{Name: "left", Box: [4]float64{0, 0, 0.5, 1}})
	shots, err := g.gather(t.Context(), t.Context(), sources, 20)
	must(t, err)
	var count [3]int // of one region, of two; pictures
	for _, s := range shots {
		count[len(s)-1]++
		for _, p := range s {
			count[2]++
			if len(p) != 64*64*3 {
				t.Fatalf("a picture of %d bytes", len(p))
			}
		}
	}
	// Three pictures; of the video, whose share is 9, four with two regions; and of the camera what is left.
	if count != [3]int{3 + 9, 4, 20} {
		t.Errorf("%d shots of one picture, %d of two, %d pictures\n%s", count[0], count[1], count[2], &said)
	}
	if !g.failed || !strings.Contains(said.String(), "gone.png") {
		t.Errorf("a picture is not there; said %q", &said)
	}

	// Of frames that are two pictures each it takes half as many, of all the folder. It cuts one where there is room for one.
	for i := range 6 {
		writePicture(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), i)
	}
	folder, err := findPictures([]string{dir}, "", "")
	must(t, err)
	folder[0].regions = sources[2].regions
	every, err := g.gather(t.Context(), t.Context(), folder, 12)
	must(t, err)
	some, err := g.gather(t.Context(), t.Context(), folder, 6)
	must(t, err)
	if len(every) != 6 || !reflect.DeepEqual(some, []shot{every[0], every[2], every[4]}) {
		t.Errorf("%d and %d shots, or others than every other one", len(every), len(some))
	}
	one, err := g.gather(t.Context(), t.Context(), []pictureSource{sources[2], sources[1]}, 1)
	must(t, err)
	if len(one) != 1 || len(one[0]) != 1 {
		t.Errorf("at most one picture: %d shots", len(one))
	}

	// Ctrl-C ends a camera's part, not the rest.
	enough, stop := context.WithCancel(t.Context())
	stop()
	shots, err = g.gather(t.Context(), enough, sources, 20)
	if err != nil || len(shots) < 3 {
		t.Errorf("%d shots, %v", len(shots), err)
	}
	if _, err = g.gather(enough, enough, sources, 20); err == nil {
		t.Error("no error of what was interrupted")
	}
}

// serveCamera is an MJPEG camera.
func serveCamera(t *testing.T) string {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range m.Pix {
		m.Pix[i] = byte(i * 7)
	}
	var picture bytes.Buffer
	must(t, jpeg.Encode(&picture, m, nil))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for r.Context().Err() == nil {
			if _, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", picture.Len(), picture.Bytes()); err != nil {
				return
			}
			<-tick.C
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return server.URL + "/stream.mjpg"
}

// TestQuantizeInterrupted: Ctrl-C while a camera is watched goes on with the pictures that there are, if they are enough.
func TestQuantizeInterrupted(t *testing.T) {
	bin, model := buildPrograms(t), filepath.Join(testdata(t, "models"), "float", "random_0.35_float.tflite")
	camera, dir := serveCamera(t), t.TempDir()
	for i := range leastInterrupted {
		writePicture(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), i)
	}
	out := filepath.Join(dir, "out.tflite")
	interrupted := func(args ...string) (int, string) {
		t.Helper()
		c := exec.Command(filepath.Join(bin, "tarsier"), append([]string{"quantize", model, "--out", out, "--pictures", "1000"}, args...)...)
		stderr, err := c.StderrPipe()
		must(t, err)
		must(t, c.Start())
		var said strings.Builder
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			fmt.Fprintln(&said, lines.Text())
			if strings.Contains(lines.Text(), "Ctrl-C goes on") {
				must(t, c.Process.Signal(os.Interrupt))
			}
		}
		_ = c.Wait()
		return c.ProcessState.ExitCode(), said.String()
	}
	code, said := interrupted("--calibrate", camera)
	if _, err := os.Stat(out); code != 1 || !strings.Contains(said, "and there must be 8") || err == nil {
		t.Errorf("with too few pictures: exit status %d, %v\n%s", code, err, said)
	}
	code, said = interrupted("--calibrate", camera, "--calibrate", dir)
	if _, err := tflite.Load(out); code != 0 || err != nil {
		t.Errorf("with enough: exit status %d, %v\n%s", code, err, said)
	}
}

// TestTwoInterrupts: the first Ctrl-C ends one context and the next the other, which is the first where endFirst was called.
func TestTwoInterrupts(t *testing.T) {
	interrupt := func(ends context.Context) {
		t.Helper()
		must(t, syscall.Kill(os.Getpid(), syscall.SIGINT))
		select {
		case <-ends.Done():
		case <-time.After(time.Minute):
			t.Fatal("an interrupt ends nothing")
		}
	}
	all, first, _, stop := twoInterrupts(t.Context())
	interrupt(first)
	if all.Err() != nil {
		t.Error("the first interrupt ends everything")
	}
	interrupt(all)
	stop()

	all, first, endFirst, stop := twoInterrupts(t.Context())
	endFirst()
	if first.Err() == nil || all.Err() != nil {
		t.Error("endFirst ends nothing, or everything")
	}
	interrupt(all)
	stop()
}
