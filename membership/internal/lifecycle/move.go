package lifecycle

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/ring"
)

func (m *Machine) announced() {
	switch {
	case m.in.Leave:
		m.enter(membership.Left)
	case !m.in.Healthy, m.crowded():
		m.back()
	case m.leftOut():
		m.beginAnew()
	case m.mayMove():
		m.enter(membership.Importing)
	}
}

func (m *Machine) importing() {
	m.rec.Unhealthy = m.noteHealth() // what has come to it is nowhere else: it is not purged for that
	switch {
	case m.in.Leave && m.leaveTime() <= 0:
		m.enter(membership.Left)
	case m.overtaken():
		m.back()
	case m.allHandedOver(): // and then it may leave
		m.enter(membership.Active)
	}
}

func (m *Machine) active() {
	m.rec.Unhealthy = m.noteHealth()
	if m.in.Weight != m.vetoed {
		m.vetoed = 0
	}
	switch {
	case m.in.Leave && m.lastOwner():
		m.enter(membership.Left) // there is nobody to hand over to
		return
	case m.in.Leave && m.leaveTime() <= 0:
		m.enter(membership.Left)
		return
	case m.in.Leave && m.rec.Step == "" && m.mayBegin():
		m.begin(membership.Leaving)
		return
	case m.rec.Step == membership.Announced && m.leftOut():
		m.beginAnew()
	case m.rec.Step == membership.Announced && m.mayMove():
		m.rec.Step = membership.Importing
		m.stamp()
	case m.rec.Step == membership.Importing && m.overtaken():
		m.rec.Step = membership.Announced
		m.beginAnew()
	case m.rec.Step == membership.Importing && m.allHandedOver():
		m.rec.Weight = m.rec.NextWeight
		m.enter(membership.Active)
	case m.rec.Step == "" && m.in.Weight > 0 && m.in.Weight != m.rec.Weight && m.vetoed == 0 && m.mayBegin() && m.fits(m.in.Weight):
		m.begin(membership.Active)
		m.rec.Step, m.rec.NextWeight = membership.Announced, m.in.Weight
		m.watchTransition()
	}
	m.work()
}

// noteHealth returns whether the server is unhealthy, with a new stamp if that
// has changed.
func (m *Machine) noteHealth() bool {
	if m.rec.Unhealthy == m.in.Healthy {
		m.stamp()
	}
	return !m.in.Healthy
}

func (m *Machine) leaving() {
	m.rec.Unhealthy = m.noteHealth()
	switch {
	case m.givesUp() || m.lastOwner():
		m.enter(membership.Left)
	case m.leftOut():
		m.beginAnew()
	case m.mayMove():
		m.enter(membership.Exporting)
	default:
		m.work()
	}
}

func (m *Machine) exporting() {
	m.rec.Unhealthy = m.noteHealth()
	switch {
	case m.givesUp() || m.lastOwner() || !m.overtaken() && m.rec.Done == m.seen.next:
		m.enter(membership.Left)
	case m.overtaken():
		m.enter(membership.Leaving)
		m.beginAnew()
	default:
		m.work()
	}
}

// givesUp reports whether the time to hand over has run out. A newcomer that is
// rolled back has all the time there is, unless it is told to leave: nobody asked
// it to.
func (m *Machine) givesUp() bool { return (m.in.Leave || !m.rollsBack()) && m.leaveTime() <= 0 }

// leftOut reports whether the transition of a node that is still announced has
// ended for others who took part in it: its announcement came too late to them,
// and what was swept for the transition was swept before that. Where nobody owned
// keys before, none has moved.
func (m *Machine) leftOut() bool {
	var ended, owned bool
	for _, r := range m.fleet() {
		switch {
		case r.ID == m.rec.ID || moving(r) || r.State == membership.Joining:
		case r.Transition == m.rec.Transition:
			ended = true
		case ownsKeys(r):
			owned = true
		}
	}
	return ended && owned
}

// overtaken reports whether another transition goes before that of a node whose
// keys move: both began while their nodes did not hear of each other. What has
// come to its new owners meanwhile grows old there, since routers follow the
// other one.
func (m *Machine) overtaken() bool { return m.rec.Transition != m.seen.number }

// leaveTime returns how much is left of the time in which a node that is told to
// leave may hand over. A node that resumed its leave after a restart has all of
// it again.
// Nobody waits for one that is not in a hurry: what it has not handed over would be
// lost.
func (m *Machine) leaveTime() (left int64) {
	if m.in.Leave && !m.in.Hurry || !m.in.Leave && !m.rollsBack() {
		return math.MaxInt64
	}
	if m.leaveFrom.IsZero() {
		m.leaveFrom = m.in.Now
	}
	return int64(m.cfg.Timing.LeaveTimeout - m.in.Now.Sub(m.leaveFrom))
}

