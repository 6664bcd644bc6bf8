package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// startBroker starts a broker on a loopback port that is easy to remember, or
// on a free one, and gives each message below tarsier/ to received.
func startBroker(received func(topic string, payload []byte)) (*mqtt.Server, string, error) {
	server := mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(new(auth.AllowHook), nil); err != nil {
		return nil, "", err
	}
	tcp := listeners.NewTCP(listeners.Config{ID: "easy", Address: "127.0.0.1:18830"})
	if err := server.AddListener(tcp); err != nil {
		tcp = listeners.NewTCP(listeners.Config{ID: "free", Address: "127.0.0.1:0"})
		if err := server.AddListener(tcp); err != nil {
			return nil, "", fmt.Errorf("start an MQTT broker on 127.0.0.1: %w", err)
		}
	}
	handler := func(_ *mqtt.Client, _ packets.Subscription, p packets.Packet) { received(p.TopicName, p.Payload) }
	if err := server.Subscribe("tarsier/#", 1, handler); err != nil {
		return nil, "", err
	}
	return server, tcp.Address(), server.Serve()
}

// A printer writes a line for each message that a person would want to see.
type printer struct {
	mu      sync.Mutex
	out     io.Writer
	color   bool
	events  int
	missing map[string]bool // cameras that have entered nothing yet, or not that: a camera's name, or that/label
	all     chan struct{}   // closed when none is missing
}

func newPrinter(out io.Writer, color bool) *printer {
	return &printer{out: out, color: color}
}

// allEntered gives a channel that is closed when each camera has entered all
// labels that it is sure to show, or any.
func (p *printer) allEntered(cameras []camera) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missing, p.all = map[string]bool{}, make(chan struct{})
	for _, c := range cameras {
		for _, label := range c.shows {
			p.missing[c.name+"/"+label] = true
		}
		if len(c.shows) == 0 {
			p.missing[c.name] = true
		}
	}
	return p.all
}

func (p *printer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events
}

// message prints what came: events, who is online, and what the daemon says
// of itself. State, scores and statistics would only repeat it.
func (p *printer) message(topic string, payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch topic[strings.LastIndex(topic, "/")+1:] {
	case "event":
		p.event(topic, payload)
	case "status":
		p.line(time.Now(), topic, p.paint(gray, string(payload)))
	case "info":
		var info struct {
			Version, Kernel, Board string
			WidthMult              float64 `json:"width_mult"`
		}
		if json.Unmarshal(payload, &info) == nil {
			p.line(time.Now(), topic, p.paint(gray, fmt.Sprintf("version %s, width_mult %.2f, kernel %s, %s", info.Version, info.WidthMult, info.Kernel, info.Board)))
		}
	}
}

func (p *printer) event(topic string, payload []byte) {
	var e struct {
		Seq                         uint64
		Time                        time.Time
		Camera, Type, Reason, Label string
		Score                       float64
		LatencyMS                   float64 `json:"latency_ms"`
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		p.line(time.Now(), topic, p.paint(red, "not an event: "+err.Error()))
		return
	}
	p.events++
	text := fmt.Sprintf("%-5s %s", e.Type, e.Label)
	switch e.Type {
	case "enter":
		text = p.paint(green, text)
		delete(p.missing, e.Camera)
		delete(p.missing, e.Camera+"/"+e.Label)
		if p.all != nil && len(p.missing) == 0 {
			close(p.all)
			p.all = nil
		}
	case "leave":
		text = p.paint(yellow, text)
		if e.Reason != "score" {
			text += " (" + e.Reason + ")"
		}
	}
	p.line(e.Time, topic, fmt.Sprintf("%s  %.2f  %s", text, e.Score, p.paint(gray, fmt.Sprintf("seq %d, %.0f ms", e.Seq, e.LatencyMS))))
}

func (p *printer) line(at time.Time, topic, text string) {
	fmt.Fprintf(p.out, "%s  %-32s  %s\n", p.paint(gray, at.Local().Format("15:04:05.000")), topic, text)
}

// Colours of a terminal (ECMA-48, SGR).
const (
	red    = 31
	green  = 32
	yellow = 33
	gray   = 90
)

func (p *printer) paint(color int, text string) string {
	if !p.color {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", color, text)
}
