// Package publish tells MQTT subscribers what the pipeline sees.
//
// It takes events, values of retained topics, and messages that may get lost, none of which ever waits for the
// network, and gives them to the first of several brokers that can be reached. Events wait in a queue on disk, in
// order, until the broker has acknowledged them (at least once: whoever reads drops repeats by id); of a retained topic
// the last value is sent; the rest is for whoever is listening now. A broker that goes is waited for, for ever.
//
// Topics and payloads are those of MQTT 3.1.1 (section 3.3 for QoS and retain, 3.1.2.5 for the last will) and of
// Home Assistant's device discovery. The payloads' JSON schemas are in the folder schema.
package publish

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"tarsier/pipeline"
	"tarsier/pipeline/publish/queue"
)

// Options say who publishes, where and how.
type Options struct {
	Node    string
	Version string // of tarsier, for Home Assistant to show

	Brokers      []string // tried in order: tcp://, ssl://, ws://, wss://
	ClientID     string   // "": tarsier-<node>
	Username     string
	PasswordFile string // read at each connection; a newline at its end is not part of the password
	TLS          TLS

	BaseTopic       string // "": tarsier
	QoS             byte   // of events and retained topics: 1 or 2; 0 is taken for 1
	DiscoveryPrefix string // of Home Assistant's discovery topics; "": no discovery
	QueueDir        string // where events wait, see package queue; "": in memory. It does not change with Reconfigure
	QueueBytes      int64  // events that may wait; 0: 64 MiB
	Temperature     bool   // there is one in the stats, for Home Assistant to show
	Throttled       bool   // the same

	Clock     pipeline.Clock                   // the zero value: the system's, taken for set
	Log       *slog.Logger                     // nil: no log
	Pause     func(camera string, paused bool) // somebody asks for it; must return at once
	Connected func(bool)                       // called when it changes; must return at once
}

// TLS is used for ssl and wss. The files are PEM and are read at each connection, so they may be replaced.
type TLS struct {
	CAFile             string // "": the system's
	CertFile, KeyFile  string // of the client, if the broker wants to see one
	InsecureSkipVerify bool
}

