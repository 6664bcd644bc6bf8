package config

import (
	_ "embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain keeps the environment that the tests are run in out of them.
func TestMain(m *testing.M) {
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "TARSIER_") {
			os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

func ptr[T any](value T) *T { return &value }

// smallest is the least that a config must have, in one line.
const smallest = "cameras: [{name: porch, source: /dev/video0}]\n"

func defaults() *Config {
	return &Config{
		Node: hostNode(os.Hostname()),
		Thresholds: Overrides{
			Enter: ptr(0.6), Leave: ptr(0.4), Hold: ptr(time.Second), Smoothing: ptr(time.Second), TopK: ptr(3),
		},
		Cameras: []Camera{{
			Name: "porch", Source: "/dev/video0", FPS: 5, Fit: "stretch",
			Regions: []Region{{Name: "frame", Box: [4]float64{0, 0, 1, 1}}},
		}},
		MQTT: MQTT{
			Brokers: []string{"tcp://localhost:1883"}, ClientID: "tarsier-" + hostNode(os.Hostname()), BaseTopic: "tarsier",
			QoS: 1, DiscoveryPrefix: "homeassistant", Queue: Queue{Dir: "/var/lib/tarsier/queue", MaxMiB: 64},
		},
		HTTP: HTTP{Listen: "127.0.0.1:8585"},
		Log:  Log{Level: "info", Format: "auto"},
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, content string) *Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tarsier.yaml")
	write(t, path, content)
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func equal(t *testing.T, got, want *Config) {
	t.Helper()
	want.content, want.places = got.content, got.places
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", dump(got), dump(want))
	}
}

func TestDefaults(t *testing.T) {
	equal(t, load(t, smallest), defaults())
	// A key without a value is as one that is not there.
	equal(t, load(t, smallest+"node:\nmodel:\nthresholds: {enter: , labels: ~}\nmqtt:\n  tls:\n  brokers:\n"), defaults())
}

func TestLoadAll(t *testing.T) {
	got := load(t, `
node: porch-pi
model: {dir: /models, width_mult: 0.35, threads: 2}
thresholds:
  enter: 0.7
  leave: 0.2
  hold: 1m30s
  smoothing: 0
  top_k: 5
  only: [Water Bottle, "crane (135)", 7, true]
  labels:
    - {label: Water.Bottle, enter: 0.45, leave: 0.30}
    - {label: cab, leave: 0.1}
cameras:
  - name: porch
    source: rtsp://admin:p@ss%w0rd!@10.0.0.7/user=admin_password=x_channel=1.sdp
    fps: 0
    loop: true
    fit: tiles
    thresholds: {hold: 0s, only: []}
    regions:
      - name: Door
        box: [0.7, 0.20, 0.3, 8e-1]
        thresholds: {enter: 1, top_k: 1, labels: [{label: cab, enter: 0.9}]}
      - {name: whole}
  - {name: car, source: "gst:videotestsrc ! appsink"}
mqtt:
  brokers: [ssl://a.example:8883, "wss://b/mqtt?x=1", "tcp://[::1]"]
  client_id: me
  username: 1234
  password_file: /run/pw
  tls: {ca_file: ca.pem, cert_file: c.pem, key_file: k.pem, insecure_skip_verify: true}
  base_topic: home/tarsier
  qos: 2
  discovery_prefix: ""
  scores: true
  snapshots: true
  queue: {dir: /q, max_mib: 1}
http: {listen: ":8585", password_file: /pw}
log: {level: debug, format: json}
`)
	want := &Config{
		Node:  "porch-pi",
		Model: Model{"/models", 0.35, 2},
		Thresholds: Overrides{
			Enter: ptr(0.7), Leave: ptr(0.2), Hold: ptr(90 * time.Second), Smoothing: ptr(time.Duration(0)), TopK: ptr(5),
			Only: []string{"Water Bottle", "crane (135)", "7", "true"},
			Labels: []LabelOverride{
				{"Water.Bottle", ptr(0.45), ptr(0.3)},
				{"cab", nil, ptr(0.1)},
			},
		},
		Cameras: []Camera{
			{
				Name: "porch", Source: "rtsp://admin:p@ss%w0rd!@10.0.0.7/user=admin_password=x_channel=1.sdp", Loop: true, Fit: "tiles",
				Thresholds: Overrides{Hold: ptr(time.Duration(0)), Only: []string{}},
				Regions: []Region{
					{"Door", [4]float64{0.7, 0.2, 0.3, 0.8}, Overrides{Enter: ptr(1.0), TopK: ptr(1), Labels: []LabelOverride{{"cab", ptr(0.9), nil}}}},
					{"whole", [4]float64{0, 0, 1, 1}, Overrides{}},
				},
			},
			{
				Name: "car", Source: "gst:videotestsrc ! appsink", FPS: 5, Fit: "stretch",
				Regions: []Region{{"frame", [4]float64{0, 0, 1, 1}, Overrides{}}},
			},
		},
		MQTT: MQTT{
			Brokers:  []string{"ssl://a.example:8883", "wss://b/mqtt?x=1", "tcp://[::1]"},
			ClientID: "me", Username: "1234", PasswordFile: "/run/pw",
			TLS:       TLS{"ca.pem", "c.pem", "k.pem", true},
			BaseTopic: "home/tarsier", QoS: 2, Scores: true, Snapshots: true, Queue: Queue{"/q", 1},
		},
		HTTP: HTTP{":8585", "/pw"},
		Log:  Log{"debug", "json"},
	}
	equal(t, got, want)

	for _, c := range []struct {
		camera, region int
		want           Thresholds
	}{
		{0, 0, Thresholds{1, 0.2, 0, 0, 1, []string{}, []LabelThreshold{{"Water.Bottle", 0.45, 0.3}, {"cab", 0.9, 0.1}}}},
		{0, 1, Thresholds{0.7, 0.2, 0, 0, 5, []string{}, []LabelThreshold{{"Water.Bottle", 0.45, 0.3}, {"cab", 0.7, 0.1}}}},
		{1, 0, Thresholds{
			0.7, 0.2, 90 * time.Second, 0, 5,
			[]string{"Water Bottle", "crane (135)", "7", "true"},
			[]LabelThreshold{{"Water.Bottle", 0.45, 0.3}, {"cab", 0.7, 0.1}},
		}},
	} {
		camera := &got.Cameras[c.camera]
		if t1 := got.RegionThresholds(camera, &camera.Regions[c.region]); !reflect.DeepEqual(t1, c.want) {
			t.Errorf("camera %d, region %d: got %+v, want %+v", c.camera, c.region, t1, c.want)
		}
	}
	equal(t, got, want) // resolving changed nothing
}

func TestAliases(t *testing.T) {
	got := load(t, "thresholds: &t {enter: 0.9}\ncameras:\n  - &c {name: &n porch, source: a.mp4, thresholds: *t}\n  - {name: car, source: *n}\n")
	if *got.Cameras[0].Thresholds.Enter != 0.9 || got.Cameras[1].Source != "porch" {
		t.Error(dump(got))
	}
}

func TestEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"TARSIER_NODE":                           "from-env",
		"TARSIER_MODEL_WIDTH_MULT":               "0.35",
		"TARSIER_MODEL_THREADS":                  "3",
		"TARSIER_THRESHOLDS_ENTER":               "0.9",
		"TARSIER_THRESHOLDS_HOLD":                "2s",
		"TARSIER_MQTT_TLS_INSECURE_SKIP_VERIFY":  "true",
		"TARSIER_MQTT_QUEUE_DIR":                 "~",
		"TARSIER_MQTT_USERNAME":                  "Mixed.Case: [7]",
		"TARSIER_HTTP_LISTEN":                    "",
		"TARSIER_MQTT_DISCOVERY_PREFIX":          "",
		"TARSIER_MQTT_CLIENT_ID":                 "",
		"TARSIER_SOMETHING_THAT_IS_NOT_IN_THERE": "x",
	} {
		t.Setenv(name, value)
	}
	want := defaults()
	want.Node, want.MQTT.ClientID = "from-env", "tarsier-from-env"
	want.Model.WidthMult, want.Model.Threads = 0.35, 3
	want.Thresholds.Enter, want.Thresholds.Hold = ptr(0.9), ptr(2*time.Second)
	want.MQTT.TLS.InsecureSkipVerify, want.MQTT.Queue.Dir, want.MQTT.Username = true, "~", "Mixed.Case: [7]"
	want.HTTP.Listen, want.MQTT.DiscoveryPrefix = "", ""
	equal(t, load(t, smallest+"model: {width_mult: 1, threads: 1}\nhttp: {listen: \"localhost:1\"}\nmqtt: {client_id: x}\n"), want)
}

