package publish

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
)

// Home Assistant's device discovery (home-assistant.io/integrations/mqtt, "Device discovery payload"): one retained
// message names the device, who says so, and its components. Their ids are paths below the node, those of their topics
// where they have one, and so unique; their unique ids are those with the node before them. Home Assistant puts the
// device's name before theirs, and makes entity ids of both: sensor.porch_pi_porch_door.

type device struct {
	Device           deviceInfo           `json:"device"`
	Origin           origin               `json:"origin"`
	Availability     []topicRef           `json:"availability,omitempty"`
	AvailabilityMode string               `json:"availability_mode,omitempty"`
	Components       map[string]component `json:"components"`
}

type deviceInfo struct {
	Identifiers []string `json:"identifiers"`
	Name        string   `json:"name"`
	Model       string   `json:"model"`
	SWVersion   string   `json:"sw_version,omitempty"`
}

type origin struct {
	Name      string `json:"name"`
	SWVersion string `json:"sw_version,omitempty"`
}

type topicRef struct {
	Topic string `json:"topic"`
}

type component struct {
	Platform               string     `json:"platform"`
	UniqueID               string     `json:"unique_id,omitempty"`
	Name                   string     `json:"name,omitempty"`
	DeviceClass            string     `json:"device_class,omitempty"`
	StateClass             string     `json:"state_class,omitempty"`
	Unit                   string     `json:"unit_of_measurement,omitempty"`
	Precision              int        `json:"suggested_display_precision,omitempty"`
	EntityCategory         string     `json:"entity_category,omitempty"`
	Icon                   string     `json:"icon,omitempty"`
	StateTopic             string     `json:"state_topic,omitempty"`
	ImageTopic             string     `json:"image_topic,omitempty"`
	CommandTopic           string     `json:"command_topic,omitempty"`
	PayloadOn              string     `json:"payload_on,omitempty"`
	PayloadOff             string     `json:"payload_off,omitempty"`
	ValueTemplate          string     `json:"value_template,omitempty"`
	JSONAttributesTopic    string     `json:"json_attributes_topic,omitempty"`
	JSONAttributesTemplate string     `json:"json_attributes_template,omitempty"`
	ExpireAfter            int        `json:"expire_after,omitempty"` // seconds
	Availability           []topicRef `json:"availability,omitempty"`
}

// deviceName is the object id of the discovery topic and the device's identifier.
func (o Options) deviceName() string { return "tarsier-" + o.Node }

// discoveryTopic is "" where there is no discovery.
func (o Options) discoveryTopic() string {
	if o.DiscoveryPrefix == "" {
		return ""
	}
	return o.DiscoveryPrefix + "/device/" + o.deviceName() + "/config"
}

func (o Options) device(components map[string]component) []byte {
	b, err := json.Marshal(device{
		Device: deviceInfo{
			Identifiers: []string{o.deviceName()},
			Name:        o.Node,
			Model:       "tarsier",
			SWVersion:   o.Version,
		},
		Origin:           origin{"tarsier", o.Version},
		Availability:     []topicRef{{o.root() + nodeStatusTopic}},
		AvailabilityMode: "all",
		Components:       components,
	})
	if err != nil {
		panic(err) // strings only
	}
	return b
}

// Templates for a region's state. Home Assistant may hear that the topic is cleared before it forgets the entity: then there
// is no JSON. A null would be shown as "unknown".
const (
	theState           = "{% set state = value_json | default({'label': none, 'entered': []}) %}"
	leadingTemplate    = theState + "{{ state.label or 'none' }}"
	attributesTemplate = theState + "{% set best = (state.entered + [{}])[0] %}" +
		"{{ dict(label=state.label, score=best.get('score'), since=best.get('since'), entered=state.entered) | to_json }}"
	enteredTemplate = "{{ 'ON' if state.entered | selectattr('index', 'eq', %d) | list else 'OFF' }}" // whether a class is
)

// statsExpire is the time after which a value of the stats, which come each 10 s, is old.
const statsExpire = 60