func (o Options) withDefaults() Options {
	if o.ClientID == "" {
		o.ClientID = "tarsier-" + o.Node
	}
	if o.BaseTopic == "" {
		o.BaseTopic = "tarsier"
	}
	if o.QoS == 0 {
		o.QoS = 1
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 64 << 20
	}
	if o.Clock.Now == nil {
		o.Clock = pipeline.SystemClock(nil)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// root is what all topics of the node begin with.
func (o Options) root() string { return o.BaseTopic + "/" + o.Node + "/" }

// sameConnection says whether a connection made with o would be like one made with b.
func (o Options) sameConnection(b Options) bool {
	return slices.Equal(o.Brokers, b.Brokers) && o.ClientID == b.ClientID && o.Username == b.Username &&
		o.PasswordFile == b.PasswordFile && o.TLS == b.TLS && o.root() == b.root()
}

// A Camera is a camera and what is published of it.
type Camera struct {
	Name      string
	Regions   []Region
	Snapshots bool // pictures of events
}

// A Region is a region and the labels that make events, if it is not all of them.
type Region struct {
	Name string
	Only []Label
}

// A Label is a class and what it is called.
type Label struct {
	Index   int
	Name    string
	Problem bool // something is wrong while it is entered
}

// Stats is how the publisher does.
type Stats struct {
	Connected       bool
	Broker          string    // the one it is connected to, or was last
	Turned          time.Time // when Run last went round: whatever the broker does, it does so within 15 s
	Queued          int       // events that wait for an acknowledgement
	QueuedBytes     int64
	QueueError      string // why events are kept in memory only; "": they are on disk
	Sent            uint64 // events acknowledged
	Dropped         uint64 // events that a full queue let go
	MessagesDropped uint64 // of Send
	Reconnects      uint64
	LastError       string // of connecting or of a connection; stays after the next success
	LastErrorAt     time.Time
}

// A Publisher is safe for concurrent use. Nothing is sent before Run is called.
type Publisher struct {
	timing timing
	wake   chan struct{} // there is something new for the session
	queue  *queue.Queue

	mu       sync.Mutex
	opts     Options
	current  context.Context // ends when opts ask for another connection
	replace  context.CancelFunc
	retained map[string][]byte // by topic: what the broker shall hold; nothing: to be cleared
	dirty    []string          // topics of retained that this connection has still to be told
	messages []message         // of Send
	stats    Stats

	overflowing bool   // the log says that events are being lost
	reported    uint64 // of those that were lost, how many the log has counted

	placed     bool // SetTopology was called
	cameras    []Camera
	components map[string]component // as last given to Home Assistant
	retired    map[string]string    // components to be removed from it: their platforms
}

// maxMessages is how many messages of Send may wait to be written.
const maxMessages = 256

// New makes a publisher; Run makes it publish, and has to be called. What a run that crashed had entered is left now.
// An error is of the queue's directory.
func New(o Options) (*Publisher, error) {
	o = o.withDefaults()
	p := &Publisher{
		timing:   defaultTiming,
		wake:     make(chan struct{}, 1),
		opts:     o,
		retained: make(map[string][]byte),
	}
	p.current, p.replace = context.WithCancel(context.Background())
	var err error
	p.queue, err = queue.Open(queue.Options{Dir: o.QueueDir, Limit: o.QueueBytes, Clock: o.Clock, Log: o.Log, Changed: p.signal})
	if err != nil {
		return nil, err
	}
	orphans := p.queue.Orphans()
	for i := range orphans {
		e := &orphans[i]
		e.Type, e.Reason, e.Top, e.LatencyMS = pipeline.Leave, pipeline.Restarted, []pipeline.Score{}, 0
		e.Time, e.Uptime, e.Clock = pipeline.Time{Time: o.Clock.Now()}, o.Clock.Uptime(), o.Clock.State()
		o.Log.Warn("the last run ended without a leave", "camera", e.Camera, "region", e.Region, "label", e.Label)
	}
	p.append(orphans)
	return p, nil
}

// Events queues what happened at one moment, and returns it as it will be sent: with its node, numbers and ids. It does
// not wait for the disk, nor for the network.
func (p *Publisher) Events(events ...pipeline.Event) []pipeline.Event {
	node := p.options().Node
	for i := range events {
		e := &events[i]
		e.V, e.Node = pipeline.Version, node
		if e.Top == nil {
			e.Top = []pipeline.Score{}
		}
	}
	return p.append(events)
}

func (p *Publisher) append(events []pipeline.Event) []pipeline.Event {
	base := p.options().BaseTopic
	return p.queue.Append(func(e pipeline.Event) string {
		return Options{BaseTopic: base, Node: e.Node}.root() + eventTopic(e.Camera, e.Region)
	}, events...)
}

// Retain sets a retained topic, named by what follows <base topic>/<node>/. No payload clears it, also what an earlier run left. The publisher
// keeps the payload, which must not be changed, and sends it at each connection. Once there is a topology, topics
// of cameras and regions that are not in it are ignored: what is late from one that was removed does not revive it.
func (p *Publisher) Retain(topic string, payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.placed && !p.has(topic) {
		return
	}
	p.set(p.opts.root()+topic, payload)
}

// Send publishes at QoS 0 and not retained, to a topic below <base topic>/<node>/. Without a connection, or with one
// that is too slow, the message is dropped and counted.
func (p *Publisher) Send(topic string, payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stats.Connected || len(p.messages) >= maxMessages {
		p.stats.MessagesDropped++
		return
	}
	p.messages = append(p.messages, message{topic: p.opts.root() + topic, payload: payload})
	p.signal()
}

// SetTopology says which cameras and regions there are. The retained topics of all others are cleared, also those
// that an earlier run left behind, and Home Assistant is told. The publisher keeps cameras, which must not be changed.
func (p *Publisher) SetTopology(cameras []Camera) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.cameras
	p.cameras = cameras
	p.placed = true
	p.discover(p.opts) // first, so that Home Assistant lets go of topics before they are cleared
	for _, c := range before {
		p.forget(CameraStatusTopic(c.Name))
		for _, region := range c.Regions {
			p.forget(StateTopic(c.Name, region.Name))
		}
	}
	for topic, payload := range p.retained {
		if rel, ok := strings.CutPrefix(topic, p.opts.root()); ok && len(payload) > 0 {
			p.forget(rel)
		}
	}
	p.signal()
}

// Reconfigure changes the options. Where they ask for another connection, the broker that is left gets what is on
// its way and Offline; events that wait go to the new one. If the node or the base topic changes, the topics under
// the old one are cleared. Events already queued keep their topic.
func (p *Publisher) Reconfigure(o Options) {
	o = o.withDefaults()
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.opts
	p.opts = o
	p.queue.Resize(o.QueueBytes)
	p.discover(before)
	if before.root() != o.root() {
		for topic, payload := range maps.Clone(p.retained) {
			if rel, ok := strings.CutPrefix(topic, before.root()); ok && len(payload) > 0 {
				p.set(topic, nil)
				p.set(o.root()+rel, payload)
			}
		}
		p.set(before.root()+nodeStatusTopic, nil)
		delete(p.retained, o.root()+nodeStatusTopic)
	}
	if !o.sameConnection(before) {
		p.replace()
		p.current, p.replace = context.WithCancel(context.Background())
	}
	p.signal()
}

// Stats tells how the publisher does.
func (p *Publisher) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	q := p.queue.Stats()
	s.Queued, s.QueuedBytes, s.Dropped = q.Events, q.Bytes, q.Dropped
	if q.Err != nil {
		s.QueueError = q.Err.Error()
	}
	return s
}

func (p *Publisher) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// set gives a retained topic, named in full, a value; none clears it. p.mu is held.
func (p *Publisher) set(topic string, payload []byte) {
	if old, ok := p.retained[topic]; ok && bytes.Equal(old, payload) {
		return
	}
	p.retained[topic] = payload
	p.mark(topic)
}

// mark has a retained topic told to the broker. p.mu is held.
func (p *Publisher) mark(topic string) {
	if !slices.Contains(p.dirty, topic) {
		p.dirty = append(p.dirty, topic)
	}
	p.signal()
}

// has says whether a topic below the node's is the node's own, or of a camera and region in the topology.
// p.mu is held.
func (p *Publisher) has(topic string) bool {
	camera, region := place(topic)
	if camera == "" {
		return true
	}
	return slices.ContainsFunc(p.cameras, func(c Camera) bool {
		return c.Name == camera && (region == "" || slices.ContainsFunc(c.Regions, func(r Region) bool { return r.Name == region }))
	})
}

// forget clears the topics of the camera or region that a topic below the node's belongs to, if it is not in the
// topology. p.mu is held.
func (p *Publisher) forget(topic string) {
	if p.has(topic) {
		return
	}
	camera, region := place(topic)
	topics := cameraTopics(camera)
	if region != "" {
		topics = regionTopics(camera, region)
	}
	for _, t := range topics {
		p.set(p.opts.root()+t, nil)
	}
}
