package gossip

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/ringway/ringway/membership/internal/lifecycle"
)

// ErrRolledBack is returned by Leave when the transition by which the node was
// leaving was aborted: it stays.
var ErrRolledBack = errors.New("gossip: leaving was aborted: the node stays")

// What Abort returns if there is nothing to abort.
var (
	ErrNoTransition = lifecycle.ErrNoTransition
	ErrRollback     = lifecycle.ErrRollback
)

// HoldsKeysError ends an agent whose server holds keys although the fleet does
// not know the node: what it holds may be old.
type HoldsKeysError = lifecycle.HoldsKeysError

// ServerTakenError ends an agent whose server is that of another node of the fleet:
// it would remove what belongs to that one.
type ServerTakenError = lifecycle.ServerTakenError

// NameTakenError ends a member that has not yet joined when another one has used
// its name for longer than Timing.ConflictAfter.
type NameTakenError struct {
	Name  string
	Here  netip.AddrPort // where this member is
	There netip.AddrPort // where the other one is
}

func (e *NameTakenError) Error() string {
	return fmt.Sprintf("gossip: name %q is taken: this member is at %v, another one at %v; "+
		"every node and every client needs a name of its own", e.Name, e.Here, e.There)
}
