package memnet

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	backlog       = 128   // streams that wait for their receiver before dials go unanswered
	maxPacketSize = 65507 // bytes: what UDP over IPv4 carries
)

// Transport is a memberlist's place on the network. It is safe for concurrent
// use. Sending never blocks.
type Transport struct {
	network *Network
	host    *host
	packets chan *memberlist.Packet
	streams chan net.Conn
	closed  bool // guarded by network.mu
}

// memberlist takes any Transport, and asks for the methods with a node's name by
// a type assertion. Hosts are found by address alone, as on a real network.
var _ memberlist.NodeAwareTransport = (*Transport)(nil)

// Listen returns a transport that listens on an address, until its Shutdown. It
// is an error if the address is not one that a member can have, or in use.
func (n *Network) Listen(addr netip.AddrPort) (*Transport, error) {
	if !addr.IsValid() || addr.Port() == 0 || addr.Addr().IsUnspecified() {
		return nil, fmt.Errorf("memnet: listen on %v: want one IP address and a port", addr)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.host(addr)
	if h.transport != nil {
		return nil, fmt.Errorf("memnet: listen on %v: %w", addr, syscall.EADDRINUSE)
	}
	h.transport = &Transport{
		network: n,
		host:    h,
		packets: make(chan *memberlist.Packet, n.queue),
		streams: make(chan net.Conn, backlog),
	}
	return h.transport, nil
}

// Configure makes a memberlist's configuration, one of its presets say, use the
// transport, and returns it. It sets the name and what goes with the transport,
// sends the log to io.Discard, which spares the formatting too, and switches
// compression off, which would take about as much processor time as all the
// rest. Change afterwards what should be otherwise.
func (t *Transport) Configure(name string, c *memberlist.Config) *memberlist.Config {
	c.Name = name
	c.Transport = t
	c.BindAddr = t.host.addr.Addr().String()
	c.BindPort = int(t.host.addr.Port())
	c.AdvertiseAddr, c.AdvertisePort = "", 0
	c.Logger, c.LogOutput = nil, io.Discard
	c.EnableCompression = false
	return c
}

// Addr returns the address that the transport listens on.
func (t *Transport) Addr() netip.AddrPort { return t.host.addr }

// FinalAdvertiseAddr returns the address that the user set, or else where the
// transport listens.
func (t *Transport) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	if ip == "" {
		return t.host.udp.IP, t.host.udp.Port, nil
	}
	parsed := net.ParseIP(ip)
	if parsed == nil {
		return nil, 0, fmt.Errorf("memnet: advertise address %q: want an IP address", ip)
	}
	if v4 := parsed.To4(); v4 != nil {
		parsed = v4
	}
	return parsed, port, nil
}

// PacketCh returns the queue of packets that have arrived.
func (t *Transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh returns the streams that others opened to this transport.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// WriteTo is WriteToAddress without a name.
func (t *Transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

// WriteToAddress sends a packet and returns when. It copies b. It is an error if
// the transport is shut down, the packet too large or the address not one;
// never that the packet will not arrive.
func (t *Transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	n := t.network
	n.mu.Lock()
	defer n.mu.Unlock()
	to, err := n.find(a.Addr)
	if err != nil {
		return time.Time{}, err
	}
	if t.closed {
		return time.Time{}, t.sendError(to, net.ErrClosed)
	}
	if len(b) > maxPacketSize {
		return time.Time{}, t.sendError(to, syscall.EMSGSIZE)
	}
	now := time.Now()
	n.send(t.host, to, b, now)
	return now, nil
}

// sendError is an error as a UDP socket returns it, which memberlist knows.
func (t *Transport) sendError(to *host, err error) error {
	return &net.OpError{Op: "write", Net: "udp", Source: t.host.udp, Addr: to.udp, Err: err}
}

// Shutdown ends listening, as the end of a process does: packets find nobody
// from now on, dials are refused, and streams that nobody has accepted are
// reset. Accepted ones belong to who uses them. It may be called again.
func (t *Transport) Shutdown() error {
	n := t.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	t.host.transport = nil
	for {
		select {
		case waiting := <-t.streams:
			waiting.(*stream).abort()
		default:
			return nil
		}
	}
}

// packet is one that is under way, in one allocation with what is delivered.
type packet struct {
	memberlist.Packet
	from, to *host
}

// send puts a packet on its way, or drops it.
func (n *Network) send(from, to *host, b []byte, now time.Time) {
	from.stats.PacketsSent++
	from.stats.PacketBytesSent += uint64(len(b))
	switch {
	case from.crashed || !n.connected(from, to):
		from.stats.Blocked++
	case n.lost(from):
		from.stats.Lost++
	default:
		p := &packet{memberlist.Packet{Buf: append([]byte(nil), b...), From: from.udp}, from, to}
		n.agenda.add(now.Add(n.travel(from)), p)
	}
}

// arrive hands a packet to who listens, and drops it if nobody takes it.
func (p *packet) arrive(n *Network, now time.Time) {
	// Whether the sender has crashed meanwhile makes no difference.
	if p.to.crashed || !n.connected(p.from, p.to) {
		p.from.stats.Blocked++
		return
	}
	t := p.to.transport
	if t == nil {
		p.to.stats.Unheard++
		return
	}
	p.Timestamp = now
	select {
	case t.packets <- &p.Packet:
		p.to.stats.PacketsReceived++
		p.to.stats.PacketBytesReceived += uint64(len(p.Buf))
	default:
		p.to.stats.Overflowed++
	}
}
