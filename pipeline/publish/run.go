package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strconv"
	"time"
)

// timing holds the times that tests shorten.
type timing struct {
	connect     time.Duration // for one attempt at one broker
	keepAlive   time.Duration // silence after which the broker is asked whether it is there, in whole seconds
	ping        time.Duration // and has to answer
	ack         time.Duration // for which nothing may be acknowledged
	pause       time.Duration // before the next attempt, at first
	longest     time.Duration // pause, while no broker can be reached
	longestLost time.Duration // pause, while connections are made and lost again
	settled     time.Duration // a connection that lasts for so long is a good one
	scan        time.Duration // for which to listen for what an earlier run left behind
	drain       time.Duration // to deliver what waits, in the end
}

var defaultTiming = timing{
	connect: 10 * time.Second,
	// Of a peer that is gone the kernel knows after 15 s, see dial; this is for one that hangs, or a proxy. A ping waits behind a
	// snapshot, which takes its time on a slow link.
	keepAlive:   15 * time.Second,
	ping:        15 * time.Second,
	ack:         time.Minute,
	pause:       250 * time.Millisecond,
	longest:     5 * time.Second,
	longestLost: 30 * time.Second,
	settled:     time.Minute,
	scan:        2 * time.Second,
	drain:       time.Second,
}

// flapping is the complaint about connections that do not last, made when so many in a row did not.
const (
	flapping  = "flapping"
	manyBrief = 3
)

// repeat is the time after which a complaint is made again that is still true.
const repeat = 10 * time.Minute

// Run connects, publishes, and reconnects until ctx ends. Then it delivers what waits, if there is a broker, says
// Offline, and returns, after 1.5 s at most. Events that are left are on disk for the next run; if they are not, it is an
// error. It is called once.
func (p *Publisher) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, p.queue.Close()) }()
	grace, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(p.timing.drain, cancel) })()

	var (
		failed int // attempts, in a row, at all brokers
		brief  int // connections, in a row, that were lost soon
		told   = make(complaints)
	)
	for last := false; !last; {
		if last = ctx.Err() != nil; last && p.Stats().Queued == 0 {
			break
		}
		s, current := p.connect(grace, told)
		if s == nil {
			failed++
		} else {
			if failed > 0 { // the broker was away, and that is why the connection was lost
				brief = 0
			}
			failed = 0
			began := time.Now()
			err := p.serve(ctx, grace, s, brief >= manyBrief)
			if brief++; time.Since(began) >= p.timing.settled {
				brief = 0
			}
			if brief >= manyBrief && ctx.Err() == nil && told.new(flapping) {
				p.options().Log.Warn("connections to the broker are lost as soon as they are made: either another client has the same "+
					"client id, then give each its own mqtt.client_id, or the broker does not like what is published, see its log",
					"broker", s.broker, "client_id", s.opts.ClientID, "times", brief, "error", err)
			}
		}
		if current.Err() != nil {
			failed, brief = 0, 0
			continue
		}
		p.pause(ctx, current, max(p.timing.backoff(failed, p.timing.longest), p.timing.backoff(brief, p.timing.longestLost)))
	}
	if n := p.Stats().Queued; n > 0 {
		if p.options().QueueDir == "" {
			return fmt.Errorf("%d events could not be delivered: %s", n, p.Stats().LastError)
		}
		p.options().Log.Info("events wait for the next start", "events", n)
	}
	return nil
}

// connect tries the brokers in order, for the options whose end it returns too.
func (p *Publisher) connect(grace context.Context, told complaints) (*session, context.Context) {
	p.mu.Lock()
	o, current := p.opts, p.current
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(grace)
	defer cancel()
	defer context.AfterFunc(current, cancel)()
	fail := func(broker string, err error) {
		p.failed(fmt.Errorf("%s: %w", broker, err))
		if told.new(broker + err.Error()) {
			o.Log.Warn("no connection to the broker, trying again", "broker", broker, "error", err)
		}
	}
	if len(o.Brokers) == 0 {
		fail("", errors.New("no broker is configured: set mqtt.brokers"))
	}
	for i, broker := range o.Brokers {
		p.turn()
		var s *session
		u, err := parseBroker(broker)
		if err == nil {
			broker = u.String()
			s, err = p.connectTo(ctx, o, current, u)
		} else {
			broker = "number " + strconv.Itoa(i+1)
		}
		switch {
		case err == nil:
			maps.DeleteFunc(told, func(what string, _ time.Time) bool { return what != flapping })
			return s, current
		case ctx.Err() != nil:
			return nil, current
		}
		fail(broker, err)
	}
	return nil, current
}

// serve runs a session, and says what becomes of it. If connections do not last, it does so quietly, and does without
// asking for what an earlier run left behind: there are brokers that throw out whoever asks for too much.
func (p *Publisher) serve(ctx, grace context.Context, s *session, flaps bool) error {
	good, bad := slog.LevelInfo, slog.LevelWarn
	if flaps {
		good, bad = slog.LevelDebug, slog.LevelDebug
		s.scanned = true
	}
	log := s.opts.Log.With("broker", s.broker)
	log.Log(ctx, good, "connected to the broker", "client_id", s.opts.ClientID, "waiting", p.Stats().Queued)
	p.connected(s)
	err := s.run(ctx, grace)
	if err != nil {
		err = explain(err)
		p.failed(fmt.Errorf("%s: %w", s.broker, err))
	}
	p.disconnected()
	if err != nil {
		log.Log(ctx, bad, "the connection to the broker is lost", "error", err, "waiting", p.Stats().Queued)
	} else {
		log.Info("disconnected from the broker", "waiting", p.Stats().Queued)
	}
	return err
}

// pause waits, and goes on turning.
func (p *Publisher) pause(ctx, current context.Context, d time.Duration) {
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		p.turn()
		select {
		case <-end.C:
			return
		case <-ctx.Done():
			return
		case <-current.Done():
			return
		case <-tick.C:
		}
	}
}

// backoff is the pause after n failures in a row: it doubles, and varies, so that not all nodes come back to a
// broker at once.
func (t timing) backoff(n int, longest time.Duration) time.Duration {
	if n == 0 {
		return 0
	}
	d := min(t.pause<<min(n-1, 16), longest)
	return d/2 + rand.N(d/2+1)
}

// complaints are what was said in the log, and when.
type complaints map[string]time.Time

// new says whether it is time to say something (again), and takes it for said.
func (c complaints) new(what string) bool {
	if at, ok := c[what]; ok && time.Since(at) < repeat {
		return false
	}
	c[what] = time.Now()
	return true
}
