package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tarsier/pipeline"
)

// TestBadInput runs the daemon with everything wrong that may be wrong while
// it runs, and one camera and one broker that are right: each mistake is one
// clear line, and the rest works.
func TestBadInput(t *testing.T) {
	bin := buildPrograms(t)
	videos := testdata(t, "videos")
	dir := t.TempDir()
	models := modelDir(t, 0, "imagenet_1.0")
	link(t, filepath.Join(testdata(t, "models"), "imagenet_labels.txt"), filepath.Join(models, "labels.txt"))

	port := freePort(t)
	startMosquitto(t, dir, port)
	sub := subscribe(t, port)
	strict := freePort(t)
	startStrictMosquitto(t, strict)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	locked := serveLockedRTSP(t)
	corrupt := filepath.Join(dir, "corrupt.mp4")
	must(t, os.WriteFile(corrupt, []byte(strings.Repeat("no video ", 1000)), 0o644))
	password := filepath.Join(dir, "password")
	must(t, os.WriteFile(password, []byte("wrong-broker-password\n"), 0o600))

	path := filepath.Join(dir, "tarsier.yaml")
	must(t, os.WriteFile(path, []byte(fmt.Sprintf(`node: e2e
model: {dir: %s}
thresholds: {enter: 0.3, leave: 0.1, hold: 200ms}
cameras:
  - {name: good, source: %s/bottle.mp4, loop: true, fps: 4}
  - {name: unplugged, source: /dev/video99}
  - {name: locked, source: "rtsp://admin:wrong-camera-password@%s/stream1"}
  - {name: corrupt, source: %s, loop: true}
  - {name: gone, source: %s/gone.mp4}
mqtt:
  brokers: ["tcp://127.0.0.1:%d", "tcp://127.0.0.1:%d"]
  username: porch
  password_file: %s
http: {listen: "%s"}
log: {format: json}
`, models, videos, locked, corrupt, dir, strict, port, password, taken.Addr())), 0o644))
	d := startDaemon(t, bin, path)

	sub.wait("the good camera makes an event", func() bool { return sub.entered("good", "water bottle") })
	for _, text := range []string{"/dev/video99", locked, corrupt, "gone.mp4", taken.Addr().String(), "the broker refuses user"} {
		d.waitLog(t, text)
	}
	for _, camera := range []string{"unplugged", "locked", "corrupt", "gone"} {
		sub.wait(camera+" is offline", func() bool { return sub.last(camera+"/status") == "offline" })
	}
	must(t, d.cmd.Process.Signal(os.Interrupt))
	if err := d.wait(); err != nil {
		t.Errorf("SIGINT: %v", err)
	}
	last := sub.events()
	if len(last) == 0 || last[len(last)-1].Type != pipeline.Leave {
		t.Errorf("the last event is no leave: %+v", last)
	}
	for _, secret := range []string{"wrong-camera-password", "wrong-broker-password"} {
		if strings.Contains(d.log(), secret) {
			t.Errorf("the log shows a password")
		}
	}
	lines := map[string]int{}
	for line := range strings.Lines(d.log()) {
		for _, what := range []string{"/dev/video99", "corrupt.mp4", "gone.mp4", taken.Addr().String()} {
			if strings.Contains(line, what) {
				lines[what]++
			}
		}
	}
	for what, n := range lines {
		if n > 3 {
			t.Errorf("%d lines about %s, not one or two", n, what)
		}
	}
}

