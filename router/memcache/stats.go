package memcache

import (
	"errors"
	"sync/atomic"
)

// Stats is a snapshot of what a Client has done since New. The numbers are read
// one after the other: while calls are under way they need not fit together.
type Stats struct {
	Conns    int    // open connections
	InFlight int    // calls that wait for a reply, abandoned ones included; a batch counts once a flight
	Requests uint64 // requests handed to a connection; each one of a batch counts

	Dials      uint64 // attempts to open a connection, those for dumps and statistics included
	DialErrors uint64 // those that failed

	Abandoned uint64 // calls whose context ended before the reply came
	Resent    uint64 // calls that were sent on another connection, after one had failed before it took them

	// Connections that were lost, by reason.
	LostOverdue  uint64 // no reply for Config.ReplyTimeout
	LostProtocol uint64 // the server broke the protocol
	LostNetwork  uint64 // closed by the server or broken
}

type counters struct {
	requests                   atomic.Uint64 // of connections that are gone
	dials, dialErrors          atomic.Uint64
	abandoned, resent          atomic.Uint64
	overdue, protocol, network atomic.Uint64
}

// Stats returns a snapshot. It takes no lock that calls wait for longer than a
// few instructions.
func (c *Client) Stats() Stats {
	s := Stats{
		Requests:     c.tally.requests.Load(),
		Dials:        c.tally.dials.Load(),
		DialErrors:   c.tally.dialErrors.Load(),
		Abandoned:    c.tally.abandoned.Load(),
		Resent:       c.tally.resent.Load(),
		LostOverdue:  c.tally.overdue.Load(),
		LostProtocol: c.tally.protocol.Load(),
		LostNetwork:  c.tally.network.Load(),
	}
	for i := range c.slots {
		if cn := c.slots[i].Load(); cn != nil {
			s.Conns++
			s.InFlight += cn.inFlight()
			cn.mu.Lock()
			s.Requests += cn.requests
			cn.mu.Unlock()
		}
	}
	return s
}

// lose takes a failed connection out of its slot and counts it. cn.mu is held.
func (c *Client) lose(cn *conn) {
	for i := range c.slots {
		if c.slots[i].CompareAndSwap(cn, nil) {
			break
		}
	}
	c.tally.requests.Add(cn.requests)
	switch {
	case errors.Is(cn.err, ErrClosed):
	case errors.Is(cn.err, ErrOverdue):
		c.tally.overdue.Add(1)
	case errors.Is(cn.err, ErrProtocol):
		c.tally.protocol.Add(1)
	default:
		c.tally.network.Add(1)
	}
}
