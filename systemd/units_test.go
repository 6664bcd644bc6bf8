// Package systemd_test checks the units of this folder, and boots a system
// with them.
package systemd_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// missing skips a test that lacks something; where CI=true it fails.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// units copies the units to dir, with the programs in another folder than
// /usr/bin.
func units(t *testing.T, dir, programs string) (names []string) {
	t.Helper()
	for _, pattern := range []string{"*.service", "*.socket"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	for _, name := range names {
		text := strings.ReplaceAll(read(t, name), "/usr/bin/", programs+"/")
		write(t, filepath.Join(dir, name), text)
	}
	return names
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "needs systemd-analyze: %v", err)
	}
	c := exec.CommandContext(t.Context(), path, args...)
	c.Env = append(os.Environ(), "SYSTEMD_LOG_TARGET=console", "SYSTEMD_COLORS=0")
	out, err := c.CombinedOutput()
	return string(out), err
}

// systemd-analyze only warns of unknown keys and bad values, so it must have
// nothing to say.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	for _, program := range []string{"tarsier", "tarsier-capture"} {
		if err := os.WriteFile(filepath.Join(dir, program), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range units(t, dir, dir) {
		if out, err := analyze(t, "verify", filepath.Join(dir, name)); err != nil || out != "" {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// What the units may do is measured in tenths, 0 (nothing) to 100.
func TestExposure(t *testing.T) {
	for name, threshold := range map[string]string{
		"tarsier.service":          "12",
		"tarsier-capture@.service": "16",
	} {
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := analyze(t, "security", "--no-pager", "--offline=true", "--threshold="+threshold, path); err != nil {
			t.Errorf("%s: more exposed than %s tenths (%v)\n%s", name, threshold, err, out)
		}
	}
}

// A real boot, of this machine's own /usr with an empty /etc and /var: the
// units as they are, the real programs, a broker, and a video as the camera.
// What is expected is in testdata/check.sh, which runs inside.
func TestBoot(t *testing.T) {
	videos := os.Getenv("TARSIER_TESTDATA")
	if videos == "" {
		videos = "../../shared"
	}
	data, err := filepath.Abs(videos)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(data, "videos")); err != nil {
		missing(t, "needs the test data (TARSIER_TESTDATA): %v", err)
	}
	for _, program := range []string{"systemd-nspawn", "mosquitto", "mosquitto_passwd", "mosquitto_sub"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, "needs %s, see ./deploy/setup test: %v", program, err)
		}
	}
	if out, err := nspawn(t, time.Minute, "/bin/true").CombinedOutput(); err != nil {
		t.Skipf("this machine lets us start no container (%v): %s", err, out)
	}
	// Linux refuses user namespaces to whoever is in a chroot, as the tests of a fresh clone may be.
	chroot := nspawn(t, time.Minute, "unshare", "--user", "/bin/true").Run() != nil

	stage, out := t.TempDir(), t.TempDir()
	if b, err := exec.CommandContext(t.Context(), "../deploy/build", stage).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, b)
	}
	probe := exec.CommandContext(t.Context(), "go", "build", "-o", stage, "./testdata/probe")
	probe.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := probe.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, b)
	}
	models := filepath.Join(stage, "models")
	if err := os.Mkdir(models, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"mobilenet.tflite": "mobilenet_v2_1.0_224_quant.tflite", "labels.txt": "imagenet_labels.txt"} {
		if err := os.Symlink("/opt/testdata/models/"+to, filepath.Join(models, name)); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{
		"--boot", "--private-network", "--console=pipe",
		"--bind-ro=" + stage + ":/opt/tarsier", "--bind-ro=" + data + ":/opt/testdata", "--bind=" + out + ":/out",
	}
	bind := func(from, to string) {
		from, err := filepath.Abs(from)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "--bind-ro="+from+":"+to)
	}
	for _, name := range units(t, stage, "/opt/tarsier") {
		if chroot {
			t.Logf("%s: without PrivateUsers=, which needs a user namespace", name)
			path := filepath.Join(stage, name)
			write(t, path, strings.ReplaceAll(read(t, path), "PrivateUsers=yes\n", ""))
			write(t, filepath.Join(stage, "chroot"), "") // check.sh looks for it
		}
		bind(filepath.Join(stage, name), "/etc/systemd/system/"+name)
	}
	for _, name := range []string{"check.service", "check.target"} {
		bind(filepath.Join("testdata", name), "/etc/systemd/system/"+name)
	}
	bind("tarsier.sysusers", "/etc/sysusers.d/tarsier.conf")
	bind("tarsier.tmpfiles", "/etc/tmpfiles.d/tarsier.conf")
	for _, name := range []string{"check.sh", "tarsier.yaml", "mosquitto.conf"} {
		write(t, filepath.Join(stage, name), read(t, filepath.Join("testdata", name)))
	}

	console, err := nspawn(t, 2*time.Minute, append(args, "systemd.unit=check.target")...).CombinedOutput()
	if probed, err := os.ReadFile(filepath.Join(out, "probe")); err == nil {
		t.Logf("what code may do outside and inside the capture sandbox:\n%s", probed)
	}
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(out, "log"))
		t.Fatalf("%v\nwhat check.sh did:\n%s\non the console:\n%s", err, log, console)
	}
}

// nspawn is a command in a container that shares nothing with this machine but
// its /usr. It ends by SIGTERM at the latest: a killed systemd-nspawn would
// leave its container behind.
func nspawn(t *testing.T, limit time.Duration, args ...string) *exec.Cmd {
	t.Helper()
	all := append([]string{
		"systemd-nspawn", "--quiet", "--directory=/", "--volatile=yes", "--register=no", "--keep-unit",
		"--bind-ro=/etc/alternatives", "--bind-ro=/etc/ld.so.cache",
	}, args...)
	if os.Geteuid() != 0 {
		all = append([]string{"sudo", "-n"}, all...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, all[0], all[1:]...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	return c
}
