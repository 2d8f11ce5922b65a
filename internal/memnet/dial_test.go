package memnet

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestDial: A dials B over a network with a delay of 10 ms.
func TestDial(t *testing.T) {
	const delay, timeout = 10 * time.Millisecond, 10 * time.Second
	alone := []netip.AddrPort{hostA}
	tests := []struct {
		name    string
		timeout time.Duration
		prepare func(n *Network, a, b *Transport)
		want    error
		after   time.Duration
	}{
		{"answered", timeout, func(n *Network, a, b *Transport) {}, nil, 2 * delay},
		{"refused", timeout, func(n *Network, a, b *Transport) { b.Shutdown() }, syscall.ECONNREFUSED, 2 * delay},
		{"shut down meanwhile", timeout, func(n *Network, a, b *Transport) {
			time.AfterFunc(delay+1, func() { b.Shutdown() })
		}, syscall.ECONNREFUSED, 2 * delay},
		{"crashed", timeout, func(n *Network, a, b *Transport) { n.Crash(hostB) }, os.ErrDeadlineExceeded, timeout},
		{"crashed itself", timeout, func(n *Network, a, b *Transport) { n.Crash(hostA) }, os.ErrDeadlineExceeded, timeout},
		{"partition", timeout, func(n *Network, a, b *Transport) { n.Partition(alone) }, os.ErrDeadlineExceeded, timeout},
		{"no way back", timeout, func(n *Network, a, b *Transport) { n.CutOneWay(hostB, hostA) }, os.ErrDeadlineExceeded, timeout},
		{"crash and shutdown", timeout, func(n *Network, a, b *Transport) { n.Crash(hostB); b.Shutdown() },
			os.ErrDeadlineExceeded, timeout},
		{"further than the timeout", delay, func(n *Network, a, b *Transport) {}, os.ErrDeadlineExceeded, delay},
		{"exactly as far", 2 * delay, func(n *Network, a, b *Transport) {}, nil, 2 * delay},
		{"no timeout", 0, func(n *Network, a, b *Transport) { n.Crash(hostB) }, os.ErrDeadlineExceeded, dialGivenUp},
		// Asked again after 1 and 3 s.
		{"healed", timeout, func(n *Network, a, b *Transport) {
			n.Partition(alone)
			time.AfterFunc(2*time.Second, n.Heal)
		}, nil, 3*time.Second + 2*delay},
		{"cut when it asks", timeout, func(n *Network, a, b *Transport) {
			n.Partition(alone)
			time.AfterFunc(delay/2, n.Heal)
		}, nil, time.Second + 2*delay},
		{"cut while it asks", timeout, func(n *Network, a, b *Transport) {
			time.AfterFunc(delay/2, func() { n.Partition(alone) })
			time.AfterFunc(delay+delay/2, n.Heal)
		}, nil, time.Second + 2*delay},
		{"cut while it is answered", timeout, func(n *Network, a, b *Transport) {
			time.AfterFunc(delay+delay/2, func() { n.Partition(alone) })
			time.AfterFunc(time.Second/2, n.Heal)
		}, nil, time.Second + 2*delay},
		{"backlog full", timeout, func(n *Network, a, b *Transport) { fill(b) }, os.ErrDeadlineExceeded, timeout},
		{"backlog full for a while", timeout, func(n *Network, a, b *Transport) {
			fill(b)
			time.AfterFunc(time.Second/2, func() { <-b.StreamCh() })
		}, nil, time.Second + 2*delay},
		{"own shutdown", timeout, func(n *Network, a, b *Transport) { a.Shutdown() }, net.ErrClosed, 2 * delay},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			n := newNetwork(t, Config{Delay: delay})
			a, b := listen(t, n, hostA), listen(t, n, hostB)
			tt.prepare(n, a, b)
			began := time.Now()
			conn, err := a.DialTimeout(hostB.String(), tt.timeout)
			expect(t, "dial", err, tt.want, began, tt.after)
			var op *net.OpError
			if err != nil && (!errors.As(err, &op) || op.Op != "dial" || op.Net != "tcp") {
				t.Errorf("got %#v", err)
			}
			want := Stats{StreamsDialed: 1}
			if err != nil {
				want = Stats{DialsFailed: 1}
			} else {
				conn.Close()
			}
			if got := n.Stats(hostA); got != want {
				t.Errorf("stats %+v, want %+v", got, want)
			}
		})
	}
}

// fill takes up the whole backlog of a transport.
func fill(b *Transport) {
	for range backlog {
		_, accepted := b.network.newStreams(b.host, b.host)
		b.streams <- accepted
	}
}

// TestShutdownResetsBacklog: a stream that nobody accepted ends, for the one who
// dialed it, with the transport.
func TestShutdownResetsBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{Delay: time.Millisecond})
		a, b := listen(t, n, hostA), listen(t, n, hostB)
		conn, err := a.DialTimeout(hostB.String(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Shutdown(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = conn.Read(make([]byte, 1))
		expect(t, "read", err, syscall.ECONNRESET, began, time.Millisecond)
	})
}
