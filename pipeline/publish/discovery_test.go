package publish

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What a region has in Home Assistant follows its labels, and whether there are pictures.
func TestDiscoveryFollows(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	ha := subscribeAs(t, "home-assistant", b.url(), "homeassistant/#")
	p := prepare(t, Options{Brokers: []string{b.url()}, DiscoveryPrefix: "homeassistant"})
	next := func(want ...string) {
		t.Helper()
		if got := componentIDs(t, string(ha.next(discoveryTopic).Payload())); !slices.Equal(got, want) {
			t.Errorf("components %q", got)
		}
	}
	bottle, odd := Label{Index: 899, Name: "water bottle"}, Label{Index: 7, Name: `it's {{ "odd" }}/100%`}
	const bottleID, oddID = "porch/door/state/water%20bottle", "porch/door/state/it%27s%20%7B%7B%20%22odd%22%20%7D%7D%2F100%25"
	topology := func(snapshots bool, only ...Label) {
		p.SetTopology([]Camera{{"porch", []Region{{"door", only}}, snapshots}})
	}
	topology(true, bottle, odd)
	p.run()
	next("porch/door/snapshot", "porch/door/state", oddID, bottleID, "porch/fps", "porch/pause", "porch/status")
	topology(true, bottle)
	next(oddID) // is removed
	next("porch/door/snapshot", "porch/door/state", bottleID, "porch/fps", "porch/pause", "porch/status")
	topology(false, bottle)
	next("porch/door/snapshot")
	next("porch/door/state", bottleID, "porch/fps", "porch/pause", "porch/status")

	// Options bring and remove what is of the node.
	node := func() string { return string(ha.next(discoveryTopic).Payload()) }
	o := Options{Brokers: []string{b.url()}, DiscoveryPrefix: "homeassistant", Temperature: true}
	p.Reconfigure(p.options(o))
	if m := node(); !strings.Contains(m, `"temperature":{"platform":"sensor","unique_id":"tarsier-node/temperature"`) || strings.Contains(m, "throttled") {
		t.Error(m)
	}
	o.Temperature = false
	p.Reconfigure(p.options(o))
	if m := node(); !strings.Contains(m, `{"temperature":{"platform":"sensor"}}`) {
		t.Error(m)
	}
	if m := node(); strings.Contains(m, "temperature") {
		t.Error(m)
	}
}

// Whatever a label is called, a template takes it for a label, and its name is as it was written.
func TestDiscoveryLabels(t *testing.T) {
	const label = "Größe: {{ 'x' }}\n%}"
	o := Options{Node: "node"}.withDefaults()
	all := o.components([]Camera{{"porch", []Region{{"door", []Label{{Index: 7, Name: label}, {Index: 1, Name: "dark", Problem: true}}}}, false}})
	c := all["porch/door/state/Gr%C3%B6%C3%9Fe:%20%7B%7B%20%27x%27%20%7D%7D%0A%25%7D"]
	if c.Name != "porch door "+label || !strings.Contains(c.ValueTemplate, "selectattr('index', 'eq', 7)") || strings.Contains(c.ValueTemplate, "'x'") {
		t.Errorf("%+v", c)
	}
	if dark := all["porch/door/state/dark"]; c.DeviceClass != "occupancy" || dark.DeviceClass != "problem" {
		t.Errorf("Home Assistant takes what is seen for %s and a problem for %s", c.DeviceClass, dark.DeviceClass)
	}
}

// The message of a camera with as many regions as there may be still is one that brokers take.
func TestDiscoverySize(t *testing.T) {
	c := Camera{Name: "porch", Snapshots: true}
	for i := range 64 {
		r := Region{Name: fmt.Sprintf("region-%d", i)}
		for j := range 20 {
			r.Only = append(r.Only, Label{Index: j, Name: fmt.Sprintf("some label %d", j)})
		}
		c.Regions = append(c.Regions, r)
	}
	o := Options{Node: "porch-pi"}.withDefaults()
	b := o.device(o.components([]Camera{c}))
	var d device
	if err := json.Unmarshal(b, &d); err != nil || len(d.Components) != 64*22+3+6 {
		t.Fatalf("%d components: %v", len(d.Components), err)
	}
	t.Logf("%d components, %d KiB", len(d.Components), len(b)>>10)
	if len(b) > 1<<20 {
		t.Errorf("%d bytes", len(b))
	}
}
