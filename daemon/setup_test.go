package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tarsier/config"
	"tarsier/pipeline/capture/cameratest"
	"tarsier/pipeline/publish"
)

// A setupTest runs the real tarsier setup in a folder of its own.
type setupTest struct {
	t                                  *testing.T
	tarsier, dir, config, models, clip string
}

func newSetupTest(t *testing.T) *setupTest {
	t.Helper()
	s := &setupTest{t: t, tarsier: filepath.Join(buildPrograms(t), "tarsier"), dir: t.TempDir()}
	s.config = filepath.Join(s.dir, "tarsier.yaml")
	s.models = modelDir(t, 0, "imagenet_1.0")
	link(t, filepath.Join(testdata(t, "models"), "imagenet_labels.txt"), filepath.Join(s.models, "labels.txt"))
	s.clip = filepath.Join(testdata(t, "videos"), "bottle.mp4")
	return s
}

func (s *setupTest) command() *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	s.t.Cleanup(cancel)
	return exec.CommandContext(ctx, s.tarsier, "setup", "--config", s.config, "--model", s.models)
}

// answer pipes answers in, and returns what was said and the exit status.
func (s *setupTest) answer(answers ...string) (string, int) {
	s.t.Helper()
	c := s.command()
	c.Stdin = strings.NewReader(strings.Join(append(answers, ""), "\n"))
	out, _ := c.CombinedOutput()
	return string(out), c.ProcessState.ExitCode()
}

// good are answers that are right; the broker is one that is off.
func (s *setupTest) good() []string {
	return []string{s.clip, "127.0.0.1:1", "y", "water bottle", "n"}
}

// files are those in the folder of the config, and what is in them.
func (s *setupTest) files() map[string]string {
	s.t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(s.dir)
	must(s.t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(s.dir, e.Name()))
		must(s.t, err)
		files[e.Name()] = string(b)
	}
	return files
}

func contains(t *testing.T, out string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("it never said %q:\n%s", text, out)
		}
	}
}

// TestSetup makes every mistake once, and then runs the daemon with what was
// written.
func TestSetup(t *testing.T) {
	s := newSetupTest(t)
	port := freePort(t)
	startMosquitto(t, t.TempDir(), port)
	out, code := s.answer(
		"7", "192.168.1.20", "ftp://camera/1", filepath.Join(s.dir, "gone.mp4"), "n", s.clip,
		"tcp://", "a@b:1883", "127.0.0.1:1", "", fmt.Sprintf("mqtt://127.0.0.1:%d", port),
		"botle, water bottle", "e", "Water Bottle, cat", "9", "1, 2",
		"maybe", "y",
	)
	if code != 0 {
		t.Fatalf("exit status %d:\n%s", code, out)
	}
	contains(t, out, "There is no camera 7.", "begins with rtsp://", `found "ftp://", allowed: /dev/videoN`, "gone.mp4: there is no such file",
		"It works: 640x360 pixels. The model sees: water bottle 0.",
		`found "tcp://", allowed:`, "the name belongs in mqtt.username", "It does not work: connect: connection refused", "It works.\n",
		`No label has "botle" in it.`, `labels have "e" in them`, "1  tabby\n   2  tiger cat\n", "9 is none of 1 to 7.", "Looking for: water bottle, tabby, tiger cat.",
		fmt.Sprintf("mosquitto_sub -h 127.0.0.1 -p %d -v -t 'tarsier/", port), "run --config "+s.config)

	files := s.files()
	want := fmt.Sprintf(`# Written by tarsier setup. Every other key, and its default: /usr/share/tarsier/tarsier.yaml. The page: http://this-device:8585/
model: {dir: %s}
thresholds: {only: [water bottle, tabby, tiger cat]}
cameras:
  - name: bottle
    source: %s
    loop: true
mqtt:
  brokers: ['tcp://127.0.0.1:%d']
  queue: {dir: %s/queue}
http: {listen: '0.0.0.0:8585', password_file: %[4]s/http.password}
`, s.models, s.clip, port, s.dir)
	if files["tarsier.yaml"] != want {
		t.Errorf("it wrote\n%s\nand not\n%s", files["tarsier.yaml"], want)
	}
	password := strings.TrimSpace(files["http.password"])
	if !regexp.MustCompile(`^([a-z2-7]{4}-){3}[a-z2-7]{4}$`).MatchString(password) {
		t.Errorf("the page's password is %q", password)
	}
	contains(t, out, "password: "+password)
	if len(files) != 2 {
		t.Errorf("there is more than the config and a password: %q", files)
	}
	cfg, err := config.Load(s.config)
	must(t, err)
	if cfg.HTTP.PasswordFile != filepath.Join(s.dir, "http.password") {
		t.Errorf("http.password_file is %q", cfg.HTTP.PasswordFile)
	}

	sub := subscribe(t, port)
	d := startDaemon(t, filepath.Dir(s.tarsier), s.config, "TARSIER_NODE=e2e", "TARSIER_HTTP_LISTEN=127.0.0.1:0",
		"TARSIER_THRESHOLDS_ENTER=0.3", "TARSIER_THRESHOLDS_LEAVE=0.1")
	sub.wait("a water bottle is entered", func() bool { return sub.entered("bottle", "water bottle") })
	must(t, d.cmd.Process.Signal(syscall.SIGTERM))
	must(t, d.wait())
}