func TestAutoWidth(t *testing.T) {
	want := defaults()
	want.Model.WidthMult = Auto
	equal(t, load(t, smallest+"model: {width_mult: auto}\n"), want)
	t.Setenv("TARSIER_MODEL_WIDTH_MULT", "auto")
	equal(t, load(t, smallest+"model: {width_mult: 0.5}\n"), want)
}

func TestEnvironmentMistakes(t *testing.T) {
	for name, value := range map[string]string{
		"TARSIER_MQTT_QOS":             "3",
		"TARSIER_LOG_LEVEL":            "loud",
		"TARSIER_MODEL_WIDTH_MULT":     "wide",
		"TARSIER_MODEL_THREADS":        "",
		"TARSIER_THRESHOLDS_HOLD":      "1",
		"TARSIER_THRESHOLDS_LEAVE":     "0.9",
		"TARSIER_MQTT_BROKERS":         "tcp://me:secret@b",
		"TARSIER_HTTP_LISTEN":          "0.0.0.0:80",
		"TARSIER_NODE":                 "a\x00b\xff",
		"TARSIER_MQTT_TLS_CA_FILE":     "ca.pem",
		"TARSIER_MQTT_QUEUE_MAX_MIB":   "1e3",
		"TARSIER_MQTT_SCORES":          "yes",
		"TARSIER_CAMERAS":              "x",
		"TARSIER_THRESHOLDS_SMOOTHING": "-1s",
	} {
		if !strings.Contains(value, "\x00") { // which the system refuses
			t.Setenv(name, value)
		}
	}
	wrong(t, smallest+"http: {listnen: x}\n",
		`tarsier.yaml:2: http.listnen: found an unknown key (did you mean listen?), allowed: listen, password_file`,
		`TARSIER_CAMERAS: cameras: found "x", allowed: nothing: a list can only be set in the file`,
		`TARSIER_HTTP_LISTEN: http.listen: found "0.0.0.0:80", allowed: beyond this machine only with http.password_file; 127.0.0.1:8585 needs none`,
		`TARSIER_LOG_LEVEL: log.level: found "loud", allowed: debug, info, warn or error`,
		`TARSIER_MODEL_THREADS: model.threads: found "", allowed: a whole number from 0 to 256`,
		`TARSIER_MODEL_WIDTH_MULT: model.width_mult: found "wide", allowed: a number from 0 to 8, or auto`,
		`TARSIER_MQTT_BROKERS: mqtt.brokers: found "(a URL that may hold a password)", allowed: nothing: a list can only be set in the file`,
		`TARSIER_MQTT_QOS: mqtt.qos: found "3", allowed: 1 or 2`,
		`TARSIER_MQTT_QUEUE_MAX_MIB: mqtt.queue.max_mib: found "1e3", allowed: a whole number from 1 to 1048576`,
		`TARSIER_MQTT_SCORES: mqtt.scores: found "yes", allowed: true or false`,
		`TARSIER_THRESHOLDS_HOLD: thresholds.hold: found "1", allowed: a time from 0s to 24h with its unit, such as 500ms or 2s`,
		`TARSIER_THRESHOLDS_LEAVE: thresholds.leave: found "0.9", allowed: at most 0.6, which is thresholds.enter`,
		`TARSIER_THRESHOLDS_SMOOTHING: thresholds.smoothing: found "-1s", allowed: a time from 0s to 24h with its unit, such as 500ms or 2s`,
	)
}