// SetLeaveTimeout changes Timing.LeaveTimeout, of a leave under way too.
func (m *Machine) SetLeaveTimeout(d time.Duration) { m.cfg.Timing.LeaveTimeout = d }

// mayMove reports whether keys may begin to move: all who must know of the
// transition know of it, and nobody who receives keys holds anything old.
func (m *Machine) mayMove() bool {
	if m.rec.Transition != m.seen.number {
		m.wait("an earlier transition to end")
		return false
	}
	switch {
	case m.halted():
		m.wait("all to hear that the transition is aborted")
	case !m.everybodyKnows():
	case !m.allSwept():
	default:
		return true
	}
	return false
}

// everybodyKnows reports whether all who must know of the transition as it is now
// know of it.
func (m *Machine) everybodyKnows() bool {
	age, t := m.in.Now.Sub(m.batchAt), m.cfg.Timing
	switch {
	case age < t.Dwell:
		m.wait("the announcement to reach everybody")
	case m.in.RoutersSeen < m.batchSeen && age < t.MaxDwell:
		m.wait("routers to show that they have seen the announcement")
	default:
		return true
	}
	return false
}

// allSwept reports whether every node of the next ring has removed what it does
// not own.
func (m *Machine) allSwept() bool {
	return m.waitFor("to sweep", func(r ledger.Record) bool { return m.receives(r) && r.Swept != m.seen.number })
}

// waitFor reports whether nobody is waited for, and names those who are.
func (m *Machine) waitFor(what string, waited func(ledger.Record) bool) (nobody bool) {
	var ids []string
	for _, r := range m.fleet() {
		if waited(r) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return true
	}
	m.wait(some(ids) + " " + what)
	return false
}

// some names the first of many.
func some(ids []string) string {
	const most = 3
	slices.Sort(ids)
	if more := len(ids) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:most], ", "), more)
	}
	return strings.Join(ids, ", ")
}

// receives reports whether the node is in the next ring, so that keys may come
// to it.
func (m *Machine) receives(r ledger.Record) bool {
	takesPart := moving(r) && r.Transition == m.seen.number
	switch r.State {
	case membership.Active:
		return true
	case membership.Announced, membership.Importing:
		return takesPart
	case membership.Leaving, membership.Exporting:
		return !takesPart
	}
	return false
}

// nameOf names a transition and its next ring in one number, which is not 0. Who
// goes into that ring may change while keys move: by an eviction, or by one whose
// announcement came late. What was handed over before does not count then.
func nameOf(transition uint64, next []ring.Node) uint64 {
	h := fnv.New64a()
	b := binary.BigEndian.AppendUint64(nil, transition)
	for _, n := range ring.SortedByID(next) {
		b = append(binary.AppendUvarint(b, uint64(len(n.ID))), n.ID...)
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(n.Weight))
	}
	h.Write(b)
	return max(h.Sum64(), 1)
}

// allHandedOver reports whether no node that owns keys has any left to move.
func (m *Machine) allHandedOver() bool {
	return m.waitFor("to hand keys over", func(r ledger.Record) bool { return ownsKeys(r) && r.Done != m.seen.next })
}

// lastOwner reports whether no other node owns keys, or will.
func (m *Machine) lastOwner() bool {
	for _, r := range m.fleet() {
		if r.ID != m.rec.ID && (r.State == membership.Active || r.State == membership.Announced || r.State == membership.Importing) {
			return false
		}
	}
	return true
}

// work asks for what a node that owns keys has to do in a transition: sweep
// before it, hand over in it, and sweep once more after it, since an eviction
// gives nobody time to sweep first.
func (m *Machine) work() {
	asked := m.handing
	m.handing = 0
	if !m.in.Healthy {
		return
	}
	number := m.seen.number
	switch m.seen.phase {
	case membership.Stable:
		if m.sweepDue != 0 && m.rec.State == membership.Active {
			m.out.Task, m.out.For = Sweep, m.sweepDue
		}
	case membership.PhaseAnnounced:
		if m.rec.Swept != number && m.receives(m.rec) {
			m.out.Task, m.out.For = Sweep, number
		}
	case membership.PhaseImporting:
		if asked != 0 && asked != m.seen.next {
			return // the mover is to give up once, and then to begin anew with the ring as it is now
		}
		if _, back := membership.IsRollback(number); back && !m.everybodyKnows() {
			return // a router that still writes as before would write beside the mover
		}
		if m.rec.Done != m.seen.next {
			m.handing = m.seen.next
			m.out.Task, m.out.For = HandOver, number
		}
	}
}
