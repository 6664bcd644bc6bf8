package config

import (
	"fmt"
	"reflect"
	"testing"

	"gopkg.in/yaml.v3"
)

// Every key of the schema stands in tarsier.yaml with its default written out (that it is the default, TestExample knows) and, in a
// comment right above it, what it means.
func TestExampleExplainsEveryKey(t *testing.T) {
	root, _, err := decode([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	type entry struct{ key, value *yaml.Node }
	entries := map[string]entry{}
	var walk func(n *yaml.Node, prefix string)
	walk = func(n *yaml.Node, prefix string) {
		if n.Kind == yaml.SequenceNode {
			for i, item := range n.Content {
				walk(item, fmt.Sprintf("%s[%d].", prefix[:len(prefix)-1], i))
			}
		}
		if n.Kind == yaml.MappingNode {
			for i := 0; i < len(n.Content); i += 2 {
				key := prefix + n.Content[i].Value
				entries[key] = entry{n.Content[i], n.Content[i+1]}
				walk(n.Content[i+1], key+".")
			}
		}
	}
	walk(root, "")

	// Whose meaning is in the comment above them, which is another's.
	shared := map[string]string{
		"cameras[0].name": "cameras", "mqtt.tls.key_file": "mqtt.tls.cert_file",
		"mqtt.queue.dir": "mqtt.queue", "mqtt.queue.max_mib": "mqtt.queue",
	}
	check := func(key string) {
		e, ok := entries[key]
		switch comment := key; {
		case !ok:
			t.Errorf("%s is not in it", key)
		case e.value.Tag == "!!null":
			t.Errorf("%s has no value in it, but has a default", key)
		default:
			if other, ok := shared[key]; ok {
				comment = other
			}
			if entries[comment].key.HeadComment == "" {
				t.Errorf("line %d: no comment above %s says what it means", e.key.Line, comment)
			}
		}
	}
	eachKey(reflect.ValueOf(&Config{}).Elem(), "", func(key string, _ reflect.StructField, _ reflect.Value) { check(key) })
	for _, key := range keysOf(reflect.ValueOf(&Camera{}).Elem()) {
		check("cameras[0]." + key)
	}
}
