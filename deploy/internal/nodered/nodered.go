package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"tarsier/deploy/internal/programs"
)

// startNodeRED starts it with nothing in it, and nobody to ask.
func (w *world) startNodeRED() error {
	port := programs.FreePort()
	w.api = fmt.Sprintf("http://127.0.0.1:%d", port)
	settings := fmt.Sprintf(`module.exports = {
  uiHost: '127.0.0.1', uiPort: %d, flowFile: 'flows.json', credentialSecret: false,
  telemetry: {enabled: false, updateNotification: false}, externalModules: {autoInstall: false, palette: {allowInstall: false}},
};
`, port)
	if err := os.WriteFile(w.path("settings.js"), []byte(settings), 0o600); err != nil {
		return err
	}
	return w.start(nodeREDLog, w.nodeRED, "--settings", w.path("settings.js"), "--userDir", w.dir)
}

// call asks Node-RED's admin API (nodered.org/docs/api/admin), or a page of a flow's.
func (w *world) call(method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(w.ctx, method, w.api+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if r.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, r.Status, b)
	}
	return b, nil
}

// importFlow imports the file as it is, but for the broker's address.
func (w *world) importFlow() error {
	b, err := os.ReadFile(w.flow)
	if err != nil {
		return err
	}
	var nodes []map[string]any
	if err := json.Unmarshal(b, &nodes); err != nil {
		return fmt.Errorf("read %s: %w", w.flow, err)
	}
	for _, n := range nodes {
		if n["type"] == "mqtt-broker" {
			n["broker"], n["port"] = "127.0.0.1", w.brokerPort
		}
	}
	if b, err = json.Marshal(nodes); err != nil {
		return err
	}
	_, err = w.call(http.MethodPost, "/flows", b)
	return err
}

// press presses the button of an inject node.
func (w *world) press(id string) error {
	_, err := w.call(http.MethodPost, "/inject/"+id, nil)
	return err
}

// complained says what Node-RED's log complains of: any error, and what a node warns of.
func (w *world) complained() error {
	b, err := os.ReadFile(filepath.Join(w.dir, nodeREDLog))
	if err != nil {
		return err
	}
	for _, line := range bytes.Split(b, []byte("\n")) {
		if bytes.Contains(line, []byte(" - [warn] [")) || bytes.Contains(line, []byte(" - [error] ")) {
			return fmt.Errorf("Node-RED complains: %s", line)
		}
	}
	return nil
}
