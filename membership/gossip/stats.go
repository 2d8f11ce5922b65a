package gossip

import "sync/atomic"

// Stats counts what happened since Join.
type Stats struct {
	// Ignored counts what came in and was not used, by reason: "version" (of the
	// protocol), "malformed", "cluster" (another one), "network" (not in
	// AllowGossip), "server" (an address that AllowServers does not allow), "weight"
	// (one that no fleet has room for), "channel" (one on which nobody receives here).
	Ignored map[string]uint64

	Conflicts uint64 // times that two members were seen with one name
	Evictions uint64 // decided by this member
	Freezes   uint64 // times that it began to evict nobody, since it saw too few
	Holds     uint64 // times that it began to keep views from readers: see Status.Held
	Rejoins   uint64 // attempts to reach seeds or former members, after the first contact
	CatchUps  uint64 // times that a member showed a newer ring and was asked for its ledger
	Announced uint64 // changes of this member's meta data
	Told      uint64 // records and evictions passed on, each once
}

// reasons to ignore what came in.
type reason int

const (
	badVersion reason = iota
	malformed
	otherCluster
	badNetwork
	badServer
	badWeight
	otherChannel
	reasons
)

func (r reason) String() string {
	return [...]string{"version", "malformed", "cluster", "network", "server", "weight", "channel"}[r]
}

type counters struct {
	ignored                                 [reasons]atomic.Uint64
	conflicts, evictions, rejoins, catchUps atomic.Uint64
	announced, passed, freezes, holds       atomic.Uint64
}

// Stats returns the counters. It is cheap.
func (g *Gossip) Stats() Stats {
	c := &g.counters
	s := Stats{
		Ignored:   make(map[string]uint64),
		Conflicts: c.conflicts.Load(), Evictions: c.evictions.Load(), Freezes: c.freezes.Load(), Holds: c.holds.Load(),
		Rejoins: c.rejoins.Load(), CatchUps: c.catchUps.Load(), Announced: c.announced.Load(), Told: c.passed.Load(),
	}
	for r := range reasons {
		s.Ignored[r.String()] = c.ignored[r].Load()
	}
	return s
}

// ignore counts what is not used, and warns once of each member (or other source)
// that it comes from. It may be called by callbacks: the loop does the writing.
func (g *Gossip) ignore(why reason, from string, detail string) {
	g.counters.ignored[why].Add(1)
	if g.warned.first(why.String() + " " + from) {
		g.inbox.post(func() {
			g.log.Warn("ignored a message (further ones are only counted)", "reason", why.String(), "from", from, "detail", detail)
		})
	}
}
