package router

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// DisagreementError reports that the fleet does not agree about which node owns
// which key: see Config.FailClosed.
type DisagreementError struct {
	Epoch uint64 // of the ring that this router has

	// Members that have had another ring for longer than convergence takes.
	Members []string

	// Ours and Theirs are fingerprints of the ring of this epoch, as this router
	// and as the fleet compute it. They differ if Config.Placement is not what
	// the fleet's agents were started with; zero if they do not.
	Ours, Theirs ring.Fingerprint
}

func (e *DisagreementError) Error() string {
	var causes []string
	if e.Ours != e.Theirs {
		causes = append(causes, fmt.Sprintf("this router computes ring %s, the fleet %s: compare Config.Placement with the agents' settings",
			e.Ours.Short(), e.Theirs.Short()))
	}
	if len(e.Members) > 0 {
		causes = append(causes, "another ring is used by "+strings.Join(e.Members, ", "))
	}
	return fmt.Sprintf("router: the fleet disagrees in epoch %d: %s", e.Epoch, strings.Join(causes, "; "))
}

// fingerprinted is a placement that can be compared: *ring.Ring.
type fingerprinted interface{ Fingerprint() ring.Fingerprint }

// disagreement returns nil if all agree, as far as is known.
func (f *fleet[P]) disagreement(s *snapshot[P]) *DisagreementError {
	e := &DisagreementError{Epoch: s.view.Epoch, Members: s.view.Disagree}
	theirs, known := s.view.Fingerprints[f.kind]
	if p, can := s.built.(fingerprinted); can && known && p.Fingerprint() != theirs {
		e.Ours, e.Theirs = p.Fingerprint(), theirs
	}
	if e.Ours == e.Theirs && len(e.Members) == 0 {
		return nil
	}
	return e
}

// agree reports a disagreement that is new, and with FailClosed has the snapshot
// route nothing.
func (f *fleet[P]) agree(old, next *snapshot[P]) {
	now := f.disagreement(next)
	if now == nil {
		return
	}
	if f.failClosed {
		next.placement, next.refusal = nil, now
	}
	if old != nil {
		if before := f.disagreement(old); before != nil && before.Theirs == now.Theirs && slices.Equal(before.Members, now.Members) {
			return // told already
		}
	}
	f.report(now)
}

// why is the error of a snapshot that routes nothing.
func (s *snapshot[P]) why(kind membership.Kind) error {
	if s.refusal != nil {
		return s.refusal
	}
	return noNodes(s.view, kind)
}
