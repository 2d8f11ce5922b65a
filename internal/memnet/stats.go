package memnet

import "net/netip"

// Stats counts what a host has sent and received since the network was made,
// over all transports that listened there. Bytes are those of the payload.
type Stats struct {
	PacketsSent, PacketBytesSent         uint64 // whatever became of them
	PacketsReceived, PacketBytesReceived uint64 // into the queue of the transport

	// Of the packets that the host sent, those that loss took, and those that
	// met a partition, a cut or a crashed host, itself included.
	Lost, Blocked uint64

	// Of the packets that came to the host, those that found the queue full, and
	// those that found nobody listening.
	Overflowed, Unheard uint64

	StreamsDialed, StreamsAccepted uint64 // connections that came about
	DialsFailed                    uint64
	StreamBytesSent                uint64 // as Write took them
	StreamBytesReceived            uint64 // as they arrived, read or not
}

// Dropped is how many packets were dropped, of those the host sent and of those
// that came to it.
func (s Stats) Dropped() uint64 { return s.Lost + s.Blocked + s.Overflowed + s.Unheard }

// Stats returns the counts of a host, all zero if it has not been heard of.
func (n *Network) Stats(addr netip.AddrPort) Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.host(addr).stats
}

// Total returns the counts of all hosts together.
func (n *Network) Total() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	var sum Stats
	for _, h := range n.hosts {
		sum.add(h.stats)
	}
	return sum
}

func (s *Stats) add(other Stats) {
	s.PacketsSent += other.PacketsSent
	s.PacketBytesSent += other.PacketBytesSent
	s.PacketsReceived += other.PacketsReceived
	s.PacketBytesReceived += other.PacketBytesReceived
	s.Lost += other.Lost
	s.Blocked += other.Blocked
	s.Overflowed += other.Overflowed
	s.Unheard += other.Unheard
	s.StreamsDialed += other.StreamsDialed
	s.StreamsAccepted += other.StreamsAccepted
	s.DialsFailed += other.DialsFailed
	s.StreamBytesSent += other.StreamBytesSent
	s.StreamBytesReceived += other.StreamBytesReceived
}
