package main

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tarsier/pipeline/publish"
)

// A subscriber hears everything of the node, in a session that the broker keeps.
type subscriber struct {
	ledger // of events

	mu        sync.Mutex
	last      map[string]string // the newest payload of each topic below the node's
	scored    map[string]time.Time
	pauses    map[string]time.Duration
	connected int
}

// subscribe connects to a broker, and does so again when that goes.
func (w *world) subscribe(url string) *subscriber {
	s := &subscriber{last: map[string]string{}, scored: map[string]time.Time{}, pauses: map[string]time.Duration{}}
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(url).SetClientID("subscriber").
		SetCleanSession(false).SetMaxReconnectInterval(200 * time.Millisecond).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			s.receive(strings.TrimPrefix(m.Topic(), "tarsier/"+node+"/"), m.Payload())
		}).
		SetOnConnectHandler(func(c mqtt.Client) {
			// Each time: a broker may have forgotten.
			if t := c.Subscribe("tarsier/"+node+"/#", 1, nil); t.WaitTimeout(patience) && t.Error() == nil {
				s.mu.Lock()
				s.connected++
				s.mu.Unlock()
			}
		}))
	if t := client.Connect(); !t.WaitTimeout(patience) || t.Error() != nil {
		w.fatal("the subscriber does not get to the broker: %v", t.Error())
	}
	w.cleanup(func() { client.Disconnect(100) })
	w.wait("the subscriber is subscribed", func() bool { return s.connections() > 0 })
	return s
}

func (s *subscriber) receive(topic string, payload []byte) {
	s.mu.Lock()
	s.last[topic] = string(payload)
	if camera, _, _ := strings.Cut(topic, "/"); strings.HasSuffix(topic, "/scores") {
		now := time.Now()
		if before, ok := s.scored[camera]; ok {
			s.pauses[camera] = max(s.pauses[camera], now.Sub(before))
		}
		s.scored[camera] = now
	}
	s.mu.Unlock()
	if strings.HasSuffix(topic, "/event") {
		s.hear(payload)
	}
}

// connections counts how often it has connected and subscribed.
func (s *subscriber) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected
}

// newest is the newest payload of a topic below the node's, retained or not.
func (s *subscriber) newestOf(topic string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[topic]
}

// forget forgets the newest payloads, so that the next can be waited for.
func (s *subscriber) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.last)
}

// pause is the longest between two scores of a camera.
func (s *subscriber) pause(camera string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pauses[camera]
}

// online says whether the node, and some cameras, say that they are.
func (s *subscriber) online(cameras ...string) bool {
	for _, c := range cameras {
		if s.newestOf(publish.CameraStatusTopic(c)) != publish.Online {
			return false
		}
	}
	return s.newestOf("status") == publish.Online
}

// info is the node's newest.
func (s *subscriber) info() (i publish.Info) {
	_ = json.Unmarshal([]byte(s.newestOf(publish.InfoTopic)), &i)
	return i
}

// stats is the node's newest.
func (s *subscriber) stats() (st publish.NodeStats) {
	_ = json.Unmarshal([]byte(s.newestOf(publish.StatsTopic)), &st)
	return st
}

// retained asks a broker what it holds at this moment, by the whole topic.
func (w *world) retained(url string) map[string]string {
	held := map[string]string{}
	all := make(chan struct{})
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(url).SetClientID("retained").
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			if m.Topic() == "that/is/all" {
				close(all)
			} else if m.Retained() {
				held[m.Topic()] = string(m.Payload())
			}
		}))
	client.Connect().WaitTimeout(patience)
	defer client.Disconnect(100)
	client.Subscribe("#", 0, nil).WaitTimeout(patience)
	client.Publish("that/is/all", 0, false, "")
	select {
	case <-all:
	case <-time.After(patience):
		w.fatal("the broker does not say what it holds")
	}
	return held
}