// TestSetupLogin gives a broker's password, wrong and right, and a camera's.
func TestSetupLogin(t *testing.T) {
	s := newSetupTest(t)
	port := freePort(t)
	startMosquittoFor(t, port, "porch", "broker-secret")
	clip, err := cameratest.ReadClip(s.clip, 25)
	must(t, err)
	camera, err := cameratest.NewRTSP(cameratest.Options{
		Address: "127.0.0.1:0", User: "viewer", Password: "camera-secret", Clip: clip, Every: 80 * time.Millisecond,
	})
	must(t, err)
	defer camera.Close()

	broker := fmt.Sprintf("localhost:%d", port)
	out, code := s.answer(camera.URL("wrong"), "", camera.URL("camera-secret"),
		broker, "", broker, "porch", "wrong", "porch", "broker-secret", "", "")
	if code != 0 {
		t.Fatalf("exit status %d:\n%s", code, out)
	}
	contains(t, out, "It does not work: ", "It works: 640x360", "It wants a user name and a password.", "It refuses that user name and password.",
		"Its password is kept in the config", "-u porch -P PASSWORD")
	for _, secret := range []string{"camera-secret", "broker-secret", "viewer"} {
		if strings.Contains(out, secret) {
			t.Errorf("a login is shown:\n%s", out)
		}
	}
	want := fmt.Sprintf(`# Written by tarsier setup. Every other key, and its default: /usr/share/tarsier/tarsier.yaml. The page: http://127.0.0.1:8585/
model: {dir: %s}
cameras:
  - name: camera
    source: %s
mqtt:
  brokers: ['tcp://localhost:%d']
  username: porch
  password_file: %s/mqtt.password
  queue: {dir: %[4]s/queue}
`, s.models, camera.URL("camera-secret"), port, s.dir)
	files := s.files()
	if files["tarsier.yaml"] != want || files["mqtt.password"] != "broker-secret\n" || len(files) != 2 {
		t.Errorf("it wrote %q, and not\n%s", files, want)
	}
	must(t, publish.Try(t.Context(), publish.Options{
		Node: "test", Brokers: []string{fmt.Sprintf("tcp://localhost:%d", port)}, Username: "porch", PasswordFile: filepath.Join(s.dir, "mqtt.password"),
	}))
}

