package schema

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
)

// Each schema says what it is of, and each of its fields what it means.
func TestDescribed(t *testing.T) {
	names, err := fs.Glob(Files, "*.json")
	if err != nil || len(names) < 8 {
		t.Fatalf("schemas: %v, %v", names, err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(Files, name)
		if err != nil {
			t.Fatal(err)
		}
		var s map[string]any
		if err := json.Unmarshal(b, &s); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		title := strings.TrimSuffix(name, ".json")
		if s["title"] != title || s["description"] == nil || s["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s has the title %v, description %v, is of %v", name, s["title"], s["description"], s["$schema"])
		}
		if name == "discovery.json" {
			continue // its fields are Home Assistant's
		}
		if s["$id"] != "urn:tarsier:"+title {
			t.Errorf("%s has the $id %v", name, s["$id"])
		}
		described(t, title, s)
	}
}

// described looks at all objects within a schema.
func described(t *testing.T, path string, schema any) {
	switch s := schema.(type) {
	case []any:
		for _, part := range s {
			described(t, path, part)
		}
	case map[string]any:
		for key, part := range s {
			described(t, path+"/"+key, part)
		}
		if ref, ok := s["$ref"].(string); ok && !strings.HasPrefix(ref, "#") {
			t.Errorf("%s refers to another file: %s", path, ref)
		}
		if s["type"] != "object" {
			return
		}
		if s["description"] == nil || s["additionalProperties"] == false {
			t.Errorf("%s has no description, or forbids fields that a later version may add", path)
		}
		properties, _ := s["properties"].(map[string]any)
		for field, p := range properties {
			if p.(map[string]any)["description"] == nil {
				t.Errorf("%s/%s has no description", path, field)
			}
		}
		required, _ := s["required"].([]any)
		for _, field := range required {
			if properties[field.(string)] == nil {
				t.Errorf("%s/%v is required, and not there", path, field)
			}
		}
	}
}

// A payload with a field that its schema does not name is one that somebody forgot to write down.
func TestValidateIsStrict(t *testing.T) {
	for payload, valid := range map[string]bool{
		`{"label": null, "entered": []}`:                             true,
		`{"label": null, "entered": [], "more": 1}`:                  false,
		`{"label": "a", "entered": [{"label": "a"}]}`:                false,
		`{"label": null, "entered": []`:                              false,
		`"online"`:                                                   false,
		`{"label": null, "entered": [], "additionalProperties": {}}`: false,
	} {
		if err := Validate("state.json", []byte(payload)); (err == nil) != valid {
			t.Errorf("%s: %v", payload, err)
		}
	}
	if err := Validate("nothing.json", []byte("{}")); err == nil {
		t.Error("there is no schema called nothing")
	}
}