// wrong loads what must be refused with exactly these mistakes.
func wrong(t *testing.T, content string, want ...string) {
	t.Helper()
	c, err := parse("tarsier.yaml", []byte(content))
	var mistakes Errors
	if !errors.As(err, &mistakes) || c != nil {
		t.Fatalf("got %v and %v, want\n%s", c, err, strings.Join(want, "\n"))
	}
	if err.Error() != strings.Join(want, "\n") {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

// TestMistakes has one mistake at a time. A content that begins with > has the smallest config before it.
func TestMistakes(t *testing.T) {
	long := strings.Repeat("x", 100)
	const (
		keys      = "cameras, http, log, model, mqtt, node, thresholds"
		cameras   = "fit, fps, loop, name, regions, source, thresholds"
		limits    = "enter, hold, labels, leave, only, smoothing, top_k"
		mqtt      = "base_topic, brokers, client_id, discovery_prefix, password_file, qos, queue, scores, snapshots, tls, username"
		sources   = "/dev/videoN or a name under /dev/v4l/by-id, csi:N, a file, rtsp://, http://, or gst: and a GStreamer pipeline"
		names     = "1 to 64 of the letters A-Z, a-z, digits, _ and -"
		durations = "a time from 0s to 24h with its unit, such as 500ms or 2s"
		brokers   = "tcp://, ssl://, ws:// or wss://, then host:port"
		listen    = `an address and a port such as 127.0.0.1:8585; "" for no page`
		box       = "[x, y, width, height] as fractions of the frame"
		noCamera  = "at least one camera: - {name: porch, source: /dev/video0}"
		password  = "beyond this machine only with http.password_file; 127.0.0.1:8585 needs none"
	)
	camera := func(rest string) string { return "cameras:\n  - {name: a, source: b, " + rest + "}\n" }
	region := func(rest string) string { return camera("regions: [{name: r, " + rest + "}]") }
	for _, c := range []struct{ content, line, found, allowed string }{
		// The file as a whole.
		{"", "1: cameras", "nothing", noCamera},
		{"# nothing\n\n", "1: cameras", "nothing", noCamera},
		{"node: a\ncameras: []\n", "2: cameras", "[]", noCamera},
		{"cameras:\n", "1: cameras", "nothing", noCamera},
		{">node: \"\xff\"\n", "2", "the byte 0xff", "text in UTF-8"},
		{">---\nnode: a\n", "3", "a second document", "one: --- only at the start of the file"},
		{strings.Repeat("#\n", maxSize), "1", "more than 1048576 bytes", "a config file of a smaller size"},
		{">node: a: b\n", "2", "text that is not YAML (mapping values are not allowed in this context)", "YAML"},
		{">\nmqtt:\n\tqos: 1\n", "4", "text that is not YAML (found character that cannot start any token)", "YAML, which is indented with spaces, not with tabs"},
		{">mqtt:\n  qos: 1\n scores: true\n", "4", "text that is not YAML (did not find expected key)", "YAML"},
		{">mqtt: }\n", "2", "text that is not YAML (did not find expected node content)", "YAML"},
		{">node: 'a\nlog: {}\n", "2", "text that is not YAML (found unexpected end of stream)", "YAML"},
		{">node: *host\n", "2", "text that is not YAML (unknown anchor 'host' referenced)", "YAML"},
		{">node: \"\x01\"\n", "2", "text that is not YAML (control characters are not allowed)", "YAML"},

		// Keys.
		{">modle: {}\n", "2: modle", "an unknown key (did you mean model?)", keys},
		{">Node: a\n", "2: Node", "an unknown key (did you mean node?)", keys},
		{">camera: a\n", "2: camera", "an unknown key (did you mean cameras?)", keys},
		{">mqtt: {\"a b\\n\": a}\n", "2: mqtt.\"a b\\n\"", "an unknown key", mqtt},
		{">x: a\n", "2: x", "an unknown key", keys},
		{">\"\": a\n", "2: \"\"", "an unknown key", keys},
		{">" + long + ": a\n", "2: " + long[:60] + "...", "an unknown key", keys},
		{">mqtt.qos: 1\n", "2: mqtt.qos", "an unknown key (did you mean mqtt?)", keys},
		{">mqtt:\n  password: secret\n", "3: mqtt.password", "an unknown key (did you mean password_file?)", mqtt},
		{">thresholds: {entre: 0.5}\n", "2: thresholds.entre", "an unknown key (did you mean enter?)", limits},
		{camera("sorce: x"), "2: cameras[0].sorce", "an unknown key (did you mean source?)", cameras},
		{region("enter: 1"), "2: cameras[0].regions[0].enter", "an unknown key", "box, name, thresholds"},
		{">node: a\nlog: {}\nnode: b\n", "4: node", "the key again", "once; it is on line 2 already"},
		{">? [a]\n: b\n", "2", "a list as a key", keys},
		{"><<: {node: a}\n", "2: <<", "an unknown key", keys},

		// Values of the wrong type.
		{"- a\n", "1", "a list", "keys with values: " + keys},
		{"a\n", "1", `"a"`, "keys with values: " + keys},
		{">mqtt: tcp://me:secret@broker\n", "2: mqtt", `"(a URL that may hold a password)"`, "keys with values: " + mqtt},
		{"cameras: porch\n", "1: cameras", `"porch"`, "a list, each entry with the keys " + cameras},
		{"cameras: {name: a}\n", "1: cameras", "a mapping", "a list, each entry with the keys " + cameras},
		{"cameras:\n  - porch\n", "2: cameras[0]", `"porch"`, "keys with values: " + cameras},
		{"cameras:\n  -\n", "2: cameras[0]", "nothing", "keys with values: " + cameras},
		{">node: [a]\n", "2: node", "a list", "text"},
		{">node: !secret a\n", "2: node", "the tag !secret", "text without a tag"},
		{">model: {dir: {a: b}}\n", "2: model.dir", "a mapping", "text"},
		{">mqtt: {scores: 1}\n", "2: mqtt.scores", "1", "true or false"},
		{">mqtt: {scores: yes}\n", "2: mqtt.scores", `"yes"`, "true or false"},
		{">mqtt: {brokers: tcp://a}\n", "2: mqtt.brokers", `"tcp://a"`, "a list [a, b]"},
		{">mqtt: {brokers: [[tcp://a]]}\n", "2: mqtt.brokers[0]", "a list", "text"},
		{">mqtt: {brokers: [~]}\n", "2: mqtt.brokers[0]", "nothing", "text"},
		{">mqtt: {qos: \"1\"}\n", "2: mqtt.qos", `"1"`, "1 or 2"},
		{">model: {threads: 1.5}\n", "2: model.threads", "1.5", "a whole number from 0 to 256"},
		{">model: {threads: 99999999999999999999}\n", "2: model.threads", "99999999999999999999", "a whole number from 0 to 256"},

		// Values that are not allowed.
		{">node: porch pi\n", "2: node", `"porch pi"`, names + `; "" for the host name`},
		{">node: \"a\\nb\"\n", "2: node", "text with control characters", "text without them"},
		{">model: {width_mult: -1}\n", "2: model.width_mult", "-1", "a number from 0 to 8, or auto"},
		{">model: {width_mult: .nan}\n", "2: model.width_mult", ".nan", "a number from 0 to 8, or auto"},
		{">model: {width_mult: 8.5}\n", "2: model.width_mult", "8.5", "a number from 0 to 8, or auto"},
		{">model: {width_mult: \"0.5\"}\n", "2: model.width_mult", `"0.5"`, "a number from 0 to 8, or auto"},
		{">model: {width_mult: Auto}\n", "2: model.width_mult", `"Auto"`, "a number from 0 to 8, or auto"},
		{">model: {width_mult: [auto]}\n", "2: model.width_mult", "a list", "a number from 0 to 8, or auto"},
		{">thresholds: {enter: 60}\n", "2: thresholds.enter", "60", "a number from 0 to 1"},
		{">thresholds: {leave: .inf}\n", "2: thresholds.leave", ".inf", "a number from 0 to 1"},
		{">thresholds: {hold: 1}\n", "2: thresholds.hold", "1", durations},
		{">thresholds: {hold: -1s}\n", "2: thresholds.hold", `"-1s"`, durations},
		{">thresholds: {smoothing: 25h}\n", "2: thresholds.smoothing", `"25h"`, durations},
		{">thresholds: {smoothing: soon}\n", "2: thresholds.smoothing", `"soon"`, durations},
		{">thresholds: {top_k: 0}\n", "2: thresholds.top_k", "0", "a whole number from 1 to 100"},
		{">thresholds: {only: [\"\"]}\n", "2: thresholds.only[0]", `""`, "a label of the model's labels.txt"},
		{">thresholds:\n  only:\n    - a\n    - a\n", "5: thresholds.only[1]", `"a"`, "each once; thresholds.only[0] is that already"},
		{">thresholds: {labels: [{enter: 0.5}]}\n", "2: thresholds.labels[0].label", "nothing", "a label of the model's labels.txt"},
		{">thresholds: {labels: [{label: a}]}\n", "2: thresholds.labels[0]", "neither enter nor leave", "either or both: without them the entry says nothing"},
		{">thresholds: {labels: [{label: a, enter: 1}, {label: a, enter: 1}]}\n", "2: thresholds.labels[1].label", `"a"`, "each once; thresholds.labels[0] is that already"},
		{">mqtt: {qos: 0}\n", "2: mqtt.qos", "0", "1 or 2"},
		{">mqtt: {queue: {max_mib: 0}}\n", "2: mqtt.queue.max_mib", "0", "a whole number from 1 to 1048576"},
		{">mqtt: {base_topic: \"\"}\n", "2: mqtt.base_topic", `""`, "the start of a topic, such as tarsier or home/tarsier: no + or #, no / at either end, no $ at the start"},
		{">mqtt: {base_topic: a/#}\n", "2: mqtt.base_topic", `"a/#"`, "the start of a topic, such as tarsier or home/tarsier: no + or #, no / at either end, no $ at the start"},
		{">mqtt: {discovery_prefix: /a}\n", "2: mqtt.discovery_prefix", `"/a"`, `the start of a topic, such as homeassistant: no + or #, no / at either end, no $ at the start; "" for no discovery`},
		{">log: {level: INFO}\n", "2: log.level", `"INFO"`, "debug, info, warn or error"},
		{">log: {format: xml}\n", "2: log.format", `"xml"`, "auto, journal, text or json"},

		// Cameras and regions.
		{"cameras:\n  - source: a\n", "2: cameras[0].name", "nothing", names},
		{"cameras:\n  - {name: front door, source: a}\n", "2: cameras[0].name", `"front door"`, names},
		{"cameras:\n  - {name: " + long + ", source: a}\n", "2: cameras[0].name", `"` + long[:60] + `..."`, names},
		{"cameras:\n  - name: a\n", "2: cameras[0].source", "nothing", sources},
		{"cameras:\n  - name: a\n    source: \"\"\n", "3: cameras[0].source", `""`, sources},
		{"cameras:\n  - name: a\n    source: a\n  - name: b\n    source: a\n  - name: a\n    source: b\n", "6: cameras[2].name", `"a"`, "each once; cameras[0] is that already"},
		{"cameras:\n  - {name: a, source: \"rtsp://me:se'cret@b/c\"}\n", "2: cameras[0].source", "a URL with a blank, a quote, < or >", `%20, %22 ("), %27 ('), %3C (<) and %3E (>) instead`},
		{"cameras:\n  - {name: a, source: \"ftp://me:secret@b/c\"}\n", "2: cameras[0].source", `"ftp://"`, sources},
		{"cameras:\n  - {name: a, source: \"rtsp://me:secret@/c\"}\n", "2: cameras[0].source", "a URL without a host", "rtsp://host/path"},
		{"cameras:\n  - {name: a, source: \"csi:one\"}\n", "2: cameras[0].source", `"csi:one"`, "csi: and the number of a camera, 0 for the first"},
		{"cameras:\n  - {name: a, source: \"gst: \"}\n", "2: cameras[0].source", `"gst: "`, "gst: and a GStreamer pipeline"},
		{"cameras:\n  - {name: a, source: " + strings.Repeat("x", 4097) + "}\n", "2: cameras[0].source", "4097 bytes", "4096 at most"},
		{camera("fps: -1"), "2: cameras[0].fps", "-1", "a number from 0 to 1000"},
		{camera("fps: fast"), "2: cameras[0].fps", `"fast"`, "a number from 0 to 1000"},
		{camera("fit: squeeze"), "2: cameras[0].fit", `"squeeze"`, "stretch, crop or tiles"},
		{camera("fit: 1"), "2: cameras[0].fit", "1", "stretch, crop or tiles"},
		{camera("regions: [{box: [0, 0, 1, 1]}]"), "2: cameras[0].regions[0].name", "nothing", names},
		{camera("regions: [{name: r}, {name: r}]"), "2: cameras[0].regions[1].name", `"r"`, "each once; cameras[0].regions[0] is that already"},
		{camera("regions: [" + strings.Repeat("{name: r},", 65) + "]"), "2: cameras[0].regions", "65 entries", "64 at most"},
		{region("box: [0, 0, 1]"), "2: cameras[0].regions[0].box", "3 entries", box},
		{region("box: 1"), "2: cameras[0].regions[0].box", "1", box},
		{region("box: [0, 0, 1.5, 1]"), "2: cameras[0].regions[0].box[2]", "1.5", "a number from 0 to 1"},
		{region("box: [10%, 0, 1, 1]"), "2: cameras[0].regions[0].box[0]", `"10%"`, "a number from 0 to 1"},
		{region("box: [0, 0, 0, 1]"), "2: cameras[0].regions[0].box[2]", "0", "a width above 0"},
		{region("box: [0, 0, 1, 0.0]"), "2: cameras[0].regions[0].box[3]", "0.0", "a height above 0"},
		{region("box: [0.5, 0, 0.6, 1]"), "2: cameras[0].regions[0].box", "x 0.5 and width 0.6", "a box within the frame: together at most 1"},
		{region("box: [0, 0.5, 1, 0.6]"), "2: cameras[0].regions[0].box", "y 0.5 and height 0.6", "a box within the frame: together at most 1"},

		// A leave above its enter, where they meet.
		{">thresholds:\n  enter: 0.5\n  leave: 0.6\n", "4: thresholds.leave", "0.6", "at most 0.5, which is thresholds.enter"},
		{">thresholds: {leave: 0.7}\n", "2: thresholds.leave", "0.7", "at most 0.6, which is thresholds.enter"},
		{">thresholds: {enter: 0.30}\n", "2: thresholds.enter", "0.30", "at least 0.4, which is thresholds.leave"},
		{camera("thresholds: {enter: 0.3}"), "2: cameras[0].thresholds.enter", "0.3", "at least 0.4, which is thresholds.leave"},
		{camera("thresholds: {leave: 0.7}, regions: [{name: r}]"), "2: cameras[0].thresholds.leave", "0.7", "at most 0.6, which is thresholds.enter"},
		{
			camera("thresholds: {leave: 0.5}, regions: [{name: r, thresholds: {enter: 0.45}}]"),
			"2: cameras[0].regions[0].thresholds.enter", "0.45", "at least 0.5, which is cameras[0].thresholds.leave",
		},
		{">thresholds: {labels: [{label: a, enter: 0.3}]}\n", "2: thresholds.labels[0].enter", "0.3", "at least 0.4, which is thresholds.leave"},
		{">thresholds: {labels: [{label: a, enter: 0.3, leave: 0.35}]}\n", "2: thresholds.labels[0].leave", "0.35", "at most 0.3, which is thresholds.labels[0].enter"},
		{
			"thresholds: {labels: [{label: a, enter: 0.5}]}\n" + region("thresholds: {labels: [{label: a, leave: 0.55}]}"),
			"3: cameras[0].regions[0].thresholds.labels[0].leave", "0.55", "at most 0.5, which is thresholds.labels[0].enter",
		},
		{
			"thresholds: {labels: [{label: a, leave: 0.55}]}\n" + region("thresholds: {enter: 0.5}"),
			"1: thresholds.labels[0].leave", "0.55", "at most 0.5, which is cameras[0].regions[0].thresholds.enter",
		},

		// Brokers and the page.
		{">mqtt: {brokers: []}\n", "2: mqtt.brokers", "[]", "at least one broker, such as tcp://localhost:1883"},
		{">mqtt:\n  brokers:\n    - tcp://a\n    - http://a:1\n", "5: mqtt.brokers[1]", `"http://a:1"`, brokers},
		{">mqtt: {brokers: [localhost]}\n", "2: mqtt.brokers[0]", `"localhost"`, brokers},
		{">mqtt: {brokers: [\"localhost:1883\"]}\n", "2: mqtt.brokers[0]", `"localhost:1883"`, brokers},
		{">mqtt: {brokers: [\"tcp://:1883\"]}\n", "2: mqtt.brokers[0]", `"tcp://:1883"`, brokers},
		{">mqtt: {brokers: [\"tcp://a:mqtt\"]}\n", "2: mqtt.brokers[0]", `"tcp://a:mqtt"`, brokers},
		{">mqtt: {brokers: [\"tcp://a:70000\"]}\n", "2: mqtt.brokers[0]", `"tcp://a:70000"`, "a port from 1 to 65535"},
		{">mqtt: {brokers: [\"tcp://a:\"]}\n", "2: mqtt.brokers[0]", `"tcp://a:"`, "a port from 1 to 65535"},
		{">mqtt: {brokers: [\"ssl://a/mqtt\"]}\n", "2: mqtt.brokers[0]", `"ssl://a/mqtt"`, brokers + "; a path only with ws:// and wss://"},
		{
			">mqtt: {brokers: [\"tcp://me:secret@a:1883\"]}\n", "2: mqtt.brokers[0]", "a URL with a user name or password",
			"tcp://host:port; the name belongs in mqtt.username, the password in the file that mqtt.password_file names",
		},
		{">mqtt: {password_file: a}\n", "2: mqtt.username", "nothing", "a name, since mqtt.password_file is set: MQTT knows no password without one"},
		{">mqtt:\n  brokers: [ssl://a]\n  tls: {cert_file: a}\n", "4: mqtt.tls.key_file", "nothing", "the key's file, since cert_file is set"},
		{">mqtt:\n  brokers: [ssl://a]\n  tls: {key_file: a}\n", "4: mqtt.tls.cert_file", "nothing", "the certificate's file, since key_file is set"},
		{">mqtt: {brokers: [wss://a], tls: {cert_file: a, ca_file: b}}\n", "2: mqtt.tls.key_file", "nothing", "the key's file, since cert_file is set"},
		{">mqtt: {tls: {ca_file: a}}\n", "2: mqtt.tls.ca_file", `"a"`, "only with an ssl:// or wss:// broker: the others are not encrypted"},
		{">http: {listen: localhost}\n", "2: http.listen", `"localhost"`, listen},
		{">http: {listen: 8585}\n", "2: http.listen", "8585", listen},
		{">http: {listen: \"127.0.0.1:http\"}\n", "2: http.listen", `"127.0.0.1:http"`, listen},
		{">http: {listen: \"127.0.0.1:65536\"}\n", "2: http.listen", `"127.0.0.1:65536"`, listen},
		{">http: {listen: \":8585\"}\n", "2: http.listen", `":8585"`, password},
		{">http: {listen: \"192.168.1.2:80\"}\n", "2: http.listen", `"192.168.1.2:80"`, password},
		{">http: {listen: \"[::]:80\"}\n", "2: http.listen", `"[::]:80"`, password},
	} {
		content := c.content
		if rest, ok := strings.CutPrefix(content, ">"); ok {
			content = smallest + rest
		}
		t.Run(c.line, func(t *testing.T) {
			wrong(t, content, "tarsier.yaml:"+c.line+": found "+c.found+", allowed: "+c.allowed)
		})
	}
}

func TestAllowed(t *testing.T) {
	for _, content := range []string{
		"http: {listen: \"\"}", "http: {listen: \"[::1]:80\"}", "http: {listen: \"127.3.2.1:80\"}", "http: {listen: \"localhost:0\"}",
		"http: {listen: \"[::ffff:127.0.0.1]:80\"}",
		"thresholds: {enter: 0.5, leave: 0.5}", "thresholds: {enter: 0, leave: 0}", "thresholds: {enter: 1, leave: 1}",
		"thresholds: {labels: [{label: a, leave: 0}]}",
		"mqtt: {brokers: [tcp://a, ssl://b], tls: {ca_file: x}}",
		"mqtt: {username: a}",
		"model: {width_mult: 1}", "model: {width_mult: 1.0}", "model: {width_mult: 0.35}",
		"model: {width_mult: auto}", "model: {width_mult: \"auto\"}",
		"---\nnode: a\n", "\ufeffnode: a", "node: a\r\nlog: {level: warn}\r\n",
	} {
		if _, err := parse("f", []byte(content+"\n"+smallest)); err != nil {
			t.Errorf("%q: %v", content, err)
		}
	}
	for _, end := range []string{"...\n", "---\n", "--- ~\n"} {
		if _, err := parse("f", []byte(smallest+end)); err != nil {
			t.Errorf("%q: %v", end, err)
		}
	}
	for _, source := range []string{
		"/dev/video0", "/dev/v4l/by-id/usb-046d_HD-index0", "csi:0", "csi:1", "videos/a b.mp4", "rtsp://a", "rtsp://u:p@a:554/b?c=d#e",
		"rtsps://a/b", "http://a/b.mjpg", "https://a", "http://[fe80::1]:8080/", "gst:videotestsrc ! videoconvert ! appsink", "rtsp://u:p@ss/w@a/b",
	} {
		if _, err := parse("f", []byte("cameras: [{name: a, source: '"+source+"'}]")); err != nil {
			t.Error(err)
		}
	}
}

// No mistake quotes a source or a broker that may hold a password, wherever it stands.
func TestNoPassword(t *testing.T) {
	const secret = "T0pS3cret"
	urls := []string{
		"rtsp://admin:" + secret + "@10.0.0.7/1", "http://10.0.0.7/v.cgi?user=admin&pwd=" + secret, "rtsp://10.0.0.7/user=admin_password=" + secret,
		"gst:rtspsrc location=rtsp://10.0.0.7/1 user-pw=" + secret + " ! appsink", "tcp://user:" + secret + "@broker:1883",
	}
	for _, place := range []string{
		"cameras: '%'", "cameras: ['%']", "cameras: {'%': 1}", "cameras: [{name: '%', source: a}]", "cameras: [{name: a, source: \"%\\n\"}]",
		"cameras: [{name: a, source: 'x%'}]", "cameras: [{name: a, source: ['%']}]", "cameras: [{name: a, source: '%', source: '%'}]",
		"cameras: [{name: a, source: '%', regions: '%'}]", "mqtt: '%'", "mqtt: {brokers: '%'}", "mqtt: {brokers: ['%']}", "mqtt: {'%': a}",
		"mqtt: {qos: '%'}", "cameras: [{name: a, source: '%']", "cameras: [{name: a, source: %: b}]", "mqtt: {base_topic: '/%'}", "http: {listen: '%'}",
		"mqtt: {password: " + secret + "}", "mqtt: {username: {" + secret + ": a}}",
	} {
		for _, url := range urls {
			content := strings.ReplaceAll(place, "%", url)
			if _, err := parse("tarsier.yaml", []byte(content)); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", content, err)
			}
		}
	}
}

// Several mistakes are all told, by line, each once.
func TestAllMistakesAtOnce(t *testing.T) {
	wrong(t, `
thresholds: {enter: 2, leave: 0.5}
cameras:
  - name: porch
    sauce: rtsp://me:secret@camera
    fps: fast
    regions:
      - {name: a b, box: [0.5, 0, 0.6, 1], thresholds: {enter: 0.1}}
  - name: porch
    source: b.mp4
nonsense: 1
http: {listen: "0.0.0.0:80", password: x}
`,
		`tarsier.yaml:2: thresholds.enter: found 2, allowed: a number from 0 to 1`,
		`tarsier.yaml:4: cameras[0].source: found nothing, allowed: /dev/videoN or a name under /dev/v4l/by-id, csi:N, a file, rtsp://, http://, or gst: and a GStreamer pipeline`,
		`tarsier.yaml:5: cameras[0].sauce: found an unknown key (did you mean source?), allowed: fit, fps, loop, name, regions, source, thresholds`,
		`tarsier.yaml:6: cameras[0].fps: found "fast", allowed: a number from 0 to 1000`,
		`tarsier.yaml:8: cameras[0].regions[0].name: found "a b", allowed: 1 to 64 of the letters A-Z, a-z, digits, _ and -`,
		`tarsier.yaml:8: cameras[0].regions[0].box: found x 0.5 and width 0.6, allowed: a box within the frame: together at most 1`,
		`tarsier.yaml:8: cameras[0].regions[0].thresholds.enter: found 0.1, allowed: at least 0.5, which is thresholds.leave`,
		`tarsier.yaml:9: cameras[1].name: found "porch", allowed: each once; cameras[0] is that already`,
		`tarsier.yaml:11: nonsense: found an unknown key, allowed: cameras, http, log, model, mqtt, node, thresholds`,
		`tarsier.yaml:12: http.password: found an unknown key (did you mean password_file?), allowed: listen, password_file`,
		`tarsier.yaml:12: http.listen: found "0.0.0.0:80", allowed: beyond this machine only with http.password_file; 127.0.0.1:8585 needs none`,
	)
	wrong(t, smallest+"mqtt: {tls: {key_file: k, cert_file: c, ca_file: a}}\n",
		`tarsier.yaml:2: mqtt.tls.ca_file: found "a", allowed: only with an ssl:// or wss:// broker: the others are not encrypted`,
		`tarsier.yaml:2: mqtt.tls.cert_file: found "c", allowed: only with an ssl:// or wss:// broker: the others are not encrypted`,
		`tarsier.yaml:2: mqtt.tls.key_file: found "k", allowed: only with an ssl:// or wss:// broker: the others are not encrypted`,
	)
}

func TestLoadWithoutFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tarsier.yaml")
	_, err := Load(path)
	if want := "there is no config file " + path + ": write one, or name another with --config: file does not exist"; !errors.Is(err, fs.ErrNotExist) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder: %v", err)
	}
	write(t, path, smallest+"x: 1\n")
	if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+":2: x: ") {
		t.Errorf("a mistake: %v", err)
	}
	if os.Getuid() == 0 {
		return // who may read everything
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a file that may not be read: %v", err)
	}
}

