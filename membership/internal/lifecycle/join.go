package lifecycle

import (
	"fmt"
	"time"

	"github.com/ringway/ringway/membership"
)

// countIsFresh is how long a count of keys is believed.
const countIsFresh = 5 * time.Second

func (m *Machine) joining() {
	// What the fleet knows of the node may come later than the first contact:
	// the member that answered first may have been cut off.
	if old, heard := m.in.Ledger.Record(m.rec.ID); m.in.Contact && (!m.met || heard && !m.known) {
		if heard && m.in.Whose == Unasked && old.Address != m.cfg.Address && !m.in.Leave {
			m.wait("the server to say whose it is: the fleet knows the node at " + old.Address)
			return
		}
		m.met = true
		m.meet()
		m.watchTransition()
		m.openedAt = time.Time{} // one that is there already may be old
		if m.rec.State != membership.Joining {
			return
		}
	}
	if m.in.Leave {
		m.enter(membership.Left)
		return
	}
	if !m.in.Contact {
		m.wait("a seed that answers")
		return
	}
	if !m.in.Healthy {
		m.readySince = time.Time{}
		m.wait("the server to answer")
		return
	}
	if m.readySince.IsZero() {
		m.readySince = m.in.Now
	}
	if m.in.Weight > 0 {
		m.rec.Weight = m.in.Weight
	}
	if m.taken() {
		return
	}
	if m.boot && !m.anyOwner() {
		m.known = true
		m.enter(membership.Active)
		return
	}
	if m.empty() && m.ready() && m.mayBegin() && m.fits(m.rec.Weight) {
		m.rec.Address = m.cfg.Address
		m.begin(membership.Announced)
		m.rec.Swept = m.rec.Transition // it holds nothing
	}
}

// meet looks at what the fleet knows of the node.
func (m *Machine) meet() {
	l := m.in.Ledger
	old, known := l.Record(m.rec.ID)
	if !known {
		_, evicted := l.Eviction(m.rec.ID)
		m.mayPurge = m.cfg.Purge || evicted && m.in.Whose == Own
		m.boot = m.cfg.Bootstrap && !evicted && !m.anyOwner()
		return
	}
	stage, _ := l.Abort(old.Kind, old.Transition)
	turned := old.After(stage) != old // while the agent was away
	old = old.After(stage)
	m.known = true
	m.rec.Generation = max(m.rec.Generation, old.Generation+1)
	m.rec.Stamp, m.rec.Since = old.Stamp, old.Since
	m.rec.Purged, m.rec.Swept, m.rec.Done = old.Purged, old.Swept, old.Done
	_, back := membership.IsRollback(old.Transition)
	// A node may move to another address with its server. A server there that does not
	// know it is another one: what it holds may be anybody's.
	own := old.Address == m.cfg.Address || m.in.Whose == Own
	if own && !l.Evicted(m.rec.ID) && (ownsKeys(old) || old.State == membership.Importing) {
		// The fleet has gone on with the node: only its agent was away. So it has
		// with one that keys come to: those that came are nowhere else.
		m.resumed = true
		m.rec.State, m.rec.Transition, m.rec.Returns = old.State, old.Transition, old.Returns
		m.rec.Weight, m.rec.Unhealthy = old.Weight, old.Unhealthy
		if m.rec.Step, m.rec.NextWeight = old.Step, old.NextWeight; back && old.Step != "" {
			m.vetoed = m.in.Weight
		}
		if m.cfg.KeepZone {
			m.rec.Zone = old.Zone
		}
		if old.Address != m.rec.Address || old.Zone != m.rec.Zone || turned {
			m.stamp()
		}
		return
	}
	m.rec.Returns = m.returns(old)
	m.mayPurge = own || m.cfg.Purge
	if old.Weight > 0 {
		m.rec.Weight = old.Weight
	}
	if !own { // until it is known to hold nothing: the next start must not take it for the node's
		m.rec.Address = old.Address
	}
	if turned || old.State != membership.Joining && old.State != membership.Left {
		m.enter(membership.Joining) // others must know that it does not go on
	}
}

