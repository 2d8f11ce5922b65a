package memnet

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFaults checks for each fault which ways stay open, for packets and for
// dials, and that what ends it opens all again.
func TestFaults(t *testing.T) {
	type group = []netip.AddrPort
	heal := func(n *Network) { n.Heal() }
	tests := []struct {
		name  string
		fault func(n *Network)
		end   func(n *Network)
		open  string // "AB": packets from A get to B
		dials string // "AB": A can open a stream to B
	}{
		{"none", heal, heal, "AB AC BA BC CA CB", "AB AC BA BC CA CB"},
		{"partition", func(n *Network) { n.Partition(group{hostA}, group{hostB, hostC}) }, heal, "BC CB", "BC CB"},
		{"partition of the rest", func(n *Network) { n.Partition(group{hostB}) }, heal, "AC CA", "AC CA"},
		{"partition of a partition", func(n *Network) {
			n.Partition(group{hostA}, group{hostB, hostC})
			n.Partition(group{hostC}, group{hostB, hostA})
		}, heal, "AB BA", "AB BA"},
		{"partition ended by an empty one", func(n *Network) {
			n.Partition(group{hostA})
			n.Partition()
		}, heal, "AB AC BA BC CA CB", "AB AC BA BC CA CB"},
		{"cut", func(n *Network) { n.Cut(hostA, hostB) }, heal, "AC BC CA CB", "AC BC CA CB"},
		{"cut and mend", func(n *Network) { n.Cut(hostA, hostB) }, func(n *Network) { n.Mend(hostB, hostA) },
			"AC BC CA CB", "AC BC CA CB"},
		{"one way", func(n *Network) { n.CutOneWay(hostA, hostB) }, heal, "AC BA BC CA CB", "AC BC CA CB"},
		{"one way and mend", func(n *Network) { n.CutOneWay(hostA, hostB) }, func(n *Network) { n.Mend(hostA, hostB) },
			"AC BA BC CA CB", "AC BC CA CB"},
		{"crash", func(n *Network) { n.Crash(hostA) }, func(n *Network) { n.Restart(hostA) }, "BC CB", "BC CB"},
		{"crash is not healed", func(n *Network) { n.Crash(hostA); n.Heal() }, func(n *Network) { n.Restart(hostA) },
			"BC CB", "BC CB"},
		{"loss", func(n *Network) { n.SetLoss(1) }, func(n *Network) { n.SetLoss(0) }, "", ""},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			n := newNetwork(t, Config{Delay: time.Millisecond})
			hosts := map[string]*Transport{"A": listen(t, n, hostA), "B": listen(t, n, hostB), "C": listen(t, n, hostC)}
			check := func(when, open, dials string) {
				t.Helper()
				for _, way := range strings.Fields("AB AC BA BC CA CB") {
					from, to := hosts[way[:1]], hosts[way[1:]]
					send(t, from, to.Addr(), "x")
					if got, want := received(to) == 1, strings.Contains(open, way); got != want {
						t.Errorf("%s, packet %s: passed %v, want %v", when, way, got, want)
					}
					conn, err := from.DialTimeout(to.Addr().String(), time.Second)
					if got, want := err == nil, strings.Contains(dials, way); got != want {
						t.Errorf("%s, dial %s: %v, want success %v", when, way, err, want)
					}
					if err == nil {
						conn.Close()
						(<-to.StreamCh()).Close()
					}
				}
			}
			tt.fault(n)
			check("fault", tt.open, tt.dials)
			tt.end(n)
			check("ended", "AB AC BA BC CA CB", "AB AC BA BC CA CB")
		})
	}
}

// TestUnderWay checks what happens to a packet when a fault begins or ends while
// it is under way.
func TestUnderWay(t *testing.T) {
	nothing := func(n *Network) {}
	heal := func(n *Network) { n.Heal() }
	for _, tt := range []struct {
		name          string
		before, after func(n *Network) // it was sent
		want          int
	}{
		{"none", nothing, nothing, 1},
		{"partition", nothing, func(n *Network) { n.Partition([]netip.AddrPort{hostA}) }, 0},
		{"cut", nothing, func(n *Network) { n.CutOneWay(hostA, hostB) }, 0},
		{"cut of the way back", nothing, func(n *Network) { n.CutOneWay(hostB, hostA) }, 1},
		{"receiver crashes", nothing, func(n *Network) { n.Crash(hostB) }, 0},
		{"sender crashes", nothing, func(n *Network) { n.Crash(hostA) }, 1},
		{"partition heals", func(n *Network) { n.Partition([]netip.AddrPort{hostA}) }, heal, 0},
		{"cut heals", func(n *Network) { n.CutOneWay(hostA, hostB) }, heal, 0},
		{"sender restarts", func(n *Network) { n.Crash(hostA) }, func(n *Network) { n.Restart(hostA) }, 0},
		// It is back before the packet gets there.
		{"receiver restarts", func(n *Network) { n.Crash(hostB) }, func(n *Network) { n.Restart(hostB) }, 1},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			n := newNetwork(t, Config{Delay: time.Second})
			a, b := listen(t, n, hostA), listen(t, n, hostB)
			tt.before(n)
			send(t, a, hostB, "x")
			tt.after(n)
			if got := received(b); got != tt.want || int(n.Stats(hostA).Blocked) != 1-tt.want {
				t.Errorf("%d arrived, want %d; %+v", got, tt.want, n.Stats(hostA))
			}
		})
	}
}

func TestPartitionOfOneHostTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{})
		a := listen(t, n, hostA)
		b := listen(t, n, hostB)
		err := n.Partition([]netip.AddrPort{hostA, hostA}, []netip.AddrPort{hostB, hostA})
		if err == nil || !strings.Contains(err.Error(), "10.0.0.1:7946 is in groups 1 and 2") {
			t.Errorf("got %v", err)
		}
		send(t, a, hostB, "x")
		if received(b) != 1 {
			t.Error("a partition that was refused took effect")
		}
	})
}
