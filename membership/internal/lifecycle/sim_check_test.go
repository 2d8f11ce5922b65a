package lifecycle

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// check holds the invariants as one node sees the fleet.
func (n *node) check(rec ledger.Record) {
	w := n.w
	if n.ledger.Epoch() < n.epoch {
		w.fail("%s: epoch goes back from %d to %d", n.id, n.epoch, n.ledger.Epoch())
	}
	n.epoch = n.ledger.Epoch()
	if n.server.open = 0; ownsKeys(rec) || rec.State == membership.Importing {
		n.server.open = n.machine.seen.number
	}
	now := version{n.ledger.Counting(), n.ledger.Evictions(), n.out.Task}
	if now.same(n.checked) && !n.server.brought {
		return
	}
	n.checked, n.server.brought = now, false
	view := n.ledger.View()
	for _, m := range view.Members {
		if m.State != membership.Joining && m.State != membership.Left {
			n.checkPurged(m)
		}
	}
	moving := make(map[uint64]membership.Phase)
	for _, r := range n.ledger.Counting() {
		if n.ledger.Evicted(r.ID) {
			continue
		}
		_, phase := (membership.View{Members: []membership.Member{r.Member()}}).Transition(membership.Redis)
		if phase == membership.Stable {
			continue
		}
		if p, has := moving[r.Transition]; !has || phase < p {
			moving[r.Transition] = phase
		}
	}
	if n.out.Task == HandOver && moving[n.out.For] != membership.PhaseImporting {
		w.fail("%s is to move keys in transition %d, which does not", n.id, n.out.For)
	}
	n.checkKeys(rec, view)
}

// version is what the checks of one node depend on.
type version struct {
	records   []ledger.Record
	evictions []ledger.Eviction
	task      Task
}

// same compares the slices by where they are: a ledger makes new ones when it
// changes.
func (v version) same(as version) bool {
	return v.task == as.task && first(v.records) == first(as.records) && first(v.evictions) == first(as.evictions)
}

func first[T any](s []T) *T {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}

// checkPurged: a node that was evicted is back only if it was emptied since.
func (n *node) checkPurged(m membership.Member) {
	e, evicted := n.ledger.Eviction(m.ID)
	if !evicted {
		return
	}
	decided, known := n.w.evictions[e]
	for _, p := range n.w.nodes[m.ID[0]-'a'].server.purges {
		// An eviction of an earlier generation may be decided later, by one that
		// had not heard of the return.
		if p.eviction >= e.Stamp && (!p.began.Before(decided) || p.generation > e.Generation) {
			return
		}
	}
	n.w.fail("%s sees %s as %s although it was evicted (%+v, known %v) and not purged since", n.id, m.ID, m.State, e, known)
}

// checkKeys: a node holds nothing old of what it acquires in a transition.
func (n *node) checkKeys(rec ledger.Record, view membership.View) {
	if rec.State == membership.Joining || rec.State == membership.Left || !n.out.Known {
		return
	}
	number, phase := view.Transition(membership.Redis)
	ring, nextRing := view.Current(membership.Redis), view.Next(membership.Redis)
	for k := range keys {
		h, has := n.server.keys[k]
		if !has {
			continue
		}
		current, next := ownerOf(k, ring) == n.id, ownerOf(k, nextRing) == n.id
		switch {
		case !current && !next:
			h.old = h.old || number == 0 || h.by != number
		case h.old && !current && phase == membership.PhaseImporting:
			n.w.fail("%s acquires key %d, of which it holds an old value", n.id, k)
		case h.old && current: // by an eviction, for which nobody has time to sweep
			h.old = false
		}
		n.server.keys[k] = h
	}
}

// checkAnnounced: what is announced replaces what was announced before, with a
// larger stamp if it matters to a ring, and the node is as it says.
func (n *node) checkAnnounced(before, rec ledger.Record) {
	w := n.w
	if err := rec.Validate(); err != nil {
		w.fail("%s announces %v", n.id, err)
	}
	if !later(rec, n.said) {
		w.fail("%s announces %+v after %+v", n.id, rec, n.said)
	}
	old, known := n.ledger.Record(n.id)
	if known && !later(rec, old) {
		w.fail("%s announces %+v, the ledger has %+v", n.id, rec, old)
	}
	matters := func(r ledger.Record) [6]any {
		if !ownsKeys(r) && !moving(r) {
			return [6]any{}
		}
		return [6]any{r.State, r.Step, r.NextWeight, r.Unhealthy, r.Transition, r.Weight}
	}
	if matters(old) != matters(rec) && rec.Stamp <= n.ledger.Epoch() {
		w.fail("%s announces %+v after %+v with a stamp that is not above epoch %d", n.id, rec, old, n.ledger.Epoch())
	}
	if rec.State == membership.Announced && rec.Transition != before.Transition {
		if n.server.swept[rec.Transition] = true; len(n.server.keys) > 0 {
			w.fail("%s is announced with %d keys", n.id, len(n.server.keys))
		}
	}
	if _, back := membership.IsRollback(rec.Transition); !back && begins(rec) && !begins(before) && before.State != membership.Joining {
		n.checkSwept(rec)
	}
	if before.State == membership.Importing && rec.State == membership.Active {
		n.checkBrought()
	}
	n.said = rec
}

