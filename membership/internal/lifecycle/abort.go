package lifecycle

import (
	"errors"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

var (
	// ErrNoTransition: there is nothing to roll back.
	ErrNoTransition = errors.New("no transition is under way")

	// ErrRollback: what is under way is the way back already.
	ErrRollback = errors.New("the transition under way is being rolled back already")
)

// Abort returns the record that rolls the transition under way back, to be merged
// into the ledger and told to all.
//
// Once all its nodes are seen importing it is turned in one go. Before that nobody
// can know whether the last of them has just gone on, and keys with it: it is
// halted first, and what becomes of it is decided when all have heard of that.
func (m *Machine) Abort() (ledger.Abort, error) {
	if !m.met || m.in.Ledger == nil {
		return ledger.Abort{}, ErrNoTransition
	}
	now := m.underWay()
	switch _, back := membership.IsRollback(now.number); {
	case now.number == 0:
		return ledger.Abort{}, ErrNoTransition
	case back:
		return ledger.Abort{}, ErrRollback
	case now.phase == membership.PhaseImporting:
		return m.abort(now.number, ledger.Turned), nil
	}
	return m.abort(now.number, ledger.Halted), nil
}

func (m *Machine) abort(transition uint64, stage ledger.Stage) ledger.Abort {
	return ledger.Abort{Kind: m.cfg.Kind, Transition: transition, Stage: stage,
		Stamp: 1 + m.epoch(), Since: m.in.Now.Unix(), By: m.rec.ID}
}

// learnAbort puts the node where an abort of its transition leaves it. What its
// operator wanted of it, to leave or to have another weight, is taken back with
// it: the node would begin again at once.
func (m *Machine) learnAbort() {
	stage, known := m.in.Ledger.Abort(m.cfg.Kind, m.rec.Transition)
	after := m.rec.After(stage)
	if !known || after == m.rec {
		return
	}
	m.out.RolledBack = true
	switch m.rec.State {
	case membership.Leaving, membership.Exporting:
		m.out.Stays, m.in.Leave, m.leaveFrom = true, false, time.Time{}
	case membership.Active:
		m.vetoed = m.in.Weight
	}
	m.rec = after
	m.stamp()
	m.rec.Since = m.in.Now.Unix()
}

// rollsBack reports whether the node is on its way back.
func (m *Machine) rollsBack() bool {
	_, is := membership.IsRollback(m.rec.Transition)
	return is
}

// halted reports whether the transition under way is being aborted.
func (m *Machine) halted() bool {
	_, known := m.in.Ledger.Abort(m.cfg.Kind, m.seen.number)
	return m.seen.number != 0 && known
}

// decideAbort says what becomes of a transition that is halted. Any agent does, so
// that it does not matter whether the one that was asked is still there; all see
// the same, since a node that had gone on before it heard of the halt was heard
// of by all within Dwell. The one that was asked goes first.
func (m *Machine) decideAbort() {
	stage, known := m.in.Ledger.Abort(m.cfg.Kind, m.seen.number)
	if m.seen.number == 0 || !known || stage != ledger.Halted || !m.known {
		m.haltAt = time.Time{}
		return
	}
	if m.haltAt.IsZero() {
		m.haltAt = m.in.Now
	}
	wait := m.cfg.Timing.Dwell
	if by, _ := m.in.Ledger.AbortBy(m.cfg.Kind, m.seen.number); by != m.rec.ID {
		wait *= 2
	}
	switch {
	case m.seen.phase == membership.PhaseImporting:
		a := m.abort(m.seen.number, ledger.Turned)
		m.out.Abort = &a
	case m.in.Now.Sub(m.haltAt) >= wait && m.in.Now.Sub(m.batchAt) >= m.cfg.Timing.Dwell:
		a := m.abort(m.seen.number, ledger.Withdrawn)
		m.out.Abort = &a
	}
}
