package gossip

import (
	"context"
	"log"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// transport is what memberlist sends and receives by. It adds to another
// transport what memberlist lacks: nothing from a network that is not allowed
// gets in (memberlist checks alive messages only, not other packets and not
// streams), and a dial or an exchange under way ends with the member.
type transport struct {
	memberlist.NodeAwareTransport
	ctx      context.Context // ends with the member
	sockets  bool            // the transport below uses the operating system's network
	bound    netip.Addr      // with sockets
	allow    []netip.Prefix  // empty: all
	refused  func(from net.Addr)
	packets  chan *memberlist.Packet // nil if all networks are allowed
	streams  chan net.Conn
	filtered sync.WaitGroup
	stop     chan struct{} // closed when the transport below has shut down
	once     sync.Once

	mu    sync.Mutex            // guards what follows
	here  netip.AddrPort        // what others are told
	conns map[net.Conn]struct{} // dialed and not closed; nil after Shutdown
}

// openTransport listens. It returns the port that it listens on, 0 if that is not
// known.
func openTransport(ctx context.Context, s settings, logger *log.Logger, refused func(net.Addr)) (*transport, int, error) {
	t := &transport{ctx: ctx, allow: s.AllowGossip, refused: refused, stop: make(chan struct{}), conns: make(map[net.Conn]struct{})}
	port := 0
	if s.Transport != nil {
		t.NodeAwareTransport = nodeAware(s.Transport)
	} else {
		sockets, err := listen(s.bind, logger)
		if err != nil {
			return nil, 0, err
		}
		t.NodeAwareTransport, t.sockets, t.bound = sockets, true, s.bind.Addr()
		port = sockets.GetAutoBindPort()
	}
	if len(t.allow) > 0 {
		t.packets, t.streams = make(chan *memberlist.Packet), make(chan net.Conn)
		t.filtered.Go(t.filter)
	}
	return t, port, nil
}

// listen opens the sockets. A free TCP port that the system picks may be taken
// for UDP, then another one is tried.
func listen(bind netip.AddrPort, logger *log.Logger) (sockets *memberlist.NetTransport, err error) {
	tries := 1
	if bind.Port() == 0 {
		tries = 10
	}
	for range tries {
		sockets, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{bind.Addr().String()}, BindPort: int(bind.Port()), Logger: logger,
		})
		if err == nil {
			return sockets, nil
		}
	}
	return nil, err
}

type plainTransport struct{ memberlist.Transport }

func nodeAware(t memberlist.Transport) memberlist.NodeAwareTransport {
	if aware, is := t.(memberlist.NodeAwareTransport); is {
		return aware
	}
	return plainTransport{t}
}

func (t plainTransport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, a.Addr)
}

func (t plainTransport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(a.Addr, timeout)
}

// FinalAdvertiseAddr notes the address, by which the member recognises itself.
func (t *transport) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	addr, port, err := t.NodeAwareTransport.FinalAdvertiseAddr(ip, port)
	if err != nil {
		return nil, 0, err
	}
	// One form for each address: memberlist compares bytes, and would take the
	// other form of an IPv4 address for another member.
	if v4 := addr.To4(); v4 != nil {
		addr = v4
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.here = addrPort(addr, uint16(port))
	return addr, port, nil
}

// self returns the address that others are told.
func (t *transport) self() netip.AddrPort {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.here
}

func addrPort(ip net.IP, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), port)
}

func (t *transport) PacketCh() <-chan *memberlist.Packet {
	if t.packets != nil {
		return t.packets
	}
	return t.NodeAwareTransport.PacketCh()
}

func (t *transport) StreamCh() <-chan net.Conn {
	if t.streams != nil {
		return t.streams
	}
	return t.NodeAwareTransport.StreamCh()
}

// filter passes on what comes from allowed networks.
func (t *transport) filter() {
	for {
		select {
		case p := <-t.NodeAwareTransport.PacketCh():
			if !t.allowed(p.From) {
				continue
			}
			select {
			case t.packets <- p:
			case <-t.stop:
			}
		case c := <-t.NodeAwareTransport.StreamCh():
			if !t.allowed(c.RemoteAddr()) {
				_ = c.Close()
				continue
			}
			select {
			case t.streams <- c:
			case <-t.stop:
				_ = c.Close()
			}
		case <-t.stop:
			return
		}
	}
}

func (t *transport) allowed(from net.Addr) bool {
	var ip netip.Addr
	switch a := from.(type) {
	case *net.UDPAddr:
		ip = a.AddrPort().Addr()
	case *net.TCPAddr:
		ip = a.AddrPort().Addr()
	case nil:
	default:
		parsed, _ := netip.ParseAddrPort(a.String())
		ip = parsed.Addr()
	}
	if ip.IsValid() && contains(t.allow, ip) {
		return true
	}
	t.refused(from)
	return false
}

func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	c, err := t.dial(a, timeout)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conns == nil {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	t.conns[c] = struct{}{}
	return &trackedConn{c, t}, nil
}

func (t *transport) dial(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if !t.sockets {
		return t.dialBelow(a, timeout)
	}
	d := net.Dialer{Timeout: timeout}
	if !t.bound.IsUnspecified() {
		// As packets do: others allow the member by the address it listens on.
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(t.bound, 0))
	}
	return d.DialContext(t.ctx, "tcp", a.Addr)
}

// dialBelow dials by a transport that the caller has given. Its dial cannot be
// cancelled: it is left to itself when the member closes, until its timeout.
func (t *transport) dialBelow(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		c, err := t.NodeAwareTransport.DialAddressTimeout(a, timeout)
		select {
		case done <- result{c, err}:
		case <-t.ctx.Done():
			if err == nil {
				_ = c.Close()
			}
		}
	}()
	select {
	case r := <-done:
		return r.conn, r.err
	case <-t.ctx.Done():
		return nil, net.ErrClosed
	}
}

type trackedConn struct {
	net.Conn
	transport *transport
}

func (c *trackedConn) Close() error {
	c.transport.mu.Lock()
	delete(c.transport.conns, c.Conn)
	c.transport.mu.Unlock()
	return c.Conn.Close()
}

// Shutdown ends the transport below first: it may wait until what it has
// received is taken. It may be called again.
func (t *transport) Shutdown() (err error) {
	t.once.Do(func() {
		err = t.NodeAwareTransport.Shutdown()
		close(t.stop)
		t.filtered.Wait()
		t.mu.Lock()
		conns := t.conns
		t.conns = nil
		t.mu.Unlock()
		for c := range conns {
			_ = c.Close()
		}
	})
	return err
}
