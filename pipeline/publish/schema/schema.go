// Package schema holds JSON schemas (draft 2020-12) of what tarsier publishes, one a payload, for whoever reads it
// and for tests.
package schema

import (
	"bytes"
	"embed"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Files are the schemas: event.json, state.json, info.json, stats.json, scores.json, discovery.json.
//
//go:embed *.json
var Files embed.FS

// Validate checks a payload against the schema in the file called name.
func Validate(name string, payload []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("schema: reading a payload for %s: %w", name, err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(loader{})
	s, err := c.Compile("embed:///" + name)
	if err != nil {
		return fmt.Errorf("schema: compiling %s: %w", name, err)
	}
	if err := s.Validate(value); err != nil {
		return fmt.Errorf("schema: %s: %w in %s", name, err, payload)
	}
	return nil
}

// A loader finds the schemas, and those that they refer to, in Files.
type loader struct{}

func (loader) Load(url string) (any, error) {
	f, err := Files.Open(url[len("embed:///"):])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return jsonschema.UnmarshalJSON(f)
}
