package router

import (
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/command"
)

// rule is what becomes of an operation on a key that has two owners, the current
// and the next. An operation goes through these steps in their order:
//
//	bring, guard and run (or bury), then
type rule struct {
	onNext bool   // it runs on the next owner, otherwise on the current one
	second bool   // a miss there is looked up on the other; what the current one has is copied
	bring  bool   // the key is copied to the next owner before
	guard  bool   // a closed tombstone is set beside the key, in one step with the run
	bury   bool   // in place of the run, a closed tombstone is put on the next owner
	then   follow // once it is done

	// yields says that a closed tombstone which is found by what follows stays: see
	// debt.
	yields bool
}

// follow is what follows an operation on the owner where it did not run.
type follow uint8

const (
	nothing       follow = iota
	buryNext             // an open tombstone on the next owner
	removeCurrent        // the key is deleted on the current owner
)

// movePolicy is the seam between the operations of a transition and how much is
// promised of them. cacheMode is the only one so far. One that must lose nothing
// would answer with other rules, and refuse phases that not every router has
// reached.
type movePolicy interface {
	rule(phase membership.Phase, access command.Access) rule
}

// cacheMode promises that what is there and is not written is found, and that
// what was deleted or overwritten does not come back. It is the table of the
// protocol, line by line.
type cacheMode struct{}

func (cacheMode) rule(phase membership.Phase, access command.Access) rule {
	switch {
	case access == command.NoAccess: // a channel lives on its current owner
		return rule{}
	case phase == membership.PhaseAnnounced && access == command.Read:
		// The protocol asks no more of it than to read the current owner. The
		// second look is for a router that is a step behind: the mover, and
		// routers ahead of it, may have taken the key over.
		return rule{second: true}
	case phase == membership.PhaseAnnounced:
		return rule{then: buryNext, yields: access != command.Overwrite}
	case phase != membership.PhaseImporting:
		return rule{}
	}
	switch access {
	case command.Read:
		return rule{onNext: true, second: true}
	case command.Overwrite:
		return rule{onNext: true, guard: true, then: removeCurrent}
	case command.Delete:
		return rule{onNext: true, bury: true, then: removeCurrent, yields: true}
	}
	return rule{onNext: true, bring: true, guard: true, then: removeCurrent, yields: true}
}
