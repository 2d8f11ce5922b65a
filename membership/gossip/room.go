package gossip

import (
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/lifecycle"
)

// A single record that no fleet has room for is not let into the ledger. Several that
// fit one by one may still be too many together: agents that begin a transition make
// sure of that, others may lie. Records must not be refused for what others say, since
// the order in which they come would decide who is in the fleet. So all of them are
// taken, and readers stay with the last view that there was room for: their rings stay
// as they are, and no server is swept for the sake of nodes that nobody asks.

// roomFor fails if the rings of a view would have too many tokens.
func (s *settings) roomFor(view membership.View) error {
	for _, kind := range []membership.Kind{membership.Redis, membership.Memcached} {
		if err := s.room(view.Current(kind), s.Placement.VirtualNodes); err != nil {
			return err
		}
		if err := s.room(view.Next(kind), s.Placement.VirtualNodes); err != nil {
			return err
		}
	}
	return nil
}

// hold notes whether the newest view is kept from readers, and says when that begins
// and ends.
func (l *loop) hold() {
	before := l.held
	l.held = l.crowded
	switch {
	case l.held != nil && before == nil:
		l.counters.holds.Add(1)
		l.log.Error("the fleet's ring would have too many tokens: it stays as it is, whatever else changes, until the node that has too many is gone", "error", l.held)
	case l.held == nil && before != nil:
		l.log.Info("the fleet's ring has room for its nodes again")
	}
}

// sensible returns a task that is to be done, or nothing: what depends on who owns
// what is not done by a ring that nobody uses.
func (n *node) sensible(task lifecycle.Task) lifecycle.Task {
	if task != lifecycle.Sweep && task != lifecycle.HandOver {
		return task
	}
	if n.currentView(); n.crowded != nil {
		return lifecycle.Nothing
	}
	return task
}
