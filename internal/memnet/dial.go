package memnet

import (
	"net"
	"os"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// DialTimeout is DialAddressTimeout without a name.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout opens a stream, which takes a round trip. A host without
// listener refuses; one that is out of reach, or has too many streams waiting,
// does not answer, and is asked again after 1 s, 2 s and so on until the timeout
// (127 s if it is not above 0).
func (t *Transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if timeout <= 0 {
		timeout = dialGivenUp
	}
	n := t.network
	n.mu.Lock()
	to, err := n.find(a.Addr)
	n.mu.Unlock()
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(timeout)
	for wait := dialRetry; ; wait *= 2 {
		again := time.Now().Add(wait)
		conn, err := t.dial(to, deadline)
		if conn == nil && err == nil { // no answer
			if again.Before(deadline) {
				time.Sleep(time.Until(again))
				continue
			}
			time.Sleep(time.Until(deadline))
			err = os.ErrDeadlineExceeded
		}
		if err != nil {
			n.mu.Lock()
			t.host.stats.DialsFailed++
			n.mu.Unlock()
			return nil, &net.OpError{Op: "dial", Net: "tcp", Source: t.host.tcp, Addr: to.tcp, Err: err}
		}
		return conn, nil
	}
}

// dial knocks once. Neither connection nor error means that nobody answered.
func (t *Transport) dial(to *host, deadline time.Time) (net.Conn, error) {
	n := t.network
	if !n.hop(t.host, to, deadline) {
		return nil, nil
	}
	n.mu.Lock()
	listener := to.transport
	n.mu.Unlock()
	if !n.hop(to, t.host, deadline) {
		return nil, nil
	}

	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case t.closed:
		return nil, net.ErrClosed
	case listener == nil || listener.closed:
		return nil, syscall.ECONNREFUSED
	}
	if len(listener.streams) == backlog {
		return nil, nil
	}
	dialed, accepted := n.newStreams(t.host, to)
	listener.streams <- accepted // under the lock nobody else sends: there is room
	t.host.stats.StreamsDialed++
	to.stats.StreamsAccepted++
	return dialed, nil
}

// hop waits for as long as something small is under way from one host to
// another, though not beyond the deadline, and reports whether it arrived.
func (n *Network) hop(from, to *host, deadline time.Time) bool {
	n.mu.Lock()
	leaves := n.passes(from, to) && !n.lost(from)
	delay := n.travel(from)
	n.mu.Unlock()
	if left := time.Until(deadline); !leaves || delay > left {
		return false
	}
	time.Sleep(delay)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.passes(from, to)
}
