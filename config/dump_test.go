package config

import "encoding/json"

// dump shows a config with what its pointers point to.
func dump(c *Config) string {
	b, err := json.Marshal(c)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
