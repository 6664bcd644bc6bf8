// Package schema holds JSON schemas (draft 2020-12) of what tarsier publishes, for whoever reads it and for tests. A
// schema has the name of the topics that it is of: their last part, and for those that end in "set" or, of Home Assistant,
// in "config", pause and discovery. Each stands in one file of its own, which refers to no other.
//
// Readers are to ignore fields that they do not know: a later version may have more. So the files allow them; Validate,
// which is for tests, does not.
package schema

import (
	"bytes"
	"embed"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Files are the schemas: event.json, state.json, info.json, stats.json, scores.json, discovery.json, and of plain text
// status.json and pause.json.
//
//go:embed *.json
var Files embed.FS

// Validate checks a payload against the schema in the file called name. Plain text is to be given as a JSON string.
func Validate(name string, payload []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("schema: reading a payload for %s: %w", name, err)
	}
	f, err := Files.Open(name)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	defer f.Close()
	text, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return fmt.Errorf("schema: reading %s: %w", name, err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("embed:///"+name, strict(text)); err != nil {
		return fmt.Errorf("schema: reading %s: %w", name, err)
	}
	s, err := c.Compile("embed:///" + name)
	if err != nil {
		return fmt.Errorf("schema: compiling %s: %w", name, err)
	}
	if err := s.Validate(value); err != nil {
		return fmt.Errorf("schema: %s: %w in %s", name, err, payload)
	}
	return nil
}

// strict has all objects of a schema allow only the fields that it names.
func strict(schema any) any {
	switch s := schema.(type) {
	case []any:
		for _, part := range s {
			strict(part)
		}
	case map[string]any:
		for _, part := range s {
			strict(part)
		}
		if s["properties"] != nil && s["type"] == "object" && s["additionalProperties"] == nil {
			s["additionalProperties"] = false
		}
	}
	return schema
}
