package lifecycle

import (
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/ring"
)

// Config says what the agent speaks for.
type Config struct {
	ID      string
	Kind    membership.Kind
	Address string
	Zone    string
	Weight  float64

	// Generation of this start: larger than at any earlier one. If the fleet
	// knows a larger one, the one after that is taken.
	Generation uint64

	// Bootstrap makes the node ACTIVE at once, with what it holds, if the fleet
	// has no node of its kind.
	Bootstrap bool

	// Purge empties a server that holds keys although the fleet does not know
	// it; without it such a server is refused.
	Purge bool

	// KeepZone has a node that the fleet goes on with stay in the zone that the fleet
	// knows. With copies of each key the zones decide who holds them, and no
	// transition moves them: a node with another zone has to leave and join.
	KeepZone bool

	// Fits reports whether there is a ring of these nodes; nil: of any.
	Fits func([]ring.Node) bool

	Timing Timing
}

// Timing holds the waits of the path. All must be above 0.
type Timing struct {
	// MinReady is how long a node must have been healthy before it is
	// announced. Each return within ReturnWithin doubles it, up to MaxReady.
	MinReady, MaxReady, ReturnWithin time.Duration

	// BatchWindow is how long after its first announcement a transition takes in
	// others. Longer: fewer transitions; a first node waits longer.
	BatchWindow time.Duration

	// Dwell is the least time between the last announcement of a transition and
	// the first key that moves. It must be well above BatchWindow plus the time
	// that gossip takes to reach all, so that no member is still taken in when
	// another has gone on.
	Dwell time.Duration

	// MaxDwell is how long routers that have not confirmed the announcement are
	// waited for.
	MaxDwell time.Duration

	// LeaveTimeout is how long a node that is told to leave tries to hand its
	// keys over.
	LeaveTimeout time.Duration
}

// Task is something that the machine wants done, and that takes time. It asks
// for one at a time, and goes on asking until it is told that it is done. One
// that it asks for no more, or with another number, is to be given up: the ring
// that it was for is no longer the one under way.
type Task int

const (
	Nothing  Task = iota
	Count         // count the keys of the server: answer with Counted
	Purge         // remove all keys: answer with Purged
	Sweep         // remove keys that the node does not own in the current ring: answer with Swept
	HandOver      // bring the keys that move to their new owners: answer with HandedOver
)

// String is the name of the task.
func (t Task) String() string {
	return [...]string{"nothing", "count", "purge", "sweep", "hand over"}[t]
}

// Input is what the agent sees.
type Input struct {
	Now    time.Time
	Ledger *ledger.Ledger // read, not kept

	// Contact says that the ledger is the fleet's: a member has answered, or
	// there is none to ask.
	Contact bool

	Healthy bool // the server answers its probes: see Health

	// Whose says whether the server is this node's own beyond doubt. It matters where
	// the fleet knows the node by another address: keys of a server that was given by
	// mistake must not be removed.
	Whose Whose

	// Seen reports whether the agent of another node is seen; nil: all are.
	Seen func(id string) bool

	// RoutersSeen is the smallest epoch that a visible router shows, or the
	// largest number there is without routers.
	RoutersSeen uint64

	Leave  bool    // the node is to leave
	Hurry  bool    // it gives up to hand over, and leaves, after LeaveTimeout; otherwise it takes its time
	Weight float64 // that the node is to have; 0 for as it is
}

// Whose says whose server it is that an agent was given.
type Whose uint8

const (
	Own     Whose = iota // the node's, or nobody asks
	Unasked              // it has not said yet
	Unknown              // it does not know this node
)

// Output is what has to be done.
type Output struct {
	// Record is what the node says of itself now. Announce says that it has
	// changed; Known that it concerns the fleet's ledger: before a first
	// announcement it does not.
	Record   ledger.Record
	Announce bool
	Known    bool

	// Met says that the node has seen what the fleet knows of it, and Resumed that
	// the fleet had gone on with it while its agent was away: then its server is
	// neither counted nor emptied.
	Met, Resumed bool

	Task Task
	For  uint64 // what to answer with: a Purge's eviction, a Sweep's or HandOver's transition, or a later Sweep's epoch

	// Abort is what is to be merged into the ledger and told to all; nil: nothing.
	Abort *ledger.Abort

	// RolledBack says that the node has just learnt that its transition was
	// aborted. A newcomer is on its way out then. Stays says that it was about to
	// leave, and is to be told so again if it still has to.
	RolledBack, Stays bool

	Waits string // for what, in a few words, to show; empty when for nothing

	// Err ends the agent: the node must not join.
	Err error
}

// HoldsKeysError is returned for a server that holds keys although the fleet
// does not know the node: what it holds may be old.
type HoldsKeysError struct {
	ID      string
	Address string
	Keys    int64
}

// ServerTakenError is returned for a server that another node of the fleet speaks
// for.
type ServerTakenError struct {
	ID      string
	Address string
	Owner   string // the other node
}
