package publish

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tarsier/pipeline/publish/schema"
)

var porchAndGarden = []Camera{{Name: "porch", Regions: regions("door", "path")}, garden}

var garden = Camera{Name: "garden", Regions: regions("frame")}

// fillTopics gives all retained topics of a topology a value.
func (r *running) fillTopics(cameras []Camera) {
	for _, c := range cameras {
		r.Retain(CameraStatusTopic(c.Name), []byte(Online))
		r.Retain(PauseTopic(c.Name), []byte(Off))
		for _, region := range c.Regions {
			r.Retain(StateTopic(c.Name, region.Name), []byte(`{"label":null,"entered":[]}`))
			r.Retain(SnapshotTopic(c.Name, region.Name), []byte("JPEG"))
		}
	}
}

// below are the retained topics below the node's, without the node's own.
func below(held map[string]string) (topics []string) {
	for topic := range held {
		if rel, ok := strings.CutPrefix(topic, "tarsier/node/"); ok && strings.Contains(rel, "/") {
			topics = append(topics, rel)
		}
	}
	slices.Sort(topics)
	return topics
}

var porchTopics = []string{"porch/door/snapshot", "porch/door/state", "porch/pause", "porch/status"}

// settled waits until everything is published and acknowledged, which the last of all is a sign of.
func (r *running) settled(s *subscriber) {
	s.t.Helper()
	e := r.Events(anEvent)[0]
	s.events(e.Seq, e.Seq)
}

// componentIDs are those of cameras and regions in a discovery message.
func componentIDs(t *testing.T, payload string) []string {
	t.Helper()
	if err := schema.Validate("discovery.json", []byte(payload)); err != nil {
		t.Error(err)
	}
	var d device
	if err := json.Unmarshal([]byte(payload), &d); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(d.Components, func(id string, _ component) bool { return !strings.Contains(id, "/") })
	return slices.Sorted(maps.Keys(d.Components))
}

const discoveryTopic = "homeassistant/device/tarsier-node/config"

func TestTopology(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	s := subscribe(t, b.url(), "tarsier/+/+/+/event")
	ha := subscribeAs(t, "home-assistant", b.url(), "homeassistant/#")
	p := prepare(t, Options{Brokers: []string{b.url()}, DiscoveryPrefix: "homeassistant"})
	p.SetTopology(porchAndGarden)
	p.fillTopics(porchAndGarden)
	p.run()
	p.settled(s)
	if got := len(below(retained(t, b.url()))); got != 10 {
		t.Errorf("%d retained topics", got)
	}
	want := []string{"garden/fps", "garden/frame/state", "garden/pause", "garden/status", "porch/door/state", "porch/fps", "porch/path/state", "porch/pause", "porch/status"}
	if got := componentIDs(t, string(ha.next(discoveryTopic).Payload())); !slices.Equal(got, want) {
		t.Errorf("components %v", got)
	}

	// A camera and a region go.
	p.SetTopology(porch)
	p.Retain(CameraStatusTopic("garden"), []byte(Offline)) // too late
	p.settled(s)
	if got := below(retained(t, b.url())); !slices.Equal(got, porchTopics) {
		t.Errorf("retained: %v", got)
	}
	gone := string(ha.next(discoveryTopic).Payload())
	if got := componentIDs(t, gone); !slices.Equal(got, []string{"garden/fps", "garden/frame/state", "garden/pause", "garden/status", "porch/path/state"}) {
		t.Errorf("removed %v", got)
	}
	if !strings.Contains(gone, `"garden/pause":{"platform":"switch"}`) {
		t.Errorf("removed by %s", gone)
	}
	want = []string{"porch/door/state", "porch/fps", "porch/pause", "porch/status"}
	if got := componentIDs(t, string(ha.next(discoveryTopic).Payload())); !slices.Equal(got, want) {
		t.Errorf("components %v", got)
	}

	// The camera comes back while there is no broker, another goes.
	b.stop()
	p.SetTopology(porchAndGarden)
	p.SetTopology([]Camera{garden})
	b.start()
	want = []string{"porch/door/state", "porch/fps", "porch/path/state", "porch/pause", "porch/status"}
	if got := componentIDs(t, string(ha.next(discoveryTopic).Payload())); !slices.Equal(got, want) {
		t.Errorf("removed %v", got)
	}
	want = []string{"garden/fps", "garden/frame/state", "garden/pause", "garden/status"}
	if got := componentIDs(t, string(ha.next(discoveryTopic).Payload())); !slices.Equal(got, want) {
		t.Errorf("components %v", got)
	}
	p.Retain("garden/status", []byte(Online))
	p.settled(s)
	if got := below(retained(t, b.url())); !slices.Equal(got, []string{"garden/status"}) {
		t.Errorf("retained: %v", got)
	}

	// A topic is cleared by hand.
	p.Retain("garden/status", nil)
	p.settled(s)
	if got := below(retained(t, b.url())); got != nil {
		t.Errorf("retained: %v", got)
	}
}

