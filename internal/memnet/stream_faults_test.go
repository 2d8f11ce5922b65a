package memnet

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestStreamFaults: A waits for B, which says a word after 5 s and would end the
// stream after an hour. What does A's Read return, and when?
func TestStreamFaults(t *testing.T) {
	alone := [][]netip.AddrPort{{hostA}}
	tests := []struct {
		name     string
		deadline time.Duration // 0: none
		fault    func(n *Network)
		want     error
		after    time.Duration
	}{
		{"none", 10 * time.Second, func(n *Network) {}, nil, 5 * time.Second},
		{"partition", 10 * time.Second, func(n *Network) { n.Partition(alone...) },
			os.ErrDeadlineExceeded, 10 * time.Second},
		{"partition, no deadline", 0, func(n *Network) { n.Partition(alone...) }, syscall.ETIMEDOUT, keepAlive},
		// Tried after 5 s, again 0.2, 0.6, 1.4 and 3 s later.
		{"partition that heals", 10 * time.Second, func(n *Network) {
			n.Partition(alone...)
			time.AfterFunc(7*time.Second, n.Heal)
		}, nil, 8 * time.Second},
		{"way to A cut", 10 * time.Second, func(n *Network) { n.CutOneWay(hostB, hostA) },
			os.ErrDeadlineExceeded, 10 * time.Second},
		{"way to B cut", 10 * time.Second, func(n *Network) { n.CutOneWay(hostA, hostB) }, nil, 5 * time.Second},
		{"B crashes", 10 * time.Second, func(n *Network) { n.Crash(hostB) }, os.ErrDeadlineExceeded, 10 * time.Second},
		{"A crashes", 10 * time.Second, func(n *Network) { n.Crash(hostA) }, os.ErrDeadlineExceeded, 10 * time.Second},
		{"crash, no deadline", 0, func(n *Network) { n.Crash(hostB) }, syscall.ETIMEDOUT, keepAlive},
		{"crash and restart, no deadline", 0, func(n *Network) { n.Crash(hostB); n.Restart(hostB) },
			syscall.ECONNRESET, keepAlive},
		{"all lost", 10 * time.Second, func(n *Network) { n.SetLoss(1) }, os.ErrDeadlineExceeded, 10 * time.Second},
		// While it waits.
		{"partition later", 0, func(n *Network) { time.AfterFunc(time.Second, func() { n.Partition(alone...) }) },
			syscall.ETIMEDOUT, time.Second + keepAlive},
		{"cut later", 0, func(n *Network) { time.AfterFunc(time.Second, func() { n.CutOneWay(hostB, hostA) }) },
			syscall.ETIMEDOUT, time.Second + keepAlive},
		{"crash later", 0, func(n *Network) { time.AfterFunc(time.Second, func() { n.Crash(hostB) }) },
			syscall.ETIMEDOUT, time.Second + keepAlive},
		{"restart later", 0, func(n *Network) {
			n.Crash(hostB)
			time.AfterFunc(10*time.Second, func() { n.Restart(hostB) })
		}, syscall.ECONNRESET, 10*time.Second + keepAlive},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			n := newNetwork(t, Config{})
			a, b := connect(t, n)
			time.AfterFunc(5*time.Second, func() { b.Write([]byte("word")) })
			time.AfterFunc(time.Hour, func() { b.Close() })
			began := time.Now()
			if tt.deadline > 0 {
				a.SetDeadline(began.Add(tt.deadline))
			}
			tt.fault(n)
			_, err := a.Read(make([]byte, 1))
			expect(t, "read", err, tt.want, began, tt.after)
		})
	}
}

