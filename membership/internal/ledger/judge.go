package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/ringway/ringway/membership"
)

// Judge decides evictions for one agent: of nodes that have been dead or
// unhealthy for too long, while the agent sees most of the ring (see
// Ledger.Muster). An agent that sees less is probably the one that is cut off.
type Judge struct {
	// EvictAfter is how long a node must have been bad without a pause.
	EvictAfter time.Duration

	// Stagger is added once for each living node whose ID comes before the
	// judge's own: one of them usually acts first, and the others see that there
	// is nothing left to do. It only saves messages.
	Stagger time.Duration

	since map[string]time.Time // when each node turned bad
}

// Tick returns the nodes to evict now. alive says who is seen by gossip; me is
// the agent's own node. Call it about once a second.
func (j *Judge) Tick(now time.Time, l *Ledger, me string, alive func(id string) bool) (evict []string) {
	before, bad := 0, make(map[string]time.Time)
	present := func(id string) bool { return id == me || alive(id) }
	for _, r := range l.Counting() {
		if l.Evicted(r.ID) || !fallible(r) {
			continue
		}
		here := present(r.ID)
		if here && r.ID < me {
			before++
		}
		if r.ID != me && (!here || r.Unhealthy) {
			bad[r.ID] = j.since[r.ID]
			if bad[r.ID].IsZero() {
				bad[r.ID] = now
			}
		}
	}
	j.since = bad
	if seen, stay := l.Muster(present); 2*seen <= stay {
		// Freeze. What was not seen meanwhile says nothing of others: once most
		// are back, each of the rest has all of its time again.
		j.since = nil
		return nil
	}
	wait := j.EvictAfter + time.Duration(before)*j.Stagger
	for id, since := range bad {
		if now.Sub(since) >= wait {
			evict = append(evict, id)
		}
	}
	slices.SortFunc(evict, cmp.Compare[string])
	return evict
}

// Muster counts the nodes that stay in the ring, of both kinds, and those of them
// that are present. Whoever asks whether a member sees most of the fleet, to evict
// others or to know that it is cut off, asks that: with two rules a node could
// think itself well while the rest evicts it and forgets.
//
// Nodes that leave do not count: the last that stays must be able to evict one
// that dies on its way out, and since a node knows that it leaves, two sides
// cannot both have most of the rest.
func (l *Ledger) Muster(present func(id string) bool) (here, stay int) {
	for _, r := range l.Counting() {
		if r.State != membership.Active || l.Evicted(r.ID) {
			continue
		}
		if stay++; present(r.ID) {
			here++
		}
	}
	return here, stay
}

// fallible reports whether others count on the node: it owns keys, or will.
func fallible(r Record) bool {
	return owns(r) || r.State == membership.Announced || r.State == membership.Importing
}

func owns(r Record) bool {
	return r.State == membership.Active || r.State == membership.Leaving || r.State == membership.Exporting
}