// components are what Home Assistant shows: what each region shows, whether a camera is there, a switch that pauses it,
// and how the node does.
func (o Options) components(cameras []Camera) map[string]component {
	all := make(map[string]component)
	add := func(id string, c component) {
		c.UniqueID = o.deviceName() + "/" + id
		all[id] = c
	}
	for _, camera := range cameras {
		status, pause := CameraStatusTopic(camera.Name), PauseTopic(camera.Name)
		seen := []topicRef{{o.root() + nodeStatusTopic}, {o.root() + status}}
		add(status, component{
			Platform: "binary_sensor", Name: camera.Name + " connection",
			DeviceClass: "connectivity", EntityCategory: "diagnostic",
			StateTopic: o.root() + status, PayloadOn: Online, PayloadOff: Offline,
		})
		add(pause, component{
			Platform: "switch", Name: camera.Name + " pause",
			EntityCategory: "config", Icon: "mdi:pause",
			StateTopic: o.root() + pause, CommandTopic: o.root() + pauseSetTopic(camera.Name),
		})
		rate := o.diagnostic(fmt.Sprintf("(value_json.cameras | selectattr('name', 'eq', '%s') | first).fps", camera.Name), frameRate)
		rate.Name, rate.Availability = camera.Name+" "+rate.Name, seen
		add(camera.Name+"/fps", rate)
		for _, region := range camera.Regions {
			name, state := camera.Name+" "+region.Name, StateTopic(camera.Name, region.Name)
			add(state, component{
				Platform: "sensor", Name: name, Icon: "mdi:eye",
				StateTopic: o.root() + state, ValueTemplate: leadingTemplate,
				JSONAttributesTopic: o.root() + state, JSONAttributesTemplate: attributesTemplate,
				Availability: seen,
			})
			for _, label := range region.Only {
				class := "occupancy"
				if label.Problem {
					class = "problem"
				}
				// By its index, since a label may hold what a template would take for its own. Home Assistant splits ids at spaces
				// when it removes a device, and then does not find those that have some.
				add(state+"/"+url.PathEscape(label.Name), component{
					Platform: "binary_sensor", Name: name + " " + label.Name, DeviceClass: class,
					StateTopic:    o.root() + state,
					ValueTemplate: theState + fmt.Sprintf(enteredTemplate, label.Index),
					Availability:  seen,
				})
			}
			if camera.Snapshots { // the last one is worth seeing when the camera is gone
				snapshot := SnapshotTopic(camera.Name, region.Name)
				add(snapshot, component{Platform: "image", Name: name + " snapshot", ImageTopic: o.root() + snapshot})
			}
		}
	}
	add("fps", o.diagnostic("value_json.fps", frameRate))
	latency := component{Name: "latency", Unit: "ms", DeviceClass: "duration", StateClass: "measurement", Precision: 1}
	add("latency", o.diagnostic("value_json.latency_ms.total.p50", latency))
	latency.Name = "latency p95"
	add("latency_p95", o.diagnostic("value_json.latency_ms.total.p95", latency))
	add("queue", o.diagnostic("value_json.queue.events",
		component{Name: "queue", Unit: "events", StateClass: "measurement", Icon: "mdi:tray-full"}))
	add("skipped", o.diagnostic("value_json.drops.frames",
		component{Name: "skipped frames", Unit: "frames", StateClass: "total_increasing", Icon: "mdi:debug-step-over"}))
	add("lost", o.diagnostic("value_json.drops.events",
		component{Name: "lost events", Unit: "events", StateClass: "total_increasing", Icon: "mdi:tray-remove"}))
	if o.Temperature {
		add("temperature", o.diagnostic("value_json.temperature_c",
			component{Name: "temperature", Unit: "°C", DeviceClass: "temperature", StateClass: "measurement", Precision: 1}))
	}
	if o.Throttled {
		add("throttled", o.diagnostic("'ON' if value_json.throttled else 'OFF'",
			component{Platform: "binary_sensor", Name: "throttled", DeviceClass: "problem"}))
	}
	return all
}

var frameRate = component{Name: "frame rate", Unit: "fps", StateClass: "measurement", Precision: 1, Icon: "mdi:speedometer"}

// diagnostic makes a component, a sensor if it says nothing else, show something of the stats.
func (o Options) diagnostic(value string, c component) component {
	if c.Platform == "" {
		c.Platform = "sensor"
	}
	c.EntityCategory, c.StateTopic, c.ExpireAfter = "diagnostic", o.root()+StatsTopic, statsExpire
	c.ValueTemplate = "{{ " + value + " }}"
	return c
}

// retirement is a discovery message that removes components, given with their platforms. Home Assistant keeps a
// component that is merely left out; one that has a platform and nothing else is removed. The others are left out
// here, which does not matter to it, because it stops reading a message at a component that it is still busy with.
func (o Options) retirement(retired map[string]string) []byte {
	components := make(map[string]component, len(retired))
	for id, platform := range retired {
		components[id] = component{Platform: platform}
	}
	return o.device(components)
}

// discover brings the discovery message up to date with options and topology, after they were before's.
// p.mu is held.
func (p *Publisher) discover(before Options) {
	topic, old := p.opts.discoveryTopic(), before.discoveryTopic()
	if old != topic && old != "" {
		p.set(old, nil) // which removes the whole device
		p.components, p.retired = nil, nil
	}
	if topic == "" || !p.placed {
		return
	}
	components := p.opts.components(p.cameras)
	for id, c := range p.components {
		if _, ok := components[id]; !ok {
			p.retire(id, c.Platform)
		}
	}
	maps.DeleteFunc(p.retired, func(id, _ string) bool { _, ok := components[id]; return ok })
	p.components = components
	p.set(topic, p.opts.device(components))
}

// retire has a component removed with the next discovery message. p.mu is held.
func (p *Publisher) retire(id, platform string) {
	if p.retired == nil {
		p.retired = make(map[string]string)
	}
	p.retired[id] = platform
	p.mark(p.opts.discoveryTopic())
}

// discovered is the discovery message that the broker kept from an earlier run, under the topic that is ours now:
// the components that it has and we have not are removed. p.mu is held.
func (p *Publisher) discovered(payload []byte) {
	var earlier struct {
		Components map[string]struct {
			Platform string `json:"platform"`
		} `json:"components"`
	}
	if json.Unmarshal(payload, &earlier) != nil {
		return // not by us; ours takes its place
	}
	for id, c := range earlier.Components {
		if _, ok := p.components[id]; !ok && c.Platform != "" {
			p.retire(id, c.Platform)
		}
	}
}
