package web

import (
	"cmp"
	"slices"
	"sync"

	"tarsier/pipeline"
)

// EventWidth is that of an event's picture.
const EventWidth = 320

// memoryEvents is how many events are kept. Their pictures have some 20 KB each, and several events share one.
const memoryEvents = 50

// A Memory is what the page shows of the past: a History for each region, and the last events with their pictures. It outlives the
// server, which a new config replaces, and is empty while nothing is served.
type Memory struct {
	mu      sync.Mutex
	on      bool
	regions map[string]map[string]*History // of each camera
	events  []SeenEvent                    // by Seq
	heard   func(SeenEvent)                // must return at once
}

// A SeenEvent is an event, and what the camera saw.
type SeenEvent struct {
	pipeline.Event
	Picture bool `json:"picture"`

	jpeg []byte
}

// NewMemory makes one that is off.
func NewMemory() *Memory { return &Memory{regions: map[string]map[string]*History{}} }

// Remember turns it on, or off: then everything is forgotten.
func (m *Memory) Remember(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if on == m.on {
		return
	}
	m.on, m.events = on, nil
	for _, camera := range m.regions {
		for _, h := range camera {
			h.remember(on)
		}
	}
}

// On says whether anything is kept.
func (m *Memory) On() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.on
}

// Camera gives a History for each region of a camera: those that there were, and no others any more.
func (m *Memory) Camera(name string, regions []string) []*History {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, kept := m.regions[name], map[string]*History{}
	all := make([]*History, len(regions))
	for i, region := range regions {
		h := old[region]
		if h == nil {
			h = &History{on: m.on}
		}
		all[i], kept[region] = h, h
	}
	m.regions[name] = kept
	return all
}

// Forget drops a camera's histories.
func (m *Memory) Forget(camera string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.regions, camera)
}

// History is that of a region; nil if there is no such.
func (m *Memory) History(camera, region string) *History {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.regions[camera][region]
}

// Add takes events that were made at one moment, with what the camera saw then, EventWidth pixels wide; nil: it is not known.
func (m *Memory) Add(jpeg []byte, events ...pipeline.Event) {
	seen, heard := m.add(jpeg, events)
	for _, e := range seen {
		heard(e)
	}
}

func (m *Memory) add(jpeg []byte, events []pipeline.Event) (seen []SeenEvent, heard func(SeenEvent)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.on {
		return nil, nil
	}
	for _, e := range events {
		seen = append(seen, SeenEvent{Event: e, Picture: jpeg != nil, jpeg: jpeg})
		if h := m.regions[e.Camera][e.Region]; h != nil {
			h.event(e)
		}
	}
	m.events = append(m.events, seen...)
	slices.SortStableFunc(m.events, func(a, b SeenEvent) int { return cmp.Compare(a.Seq, b.Seq) })
	m.events = slices.Delete(m.events, 0, max(0, len(m.events)-memoryEvents))
	if m.heard == nil {
		return nil, nil
	}
	return seen, m.heard
}

// listen sets who hears of events from now on.
func (m *Memory) listen(heard func(SeenEvent)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard = heard
}

// Events gives the last events, the newest first.
func (m *Memory) Events() []SeenEvent {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := append([]SeenEvent{}, m.events...)
	slices.Reverse(all)
	return all
}

// picture is what the camera saw at an event.
func (m *Memory) picture(seq uint64) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Seq == seq {
			return e.jpeg
		}
	}
	return nil
}
