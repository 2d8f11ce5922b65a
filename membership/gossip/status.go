package gossip

import (
	"cmp"
	"encoding/hex"
	"net/netip"
	"slices"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/membership/internal/lifecycle"
)

// Member is a member of the fleet as this one sees it.
type Member struct {
	membership.Member // of a client the ID and Kind only

	Gossip  netip.AddrPort // where it gossips; zero if it is not seen
	Alive   bool           // it is seen
	Later   bool           // it is seen, and not understood: it speaks another version of the protocol
	Evicted bool           // an eviction stands: it is in no view until it comes back empty
	Out     time.Time      // when that was decided, by the clock of who decided it; zero: not Evicted
	Since   time.Time      // when State changed last, by the member's own clock; zero for a client
	HTTP    string         // the URL at which a node's agent answers; empty: none is known

	// HealthSince is when this member learnt that Health has changed, by its own
	// clock; zero: the other was well when it was first seen, and has been since.
	HealthSince time.Time

	// Epoch and Fingerprint of the ring that it shows; 0 and empty if it shows
	// none. The fingerprint is 16 hexadecimal digits: the beginning of the
	// current ring's if the fleet has nodes of one kind, otherwise of a hash over
	// those of all kinds.
	Epoch       uint64
	Fingerprint string
}

// Members returns the members in the order of their IDs: all in the ledger, those
// that left or were evicted included; nodes that are JOINING and not in the
// ledger yet; and clients.
func (g *Gossip) Members() []Member {
	var members []Member
	g.do(func() { members = g.loop.membersNow() })
	return members
}

// do runs a function in the loop and waits for it, or for the member's end.
func (g *Gossip) do(what func()) {
	done := make(chan struct{})
	g.inbox.post(func() { what(); close(done) })
	select {
	case <-done:
	case <-g.ended: // it is done completely, or not at all
	}
}

func (l *loop) membersNow() []Member {
	all := make(map[string]*Member)
	for _, r := range l.ledger.Counting() {
		all[r.ID] = &Member{Member: r.Member(), Since: sinceOf(r)}
		if e, known := l.ledger.Eviction(r.ID); known && l.ledger.Evicted(r.ID) {
			all[r.ID].Evicted, all[r.ID].Out = true, time.Unix(e.Since, 0)
		}
	}
	self := &peer{addr: l.transport.self(), meta: l.wantedMeta(), understood: true}
	l.addSeen(all, l.cfg.Name, self)
	for name, p := range l.seen {
		l.addSeen(all, name, p)
	}
	for _, m := range l.view.Members {
		if shown := all[m.ID]; shown != nil { // the ledger may have changed since
			shown.Health, shown.HealthSince = m.Health, l.healths[m.ID].at
		}
	}
	members := make([]Member, 0, len(all))
	for _, m := range all {
		members = append(members, *m)
	}
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return members
}

func (l *loop) addSeen(all map[string]*Member, name string, p *peer) {
	m := all[name]
	if m == nil {
		m = &Member{Member: membership.Member{ID: name}}
		all[name] = m
		if p.understood && p.meta.Kind == membership.Router {
			m.Kind = membership.Router
		} else if p.understood {
			m.Member, m.Since = p.meta.Record.Member(), sinceOf(p.meta.Record)
		}
	}
	m.Gossip, m.Alive, m.Later = p.addr, true, !p.understood
	if p.understood {
		m.HTTP = httpURL(p.meta.HTTP, p.addr)
		m.Epoch, m.Fingerprint = p.meta.Epoch, hex.EncodeToString(p.meta.Fingerprint[:])
	}
}

func sinceOf(r ledger.Record) time.Time {
	if r.Since == 0 {
		return time.Time{}
	}
	return time.Unix(r.Since, 0)
}

// Status is what a member knows of itself.
type Status struct {
	Name    string
	Gossip  netip.AddrPort // where others reach it
	Contact bool           // a seed has answered, or the node has begun the fleet
	Seeds   error          // why none was joined; nil once in contact
	Taken   netip.AddrPort // where another member has this one's name; zero: nowhere
	Epoch   uint64
	Held    error // why what the fleet has become is kept from readers, who stay with the view before; nil: it is not

	// Of a node; all zero for a client.
	Node      membership.Member // as the agent announces it
	Since     time.Time         // when Node.State changed last
	Met       bool              // the node has seen what the fleet knows of it
	Resumed   bool              // the fleet had gone on with it when the agent started: its server was not looked at
	Waits     string            // for what, in a few words; empty: for nothing
	Healthy   bool              // the server answers its probes
	Probe     error             // of the last probe
	Freeze    Freeze            // whether it evicts nobody
	Task      string            // what is being done with the server: count, purge, sweep, hand over; empty: nothing
	TaskError error             // of the last task; it is tried again
}

// Status returns what the member knows of itself. After Close it is the zero
// Status.
func (g *Gossip) Status() Status {
	var s Status
	g.do(func() { s = g.loop.statusNow() })
	return s
}

func (l *loop) statusNow() Status {
	c := l.contact
	s := Status{Name: l.cfg.Name, Gossip: l.transport.self(), Contact: c.made, Epoch: l.view.Epoch, Held: l.held}
	if !c.takenAt.IsZero() || c.joined {
		s.Taken = c.elsewhere
	}
	if trouble := l.trouble.Load(); trouble != nil {
		s.Seeds = *trouble
	}
	n := l.node
	if n == nil {
		return s
	}
	s.Node, s.Since = n.record.Member(), sinceOf(n.record)
	s.Met, s.Resumed = n.met, n.resumed
	s.Freeze = Freeze{On: n.freeze.on, Here: n.freeze.here, Stay: n.freeze.stay}
	s.Waits, s.Healthy, s.Probe, s.TaskError = n.waits, n.healthy, n.probed, n.job.err
	switch {
	case !c.takenAt.IsZero() && !c.joined:
		s.Waits = "another member with its name to go"
	case n.outvoted():
		s.Waits = "the same placement as the fleet's, which computes another ring from the same members: compare virtual nodes, hash, hash tags and seed"
	case l.held != nil:
		s.Waits = "a fleet whose ring has room for its nodes: " + l.held.Error()
	case n.alone.held:
		s.Waits = "most of the fleet to be seen again"
	}
	if n.job.task != lifecycle.Nothing {
		s.Task = n.job.task.String()
	}
	return s
}
