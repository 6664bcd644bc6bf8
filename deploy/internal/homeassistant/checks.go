package main

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Labels of the model: what is on the porch, and what is not and is hard to write in a template.
const (
	bottle  = "water bottle"
	lantern = "jack-o'-lantern"
)

// Entities that the checks look at.
const (
	doorSensor  = "sensor.porch_pi_porch_door"
	doorBottle  = "binary_sensor.porch_pi_porch_door_water_bottle"
	doorLantern = "binary_sensor.porch_pi_porch_door_jack_o_lantern"
	doorImage   = "image.porch_pi_porch_door_snapshot"
	connection  = "binary_sensor.porch_pi_porch_connection"
	pauseSwitch = "switch.porch_pi_porch_pause"
	queueSensor = "sensor.porch_pi_queue"
	unavailable = "unavailable"
)

// check goes through everything, one after the other: each step begins where the last one ended.
func (w *world) check() error {
	video := func(name string) string { return filepath.Join(w.data, "videos", name+".mp4") }
	door := region{"door", []string{bottle, lantern}}
	path := region{"path", nil}
	porch := camera{"porch", video("bottle"), []region{door, path}}
	street := camera{"street", video("car"), []region{{"frame", nil}}}
	c := &config{enter: 0.3, snapshots: true, discovery: "homeassistant", cameras: []camera{porch, street}}

	steps := []func() error{
		w.model,
		w.startBroker,
		w.startHomeAssistant,
		w.now("Home Assistant starts", func() error { return w.api.up() }),
		func() error { return w.api.onboard() },
		w.now("it has started", func() error { return w.api.up() }),
		func() error { return w.api.addMQTT(w.brokerPort) },

		func() error { return w.write(c) },
		w.startTarsier,
		w.now("entities of 2 cameras, 3 regions, 2 labels and the node appear, under their ids", w.exactly(c)),
		w.now("they have short names, after the device's", w.names(map[string]string{
			doorSensor: "porch-pi porch door", doorBottle: "porch-pi porch door water bottle", doorLantern: "porch-pi porch door jack-o'-lantern",
			doorImage: "porch-pi porch door snapshot", pauseSwitch: "porch-pi porch pause", queueSensor: "porch-pi queue",
		})),
		w.now("a water bottle is entered: the sensor says so, with score, since and all that is entered", w.entered),
		w.now("its binary sensor is on", w.states("on", doorBottle)),
		w.now("that of what is not there is off", w.states("off", doorLantern)),
		w.now("the camera is connected, and not paused", w.both(w.states("on", connection), w.states("off", pauseSwitch))),
		w.now("the image is a JPEG", w.picture),
		w.now("diagnostics have numbers", w.diagnostics),

		func() error { c.enter = 1; return w.write(c) },
		w.now("the bottle is left: the binary sensor is off", w.states("off", doorBottle)),
		w.now("the sensor says none, and has no score", w.left),
		func() error { c.enter = 0.3; return w.write(c) },
		w.now("it is entered again", w.both(w.entered, w.states("on", doorBottle))),
		w.now("which the sample automation notices", w.noticed),

		func() error { return w.api.act("switch", "turn_on", pauseSwitch) },
		w.now("the switch pauses the camera: what it sees is unavailable", w.both(w.states("on", pauseSwitch), w.states("off", connection),
			w.states(unavailable, doorSensor, doorBottle, doorLantern, "sensor.porch_pi_porch_path", "sensor.porch_pi_porch_frame_rate"))),
		w.now("the other camera goes on", w.known("sensor.porch_pi_street_frame", "sensor.porch_pi_street_frame_rate")),
		w.now("the last picture can still be seen", w.picture),
		func() error { return w.api.act("switch", "turn_off", pauseSwitch) },
		w.now("and goes on with it", w.both(w.states("off", pauseSwitch), w.states("on", connection, doorBottle), w.entered)),

		func() error { w.tarsier.Kill(); w.tarsier = nil; return nil },
		w.now("kill -9 of the daemon: the last will makes everything unavailable", w.gone(c)),
		w.startTarsier,
		w.now("started again, everything is back", w.both(w.entered, w.states("on", doorBottle, connection), w.picture)),
		w.now("under the same ids", w.exactly(c)),

		w.withoutBroker(w.now("the broker is stopped: everything is unavailable", w.gone(c)),
			w.now("it is started: everything is back", w.both(w.entered, w.states("on", doorBottle, connection), w.picture))),

		w.restartHomeAssistant,
		w.now("it knows everything at once", w.both(w.entered, w.states("on", doorBottle, connection), w.picture)),
		w.now("under the same ids", w.exactly(c)),

		func() error { porch.regions = []region{door}; c.cameras = []camera{porch, street}; return w.write(c) },
		w.now("a region is removed from the config: its entities are gone, from the registry too", w.exactly(c)),
		func() error {
			porch.regions = []region{door, {"mat", []string{bottle}}}
			c.cameras = []camera{porch, street}
			return w.write(c)
		},
		w.now("one is added: its entities appear", w.exactly(c)),
		w.now("and follow", w.states("on", "binary_sensor.porch_pi_porch_mat_water_bottle")),
		func() error {
			porch.regions = []region{{"door", []string{bottle}}, {"mat", []string{bottle}}}
			c.cameras = []camera{porch, street}
			return w.write(c)
		},
		w.now("a label leaves the list: its binary sensor is gone", w.exactly(c)),
		func() error { c.snapshots = false; return w.write(c) },
		w.now("snapshots are turned off: the images are gone", w.exactly(c)),
		w.now("what stays is as it was", w.both(w.entered, w.states("on", doorBottle, connection))),

		func() error {
			w.tarsier.Signal(syscall.SIGTERM)
			w.tarsier = nil
			c.cameras = c.cameras[:1]
			return w.write(c)
		},
		w.now("the daemon is stopped: everything is unavailable", w.gone(c)),
		w.startTarsier,
		w.now("started with a config of one camera: the other's entities are gone", w.exactly(c)),

		func() error { c.cameras = []camera{w.crowd()}; return w.write(c) },
		w.now("64 regions of 20 labels each are added: they begin to appear", w.known("switch.porch_pi_crowd_pause")),
		func() error { c.cameras = append(c.cameras, street); return w.write(c) },
		w.now("and another camera at once: everything is there", w.exactly(c)),
		func() error { c.cameras = []camera{porch}; return w.write(c) },
		w.now("one camera again: theirs are gone, and the porch is there", w.both(w.exactly(c), w.entered)),

		func() error { c.discovery = ""; return w.write(c) },
		w.now("discovery is turned off: nothing is left", w.exactly(c)),
		func() error { c.discovery = "homeassistant"; return w.write(c) },
		w.now("it is turned on: everything is there", w.both(w.exactly(c), w.entered)),

		w.complaints, // does not get better by waiting
		w.now("Home Assistant has no complaint about any of it", w.complaints),
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// now is a step: to wait until something is as it should be.
func (w *world) now(what string, as func() error) func() error {
	return func() error { return w.wait(what, as) }
}

// both are several at the same time.
func (w *world) both(all ...func() error) func() error {
	return func() error {
		for _, as := range all {
			if err := as(); err != nil {
				return err
			}
		}
		return nil
	}
}

// exactly says whether the registry has what a config asks for, and nothing else. What depends on the machine is left out.
func (w *world) exactly(c *config) func() error {
	return func() error {
		want := c.entities()
		got, err := w.api.entities()
		if err != nil {
			return err
		}
		got = slices.DeleteFunc(got, func(id string) bool {
			return id == "sensor.porch_pi_temperature" || id == "binary_sensor.porch_pi_throttled"
		})
		missing := slices.DeleteFunc(slices.Clone(want), func(id string) bool { return slices.Contains(got, id) })
		more := slices.DeleteFunc(got, func(id string) bool { return slices.Contains(want, id) })
		if len(missing)+len(more) > 0 {
			return fmt.Errorf("%d entities are missing: %.200q; %d are too many: %.200q", len(missing), missing, len(more), more)
		}
		return nil
	}
}

// gone says whether all that a config asks for is unavailable.
func (w *world) gone(c *config) func() error {
	return func() error { return w.states(unavailable, c.entities()...)() }
}

// states says whether entities have a state.
func (w *world) states(state string, ids ...string) func() error {
	return func() error {
		for _, id := range ids {
			if e, err := w.api.entity(id); err != nil {
				return err
			} else if e.State != state {
				return fmt.Errorf("%s is %q, not %q", id, e.State, state)
			}
		}
		return nil
	}
}

// known says whether entities have a state of their own.
func (w *world) known(ids ...string) func() error {
	return func() error {
		for _, id := range ids {
			if e, err := w.api.entity(id); err != nil {
				return err
			} else if e.State == unavailable || e.State == "unknown" {
				return fmt.Errorf("%s is %s", id, e.State)
			}
		}
		return nil
	}
}

func (w *world) names(want map[string]string) func() error {
	return func() error {
		for id, name := range want {
			if e, err := w.api.entity(id); err != nil {
				return err
			} else if e.Attributes.Name != name {
				return fmt.Errorf("%s is called %q, not %q", id, e.Attributes.Name, name)
			}
		}
		return nil
	}
}

func (w *world) entered() error {
	e, err := w.api.entity(doorSensor)
	if err != nil {
		return err
	}
	a := e.Attributes
	if e.State != bottle || a.Label == nil || *a.Label != bottle || a.Score == nil || *a.Score <= 0 || a.Since == nil ||
		len(a.Entered) != 1 || a.Entered[0].Label != bottle || a.Entered[0].Score != *a.Score || a.Entered[0].Since != *a.Since {
		return fmt.Errorf("%s is %+v", doorSensor, e)
	}
	return nil
}

func (w *world) left() error {
	e, err := w.api.entity(doorSensor)
	if a := e.Attributes; err == nil && (e.State != "none" || a.Label != nil || a.Score != nil || a.Since != nil || len(a.Entered) != 0) {
		err = fmt.Errorf("%s is %+v", doorSensor, e)
	}
	return err
}

func (w *world) picture() error {
	var picture []byte
	if err := w.api.call("GET", "/api/image_proxy/"+doorImage, nil, &picture); err != nil {
		return err
	}
	config, err := jpeg.DecodeConfig(bytes.NewReader(picture))
	if err == nil && config.Width != 640 {
		err = fmt.Errorf("the picture is %d pixels wide", config.Width)
	}
	return err
}

func (w *world) diagnostics() error {
	for _, d := range []struct {
		id, unit string
		atLeast  float64
	}{
		{"sensor.porch_pi_frame_rate", "fps", 0.1},
		{"sensor.porch_pi_porch_frame_rate", "fps", 0.1},
		{"sensor.porch_pi_street_frame_rate", "fps", 0.1},
		{"sensor.porch_pi_latency", "ms", 0.1},
		{"sensor.porch_pi_latency_p95", "ms", 0.1},
		{queueSensor, "events", 0},
		{"sensor.porch_pi_skipped_frames", "frames", 0},
		{"sensor.porch_pi_lost_events", "events", 0},
	} {
		e, err := w.api.entity(d.id)
		if err != nil {
			return err
		}
		if n, err := strconv.ParseFloat(e.State, 64); err != nil || n < d.atLeast || e.Attributes.Unit != d.unit {
			return fmt.Errorf("%s is %q %s", d.id, e.State, e.Attributes.Unit)
		}
	}
	return nil
}

// crowd is a camera with as many regions as there may be. There is no such file, so that it costs nothing.
func (w *world) crowd() camera {
	labels := []string{bottle, lantern}
	text, _ := os.ReadFile(w.path("models/labels.txt"))
	for _, line := range strings.Split(string(text), "\n")[2:20] {
		label, _, _ := strings.Cut(strings.TrimLeft(line, " 0123456789"), ",")
		labels = append(labels, strings.TrimSpace(label))
	}
	c := camera{name: "crowd", source: "/nowhere.mp4"}
	for i := range 64 {
		c.regions = append(c.regions, region{fmt.Sprintf("r%d", i), labels})
	}
	return c
}

// withoutBroker has the broker stopped while something is checked. What Home Assistant says of that is no complaint.
func (w *world) withoutBroker(stopped, started func() error) func() error {
	return func() error {
		if err := w.complaints(); err != nil {
			return err
		}
		w.broker.Signal(syscall.SIGTERM)
		if err := stopped(); err != nil {
			return err
		}
		if err := w.startBroker(); err != nil {
			return err
		}
		if err := started(); err != nil {
			return err
		}
		log, err := os.ReadFile(w.path(homeAssistantLog))
		w.excused = len(log)
		return err
	}
}

func (w *world) restartHomeAssistant() error {
	if err := w.api.act("homeassistant", "stop", ""); err != nil {
		return err
	}
	stopping := w.homeAssistant
	w.homeAssistant = nil
	if err := w.wait("Home Assistant stops", func() error {
		if !stopping.Ended() {
			return errors.New("it runs")
		}
		return nil
	}); err != nil {
		return err
	}
	if err := w.startHomeAssistant(); err != nil {
		return err
	}
	return w.wait("and starts", w.api.up)
}

// noticed says whether the sample automation has run.
func (w *world) noticed() error {
	const id = "automation.water_bottle_at_the_door"
	e, err := w.api.entity(id)
	if err == nil && e.Attributes.LastTriggered == "" {
		err = fmt.Errorf("%s has not been triggered", id)
	}
	return err
}

// complaints are lines in Home Assistant's log that have to do with us.
func (w *world) complaints() error {
	log, err := os.ReadFile(w.path(homeAssistantLog))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(log[w.excused:])) {
		if complaint.MatchString(line) {
			return fmt.Errorf("its log has: %s", line)
		}
	}
	return nil
}

var complaint = regexp.MustCompile(`(WARNING|ERROR|CRITICAL).*(?i:mqtt|template|tarsier|porch)`)
