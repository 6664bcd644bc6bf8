package publish

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A session is one connection to one broker, with a client of the library's made for it alone: the library's own
// queue, reconnecting and resuming would come between ours and the broker.
//
// All of it happens in the goroutine that calls run; the library's goroutines only pass on to it what they hear.
type session struct {
	p       *Publisher
	opts    Options
	current context.Context // ends when opts are no longer the publisher's
	broker  string
	client  mqtt.Client
	conn    *conn
	lost    chan error
	ended   chan struct{}
	inbox   chan mqtt.Message

	inflight []message // published and not acknowledged, in order
	bytes    int       // of their payloads
	scanned  bool      // what an earlier run left behind was asked for
	clean    bool      // the broker knows that we leave
}

// A message is on its way to the broker.
type message struct {
	topic   string
	payload []byte
	retain  bool
	seq     uint64            // of an event; else 0
	retired map[string]string // the components that it removes from Home Assistant
	token   mqtt.Token
	at      time.Time
}

// As much may be published and not acknowledged. At QoS 2 mosquitto ends the connection of whoever has more than its
// max_inflight_messages on the way, 20 by default, although MQTT 3.1.1 knows no such limit; others allow 10.
const (
	windowQoS1  = 64
	windowQoS2  = 10
	windowBytes = 256 << 10 // or one message
)

// connectTo makes one attempt at one broker.
func (p *Publisher) connectTo(ctx context.Context, o Options, current context.Context, u *url.URL) (*session, error) {
	password, err := readPassword(o.PasswordFile)
	if err != nil {
		return nil, err
	}
	config, err := o.TLS.config(u.Hostname())
	if err != nil && (u.Scheme == "ssl" || u.Scheme == "wss") {
		return nil, err
	}
	s := &session{
		p: p, opts: o, current: current, broker: u.String(),
		lost:  make(chan error, 1),
		ended: make(chan struct{}),
		inbox: make(chan mqtt.Message, 64),
	}
	ctx, cancel := context.WithTimeout(ctx, p.timing.connect)
	defer cancel()
	var release func() bool
	s.client = mqtt.NewClient(mqtt.NewClientOptions().
		AddBroker(u.String()).
		SetClientID(o.ClientID).
		SetUsername(o.Username).
		SetPassword(password).
		SetProtocolVersion(4).
		SetCleanSession(true).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetConnectTimeout(p.timing.connect).
		SetWriteTimeout(time.Second). // of Publish, if the connection is lost at that moment: writing does not wait
		SetKeepAlive(p.timing.keepAlive).
		SetPingTimeout(p.timing.ping).
		SetWill(o.root()+nodeStatusTopic, Offline, o.QoS, true).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			select {
			case s.inbox <- m:
			case <-s.ended:
			}
		}).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { s.lost <- err }).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
			s.conn, release, err = dial(ctx, u, config)
			return s.conn, err
		}))
	token := s.client.Connect().(*mqtt.ConnectToken)
	<-token.Done() // dialling ends with ctx, and so does the connection while the broker has not answered
	if s.conn == nil {
		if ctx.Err() != nil {
			err = ctx.Err() // and not what it came to
		}
		return nil, explain(err)
	}
	switch err := token.Error(); {
	case !release():
		s.close()
		return nil, explain(ctx.Err())
	case err != nil:
		s.close()
		return nil, s.refusal(token.ReturnCode(), err)
	}
	return s, nil
}

// refusal says what a broker means that does not let us in.
func (s *session) refusal(code byte, err error) error {
	switch code {
	case 2: // identifier rejected
		return &plainError{fmt.Sprintf("the broker refuses the client id %q: set another mqtt.client_id", s.opts.ClientID), err}
	case 3: // server unavailable
		return &plainError{"the broker says that it is not available", err}
	case 4, 5: // bad user name or password; not authorized
		if s.opts.Username == "" && s.opts.PasswordFile == "" && s.opts.TLS.CertFile == "" {
			return &plainError{"the broker wants a user name and a password: set mqtt.username and mqtt.password_file", err}
		}
		return &plainError{fmt.Sprintf("the broker refuses user %q with the password in %q: correct mqtt.username or the file, "+
			"which is read again at each attempt", s.opts.Username, s.opts.PasswordFile), err}
	}
	return explain(err)
}