// startStrictMosquitto starts a broker that wants a password nobody has.
func startStrictMosquitto(t *testing.T, port int) {
	t.Helper()
	dir := t.TempDir()
	passwords := filepath.Join(dir, "passwords")
	must(t, os.WriteFile(passwords, nil, 0o644))
	config := filepath.Join(dir, "mosquitto.conf")
	must(t, os.WriteFile(config, []byte(fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous false\nuser root\npassword_file %s\n", port, passwords)), 0o644))
	m := &mosquitto{config: config, port: port}
	m.start(t)
	t.Cleanup(func() { _ = m.cmd.Process.Kill(); _ = m.cmd.Wait() })
}

// serveLockedRTSP answers every RTSP request that the login is wrong.
func serveLockedRTSP(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewScanner(conn)
				var cseq string
				for in.Scan() {
					line := in.Text()
					if v, ok := strings.CutPrefix(line, "CSeq: "); ok {
						cseq = v
					}
					if line == "" {
						fmt.Fprintf(conn, "RTSP/1.0 401 Unauthorized\r\nCSeq: %s\r\nWWW-Authenticate: Basic realm=\"camera\"\r\n\r\n", cseq)
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestCaptureMissing: without the capture program there is one clear line.
func TestCaptureMissing(t *testing.T) {
	bin := buildPrograms(t)
	alone := filepath.Join(t.TempDir(), "tarsier")
	program, err := os.ReadFile(filepath.Join(bin, "tarsier"))
	must(t, err)
	must(t, os.WriteFile(alone, program, 0o755))
	models := modelDir(t, 1001, "random_0.35")
	c := exec.Command(alone, "classify", "--model", models, "owl.jpg")
	c.Env = []string{"PATH=/nowhere"}
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "tarsier-capture is neither beside") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestClassify names what the photographs show, and goes on after a picture
// that cannot be read.
func TestClassify(t *testing.T) {
	bin := buildPrograms(t)
	photos := testdata(t, "photos")
	data := testdata(t, "models")
	classify := func(t *testing.T, args ...string) (string, string, int) {
		t.Helper()
		c := exec.Command(filepath.Join(bin, "tarsier"), append([]string{"classify"}, args...)...)
		var out, errs strings.Builder
		c.Stdout, c.Stderr = &out, &errs
		_ = c.Run()
		return out.String(), errs.String(), c.ProcessState.ExitCode()
	}
	for model, pictures := range map[string]map[string]string{
		"quant/imagenet": {
			"cat.bmp": "cat", "bird.bmp": "chickadee", "grace_hopper.bmp": "military uniform",
			"parrot.jpg": "macaw", "hot_dog.jpg": "hotdog", "dragonfly.bmp": "dragonfly",
		},
		"inat_bird_quant/inat_bird":     {"bird.bmp": "Chickadee", "owl.jpg": "Owl", "parrot.jpg": "Macaw"},
		"inat_insect_quant/inat_insect": {"dragonfly.bmp": "Micrathyria hagenii"}, // a dragonfly, the thornbush dasher
	} {
		name, labels, _ := strings.Cut(model, "/")
		for picture, want := range pictures {
			out, errs, code := classify(t, "--model", filepath.Join(data, "mobilenet_v2_1.0_224_"+name+".tflite"),
				"--labels", filepath.Join(data, labels+"_labels.txt"), "--top", "1", filepath.Join(photos, picture))
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("%s shows %s, not %q (exit status %d)%s", picture, out, want, code, errs)
			}
		}
	}

	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.jpg")
	must(t, os.WriteFile(broken, []byte("no picture"), 0o644))
	out, errs, code := classify(t, "--json", "--top", "1", "--model", filepath.Join(data, "mobilenet_v2_1.0_224_quant.tflite"),
		"--labels", filepath.Join(data, "imagenet_labels.txt"), filepath.Join(dir, "none.jpg"), broken, filepath.Join(photos, "parrot.jpg"))
	if code != 1 || !strings.Contains(out, `"time_s":0,"top":[{"label":"macaw","index":89,`) || strings.Count(out, "\n") != 1 {
		t.Errorf("exit status %d, printed %s", code, out)
	}
	if !strings.Contains(errs, "none.jpg") || !strings.Contains(errs, "broken.jpg") || strings.Count(errs, "\n") != 2 {
		t.Errorf("two pictures cannot be read; said:\n%s", errs)
	}
}