// TestFaultForgotten: a fault that was over before keep-alive noticed leaves no
// trace.
func TestFaultForgotten(t *testing.T) {
	for _, tt := range []struct {
		name       string
		fault, end func(n *Network)
	}{
		{"partition", func(n *Network) { n.Partition([]netip.AddrPort{hostA}) }, func(n *Network) { n.Heal() }},
		{"no partition", func(n *Network) { n.Partition([]netip.AddrPort{hostA}) }, func(n *Network) { n.Partition() }},
		{"cut", func(n *Network) { n.Cut(hostA, hostB) }, func(n *Network) { n.Mend(hostA, hostB) }},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			n := newNetwork(t, Config{})
			a, b := connect(t, n)
			began := time.Now()
			tt.fault(n)
			time.AfterFunc(time.Minute, func() { tt.end(n) })
			time.AfterFunc(time.Hour, func() { b.Write([]byte("word")) })
			_, err := a.Read(make([]byte, 1))
			expect(t, "read", err, nil, began, time.Hour)
		})
	}
}

// TestWriteIntoTheVoid: what a dead host does not take fills the window, then
// writers hang, until their deadline or until the stream is given up.
func TestWriteIntoTheVoid(t *testing.T) {
	for _, tt := range []struct {
		name     string
		deadline time.Duration
		fault    func(n *Network)
		want     error
		after    time.Duration
	}{
		{"crash", 10 * time.Second, func(n *Network) { n.Crash(hostB) }, os.ErrDeadlineExceeded, 10 * time.Second},
		{"partition", 10 * time.Second, func(n *Network) { n.Partition([]netip.AddrPort{hostB}) },
			os.ErrDeadlineExceeded, 10 * time.Second},
		{"no deadline", 0, func(n *Network) { n.Crash(hostB) }, syscall.ETIMEDOUT, keepAlive},
		{"restarted", 10 * time.Second, func(n *Network) { n.Crash(hostB); n.Restart(hostB) }, syscall.ECONNRESET, 0},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			n := newNetwork(t, Config{})
			a, _ := connect(t, n)
			began := time.Now()
			if tt.deadline > 0 {
				a.SetDeadline(began.Add(tt.deadline))
			}
			tt.fault(n)
			_, err := a.Write(make([]byte, 2*window))
			expect(t, "write", err, tt.want, began, tt.after)
		})
	}
}

// TestTwoWaits: a Read that still waits when a Write beside it has got through
// learns of a crash.
func TestTwoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{})
		a, b := connect(t, n)
		written := make(chan error)
		began := time.Now()
		time.AfterFunc(time.Millisecond, func() { // the Read waits first
			_, err := a.Write(make([]byte, 2*window))
			written <- err
		})
		time.AfterFunc(time.Second, func() {
			if _, err := io.ReadFull(b, make([]byte, 2*window)); err != nil {
				t.Error(err)
			}
			if err := <-written; err != nil {
				t.Error(err)
			}
			n.Crash(hostB)
		})
		_, err := a.Read(make([]byte, 1))
		expect(t, "read", err, syscall.ETIMEDOUT, began, time.Second+keepAlive)
	})
}

// TestGivenUp: bytes that cannot get through are not kept for ever, and whoever
// writes next is told.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{})
		a, _ := connect(t, n)
		n.Crash(hostB)
		if _, err := a.Write([]byte("word")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, err := a.Write([]byte("word")); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("an hour later: %v", err)
		}
		if left := len(n.agenda.heap); left != 0 {
			t.Errorf("%d arrivals are still planned", left)
		}
	})
}

// TestRepeatedPartitions: the time of one is not added to that of the next.
func TestRepeatedPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{})
		a, b := connect(t, n)
		for range 3 {
			n.Cut(hostA, hostB)
			if _, err := b.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			n.Mend(hostA, hostB)
			time.Sleep(10 * time.Minute)
			a.SetDeadline(time.Now().Add(time.Second))
			if _, err := a.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestBothEndsLearn: whoever waits, on either end, learns of a fault that began
// meanwhile.
func TestBothEndsLearn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{})
		a, b := connect(t, n)
		ends := make(chan error)
		for _, conn := range []net.Conn{a, b} {
			go func() {
				_, err := conn.Read(make([]byte, 1))
				ends <- err
			}()
		}
		time.Sleep(time.Second)
		began := time.Now()
		n.Crash(hostA)
		for range 2 {
			expect(t, "read", <-ends, syscall.ETIMEDOUT, began, keepAlive)
		}
	})
}