// checkBrought: when a newcomer becomes ACTIVE nobody else holds what belongs to
// it once the transition has ended.
func (n *node) checkBrought() {
	view := n.ledger.View()
	next := view.Next(membership.Redis)
	for _, m := range view.Current(membership.Redis) {
		other := n.w.nodes[m.ID[0]-'a']
		for k := range other.server.keys {
			if !other.ledger.Evicted(n.id) && ownerOf(k, next) == n.id {
				n.w.fail("%s is ACTIVE, and %s still has key %d", n.id, m.ID, k)
			}
		}
	}
}

// viewWith is what the node will see once its record is in the ledger.
func (n *node) viewWith(rec ledger.Record) membership.View {
	l := ledger.New()
	l.Merge(n.ledger.Message(""))
	l.MergeRecord(rec)
	return l.View()
}

func later(a, b ledger.Record) bool {
	return a.Generation > b.Generation || a.Generation == b.Generation && a.Sequence > b.Sequence
}

// begins reports whether keys move as far as the record is concerned.
func begins(r ledger.Record) bool {
	return r.State == membership.Importing || r.State == membership.Exporting || r.Step == membership.Importing
}

// checkSwept: before keys move, each node of the next ring has swept or is new.
func (n *node) checkSwept(rec ledger.Record) {
	view := n.viewWith(rec)
	number, _ := view.Transition(membership.Redis)
	if number != rec.Transition {
		n.w.fail("%s begins to move keys in %d, while %d is under way", n.id, rec.Transition, number)
	}
	for _, next := range view.Next(membership.Redis) {
		m, _ := view.Member(next.ID)
		newcomer := m.State == membership.Announced || m.State == membership.Importing
		if !newcomer && !n.w.nodes[next.ID[0]-'a'].server.swept[number] {
			n.w.fail("%s begins to move keys in %d, for which %s has not swept", n.id, number, next.ID)
		}
	}
}

// checkVerdict: an eviction comes only from one that has long seen most of the
// ring, and only of one that really was bad.
func (n *node) checkVerdict(e ledger.Eviction) {
	w := n.w
	if n.majority.IsZero() || w.now.Sub(n.majority) < simEvictAfter-2*time.Second {
		w.fail("%s evicts %s, and saw most of the ring only since %v", n.id, e.ID, n.majority.Sub(start))
	}
	if bad := w.now.Sub(n.well[e.ID]); bad < simEvictAfter {
		w.fail("%s evicts %s, which was well %v ago", n.id, e.ID, bad)
	}
	r, _ := n.ledger.Record(e.ID)
	if e.ID == n.id || !ownsKeys(r) && r.State != membership.Announced && r.State != membership.Importing {
		w.fail("%s evicts %s, which is %s", n.id, e.ID, r.State)
	}
}

// compareAll: ledgers with the same records give the same view, and the same
// epoch once they have met.
func (w *world) compareAll() {
	ledgers := w.ledgers()
	for i, a := range ledgers[1:] {
		b := ledgers[i]
		if !slices.Equal(a.Records(), b.Records()) || !slices.Equal(a.Evictions(), b.Evictions()) || !slices.Equal(a.Aborts(), b.Aborts()) {
			continue
		}
		v, u := a.View(), b.View()
		numberA, phaseA := v.Transition(membership.Redis)
		numberB, phaseB := u.Transition(membership.Redis)
		if !reflect.DeepEqual(v.Members, u.Members) || numberA != numberB || phaseA != phaseB {
			w.fail("the same records, but %+v and %+v", v, u)
		}
	}
}

// checkFound: the router finds every key that was ever written on one of the two
// nodes that its view sends it to.
func (w *world) checkFound() {
	view := w.router.ledger.View()
	current := view.Current(membership.Redis)
	if len(current) == 0 {
		return // it has heard of nobody yet
	}
	next := view.Next(membership.Redis)
	for k := range w.written {
		now, then := w.nodes[ownerOf(k, current)[0]-'a'], w.nodes[ownerOf(k, next)[0]-'a']
		_, here := now.server.keys[k]
		if _, there := then.server.keys[k]; !here && !there {
			number, phase := view.Transition(membership.Redis)
			w.fail("the router looks for key %d at %s and %s (transition %d, %s), and neither has it", k, now.id, then.id, number, phase)
		}
	}
}

// settled reports whether everything is as it should be once faults have ended.
func (w *world) settled() bool { return w.unsettled() == "" }

func (w *world) unsettled() string {
	want := w.router.ledger
	for _, n := range w.nodes {
		switch rec := n.machine.Record(); {
		case !n.running && !n.starts:
			continue
		case !n.running || n.leaves:
			return n.id + " is on its way"
		case rec.State != membership.Active || rec.Step != "" || rec.Unhealthy:
			return fmt.Sprintf("%s is %s%s, waits for %q, task %v for %d", n.id, rec.State, rec.Step, n.out.Waits, n.out.Task, n.out.For)
		case n.weight > 0 && rec.Weight != n.weight:
			return n.id + " has another weight than it is to have"
		case n.out.Task != Nothing || n.task != nil:
			return fmt.Sprintf("%s is to %v for %d", n.id, n.out.Task, n.out.For)
		case !slices.Equal(n.ledger.Records(), want.Records()) || !slices.Equal(n.ledger.Evictions(), want.Evictions()) || n.ledger.Epoch() != want.Epoch():
			return n.id + " and the router know different things"
		}
		for k := range n.server.keys {
			if ownerOf(k, n.ledger.View().Current(membership.Redis)) != n.id {
				return fmt.Sprintf("%s still holds key %d, which belongs to another", n.id, k)
			}
		}
	}
	if number, phase := want.View().Transition(membership.Redis); phase != membership.Stable {
		return fmt.Sprintf("transition %d is %s", number, phase)
	}
	return ""
}
