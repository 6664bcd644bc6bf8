package publish

import (
	"encoding/json"
	"maps"
)

// Home Assistant's device discovery (home-assistant.io/integrations/mqtt, "Device discovery payload"): one retained
// message names the device, who says so, and its components. Components are named by their topics below the node's,
// which are unique; their unique ids are those with the node before them.

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
	Platform            string     `json:"platform"`
	UniqueID            string     `json:"unique_id,omitempty"`
	Name                string     `json:"name,omitempty"`
	DeviceClass         string     `json:"device_class,omitempty"`
	EntityCategory      string     `json:"entity_category,omitempty"`
	Icon                string     `json:"icon,omitempty"`
	StateTopic          string     `json:"state_topic,omitempty"`
	CommandTopic        string     `json:"command_topic,omitempty"`
	PayloadOn           string     `json:"payload_on,omitempty"`
	PayloadOff          string     `json:"payload_off,omitempty"`
	ValueTemplate       string     `json:"value_template,omitempty"`
	JSONAttributesTopic string     `json:"json_attributes_topic,omitempty"`
	Availability        []topicRef `json:"availability,omitempty"`
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
			Name:        "tarsier " + o.Node,
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

// components are what Home Assistant shows: whether a camera is there, a switch that pauses it, and what each
// region shows.
func (o Options) components(cameras []Camera) map[string]component {
	all := make(map[string]component)
	add := func(topic string, c component) {
		c.UniqueID = o.deviceName() + "/" + topic
		c.StateTopic = o.root() + topic
		all[topic] = c
	}
	for _, camera := range cameras {
		add(CameraStatusTopic(camera.Name), component{
			Platform: "binary_sensor", Name: camera.Name + " connection",
			DeviceClass: "connectivity", EntityCategory: "diagnostic",
			PayloadOn: Online, PayloadOff: Offline,
		})
		add(PauseTopic(camera.Name), component{
			Platform: "switch", Name: camera.Name + " pause",
			EntityCategory: "config", Icon: "mdi:pause",
			CommandTopic: o.root() + pauseSetTopic(camera.Name),
		})
		for _, region := range camera.Regions {
			state := StateTopic(camera.Name, region)
			add(state, component{
				Platform: "sensor", Name: camera.Name + " " + region,
				Icon:                "mdi:eye",
				ValueTemplate:       "{{ value_json.label or 'none' }}", // a null would be shown as "unknown"
				JSONAttributesTopic: o.root() + state,
				Availability:        []topicRef{{o.root() + nodeStatusTopic}, {o.root() + CameraStatusTopic(camera.Name)}},
			})
		}
	}
	return all
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