// What an earlier run left behind is cleared, and only that.
func TestLeftovers(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	s := subscribe(t, b.url(), "tarsier/+/+/+/event")
	p := prepare(t, Options{Brokers: []string{b.url()}, DiscoveryPrefix: "homeassistant"})
	p.SetTopology(porchAndGarden)
	p.fillTopics(porchAndGarden)
	p.run()
	p.settled(s)
	p.stop()
	others := map[string]string{
		"tarsier/other/garden/status":                 Online,
		"homeassistant/device/tarsier-other/config":   "{}",
		"homeassistant/sensor/tarsier-node/x/config":  "{}",
		"elsewhere/tarsier/node/garden/frame/state":   "{}",
		"tarsier/node/garden/frame/deeper/than/state": "{}",
	}
	for topic, payload := range others {
		s.send(topic, payload, true)
	}

	ha := subscribeAs(t, "home-assistant", b.url(), "homeassistant/device/tarsier-node/#", "tarsier/node/+/status", "tarsier/node/+/pause",
		"tarsier/node/+/+/state", "tarsier/node/+/+/snapshot")
	p = prepare(t, Options{Brokers: []string{b.url()}, DiscoveryPrefix: "homeassistant"})
	p.SetTopology(porch)
	p.run()
	cleared := map[string]bool{
		"garden/status": true, "garden/pause": true, "garden/frame/state": true, "garden/frame/snapshot": true,
		"porch/path/state": true, "porch/path/snapshot": true,
	}
	removed := []string{"garden/fps", "garden/frame/state", "garden/pause", "garden/status", "porch/path/state"}
	left := []string{"porch/door/state", "porch/fps", "porch/pause", "porch/status"}
	for last := false; len(cleared) > 0 || !last; {
		select {
		case m := <-ha.got:
			if rel, ok := strings.CutPrefix(m.Topic(), "tarsier/node/"); ok {
				if !m.Retained() && (len(m.Payload()) > 0 || !cleared[rel]) {
					t.Errorf("%s is now %q", rel, m.Payload())
				}
				if !m.Retained() {
					delete(cleared, rel)
				}
				continue
			}
			// What is removed may come in several messages; the last one has what there is.
			ids := componentIDs(t, string(m.Payload()))
			last = slices.Equal(ids, left) && len(removed) == 0
			if strings.Contains(string(m.Payload()), `{"platform":"sensor"}`) || strings.Contains(string(m.Payload()), `{"platform":"switch"}`) {
				removed = slices.DeleteFunc(removed, func(id string) bool { return slices.Contains(ids, id) })
			}
		case <-time.After(patience):
			t.Fatalf("not cleared: %v; not removed: %v", cleared, removed)
		}
	}
	held := retained(t, b.url())
	for topic, payload := range others {
		if held[topic] != payload {
			t.Errorf("%s of others is %q", topic, held[topic])
		}
		delete(held, topic)
	}
	if got := below(held); !slices.Equal(got, porchTopics) {
		t.Errorf("retained: %v", got)
	}
	p.stop()

	// Without discovery, an earlier message goes as well.
	p = prepare(t, Options{Brokers: []string{b.url()}})
	p.SetTopology(porch)
	p.run()
	ha.expect(discoveryTopic, "")
}