// run serves the connection until it breaks, which is an error, or until ctx ends or other options come: then it
// says good-bye, for which it has until grace ends.
func (s *session) run(ctx, grace context.Context) error {
	defer s.close()
	if err := s.publish(message{topic: s.opts.root() + nodeStatusTopic, payload: []byte(Online), retain: true}); err != nil {
		return err
	}
	pauses := s.client.Subscribe(s.opts.root()+pauseSetTopic("+"), 1, nil)
	subscribed := pauses.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var scanEnd <-chan time.Time
	for {
		s.p.turn()
		if scanEnd == nil && s.scan() {
			t := time.NewTimer(s.p.timing.scan)
			defer t.Stop()
			scanEnd = t.C
		}
		if err := s.fill(); err != nil {
			return err
		}
		select {
		case <-s.acked():
			if err := s.settle(); err != nil {
				return err
			}
		case <-s.p.wake:
		case m := <-s.inbox:
			s.receive(m)
		case err := <-s.lost:
			return err
		case <-subscribed:
			subscribed = nil
			if err := granted(pauses.(*mqtt.SubscribeToken)); err != nil {
				s.opts.Log.Warn("the broker does not let us subscribe: cameras cannot be paused through MQTT; see its access rules",
					"broker", s.broker, "topic", s.opts.root()+pauseSetTopic("+"), "error", err)
			}
		case <-scanEnd:
			s.client.Unsubscribe(s.filters()...)
		case <-tick.C:
			if len(s.inflight) > 0 && time.Since(s.inflight[0].at) > s.p.timing.ack {
				return fmt.Errorf("the broker has acknowledged nothing for %v", s.p.timing.ack)
			}
		case <-ctx.Done():
			return s.leave(grace)
		case <-s.current.Done():
			grace, cancel := context.WithTimeout(grace, s.p.timing.drain)
			defer cancel()
			return s.leave(grace)
		}
	}
}

// leave delivers what waits, says Offline, and has the connection closed properly. If the broker does not
// acknowledge that, the connection is broken off instead, so that it says Offline by itself: the last will.
func (s *session) leave(grace context.Context) error {
	flush := func(until context.Context, more func() error, waits func() bool) error {
		for len(s.inflight) > 0 || waits() {
			select {
			case <-s.acked():
				if err := s.settle(); err != nil {
					return err
				}
				if err := more(); err != nil {
					return err
				}
			case <-s.p.wake: // what was queued last is on disk
				if err := more(); err != nil {
					return err
				}
			case <-s.inbox: // too late
			case err := <-s.lost:
				return err
			case <-until.Done():
				return nil
			}
		}
		return nil
	}
	if err := s.fill(); err != nil {
		return err
	}
	waits := func() bool { return s.current.Err() == nil && s.p.Stats().Queued > 0 }
	if err := flush(grace, s.fill, waits); err != nil {
		return err
	}
	status := s.opts.root() + nodeStatusTopic
	if err := s.publish(message{topic: status, payload: []byte(Offline), retain: true}); err != nil {
		return err
	}
	if s.p.clearing(status) {
		if err := s.publish(message{topic: status, retain: true}); err != nil {
			return err
		}
	}
	until, cancel := context.WithTimeout(context.WithoutCancel(grace), 250*time.Millisecond)
	defer cancel()
	nothing := func() error { return nil }
	err := flush(until, nothing, func() bool { return false })
	if err == nil && len(s.inflight) > 0 {
		err = errors.New("the broker did not acknowledge everything in time")
	}
	s.clean = err == nil
	return err
}

// close ends the connection and waits for the library's goroutines.
func (s *session) close() {
	close(s.ended)
	if !s.clean {
		s.conn.abort(errors.New("given up"))
	}
	s.client.Disconnect(250)
	s.p.undelivered(s.inflight)
}

// publish hands a message to the library and remembers it until it is acknowledged.
func (s *session) publish(m message) error {
	m.at = time.Now()
	m.token = s.client.Publish(m.topic, s.p.options().QoS, m.retain, m.payload)
	s.inflight = append(s.inflight, m)
	s.bytes += len(m.payload)
	return s.failed(m.token)
}

