package gossip

import (
	"bytes"
	"math/rand/v2"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// shown is what the member shows in its meta data, and what it is about to show.
//
// Each change of meta data is gossiped to all members, some ten times by each of
// them. A change of the ring changes the epoch and fingerprint of everybody: if
// all of n members told each other at once, n updates would crowd out the
// changes themselves just when they matter. So only what somebody waits for is
// told soon: a node's own record, and a router's epoch, for which a transition
// waits (within 200 ms). Nodes tell their epoch, which serves to find
// disagreement and is of no hurry, once the view has been unchanged for a while
// (1 s), and then spread over a time in proportion to the fleet (50 ms a member:
// 20 updates a second in all, however many there are).
type shown struct {
	meta    []byte        // what memberlist has taken over
	record  ledger.Record // the one in it, or on its way
	pending []byte        // what is to be told
	first   time.Time     // since when something is to be told; zero: nothing is
	due     time.Time     // when it is to be told; zero: nothing is
	telling bool          // memberlist is being told
}

// noted is told what memberlist shows now.
func (s *shown) noted(meta []byte) { s.meta = meta }

func (l *loop) wantedMeta() ledger.Meta {
	m := ledger.Meta{Cluster: l.cfg.Cluster, Kind: membership.Router, Epoch: l.view.Epoch, Fingerprint: shortFingerprint(l.view.Fingerprints)}
	if l.node != nil {
		m.Kind, m.HTTP, m.Record = l.node.record.Kind, l.cfg.Node.HTTP, l.node.record
		if !l.node.known && m.Record.State == membership.Left {
			// Others would take it into their ledgers, and a node that was never
			// announced would count as one that comes back: with its server purged.
			m.Record.State = membership.Joining
		}
	}
	return m
}

// announce has memberlist show what has changed, if it is time to.
func (l *loop) announce(now time.Time) {
	s := &l.shown
	if l.leaving {
		s.due = time.Time{}
		return
	}
	wanted := l.wantedMeta()
	meta := wanted.Encode()
	if bytes.Equal(meta, s.meta) {
		s.first, s.due, s.pending = time.Time{}, time.Time{}, meta
		return
	}
	if s.first.IsZero() {
		s.first = now
	}
	fresh := !bytes.Equal(meta, s.pending)
	s.pending = meta
	switch {
	case wanted.Record != s.record:
		s.due = now
	case s.due.IsZero() || fresh && l.node != nil:
		s.due = l.whenToTell(now, s.first)
	}
	if s.telling || now.Before(s.due) {
		return
	}
	s.telling, s.record, s.first, s.due = true, wanted.Record, time.Time{}, time.Time{}
	l.meta.Store(&meta)
	l.counters.announced.Add(1)
	// Beside the loop, for UpdateNode takes memberlist's lock, under which
	// callbacks may wait their turn. It is not asked to wait until the update was
	// sent: what it shows is told by a callback. Two updates at the same moment
	// (the other one memberlist's own, to refute a suspicion) may cost one of
	// them; then what is shown is not what is wanted, and it is tried again.
	l.work.Go(func() {
		if l.ctx.Err() == nil {
			_ = l.list.UpdateNode(time.Nanosecond) // 0 would wait for ever
		}
		l.inbox.post(func() { s.telling = false })
	})
}

// whenToTell returns when a ring that changed just now, and first at another time,
// is to be told.
func (l *loop) whenToTell(now, first time.Time) time.Time {
	if l.node == nil {
		tell := l.cfg.pace.tell
		return now.Add(tell/4 + rand.N(tell/2))
	}
	quiet := l.cfg.pace.quiet
	spread := l.spread()
	due := now.Add(quiet + rand.N(spread))
	// A view that never comes to rest is told all the same.
	if latest := first.Add(5*quiet + spread); due.After(latest) {
		due = latest
	}
	return due
}

// spread is the time over which the members of this fleet spread their updates.
func (l *loop) spread() time.Duration {
	return max(l.cfg.pace.quiet, time.Duration(len(l.seen)+1)*l.cfg.pace.spread)
}

// slowestTelling is by how much the fleet's size delays what members show.
func (l *loop) slowestTelling() time.Duration { return 2*l.spread() - 2*l.cfg.pace.quiet }
