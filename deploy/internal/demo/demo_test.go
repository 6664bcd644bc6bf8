package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"go.uber.org/goleak"
)

// What is published at the broker is printed as a person reads it.
func TestSubscriber(t *testing.T) {
	defer goleak.VerifyNone(t)
	var out bytes.Buffer
	p := newPrinter(&out, false)
	all := p.allEntered([]camera{{name: "bottle"}, {name: "car"}})
	broker, _, err := startBroker(p.message)
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()

	publish := func(topic, payload string) {
		t.Helper()
		if err := broker.Publish("tarsier/demo/"+topic, []byte(payload), false, 1); err != nil {
			t.Fatal(err)
		}
	}
	publish("status", "online")
	publish("bottle/frame/state", `{"label":null,"entered":[]}`)
	publish("bottle/frame/event", `{"seq":1,"time":"2026-11-23T08:15:30.482Z","camera":"bottle","type":"enter","label":"water bottle","score":0.71,"latency_ms":18.4}`)
	publish("bottle/frame/event", `{"seq":2,"time":"2026-11-23T08:15:31Z","camera":"bottle","type":"leave","reason":"stopped","label":"water bottle","score":0.3,"latency_ms":2}`)
	select {
	case <-all:
		t.Error("says that all cameras have made an event, after one has")
	default:
	}
	publish("car/frame/event", `{"seq":3,"time":"2026-11-23T08:15:32Z","camera":"car","type":"enter","label":"cab","score":0.5,"latency_ms":9}`)
	publish("car/frame/event", `nonsense`)
	<-all

	want := regexp.MustCompile(`^[\d:.]+  tarsier/demo/status +online
[\d:]+\.482  tarsier/demo/bottle/frame/event +enter water bottle  0\.71  seq 1, 18 ms
[\d:]+\.000  tarsier/demo/bottle/frame/event +leave water bottle \(stopped\)  0\.30  seq 2, 2 ms
[\d:]+\.000  tarsier/demo/car/frame/event +enter cab  0\.50  seq 3, 9 ms
[\d:.]+  tarsier/demo/car/frame/event +not an event: .*
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("printed:\n%s", &out)
	}
	if p.count() != 3 {
		t.Errorf("counted %d events, not 3", p.count())
	}
}

// Without videos, the photographs are two cameras of which each shows another.
func TestPhotographs(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "photos"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]color.Gray{"dark.jpg": {30}, "light.jpg": {220}} {
		m := image.NewGray(image.Rect(0, 0, 90, 50))
		for i := range m.Pix {
			m.Pix[i] = c.Y
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "photos", name), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cameras, stop, err := findCameras(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	defer http.DefaultClient.CloseIdleConnections()
	var shown []bool
	for _, c := range cameras {
		picture := firstPicture(t, c.source)
		if b := picture.Bounds(); b.Dx() != photoWidth || b.Dy() != photoHeight {
			t.Errorf("camera %s: %v", c.name, b)
		}
		shown = append(shown, color.GrayModel.Convert(picture.At(9, 9)).(color.Gray).Y > 127)
	}
	if len(shown) != 2 || shown[0] == shown[1] {
		t.Errorf("cameras %v show %v", cameras, shown)
	}
}

func firstPicture(t *testing.T, url string) image.Image {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	part, err := multipart.NewReader(r.Body, params["boundary"]).NextPart()
	if err != nil {
		t.Fatal(err)
	}
	m, err := jpeg.Decode(part)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNothingToShow(t *testing.T) {
	if _, _, err := findCameras(t.TempDir()); err == nil {
		t.Error("no error where there is neither a video nor a photograph")
	}
}
