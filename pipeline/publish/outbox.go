package publish

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// What a session takes from the publisher, and tells it.

// connected starts a session: the broker has to be told all retained topics, and then the events that wait.
func (p *Publisher) connected(s *session) {
	p.mu.Lock()
	p.dirty = slices.Sorted(maps.Keys(p.retained))
	p.queue.Rewind()
	if p.stats.Broker != "" {
		p.stats.Reconnects++
	}
	p.stats.Connected, p.stats.Broker = true, s.broker
	callback := p.opts.Connected
	p.mu.Unlock()
	if callback != nil {
		callback(true)
	}
}

func (p *Publisher) disconnected() {
	p.mu.Lock()
	p.stats.Connected = false
	p.stats.MessagesDropped += uint64(len(p.messages))
	p.messages = nil
	callback := p.opts.Connected
	p.mu.Unlock()
	if callback != nil {
		callback(false)
	}
}

// failed notes an error for Stats.
func (p *Publisher) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.LastError, p.stats.LastErrorAt = err.Error(), time.Now()
}

// turn shows that Run goes round, and says so in the log when events begin to get lost, and when that has ended.
func (p *Publisher) turn() {
	p.mu.Lock()
	p.stats.Turned = time.Now()
	queued := p.queue.Stats()
	log, dropped := p.opts.Log, queued.Dropped
	p.reported = min(p.reported, dropped) // an event that was dropped on its way may arrive all the same
	begins := !p.overflowing && dropped > p.reported
	ends := p.overflowing && queued.Events == 0
	if begins || ends {
		p.overflowing = begins
	}
	lost := dropped - p.reported
	if ends {
		p.reported = dropped
	}
	limit := p.opts.QueueBytes
	p.mu.Unlock()
	if begins {
		log.Warn("the event queue is full: the oldest events are lost until the broker takes what waits", "bytes", limit)
	}
	if ends {
		log.Warn("the event queue is empty again", "lost", lost)
	}
}

// take gives the next message to publish: what is new of retained topics, then events. Once other options are in
// force, the session only clears what was published under the old ones, and that its own status is cleared comes at
// its very end.
func (p *Publisher) take(s *session) (message, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := s.current.Err() != nil
	for i, topic := range p.dirty {
		payload := p.retained[topic]
		if left && (len(payload) > 0 || topic == s.opts.root()+nodeStatusTopic) {
			continue
		}
		m := message{topic: topic, payload: payload, retain: true}
		if topic == p.opts.discoveryTopic() && len(p.retired) > 0 {
			m.payload, m.retired = p.opts.retirement(p.retired), p.retired
			p.retired = nil // and once more, without them
			return m, true
		}
		p.dirty = slices.Delete(p.dirty, i, i+1)
		return m, true
	}
	if left {
		return message{}, false
	}
	e, ok := p.queue.Next()
	if !ok {
		return message{}, false
	}
	return message{topic: e.Topic, payload: e.Corrected(p.opts.Clock), seq: e.Seq}, true
}

// takeMessages gives what Send has left, unless the connection is too slow for it.
func (p *Publisher) takeMessages(slow bool) []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	messages := p.messages
	p.messages = nil
	if slow {
		p.stats.MessagesDropped += uint64(len(messages))
		return nil
	}
	return messages
}

// delivered says that the broker has acknowledged a message.
func (p *Publisher) delivered(m message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.seq > 0 {
		p.queue.Ack(m.seq)
		p.stats.Sent++
		return
	}
	if payload, ok := p.retained[m.topic]; ok && len(payload) == 0 && len(m.payload) == 0 && !slices.Contains(p.dirty, m.topic) {
		delete(p.retained, m.topic) // cleared
	}
}

// undelivered says that messages were published and will never be acknowledged. All is published again at the next
// connection; what is only said once is taken back.
func (p *Publisher) undelivered(messages []message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range messages {
		for id, platform := range m.retired {
			if _, again := p.components[id]; !again && m.topic == p.opts.discoveryTopic() {
				p.retire(id, platform)
			}
		}
	}
}

// maxLeftovers is how many topics are cleared at one connection. Whoever may write to our topics could leave any number.
const maxLeftovers = 1000

// leftover is a retained topic that the broker kept. It is cleared if it is of an earlier run, and of a camera or
// region that there is no longer.
func (p *Publisher) leftover(topic string, payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.dirty) > maxLeftovers {
		return
	}
	if rel, ok := strings.CutPrefix(topic, p.opts.root()); ok {
		p.forget(rel)
	} else if topic == p.opts.discoveryTopic() {
		p.discovered(payload)
	} else if strings.HasSuffix(topic, "/device/"+p.opts.deviceName()+"/config") {
		p.set(topic, nil)
	}
}

// clearing says whether a retained topic is to be cleared.
func (p *Publisher) clearing(topic string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	payload, ok := p.retained[topic]
	return ok && len(payload) == 0
}

func (p *Publisher) options() Options {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opts
}

// camera says whether there is a camera.
func (p *Publisher) camera(name string) (Options, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opts, slices.ContainsFunc(p.cameras, func(c Camera) bool { return c.Name == name })
}

func (p *Publisher) hasTopology() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.placed
}
