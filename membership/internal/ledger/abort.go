package ledger

import (
	"cmp"
	"fmt"
	"unicode/utf8"

	"github.com/ringway/ringway/membership"
)

// Stage is how far an abort is.
type Stage byte

const (
	// Halted: none of the transition's nodes goes on from announced to importing.
	Halted Stage = iota + 1

	// Withdrawn: no key had begun to move, and the transition is as if it had
	// never been announced.
	Withdrawn

	// Turned: keys were moving, and go back.
	Turned
)

// Abort ends a transition where it began. It is one record for all nodes of the
// transition: if each of them turned by a record of its own, views in between
// would have rings that never were, and look for keys where nobody put them.
type Abort struct {
	Kind       membership.Kind
	Transition uint64
	Stage      Stage
	Stamp      uint64 // Lamport stamp
	Since      int64  // Unix seconds by the clock of By
	By         string // who decided it
}

// transition names one among those of all kinds.
type transition struct {
	kind   membership.Kind
	number uint64
}

func (a Abort) of() transition { return transition{a.Kind, a.Transition} }

// newer lets the further stage win, and of two members that decided the same one
// everywhere the same.
func (a Abort) newer(old Abort) bool {
	return cmp.Or(cmp.Compare(a.Stage, old.Stage), cmp.Compare(a.Stamp, old.Stamp), cmp.Compare(a.By, old.By),
		cmp.Compare(a.Since, old.Since)) > 0
}

// Validate refuses what no agent would send.
func (a Abort) Validate() error {
	switch {
	case a.Kind != membership.Redis && a.Kind != membership.Memcached:
		return fmt.Errorf("abort of transition %d: kind: got %q, want redis or memcached", a.Transition, a.Kind)
	case a.Transition == 0 || a.Transition > MaxStamp:
		return fmt.Errorf("abort: transition: got %d, want 1 to 2^52 - 1", a.Transition)
	case a.Stage < Halted || a.Stage > Turned:
		return fmt.Errorf("abort of transition %d: stage: got %d, want 1 to 3", a.Transition, a.Stage)
	case a.Stamp == 0 || a.Stamp > MaxStamp:
		return fmt.Errorf("abort of transition %d: stamp: got %d, want 1 to 2^52 - 1", a.Transition, a.Stamp)
	case len(a.By) > MaxIDLength || !utf8.ValidString(a.By):
		return fmt.Errorf("abort of transition %d: judge: got %d bytes, want at most 255 of UTF-8", a.Transition, len(a.By))
	}
	return nil
}

// MergeAbort takes over an abort that is newer than what is known of the
// transition, and reports whether it was. The abort must be valid.
func (l *Ledger) MergeAbort(a Abort) bool {
	l.clock = max(l.clock, a.Stamp)
	if old, known := l.aborts[a.of()]; known && !a.newer(old) {
		return false
	}
	l.changes++
	l.aborts[a.of()] = a
	l.sortedAborts, l.counting, l.stages = nil, nil, nil
	return true
}

// Abort returns how far the abort of a transition is, and whether there is one.
// A node that is on its way back already says as much as the abort itself, which
// may come later.
func (l *Ledger) Abort(kind membership.Kind, number uint64) (Stage, bool) {
	stage, known := l.aborted()[transition{kind, number}]
	return stage, known
}

// aborted returns how far each abort is.
func (l *Ledger) aborted() map[transition]Stage {
	if l.stages != nil {
		return l.stages
	}
	l.stages = make(map[transition]Stage)
	for of, a := range l.aborts {
		l.stages[of] = a.Stage
	}
	for _, r := range l.Records() {
		if of, is := membership.IsRollback(r.Transition); is {
			l.stages[transition{r.Kind, of}] = Turned
		}
	}
	return l.stages
}

// AbortBy returns who decided the newest stage of an abort, and whether anybody
// did.
func (l *Ledger) AbortBy(kind membership.Kind, number uint64) (id string, known bool) {
	a, known := l.aborts[transition{kind, number}]
	return a.By, known
}

// Counting returns the records as they count: those of nodes whose transition was
// aborted stand where that puts them, whether or not their agents have heard of
// it. The slice is shared like that of Records.
func (l *Ledger) Counting() []Record {
	if l.counting != nil {
		return l.counting
	}
	stages := l.aborted()
	if len(stages) == 0 { // as nearly always
		l.counting = l.Records()
		return l.counting
	}
	l.counting = make([]Record, 0, len(l.records))
	for _, r := range l.Records() {
		l.counting = append(l.counting, r.After(stages[transition{r.Kind, r.Transition}]))
	}
	return l.counting
}

// After returns the record as an abort of its transition leaves it.
//
// Turned exchanges the two rings: whoever was on its way in is on its way out, so
// that what came to it can be found and brought back, and the other way round.
// That of a node which is still announced turns alike: whoever decided has seen
// it importing, and what is known of it here is of before.
func (r Record) After(s Stage) Record {
	if _, turned := membership.IsRollback(r.Transition); turned || s != Withdrawn && s != Turned || !r.moving() {
		return r
	}
	if s == Turned {
		r.Transition = membership.RollbackOf(r.Transition)
	}
	switch r.State {
	case membership.Announced, membership.Importing:
		r.State = membership.Exporting
		if s == Withdrawn {
			r.State = membership.Left
		}
	case membership.Leaving, membership.Exporting:
		r.State = membership.Importing
		if s == Withdrawn {
			r.State = membership.Active
		}
	default: // a change of weight
		if s == Withdrawn {
			r.Step, r.NextWeight = "", 0
		} else {
			r.Step, r.Weight, r.NextWeight = membership.Importing, r.NextWeight, r.Weight
		}
	}
	return r
}

// moving reports whether the record takes part in a transition.
func (r Record) moving() bool {
	switch r.State {
	case membership.Announced, membership.Importing, membership.Leaving, membership.Exporting:
		return true
	}
	return r.State == membership.Active && r.Step != ""
}

// forgetAborts drops those of transitions that nobody is in, if they are old.
func (l *Ledger) forgetAborts(before int64) {
	used := make(map[transition]bool)
	for _, r := range l.records {
		number, _ := membership.IsRollback(r.Transition)
		used[transition{r.Kind, number}] = true
	}
	for of, a := range l.aborts {
		if !used[of] && a.Since < before {
			delete(l.aborts, of)
		}
	}
}

// validTransition accepts the stamps of transitions and of their rollbacks.
func validTransition(n uint64) bool {
	of, _ := membership.IsRollback(n)
	return of <= MaxStamp && n != membership.RollbackOf(0)
}

// String is "halted", "withdrawn" or "turned".
func (s Stage) String() string {
	if s < Halted || s > Turned {
		return fmt.Sprintf("Stage(%d)", byte(s))
	}
	return [...]string{"halted", "withdrawn", "turned"}[s-Halted]
}