func (m *Machine) anyOwner() bool {
	for _, r := range m.in.Ledger.Counting() {
		if r.Kind == m.cfg.Kind && ownsKeys(r) && !m.in.Ledger.Evicted(r.ID) {
			return true
		}
	}
	return false
}

// empty sees to it that the server holds nothing: it has keys counted, and
// removed where they may be.
func (m *Machine) empty() bool {
	if m.mayPurge && !m.emptied {
		m.askPurge()
		return false
	}
	if m.countedAt.IsZero() || m.in.Now.Sub(m.countedAt) > countIsFresh && m.readyFor() >= m.minReady() {
		m.out.Task = Count
		m.wait("a count of its keys")
		return false
	}
	if m.keys == 0 {
		if e, evicted := m.in.Ledger.Eviction(m.rec.ID); evicted && !m.mayPurge {
			m.rec.Purged = max(m.rec.Purged, e.Stamp) // found empty: as good as emptied
			m.answered = e.Stamp
		}
		return true
	}
	m.countedAt = time.Time{}
	if !m.mayPurge {
		m.out.Err = &HoldsKeysError{ID: m.rec.ID, Address: m.cfg.Address, Keys: m.keys}
		return false
	}
	m.emptied = false
	m.askPurge()
	return false
}

// taken reports whether another node of the ring has this one's server, be it with
// another database: clients find both at one address, and write to one.
func (m *Machine) taken() bool {
	owner := m.speaker()
	switch {
	case owner == "":
		return false
	case m.in.Seen == nil || m.in.Seen(owner):
		m.out.Err = &ServerTakenError{ID: m.rec.ID, Address: m.cfg.Address, Owner: owner}
	default:
		m.wait("the node that had its server to be evicted")
	}
	return true
}

func (m *Machine) askPurge() {
	m.out.Task = Purge
	if e, evicted := m.in.Ledger.Eviction(m.rec.ID); evicted {
		m.out.For = e.Stamp
	}
	m.wait("its server to be emptied")
}

// speaker returns the other node of the ring that has this one's server, if there
// is one.
func (m *Machine) speaker() string {
	for _, r := range m.fleet() {
		if r.ID != m.rec.ID && r.Address == m.cfg.Address && (ownsKeys(r) || moving(r)) {
			return r.ID
		}
	}
	return ""
}

// minReady doubles with each return.
func (m *Machine) minReady() time.Duration {
	t := m.cfg.Timing
	ready := t.MinReady
	for range m.rec.Returns {
		if ready >= t.MaxReady {
			break
		}
		ready = min(2*ready, t.MaxReady)
	}
	return ready
}

func (m *Machine) readyFor() time.Duration { return m.in.Now.Sub(m.readySince) }

func (m *Machine) ready() bool {
	if left := m.minReady() - m.readyFor(); left > 0 {
		m.wait(fmt.Sprintf("%v more of a server that answers", left.Round(time.Second)))
		return false
	}
	return true
}

// mayBegin reports whether the node may take part in the transition under way,
// or begin one: a transition takes others in only while it is young. Where nobody
// owns keys none will move, and a newcomer that died half-way, whom no majority
// of owners can evict, must not keep out all others.
func (m *Machine) mayBegin() bool {
	if m.halted() {
		m.wait("the transition under way to be rolled back")
		return false
	}
	if m.seen.number == 0 || !m.anyOwner() {
		return true
	}
	if m.seen.phase == membership.PhaseAnnounced && m.in.Now.Sub(m.openedAt) < m.cfg.Timing.BatchWindow {
		return true
	}
	m.wait("the transition under way to end")
	return false
}

// begin enters a first state of a transition: the one under way, or a new one.
func (m *Machine) begin(s membership.State) {
	m.known = true
	m.enter(s)
	m.rec.Transition = m.rec.Stamp
	if m.seen.number != 0 {
		m.rec.Transition = m.seen.number
	}
	m.watchTransition()
}

// beginAnew has the node take part in a transition of its own instead of the one
// it was in, and wait again until all have heard of it and have swept.
func (m *Machine) beginAnew() {
	m.stamp()
	m.rec.Transition = m.rec.Stamp
	if m.rec.State == membership.Announced {
		m.rec.Swept = m.rec.Transition // it holds nothing
	}
	m.watchTransition()
}