// failed is the error of a token that is done.
func (s *session) failed(t mqtt.Token) error {
	select {
	case <-t.Done():
	default:
		return nil
	}
	if t.Error() == nil {
		return nil
	}
	// The token only says that the connection is gone; why comes a moment later.
	reason := time.NewTimer(100 * time.Millisecond)
	defer reason.Stop()
	select {
	case err := <-s.lost:
		return err
	case <-reason.C:
		return t.Error()
	}
}

// fill publishes what waits, as far as the window allows.
func (s *session) fill() error {
	window := windowQoS1
	if s.p.options().QoS == 2 {
		window = windowQoS2
	}
	for len(s.inflight) < window && (s.bytes < windowBytes || len(s.inflight) == 0) {
		m, ok := s.p.take(s)
		if !ok {
			break
		}
		if err := s.publish(m); err != nil {
			return err
		}
	}
	for _, m := range s.p.takeMessages(s.conn.buffered() > 2*windowBytes) {
		if err := s.failed(s.client.Publish(m.topic, 0, false, m.payload)); err != nil {
			return err
		}
	}
	return nil
}

// acked is ready when the oldest message is acknowledged. Brokers acknowledge in order (MQTT 3.1.1, section 4.6).
func (s *session) acked() <-chan struct{} {
	if len(s.inflight) == 0 {
		return nil
	}
	return s.inflight[0].token.Done()
}

// settle takes the messages out of the window that were acknowledged.
func (s *session) settle() error {
	for len(s.inflight) > 0 {
		m := s.inflight[0]
		select {
		case <-m.token.Done():
		default:
			return nil
		}
		if err := s.failed(m.token); err != nil {
			return err
		}
		s.p.delivered(m)
		s.bytes -= len(m.payload)
		s.inflight = s.inflight[1:]
	}
	return nil
}

// filters match what an earlier run may have left behind: one retained topic of each camera and region, and
// discovery messages, also under a prefix that is no longer ours.
func (s *session) filters() []string {
	filters := []string{
		s.opts.root() + CameraStatusTopic("+"),
		s.opts.root() + PauseTopic("+"),
		s.opts.root() + StateTopic("+", "+"),
		"+/device/" + s.opts.deviceName() + "/config",
	}
	if strings.Contains(s.opts.DiscoveryPrefix, "/") {
		filters = append(filters, s.opts.discoveryTopic())
	}
	return filters
}

// scan asks for what an earlier run left behind, once it is known what belongs there. It has to come before our own
// discovery message, which takes the place of the earlier one. It says whether it asked.
func (s *session) scan() bool {
	if s.scanned || !s.p.hasTopology() {
		return false
	}
	s.scanned = true
	filters := make(map[string]byte)
	for _, f := range s.filters() {
		filters[f] = 0
	}
	s.client.SubscribeMultiple(filters, nil) // a broker that does not allow it keeps what was left behind
	return true
}

// receive deals with what the broker sends: somebody's wish to pause a camera, or what an earlier run left behind.
func (s *session) receive(m mqtt.Message) {
	if m.Topic() == "" || strings.ContainsAny(m.Topic(), "+#\x00") {
		return // no topic of a message (MQTT 3.1.1, section 3.3.2.1), and not to be published to
	}
	rel, ours := strings.CutPrefix(m.Topic(), s.opts.root())
	if camera, ok := strings.CutSuffix(rel, pauseSetTopic("")); ours && ok {
		s.pause(camera, string(m.Payload()))
	} else if m.Retained() {
		s.p.leftover(m.Topic(), m.Payload())
	}
}

func (s *session) pause(camera, payload string) {
	o, known := s.p.camera(camera)
	switch {
	case !known:
		o.Log.Warn("somebody wants to pause or resume a camera that there is not", "camera", camera)
	case payload != On && payload != Off:
		o.Log.Warn("a pause topic takes ON or OFF", "camera", camera, "got", fmt.Sprintf("%.20q", payload))
	case o.Pause != nil:
		o.Pause(camera, payload == On)
	}
}

// granted is the error of a subscription that the broker has answered.
func granted(t *mqtt.SubscribeToken) error {
	if t.Error() != nil {
		return t.Error()
	}
	for _, code := range t.Result() {
		if code == 0x80 {
			return errors.New("refused")
		}
	}
	return nil
}
