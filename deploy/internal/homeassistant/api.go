package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// An api is Home Assistant's REST API (developers.home-assistant.io/docs/api/rest), and what its own pages use to set it up.
type api struct {
	ctx   context.Context
	url   string
	token string
}

// call sends a body as JSON, or url.Values as a form, and reads the answer into out: JSON, or a picture if out is a *[]byte.
func (a *api) call(method, path string, body, out any) error {
	var content io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case url.Values:
		content, kind = bytes.NewBufferString(b.Encode()), "application/x-www-form-urlencoded"
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(a.ctx, method, a.url+path, content)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %.500s", method, path, resp.Status, answer)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = answer
		return nil
	}
	return json.Unmarshal(answer, out)
}

// up says whether it serves, and has started.
func (a *api) up() error {
	if a.token == "" {
		return a.call("GET", "/api/onboarding", nil, nil)
	}
	var config struct{ State string }
	if err := a.call("GET", "/api/config", nil, &config); err != nil {
		return err
	}
	if config.State != "RUNNING" {
		return errors.New("it is " + config.State)
	}
	return nil
}

// onboard makes the first user, and is this user from then on.
func (a *api) onboard() error {
	client := a.url + "/"
	var user struct {
		Code string `json:"auth_code"`
	}
	if err := a.call("POST", "/api/onboarding/users", map[string]string{
		"client_id": client, "name": "Test", "username": "test", "password": "test", "language": "en",
	}, &user); err != nil {
		return err
	}
	var token struct {
		Access string `json:"access_token"`
	}
	if err := a.call("POST", "/auth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {client}, "code": {user.Code},
	}, &token); err != nil {
		return err
	}
	a.token = token.Access
	return nil
}

// addMQTT sets up the MQTT integration, as its dialogue does.
func (a *api) addMQTT(port int) error {
	const flows = "/api/config/config_entries/flow"
	var flow struct {
		ID     string `json:"flow_id"`
		Type   string
		StepID string `json:"step_id"`
		Errors map[string]string
	}
	if err := a.call("POST", flows, map[string]string{"handler": "mqtt"}, &flow); err != nil {
		return err
	}
	if err := a.call("POST", flows+"/"+flow.ID, map[string]any{"broker": "127.0.0.1", "port": port}, &flow); err != nil {
		return err
	}
	if flow.Type != "create_entry" {
		return fmt.Errorf("the MQTT integration is not set up: %+v", flow)
	}
	return nil
}

// An entity as Home Assistant shows it.
type entity struct {
	State      string
	Attributes struct {
		Name          string `json:"friendly_name"`
		Unit          string `json:"unit_of_measurement"`
		LastTriggered string `json:"last_triggered"` // of an automation
		Label         *string
		Score         *float64
		Since         *string
		Entered       []struct {
			Label string
			Score float64
			Since string
		}
	}
}

func (a *api) entity(id string) (e entity, err error) {
	err = a.call("GET", "/api/states/"+id, nil, &e)
	return e, err
}

// entities are those that the MQTT integration has in the registry, whatever their state.
func (a *api) entities() (ids []string, err error) {
	err = a.call("POST", "/api/template", map[string]string{"template": "{{ integration_entities('mqtt') | sort | to_json }}"}, &ids)
	return ids, err
}

// act calls a service, of an entity if one is named.
func (a *api) act(domain, service, entity string) error {
	data := map[string]string{}
	if entity != "" {
		data["entity_id"] = entity
	}
	return a.call("POST", "/api/services/"+domain+"/"+service, data, nil)
}
