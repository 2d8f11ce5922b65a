package gossip

import (
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// judge evicts the nodes that have been bad for too long. Only agents judge: a
// client sees no more than its own network.
func (n *node) judge(now time.Time) {
	if !n.contact.joined || n.Err() != nil || n.record.State == membership.Left || now.Sub(n.judgedAt) < n.cfg.pace.tick {
		return
	}
	n.judgedAt = now
	n.watchIsolation(now)
	ids := n.judgement.Tick(now, n.ledger, n.cfg.Name, n.alive)
	if len(ids) > 0 {
		n.callTheRoll(ids) // who answers says more than who is shown
		return
	}
	n.mustered(n.ledger.Muster(n.alive))
}

func (n *node) evict(now time.Time, id string) {
	r, _ := n.ledger.Record(id)
	e := ledger.Eviction{ID: id, Generation: r.Generation, Stamp: n.ledger.Epoch() + 1, Since: now.Unix(), By: n.cfg.Name}
	if n.ledger.MergeEviction(e) {
		n.changed()
		n.passOnEviction(e)
	}
}

// isolation keeps a node that was cut off for very long from coming back with what
// it holds. Meanwhile the others may have evicted it, and forgotten that.
type isolation struct {
	since time.Time // when the node last saw most of the ring; zero: it does
	held  bool      // it has evicted itself and waits for the others
}

func (n *node) watchIsolation(now time.Time) {
	seen, stay := n.ledger.Muster(n.alive)
	i := &n.alone
	if stay == 0 || 2*seen > stay {
		*i = isolation{}
		return
	}
	if i.since.IsZero() {
		i.since = now
	}
	if i.held || now.Sub(i.since) < n.cfg.Timing.ForgetAfter/2 {
		return
	}
	i.held = true
	if ownsKeys(n.record.State) && !n.ledger.Evicted(n.cfg.Name) {
		n.log.Warn("cut off from most of the fleet for too long: this node will be purged before it comes back", "since", i.since)
		n.evict(now, n.cfg.Name)
	}
	n.dirty = true
}

func ownsKeys(s membership.State) bool {
	return s == membership.Active || s == membership.Leaving || s == membership.Exporting
}
