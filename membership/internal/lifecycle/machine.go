package lifecycle

import (
	"maps"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// Machine is the path of one node. It is not safe for concurrent use.
type Machine struct {
	cfg Config
	rec ledger.Record
	in  Input
	out Output

	met      bool // the fleet's ledger was looked at
	known    bool // the fleet's ledger has a record of the node
	boot     bool // the fleet was found empty, and the node may be its first
	resumed  bool // the fleet had gone on with the node: nobody has looked at its server
	mayPurge bool // what the server holds is the node's own past

	dirty bool // the record changed outside of Step

	readySince time.Time // since when the server has been healthy
	emptied    bool      // it was purged since it began to join
	answered   uint64    // the eviction that the last purge knew of
	keys       int64     // counted last
	countedAt  time.Time // zero: not since the last change

	seen      batch     // the transition under way, as last seen
	seenIn    basis     // what it was seen in
	openedAt  time.Time // when it was seen first
	batchAt   time.Time // when it changed last who takes part in it
	batchSeen uint64    // the epoch of that change
	handing   uint64    // the next ring that a hand-over was asked for; 0: none was
	sweepDue  uint64    // the epoch of a change of the ring after which to sweep; 0: none
	leaveFrom time.Time // when leaving was asked for
	haltAt    time.Time // when the transition under way was seen to be halted; zero: it is not
	vetoed    float64   // the weight whose transition was aborted, not to be asked for again; 0: none
}

// batch is a transition, who takes part in it, and who owns keys meanwhile.
type batch struct {
	number uint64
	next   uint64 // names the transition and its next ring, see nameOf; 0: there is none
	phase  membership.Phase
	party  map[string]uint64  // IDs and generations, such as "cache-a": 3
	owners map[string]float64 // IDs and weights, such as "cache-b": 1
}

// basis is all that a batch follows from.
type basis struct {
	ledger  *ledger.Ledger
	changes uint64 // of the ledger
	rec     ledger.Record
	known   bool
}

// New returns the machine of a node that has just started.
func New(cfg Config) *Machine {
	return &Machine{cfg: cfg, rec: ledger.Record{
		ID: cfg.ID, Kind: cfg.Kind, Address: cfg.Address, Zone: cfg.Zone, Weight: cfg.Weight,
		State: membership.Joining, Generation: cfg.Generation, Sequence: 1, Stamp: 1,
	}}
}

// Record returns what the node says of itself.
func (m *Machine) Record() ledger.Record { return m.rec }

// Step takes what the agent sees and returns what has to be done. Call it after
// every change and about once a second: what it waits for may be time.
func (m *Machine) Step(in Input) Output {
	m.in, m.out = in, Output{}
	before := m.rec
	if m.met {
		m.learnEviction()
		m.learnAbort()
		m.watchTransition()
		m.decideAbort()
	}
	switch m.rec.State {
	case membership.Joining:
		m.joining()
	case membership.Announced:
		m.announced()
	case membership.Importing:
		m.importing()
	case membership.Active:
		m.active()
	case membership.Leaving:
		m.leaving()
	case membership.Exporting:
		m.exporting()
	}
	if m.rec != before {
		if m.rec.Generation == before.Generation {
			m.rec.Sequence = before.Sequence + 1
		}
		m.dirty = true
	}
	m.out.Announce, m.dirty = m.dirty, false
	m.out.Record, m.out.Known = m.rec, m.known
	m.out.Met, m.out.Resumed = m.met, m.resumed
	return m.out
}

// Counted tells how many keys the server held at a time.
func (m *Machine) Counted(keys int64, at time.Time) { m.keys, m.countedAt = keys, at }

// Purged tells that a purge is done that was asked for in answer to an eviction:
// Output.For at the time when it began. One that came since needs another purge.
func (m *Machine) Purged(eviction uint64) {
	m.emptied, m.answered, m.countedAt = true, eviction, time.Time{}
	m.change(func() { m.rec.Purged = max(m.rec.Purged, eviction) })
}

// Swept tells that a sweep is done: the one before keys move in a transition, or
// the one after a change of the ring.
func (m *Machine) Swept(number uint64) {
	if m.seen.number == 0 && m.sweepDue == number {
		m.sweepDue = 0
		return
	}
	m.change(func() { m.rec.Swept = number })
}

// HandedOver tells that nothing is left to move in a transition. It does not
// count if the next ring has changed since it was asked for.
func (m *Machine) HandedOver(transition uint64) {
	if m.handing != 0 && m.seen.number == transition {
		m.change(func() { m.rec.Done = m.handing })
	}
}

// change changes the record outside of Step: the next one announces it.
func (m *Machine) change(how func()) {
	before := m.rec
	if how(); m.rec != before {
		m.rec.Sequence++
		m.dirty = true
	}
}

// enter changes the state, with a stamp above all that were seen.
func (m *Machine) enter(s membership.State) {
	m.rec.State = s
	m.rec.Step, m.rec.NextWeight = "", 0
	m.stamp()
	m.rec.Since = m.in.Now.Unix()
}

func (m *Machine) stamp() { m.rec.Stamp = 1 + m.epoch() }

// epoch is the fleet's, the node's own record as it is now included.
func (m *Machine) epoch() uint64 { return max(m.in.Ledger.Epoch(), m.rec.Stamp) }

func (m *Machine) wait(format string) { m.out.Waits = format }

// learnEviction sends a node that was evicted back to the start.
func (m *Machine) learnEviction() {
	if !m.in.Ledger.Evicted(m.rec.ID) || m.rec.State == membership.Left {
		return
	}
	e, _ := m.in.Ledger.Eviction(m.rec.ID)
	if e.Stamp <= m.rec.Purged { // answered already: the ledger has not heard yet
		return
	}
	if m.rec.State == membership.Joining { // meet says whether its server may be emptied
		if e.Stamp > m.answered {
			m.emptied = false
		}
		return
	}
	m.mayPurge = true
	if m.in.Leave {
		m.enter(membership.Left)
		return
	}
	m.rec.Generation++
	m.rec.Sequence = 1
	m.back()
}

// back begins the path anew: what came to the server meanwhile is lost, or old.
func (m *Machine) back() {
	m.rec.Returns = m.returns(m.rec)
	m.rec.Unhealthy, m.rec.Transition = false, 0
	m.enter(membership.Joining)
	m.mayPurge, m.emptied, m.boot, m.resumed = true, false, false, false
	m.readySince, m.countedAt = time.Time{}, time.Time{}
}

// returns counts a return of a node whose last record is old. A node that was
// away for long has nothing on its account, nor has one that was active for long
// before it went.
func (m *Machine) returns(old ledger.Record) uint8 {
	within, gone := int64(m.cfg.Timing.ReturnWithin/time.Second), old.Since
	if e, evicted := m.in.Ledger.Eviction(old.ID); evicted {
		gone = max(gone, e.Since)
	}
	switch {
	case m.in.Now.Unix()-gone > within:
		return 0
	case old.State == membership.Active && gone-old.Since > within:
		return 1
	}
	return min(old.Returns+1, ledger.MaxReturns)
}

// watchTransition notes when the transition under way changed, and who takes part
// in it. That one of these goes on is no such change: all have heard of it, and
// the others need not wait anew.
func (m *Machine) watchTransition() {
	in := basis{m.in.Ledger, m.in.Ledger.Changes(), m.rec, m.known}
	if in == m.seenIn {
		return // most looks are for the sake of time: nothing else has changed
	}
	m.seenIn = in
	now := m.underWay()
	changed := now.number != m.seen.number
	if changed {
		m.openedAt = m.in.Now
	}
	if changed || !maps.Equal(now.party, m.seen.party) {
		m.batchAt, m.batchSeen = m.in.Now, m.epoch()
	}
	if changed && m.seen.number != 0 || !changed && now.number == 0 && now.ownedBesides(m.seen) {
		m.sweepDue = m.epoch()
	}
	m.seen = now
}

// ownedBesides reports whether some nodes own more than before, so that others
// own less. Where no transition tells of it, it came while the agent was away or
// cut off.
func (b batch) ownedBesides(before batch) bool {
	for id, weight := range b.owners {
		if before.owners[id] != weight {
			return true
		}
	}
	return false
}

// underWay returns the transition under way among the nodes of the kind, with
// the node's own record as it is now.
func (m *Machine) underWay() batch {
	fleet := m.fleet()
	view := membership.View{Members: make([]membership.Member, 0, len(fleet))}
	for _, r := range fleet {
		view.Members = append(view.Members, r.Member())
	}
	b := batch{party: make(map[string]uint64), owners: make(map[string]float64, len(fleet))}
	b.number, b.phase = view.Transition(m.cfg.Kind)
	if b.number != 0 {
		b.next = nameOf(b.number, view.Next(m.cfg.Kind))
	}
	for _, r := range fleet {
		if moving(r) && r.Transition == b.number {
			b.party[r.ID] = r.Generation
		}
		if ownsKeys(r) {
			b.owners[r.ID] = r.Weight
		}
	}
	return b
}

// fleet returns the records of the node's kind that count, its own as it is now.
func (m *Machine) fleet() []ledger.Record {
	counting := m.in.Ledger.Counting()
	fleet := make([]ledger.Record, 0, len(counting)+1)
	for _, r := range counting {
		if r.Kind == m.cfg.Kind && r.ID != m.rec.ID && !m.in.Ledger.Evicted(r.ID) {
			fleet = append(fleet, r)
		}
	}
	if m.known {
		fleet = append(fleet, m.rec)
	}
	return fleet
}

// moving reports whether a record takes part in a transition.
func moving(r ledger.Record) bool {
	switch r.State {
	case membership.Announced, membership.Importing, membership.Leaving, membership.Exporting:
		return true
	}
	return r.State == membership.Active && r.Step != ""
}

func ownsKeys(r ledger.Record) bool {
	return r.State == membership.Active || r.State == membership.Leaving || r.State == membership.Exporting
}
