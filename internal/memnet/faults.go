package memnet

import (
	"fmt"
	"net/netip"
)

// Partition splits the network: hosts of different groups do not reach each
// other, and the hosts in no group are a group of their own. It takes the place
// of an earlier partition; cuts stay as they are. What is under way is lost, as
// is what is sent. An error, for an address in two groups, leaves all as it was.
func (n *Network) Partition(groups ...[]netip.AddrPort) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	chosen := make(map[*host]int)
	for i, group := range groups {
		for _, addr := range group {
			h := n.host(addr)
			if first, found := chosen[h]; found && first != i+1 {
				return fmt.Errorf("memnet: partition: %v is in groups %d and %d, want it in one", addr, first, i+1)
			}
			chosen[h] = i + 1
		}
	}
	for _, h := range n.hosts {
		h.group = chosen[h] // 0 for those not named
	}
	n.tell()
	return nil
}

// Cut parts two hosts from each other, both ways.
func (n *Network) Cut(a, b netip.AddrPort) {
	n.CutOneWay(a, b)
	n.CutOneWay(b, a)
}

// CutOneWay loses whatever goes from one host to the other; the way back stays
// open. A stream needs both ways to be opened.
func (n *Network) CutOneWay(from, to netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[link{n.host(from), n.host(to)}] = true
	n.tell()
}

// Mend ends what Cut and CutOneWay did between two hosts.
func (n *Network) Mend(a, b netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cuts, link{n.host(a), n.host(b)})
	delete(n.cuts, link{n.host(b), n.host(a)})
	n.tell()
}

// Heal ends the partition and all cuts. Crashed hosts stay crashed. Bytes of
// streams that waited follow at their next retransmission.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cuts)
	for _, h := range n.hosts {
		h.group = 0
	}
	n.tell()
}

// Crash takes a host off the network without a word, as a power failure does:
// nobody is told, packets vanish, dials are not answered, and streams in use
// hang until the deadline of whoever uses them (or 150 s, when keep-alive would
// have noticed). What runs on the host is not stopped and sees a dead network:
// shut it down to make the crash complete, or leave it for a host whose cable
// was pulled. A host that has crashed already is not touched.
func (n *Network) Crash(addr netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h := n.host(addr); !h.crashed {
		h.crashed = true
		h.crashes++
	}
	n.tell()
}

// Restart brings a crashed host back. A transport that still listens there goes
// on; if it was shut down, Listen makes a new one. Streams from before the crash
// are reset once they are used.
func (n *Network) Restart(addr netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.host(addr).crashed = false
	n.tell()
}

// tell has whoever waits on a stream look at what has changed.
func (n *Network) tell() {
	for s := range n.open {
		s.changed.Broadcast()
	}
}

// connected reports whether the way from one host to the other is open.
func (n *Network) connected(from, to *host) bool {
	return from.group == to.group && (len(n.cuts) == 0 || !n.cuts[link{from, to}])
}

// passes reports whether something that both ends take part in gets through.
func (n *Network) passes(from, to *host) bool {
	return !from.crashed && !to.crashed && n.connected(from, to)
}
