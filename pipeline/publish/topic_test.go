package publish

import (
	"io/fs"
	"path"
	"slices"
	"testing"

	"tarsier/pipeline/publish/schema"
)

// Every topic has a schema, but for pictures, and every schema a topic.
func TestTopicsHaveSchemas(t *testing.T) {
	o := Options{Node: "node", DiscoveryPrefix: "homeassistant"}.withDefaults()
	other := map[string]string{"set": "pause", "config": "discovery", "snapshot": ""}
	unused, err := fs.Glob(schema.Files, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{
		InfoTopic, StatsTopic, nodeStatusTopic, CameraStatusTopic("c"), PauseTopic("c"), pauseSetTopic("c"), StateTopic("c", "r"),
		ScoresTopic("c", "r"), SnapshotTopic("c", "r"), eventTopic("c", "r"), o.discoveryTopic(),
	} {
		name := path.Base(topic)
		if s, ok := other[name]; ok {
			name = s
		}
		if name == "" {
			continue
		}
		if _, err := fs.Stat(schema.Files, name+".json"); err != nil {
			t.Errorf("%s has no schema: %v", topic, err)
		}
		unused = slices.DeleteFunc(unused, func(s string) bool { return s == name+".json" })
	}
	if len(unused) > 0 {
		t.Errorf("of no topic: %v", unused)
	}
}

// Plain text is what the schemas say of it.
func TestPlainPayloads(t *testing.T) {
	for name, payloads := range map[string][]string{"status.json": {Online, Offline}, "pause.json": {On, Off}} {
		for _, payload := range append(payloads, "no") {
			if err := schema.Validate(name, []byte(`"`+payload+`"`)); (err == nil) != (payload != "no") {
				t.Errorf("%s, %s: %v", name, payload, err)
			}
		}
	}
}
