package main

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A proxy stands between the daemon and the broker. It does what networks do, and sees which events the broker
// acknowledges.
type proxy struct {
	acked ledger // events whose PUBACK went to the daemon

	ln      net.Listener
	target  string
	running sync.WaitGroup

	mu       sync.Mutex
	links    map[*link]bool
	accepted int
	refusing bool          // new connections are reset
	delay    time.Duration // of each packet
}

// A link is one connection of the daemon's.
type link struct {
	daemon, broker net.Conn
	ended          chan struct{}

	mu     sync.Mutex
	events map[uint16][]byte // payloads of events without a PUBACK, by packet id
	state  linkState
}

type linkState int

const (
	linkOpen  linkState = iota
	linkTorn            // breaks off in the middle of the daemon's next packet
	linkDeaf            // half-open: what comes is taken, and gets nowhere
	linkStuck           // half-open: nothing is taken
)

func (w *world) startProxy(b *broker) *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	p := &proxy{ln: ln, target: b.address(), links: map[*link]bool{}}
	p.running.Add(1)
	go p.accept()
	w.cleanup(func() {
		p.refuse(true)
		_ = ln.Close()
		p.cut()
		p.running.Wait()
	})
	return p
}

func (p *proxy) url() string { return "tcp://" + p.ln.Addr().String() }

func (p *proxy) accept() {
	defer p.running.Done()
	for {
		daemon, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.accepted++
		refusing := p.refusing
		p.mu.Unlock()
		broker, err := net.Dial("tcp", p.target)
		if err != nil || refusing {
			reset(daemon)
			if err == nil {
				reset(broker)
			}
			continue
		}
		l := &link{daemon: daemon, broker: broker, ended: make(chan struct{}), events: map[uint16][]byte{}}
		p.mu.Lock()
		p.links[l] = true
		refusing = p.refusing
		p.mu.Unlock()
		if refusing {
			l.reset()
		}
		p.running.Add(1)
		go func() {
			defer p.running.Done()
			p.serve(l)
		}()
	}
}

// reset closes a connection without a word.
func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

func (l *link) reset() {
	reset(l.daemon)
	reset(l.broker)
	l.set(linkOpen)
}

func (l *link) set(s linkState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = s
}

// serve forwards until the daemon's side ends. A half-open link goes on when the broker has given it up.
func (p *proxy) serve(l *link) {
	var both sync.WaitGroup
	both.Add(2)
	go func() {
		defer both.Done()
		p.forward(l, l.broker, l.daemon, l.fromBroker)
		if l.open() {
			_ = l.daemon.Close()
		}
	}()
	go func() {
		defer both.Done()
		p.forward(l, l.daemon, l.broker, l.fromDaemon)
		_ = l.daemon.Close()
		_ = l.broker.Close()
	}()
	both.Wait()
	close(l.ended)
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// hungUp says whether the other side has closed a connection that nobody reads.
func hungUp(c net.Conn) (yes bool) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}, 0)
		yes = err == nil && n > 0
	})
	return yes || err != nil
}

func (l *link) stuck() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == linkStuck
}

func (l *link) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == linkOpen || l.state == linkTorn
}

// forward moves packets, each as much later as the network is slow. A packet is shown to see, which gives what of it
// passes, and whether the link ends with that; and to seen when it has passed.
func (p *proxy) forward(l *link, from, to net.Conn, see func(packet) (part []byte, last bool, seen func(*ledger))) {
	type sent struct {
		packet
		at time.Time
	}
	queue := make(chan sent, 4096)
	go func() {
		defer close(queue)
		for r := bufio.NewReader(from); ; {
			for l.stuck() && !hungUp(from) {
				time.Sleep(20 * time.Millisecond)
			}
			packet, err := readPacket(r)
			if err != nil {
				return
			}
			queue <- sent{packet, time.Now()}
		}
	}()
	defer func() {
		for range queue { // until the reader ends: its connection is closed
		}
	}()
	defer from.Close()
	for s := range queue {
		p.mu.Lock()
		delay := p.delay
		p.mu.Unlock()
		time.Sleep(time.Until(s.at.Add(delay)))
		part, last, seen := see(s.packet)
		if _, err := to.Write(part); err != nil && l.open() {
			return
		}
		if last {
			l.reset()
			return
		}
		if seen != nil {
			seen(&p.acked)
		}
	}
}

func (l *link) fromDaemon(p packet) ([]byte, bool, func(*ledger)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.state {
	case linkTorn:
		return p.raw[:len(p.raw)/2], true, nil
	case linkDeaf, linkStuck:
		return nil, false, nil
	}
	if topic, id, payload, ok := p.publish(); ok && strings.HasSuffix(topic, "/event") {
		l.events[id] = payload
	}
	return p.raw, false, nil
}

func (l *link) fromBroker(p packet) ([]byte, bool, func(*ledger)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == linkDeaf || l.state == linkStuck {
		return nil, false, nil
	}
	id, ok := p.puback()
	payload := l.events[id]
	if !ok || payload == nil {
		return p.raw, false, nil
	}
	delete(l.events, id)
	return p.raw, false, func(acked *ledger) { acked.hear(payload) }
}

// refuse has new connections reset, or not any more.
func (p *proxy) refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = yes
}

// slow has each packet arrive later.
func (p *proxy) slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// connections counts those that the daemon made.
func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// all are the links that there are.
func (p *proxy) all() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*link
	for l := range p.links {
		all = append(all, l)
	}
	return all
}

// cut breaks all connections off.
func (p *proxy) cut() {
	for _, l := range p.all() {
		l.reset()
	}
}

// change puts all connections in a state. The channels are closed when these have ended.
func (p *proxy) change(s linkState) (ended []<-chan struct{}) {
	for _, l := range p.all() {
		l.set(s)
		ended = append(ended, l.ended)
	}
	return ended
}