// startMosquittoFor starts a broker that wants a login.
func startMosquittoFor(t *testing.T, port int, user, password string) {
	t.Helper()
	dir := t.TempDir()
	passwords := filepath.Join(dir, "passwords")
	if out, err := exec.Command("mosquitto_passwd", "-b", "-c", passwords, user, password).CombinedOutput(); err != nil {
		skip(t, fmt.Sprintf("mosquitto_passwd (deploy/setup test): %v: %s", err, out))
	}
	m := &mosquitto{config: filepath.Join(dir, "mosquitto.conf"), port: port}
	must(t, os.WriteFile(m.config, []byte(fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous false\nuser root\npassword_file %s\n", port, passwords)), 0o644))
	m.start(t)
	t.Cleanup(func() { _ = m.cmd.Process.Kill(); _ = m.cmd.Wait() })
}

// TestSetupIsLeft ends the answers early, at each question, and by Ctrl-C.
func TestSetupIsLeft(t *testing.T) {
	s := newSetupTest(t)
	old := "# mine\n"
	must(t, os.WriteFile(s.config, []byte(old), 0o644))
	unchanged := func(how, out string, code int) {
		t.Helper()
		if files := s.files(); code != 1 || len(files) != 1 || files["tarsier.yaml"] != old {
			t.Errorf("%s: exit status %d, and the files are %q:\n%s", how, code, files, out)
		}
		contains(t, out, "There is such a file already", "nothing was changed")
	}
	answers := append([]string{"y"}, s.good()...)
	for n := range answers {
		out, code := s.answer(answers[:n:n]...)
		unchanged(fmt.Sprintf("after %d answers", n), out, code)
	}

	out, code := s.answer("") // Enter keeps the file
	unchanged("Enter", out, code)

	c := s.command()
	in, err := c.StdinPipe()
	must(t, err)
	said := newTranscript(t)
	c.Stdout, c.Stderr = said, said
	must(t, c.Start())
	_, err = io.WriteString(in, "y\n")
	must(t, err)
	said.wait("Camera: ")
	must(t, c.Process.Signal(os.Interrupt))
	_ = c.Wait()
	unchanged("Ctrl-C", said.String(), c.ProcessState.ExitCode())
}

// TestSetupAgain replaces a config, and keeps what was there; the new files are
// for those whose folder it is.
func TestSetupAgain(t *testing.T) {
	s := newSetupTest(t)
	const group = 54321
	must(t, os.WriteFile(s.config, []byte("# mine\n"), 0o604))
	must(t, os.WriteFile(filepath.Join(s.dir, "http.password"), []byte("old\n"), 0o600))
	if os.Getuid() == 0 {
		must(t, os.Chown(s.dir, 0, group))
	}
	answers := append([]string{"yes"}, s.good()...)
	answers[len(answers)-1] = "y"
	if out, code := s.answer(answers...); code != 0 {
		t.Fatalf("exit status %d:\n%s", code, out)
	}
	files := s.files()
	if len(files) != 4 || files["tarsier.yaml.bak"] != "# mine\n" || files["http.password.bak"] != "old\n" {
		t.Errorf("the files are %q", files)
	}
	for _, name := range []string{"tarsier.yaml", "http.password"} {
		info, err := os.Stat(filepath.Join(s.dir, name))
		must(t, err)
		mode := os.FileMode(0o600)
		if os.Getuid() == 0 {
			mode = 0o640
			if gid := info.Sys().(*syscall.Stat_t).Gid; gid != group {
				t.Errorf("the group of %s is %d", name, gid)
			}
		}
		if info.Mode() != mode {
			t.Errorf("the mode of %s is %v, not %v", name, info.Mode(), mode)
		}
	}
	if _, code := s.answer("y"); code != 1 {
		t.Errorf("exit status %d", code)
	}
	if files["tarsier.yaml"] != s.files()["tarsier.yaml"] {
		t.Error("a setup that was left has changed the config")
	}
}

// TestSetupRefuses tells what is missing before it asks anything.
func TestSetupRefuses(t *testing.T) {
	s := newSetupTest(t)
	broken := filepath.Join(s.models, "labels.txt")
	must(t, os.Remove(broken))
	out, code := s.answer(s.good()...)
	if code != 2 || strings.Contains(out, "Which") {
		t.Errorf("without labels: exit status %d:\n%s", code, out)
	}
	contains(t, out, "read the labels of", broken)

	if os.Getuid() != 0 {
		return
	}
	must(t, os.Chmod(filepath.Dir(s.tarsier), 0o755)) // of os.MkdirTemp
	c := exec.Command(s.tarsier, "setup")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	said, _ := c.CombinedOutput()
	if code := c.ProcessState.ExitCode(); code != 1 || bytes.Contains(said, []byte("Which")) {
		t.Errorf("for a user who may not write: exit status %d:\n%s", code, said)
	}
	contains(t, string(said), "run it with sudo")
}

// TestSetupWithoutNetwork takes the built-in model where none can be downloaded,
// or where that is what is asked for.
func TestSetupWithoutNetwork(t *testing.T) {
	s := newSetupTest(t)
	closed := httptest.NewServer(http.NotFoundHandler())
	defer closed.Close()
	tarsier := s.inProject()
	for _, models := range []string{filepath.Join(s.dir, "models"), ""} {
		s.config = filepath.Join(t.TempDir(), "tarsier.yaml")
		c := exec.Command(tarsier, "setup", "--config", s.config, "--model", models)
		c.Env = append(os.Environ(), "TARSIER_MODELS_URL="+closed.URL, "no_proxy=127.0.0.1")
		c.Stdin = strings.NewReader(strings.Join([]string{s.clip, "127.0.0.1:1", "y", "dark, corrupt", "n", ""}, "\n"))
		said, err := c.CombinedOutput()
		out := string(said)
		if err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		contains(t, out, "All there are: clear, dark, overexposed, blurred, covered, corrupt, noisy. Everything is all but clear.", "Looking for: dark, corrupt.")
		if models != "" {
			contains(t, out, "There is no model in", "look at TARSIER_MODELS_URL", "The built-in model is taken", "put a model and its labels.txt there")
		} else if strings.Contains(out, "download") {
			t.Errorf("the built-in model was asked for:\n%s", out)
		}
		file, err := os.ReadFile(s.config)
		must(t, err)
		if text := string(file); strings.Contains(text, "model") || !strings.Contains(text, "thresholds: {only: [dark, corrupt]}") {
			t.Errorf("it wrote\n%s", text)
		}
		check, err := exec.Command(tarsier, "check", "--config", s.config).CombinedOutput()
		must(t, err)
		contains(t, string(check), "model camera_health, width_mult 0.5, 7 classes", "2 labels")
	}
}

// inProject puts the program where it is after deploy/build: get-models is beside it.
func (s *setupTest) inProject() (tarsier string) {
	s.t.Helper()
	root := s.t.TempDir()
	must(s.t, os.Mkdir(filepath.Join(root, "bin"), 0o755))
	for _, name := range []string{"tarsier", "tarsier-capture"} {
		must(s.t, os.Link(filepath.Join(filepath.Dir(s.tarsier), name), filepath.Join(root, "bin", name)))
	}
	deploy, err := filepath.Abs("../deploy")
	must(s.t, err)
	link(s.t, deploy, filepath.Join(root, "deploy"))
	return filepath.Join(root, "bin", "tarsier")
}

// TestSetupGetsModel downloads one from a mirror.
func TestSetupGetsModel(t *testing.T) {
	s := newSetupTest(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Base(r.URL.Path)
		for _, dir := range []string{"models", "photos"} {
			if path := filepath.Join(testdata(t, dir), name); exists(path) {
				http.ServeFile(w, r, path)
				return
			}
		}
		http.NotFound(w, r)
	}))
	defer server.Close()
	models := filepath.Join(s.dir, "new", "models")
	c := exec.Command(s.inProject(), "setup", "--config", filepath.Join(s.dir, "etc", "tarsier.yaml"), "--model", models)
	c.Env = append(os.Environ(), "TARSIER_MODELS_URL="+server.URL, "no_proxy=127.0.0.1")
	c.Stdin = strings.NewReader(strings.Join(append(s.good(), ""), "\n"))
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	contains(t, string(out), "There is no model in "+models+" yet", "Wrote ")
	for path, mode := range map[string]os.FileMode{
		models: 0o755 | os.ModeDir, filepath.Join(models, "labels.txt"): 0o644, filepath.Join(s.dir, "etc"): 0o750 | os.ModeDir,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want mode %v", path, info.Mode(), err, mode)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestSetupHidesPassword types at a terminal, which shows everything but the
// password.
func TestSetupHidesPassword(t *testing.T) {
	s := newSetupTest(t)
	if _, err := exec.LookPath("script"); err != nil {
		skip(t, "there is no script (util-linux)")
	}
	port := freePort(t)
	startMosquittoFor(t, port, "porch", "broker-secret")
	setup := s.command()
	c := exec.Command("script", "--quiet", "--return", "--command", strings.Join(setup.Args, " "), "/dev/null")
	in, err := c.StdinPipe()
	must(t, err)
	out := newTranscript(t)
	c.Stdout, c.Stderr = out, out
	must(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill() })
	for _, turn := range [][2]string{
		{"Camera: ", s.clip},
		{"Broker", fmt.Sprintf("127.0.0.1:%d", port)},
		{"User name [another broker]: ", "porch"},
		{"Password: ", "broker-secret"},
		{"Labels [everything]: ", ""},
		{"other devices? [y/N]: ", ""},
	} {
		out.wait(turn[0])
		_, err := io.WriteString(in, turn[1]+"\n")
		must(t, err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if strings.Contains(out.String(), "broker-secret") {
		t.Errorf("the password is shown:\n%s", out)
	}
	contains(t, out.String(), "porch\r\n", "Wrote ")
	if s.files()["mqtt.password"] != "broker-secret\n" {
		t.Errorf("the files are %q", s.files())
	}
}

// A transcript is what a program says, to be waited for.
type transcript struct {
	process
	t    *testing.T
	seen int // up to where it was waited for
}

func newTranscript(t *testing.T) *transcript {
	return &transcript{process: process{logged: make(chan struct{}, 1)}, t: t}
}

func (r *transcript) String() string { return r.log() }

// wait waits until it says something after what was waited for last.
func (r *transcript) wait(text string) {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		if i := strings.Index(r.log()[r.seen:], text); i >= 0 {
			r.seen += i + len(text)
			return
		}
		select {
		case <-r.logged:
		case <-deadline:
			r.t.Fatalf("it never said %q:\n%s", text, r)
		}
	}
}

func TestCameraName(t *testing.T) {
	for source, want := range map[string]string{
		"/dev/video0":                     "camera",
		"csi:0":                           "camera",
		"gst:videotestsrc":                "camera",
		"rtsp://u:p@192.168.1.20/1":       "camera",
		"http://[fe80::1]:8080/video":     "camera",
		"rtsp://porch-cam.local:554/1":    "porch-cam",
		"/srv/My garden (2).mp4":          "My-garden-2",
		"/srv/" + strings.Repeat("a", 99): strings.Repeat("a", 64),
		"/srv/été":                        "t",
		"/srv/!":                          "camera",
	} {
		if got := cameraName(source); got != want {
			t.Errorf("%s is called %q, not %q", source, got, want)
		}
	}
}

func TestBrokerURL(t *testing.T) {
	for answer, want := range map[string]string{
		"localhost":              "tcp://localhost:1883",
		"10.0.0.2:1884":          "tcp://10.0.0.2:1884",
		"[::1]":                  "tcp://[::1]:1883",
		"mqtt://ha.local":        "tcp://ha.local:1883",
		"mqtts://ha.local":       "ssl://ha.local",
		"wss://ha.local/mqtt":    "wss://ha.local/mqtt",
		"tcp://ha.local:":        "tcp://ha.local:",
		"http://ha.local":        "http://ha.local",
		"somebody:secret@broker": "tcp://somebody:secret@broker:1883",
	} {
		if got := brokerURL(answer); got != want {
			t.Errorf("%s becomes %q, not %q", answer, got, want)
		}
	}
}

func TestMatchLabels(t *testing.T) {
	lines := []string{"1 tabby, tabby cat", "2 catamaran", "3 crane", "4 crane", "5 hot dog"}
	labels := []string{"tabby", "catamaran", "crane (3)", "crane (4)", "hot dog"}
	for written, want := range map[string][]string{
		"cat":     {"tabby"},
		"cata":    {"catamaran"},
		"CRANE":   {"crane (3)", "crane (4)"},
		"Hot Dog": {"hot dog"},
		"cow":     nil,
	} {
		if got := matchLabels(labels, lines, written); !slices.Equal(got, want) {
			t.Errorf("%s means %q, not %q", written, got, want)
		}
	}
}