func TestHostNode(t *testing.T) {
	for _, c := range []struct {
		host string
		err  error
		want string
	}{
		{"porch-pi", nil, "porch-pi"},
		{"porch.local", nil, "porch-local"},
		{"küche", nil, "k-che"},
		{"", nil, "tarsier"},
		{"x", errors.New("no host name"), "tarsier"},
		{strings.Repeat("a", 70), nil, strings.Repeat("a", 64)},
	} {
		if got := hostNode(c.host, c.err); got != c.want {
			t.Errorf("%q: got %q, want %q", c.host, got, c.want)
		}
	}
}

// The example loads, has every key, and what it gives is the default.
// example is the config that ships as the reference: every key, its default and what it means.
//
//go:embed tarsier.yaml
var example string

func TestExample(t *testing.T) {
	got := load(t, example)
	want := defaults()
	want.Cameras[0].Source = "rtsp://10.0.0.7/stream1"
	want.Thresholds.Only, want.Thresholds.Labels = []string{}, []LabelOverride{}
	equal(t, got, want)

	root, _, err := decode([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	l := &loader{places: places{"tarsier.yaml", map[string]origin{}}, failed: map[string]bool{}}
	nodes := l.flatten(root, reflect.ValueOf(got).Elem(), "")
	eachKey(reflect.ValueOf(got).Elem(), "", func(key string, _ reflect.StructField, _ reflect.Value) {
		if nodes[key] == nil {
			t.Errorf("%s is not in it", key)
		}
	})
	nodes = l.flatten(nodes["cameras"].Content[0], reflect.ValueOf(&Camera{}).Elem(), "cameras[0]")
	for _, key := range []string{"name", "source", "fps", "loop", "fit", "regions"} {
		if nodes[key] == nil {
			t.Errorf("cameras[0].%s is not in it", key)
		}
	}
	// Those of lists that are empty stand in comments.
	for _, entry := range []any{&Region{}, &LabelOverride{}} {
		for _, key := range keysOf(reflect.ValueOf(entry).Elem()) {
			if !regexp.MustCompile(`(?m)^ *#.*\b` + key + `:`).MatchString(example) {
				t.Errorf("%T: no comment has %s", entry, key)
			}
		}
	}
	// What the comments give as examples is right, too.
	uncommented := regexp.MustCompile(`(?m)^( *)#   (- |  )`).ReplaceAllString(example, "$1  $2")
	for _, key := range []string{"labels", "regions"} {
		list := regexp.MustCompile(`(?ms)^( +- name: door.*?enter: 0.7\}|  +- \{label: [^\n]*)$`).FindAllString(uncommented, -1)
		if len(list) != 2 {
			t.Fatalf("%s: %q", key, list)
		}
		content := "thresholds:\n  labels:\n" + list[0] + "\ncameras:\n  - name: a\n    source: b\n    regions:\n" + list[1] + "\n"
		c := load(t, content)
		if len(c.Thresholds.Labels) != 1 || c.Cameras[0].Regions[0].Box != [4]float64{0.1, 0.2, 0.45, 0.6} {
			t.Errorf("%s", dump(c))
		}
	}
}

func TestSimilar(t *testing.T) {
	keys := []string{"name", "node", "password_file", "source", "thresholds", "qos"}
	for found, want := range map[string]string{
		"nmae": "name", "Name": "name", "names": "name", "password": "password_file", "treshold": "thresholds", "QoS": "qos",
		"threshold": "thresholds", "x": "", "cameras": "", "no": "", "sourcefile": "source", "": "",
	} {
		if got := similar(found, keys); got != want {
			t.Errorf("%s: got %q, want %q", found, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		if got, back := distance(c.a, c.b), distance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%q and %q: got %d and %d, want %d", c.a, c.b, got, back, c.want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(smallest))
	f.Add([]byte("cameras: &a [*a]\n"))
	f.Add([]byte("thresholds: &t {labels: [*t]}\n<<: *t\n? {a: b}\n: c\n"))
	f.Add([]byte("node: !!binary aGk=\nmqtt: {qos: !!int x, brokers: [tcp://a:b@c]}\n--- a\n"))
	f.Add([]byte("cameras:\n  - {name: a, source: b, regions: [{name: c, box: [0, 0, .5, 0x1]}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parse("f", data)
		if err != nil {
			var mistakes Errors
			if c != nil || !errors.As(err, &mistakes) || len(mistakes) == 0 {
				t.Fatalf("%v and %v", c, err)
			}
			lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") +
				strings.Count(string(data), "\u0085") + strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029") + 1
			for _, e := range mistakes {
				if e.Line < 1 || e.Line > lines || e.Found == "" || e.Allowed == "" || strings.Contains(e.Error(), "\n") {
					t.Errorf("%q has %d lines", e.Error(), lines)
				}
			}
			return
		}
		again, err := parse("f", data)
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("not the same twice: %v, %s and %s", err, dump(c), dump(again))
		}
		l := &loader{places: places{"f", map[string]origin{}}, failed: map[string]bool{}}
		if l.check(c); l.errors != nil {
			t.Error(l.errors)
		}
		for i := range c.Cameras {
			for j := range c.Cameras[i].Regions {
				th := c.RegionThresholds(&c.Cameras[i], &c.Cameras[i].Regions[j])
				th.Labels = append(th.Labels, LabelThreshold{"", th.Enter, th.Leave})
				if slices.ContainsFunc(th.Labels, func(l LabelThreshold) bool { return !(0 <= l.Leave && l.Leave <= l.Enter && l.Enter <= 1) }) {
					t.Errorf("%+v", th)
				}
			}
		}
	})
}
