package memnet

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/ringway/ringway/internal/splitmix"
)

// Linger is longer than anything that a memberlist with one of its own presets
// leaves behind at its Shutdown: a push/pull that dials, writes and reads, each
// for at most TCPTimeout (WAN: 30 s).
const Linger = 2 * time.Minute

// Config describes a network. The zero value delivers everything at once.
type Config struct {
	// Seed decides which packets are lost, and the jitter of each.
	Seed uint64

	// Delay is how long a packet travels, one way.
	Delay time.Duration

	// Jitter is added to Delay, a uniform draw from [0, Jitter) for each packet.
	// Packets overtake each other by it; the bytes of a stream do not.
	Jitter time.Duration

	// Loss is the probability that a packet is lost, from 0 to 1. A segment of a
	// stream that is lost is sent again, after 200 ms, 400 ms and so on.
	Loss float64

	// Queue is how many packets wait for a receiver before further ones are
	// dropped. Zero: 1024.
	Queue int

	// Grain rounds arrivals up to its multiples; zero leaves them as they are. A
	// bubble's clock moves on when all is quiet, so that arrivals at moments of
	// their own are worked on one after the other, and only those that share one
	// by all cores. With hundreds of members 5 ms save a seventh of the processor
	// time and let two cores share the rest.
	Grain time.Duration
}

// Network connects the transports that listen on it. Its methods may be called
// by any goroutine of the bubble it was made in.
type Network struct {
	seed  uint64
	queue int
	grain time.Duration

	mu     sync.Mutex // guards what follows, and every host, Transport and stream
	delay  time.Duration
	jitter time.Duration
	loss   float64
	hosts  map[string]*host // "10.0.0.1:7946", as netip.AddrPort prints it
	cuts   map[link]bool
	open   map[*stream]bool // ends of streams that were not closed
	agenda agenda
}

// host is an address with its port, whether somebody listens there or not. Two
// ports of one IP address are two hosts.
type host struct {
	addr      netip.AddrPort
	udp       *net.UDPAddr
	tcp       *net.TCPAddr
	transport *Transport // nil: nobody listens
	crashed   bool
	crashes   int // so far: a stream from before a crash is dead
	group     int // of the partition; 0: none of those named
	seed      uint64
	draws     uint64 // numbers drawn from seed so far
	stats     Stats
}

// link is one direction between two hosts.
type link struct{ from, to *host }

// New returns a network without hosts. An error says which setting is out of
// range.
func New(c Config) (*Network, error) {
	if c.Queue < 0 {
		return nil, fmt.Errorf("memnet: queue %d: want a number of packets, or 0 for 1024", c.Queue)
	}
	if c.Grain < 0 {
		return nil, fmt.Errorf("memnet: grain %v: want it not below 0", c.Grain)
	}
	if c.Queue == 0 {
		c.Queue = 1024
	}
	n := &Network{
		seed:  c.Seed,
		queue: c.Queue,
		grain: c.Grain,
		hosts: make(map[string]*host),
		cuts:  make(map[link]bool),
		open:  make(map[*stream]bool),
	}
	n.agenda.network = n
	if err := n.SetDelay(c.Delay, c.Jitter); err != nil {
		return nil, err
	}
	if err := n.SetLoss(c.Loss); err != nil {
		return nil, err
	}
	return n, nil
}

// SetDelay changes the delay and jitter of what is sent from now on. See Config.
func (n *Network) SetDelay(delay, jitter time.Duration) error {
	if delay < 0 || jitter < 0 {
		return fmt.Errorf("memnet: delay %v, jitter %v: want neither below 0", delay, jitter)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay, n.jitter = delay, jitter
	return nil
}

// SetLoss changes the loss of what is sent from now on. See Config.
func (n *Network) SetLoss(loss float64) error {
	if !(loss >= 0 && loss <= 1) { // NaN is neither
		return fmt.Errorf("memnet: loss %v: want a probability from 0 to 1", loss)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = loss
	return nil
}

// host returns the host of an address, which need not have been seen before.
func (n *Network) host(addr netip.AddrPort) *host {
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	name := addr.String()
	h := n.hosts[name]
	if h == nil {
		h = &host{
			addr: addr,
			udp:  net.UDPAddrFromAddrPort(addr),
			tcp:  net.TCPAddrFromAddrPort(addr),
			seed: splitmix.Mix(n.seed + xxhash.Sum64String(name)),
		}
		n.hosts[name] = h
	}
	return h
}

// find returns the host of an address in text. Names are not resolved.
func (n *Network) find(addr string) (*host, error) {
	if h := n.hosts[addr]; h != nil { // nearly always: nothing to parse
		return h, nil
	}
	parsed, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("memnet: address %q: want an IP address and a port: %w", addr, err)
	}
	return n.host(parsed), nil
}

// draw returns the host's next number in [0, 1).
func (h *host) draw() float64 {
	x := splitmix.At(h.seed, h.draws)
	h.draws++
	return float64(x>>11) / (1 << 53)
}

// lost decides whether loss takes what the host sends now.
func (n *Network) lost(from *host) bool { return n.loss > 0 && from.draw() < n.loss }

// travel is how long what the host sends now is under way.
func (n *Network) travel(from *host) time.Duration {
	if n.jitter == 0 {
		return n.delay
	}
	return n.delay + time.Duration(from.draw()*float64(n.jitter))
}
