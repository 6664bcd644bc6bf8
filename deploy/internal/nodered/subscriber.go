package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tarsier/pipeline"
)

// A subscriber hears what the daemon and the flow say, and may say something itself.
type subscriber struct {
	client mqtt.Client

	mu       sync.Mutex
	messages []mqtt.Message
}

func subscribe(port int) (*subscriber, error) {
	s := &subscriber{}
	s.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", port)).SetClientID("subscriber"))
	if t := s.client.Connect(); t.Wait() && t.Error() != nil {
		return nil, t.Error()
	}
	t := s.client.SubscribeMultiple(map[string]byte{"tarsier/#": 1, "home/#": 1}, func(_ mqtt.Client, m mqtt.Message) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.messages = append(s.messages, m)
	})
	t.Wait()
	return s, t.Error()
}

func (s *subscriber) publish(topic string, payload []byte) error {
	t := s.client.Publish(topic, 1, false, payload)
	t.Wait()
	return t.Error()
}

// all gives the payloads of a topic, in order.
func (s *subscriber) all(topic string) (payloads []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if m.Topic() == topic {
			payloads = append(payloads, string(m.Payload()))
		}
	}
	return payloads
}

func (s *subscriber) last(topic string) string {
	all := s.all(topic)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// events gives those that the daemon and others have published, repeats left out.
func (s *subscriber) events() (events []pipeline.Event, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	for _, m := range s.messages {
		if !strings.HasSuffix(m.Topic(), "/event") {
			continue
		}
		var e pipeline.Event
		if err := json.Unmarshal(m.Payload(), &e); err != nil {
			return nil, fmt.Errorf("read an event of %s: %w", m.Topic(), err)
		}
		if !seen[e.ID] {
			seen[e.ID] = true
			events = append(events, e)
		}
	}
	return events, nil
}
