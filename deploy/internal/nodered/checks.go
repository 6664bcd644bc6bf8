package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tarsier/pipeline"
)

// Labels of which the flow is to see one, and not the other.
const (
	bottle = "water bottle"
	other  = "tench"
)

// check goes through everything, one after the other: each step begins where the last one ended.
func (w *world) check() (err error) {
	if err := w.startBroker(); err != nil {
		return err
	}
	if err := w.wait("the broker answers", func() (err error) { w.heard, err = subscribe(w.brokerPort); return err }); err != nil {
		return err
	}
	defer w.heard.client.Disconnect(250)
	if err := w.startNodeRED(); err != nil {
		return err
	}
	up := func() error { _, err := w.call(http.MethodGet, "/flows", nil); return err }
	if err := w.wait("Node-RED answers", up); err != nil {
		return err
	}
	if err := w.importFlow(); err != nil {
		return err
	}
	for _, part := range []func() error{w.checkRepeats, w.checkDaemon, w.complained} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// checkRepeats publishes events, each more than once.
func (w *world) checkRepeats() error {
	enter, leave := w.event(1, pipeline.Enter, "door", bottle), w.event(3, pipeline.Leave, "door", bottle)
	foreign, second, gone := w.event(2, pipeline.Enter, "door", other), w.event(4, pipeline.Enter, "path", bottle), w.event(5, pipeline.Leave, "path", bottle)

	// Whether the flow listens already can only be found out by trying.
	err := w.wait("a label that is entered becomes a message, and the lamp goes on", func() error {
		return first(w.publish(enter), w.says(`water bottle in porch/door`), w.lamp("ON"))
	})
	if err != nil {
		return err
	}
	if err := first(w.publish(enter), w.publish(foreign), w.publish(second), w.publish(second), w.publish(leave), w.publish(enter)); err != nil {
		return err
	}
	err = w.wait("repeats and other labels become nothing, and the lamp stays on while another region has the label", func() error {
		return first(w.says(`water bottle in porch/door`, `water bottle in porch/path`, `water bottle is gone from porch/door`), w.lamp("ON"))
	})
	if err != nil {
		return err
	}
	if err := first(w.publish(gone), w.publish(gone)); err != nil {
		return err
	}
	return w.wait("with the last it goes off", func() error { return w.lamp("ON", "OFF") })
}

// checkDaemon has the flow see what the real daemon sees.
func (w *world) checkDaemon() error {
	if err := w.startTarsier(); err != nil {
		return err
	}
	if err := w.wait("what the daemon sees becomes messages, and the lamp goes on", func() error { return w.follows("ON") }); err != nil {
		return err
	}
	err := w.wait("the page shows the picture", func() error {
		page, err := w.call(http.MethodGet, "/tarsier", nil)
		if err != nil {
			return err
		}
		picture := w.heard.last("tarsier/porch-pi/porch/frame/snapshot")
		if picture == "" || !strings.Contains(string(page), base64.StdEncoding.EncodeToString([]byte(picture))) {
			return fmt.Errorf("it is not in %.200s", page)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.press("tarsier-pause"); err != nil {
		return err
	}
	err = w.wait("the button pauses the camera, what was seen is gone, and the lamp goes off", func() error {
		return first(w.paused("ON"), w.follows("OFF"))
	})
	if err != nil {
		return err
	}
	if err := w.press("tarsier-resume"); err != nil {
		return err
	}
	return w.wait("the other button has it go on, and the lamp too", func() error { return first(w.paused("OFF"), w.follows("ON")) })
}

// event makes one as the daemon would have.
func (w *world) event(seq uint64, kind, region, label string) pipeline.Event {
	e := pipeline.Event{
		V: pipeline.Version, ID: fmt.Sprintf("test/%d", seq), Seq: seq, Time: pipeline.Time{Time: time.Now()}, Clock: pipeline.Synced,
		Node: "test", Camera: "porch", Region: region, Type: kind, Label: label, Index: len(label), Score: 0.7, Top: []pipeline.Score{},
	}
	if kind == pipeline.Leave {
		e.Reason = pipeline.ByScore
	}
	return e
}

func (w *world) publish(e pipeline.Event) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return w.heard.publish(fmt.Sprintf("tarsier/%s/%s/%s/event", e.Node, e.Camera, e.Region), b)
}

// says wants these messages of the flow, and no others.
func (w *world) says(want ...string) error {
	if got := w.heard.all("home/tarsier/message"); !slices.Equal(got, want) {
		return fmt.Errorf("the messages are %q, want %q", got, want)
	}
	return nil
}

// lamp wants to have heard this of the lamp, and nothing else.
func (w *world) lamp(want ...string) error {
	if got := w.heard.all("home/tarsier/lamp/set"); !slices.Equal(got, want) {
		return fmt.Errorf("the lamp was set to %q, want %q", got, want)
	}
	return nil
}

// follows wants a message for each event of the label, and the lamp to be like that now.
func (w *world) follows(lamp string) error {
	events, err := w.heard.events()
	if err != nil {
		return err
	}
	var want []string
	for _, e := range events {
		switch {
		case e.Label != bottle:
		case e.Type == pipeline.Enter:
			want = append(want, fmt.Sprintf("%s in %s/%s", e.Label, e.Camera, e.Region))
		default:
			want = append(want, fmt.Sprintf("%s is gone from %s/%s", e.Label, e.Camera, e.Region))
		}
	}
	if got := w.heard.last("home/tarsier/lamp/set"); got != lamp {
		return fmt.Errorf("the lamp is %s, want %s", got, lamp)
	}
	return w.says(want...)
}

func (w *world) paused(want string) error {
	if got := w.heard.last("tarsier/porch-pi/porch/pause"); got != want {
		return fmt.Errorf("pause is %q, want %q", got, want)
	}
	return nil
}

// first gives the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
