package ledger

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// Record is what the agent of a node says of it. Only that agent changes it; all
// others pass it on.
type Record struct {
	ID      string
	Kind    membership.Kind // Redis or Memcached
	Address string
	Zone    string
	Weight  float64

	State      membership.State
	Step       membership.State // of a change of weight: see membership.Member
	NextWeight float64
	Unhealthy  bool

	// Generation grows at each start of the agent and each return of the node,
	// Sequence with each change of the record: together they say which of two
	// versions is the newer one.
	Generation, Sequence uint64

	// Stamp is the Lamport stamp of the last change that matters to a ring: 1 +
	// the largest that the agent had seen.
	Stamp uint64

	// Transition numbers the transition that State or Step belongs to, or its
	// rollback: see membership.RollbackOf.
	Transition uint64

	// Swept is the last transition for which the node has removed what it does not
	// own. Done names the last one in which it has handed over what it owned, and
	// the next ring of that time: it is a hash, to be compared for equality.
	Swept, Done uint64

	// Purged is the stamp of the newest eviction of this node that it knew when
	// it last emptied its server: an eviction with a larger stamp stands.
	Purged uint64

	// Returns counts how often the node has come back, each time soon after it
	// had gone.
	Returns uint8

	// Since is when State changed last, in Unix seconds by the agent's clock. It
	// is shown, and tells how long ago the node went; nothing else depends on it.
	Since int64
}

// Eviction takes a node out of the fleet although its agent said nothing. It
// stands until the node has emptied its server and says so.
type Eviction struct {
	ID         string
	Generation uint64 // of the record that was evicted
	Stamp      uint64 // Lamport stamp
	Since      int64  // Unix seconds by the clock of By
	By         string // who decided it
}

// Limits of what is accepted from outside. They make a record fit into the meta
// data of a gossip member.
const (
	MaxIDLength      = ring.MaxIDLength
	MaxAddressLength = 200
	MaxZoneLength    = 64
	MaxReturns       = 16
)

// newer reports whether r replaces old. Two agents that speak for one node by
// mistake may number two records alike: then one of these wins everywhere.
func (r Record) newer(old Record) bool {
	if r == old {
		return false
	}
	if order := cmp.Or(cmp.Compare(r.Generation, old.Generation), cmp.Compare(r.Sequence, old.Sequence)); order != 0 {
		return order > 0
	}
	var a, b writer
	a.record(r)
	b.record(old)
	return bytes.Compare(a, b) > 0
}

// Validate refuses what no agent would send.
func (r Record) Validate() error {
	wrong := func(field string, got any, want string) error {
		return fmt.Errorf("record of %.255q: %s: got %v, want %s", r.ID, field, got, want)
	}
	switch {
	case r.ID == "" || len(r.ID) > MaxIDLength || !utf8.ValidString(r.ID):
		return wrong("ID", len(r.ID), "1 to 255 bytes of UTF-8")
	case r.Kind != membership.Redis && r.Kind != membership.Memcached:
		return wrong("kind", r.Kind, "redis or memcached")
	case r.Address == "" || len(r.Address) > MaxAddressLength || !utf8.ValidString(r.Address):
		return wrong("address", len(r.Address), "1 to 200 bytes of UTF-8")
	case len(r.Zone) > MaxZoneLength || !utf8.ValidString(r.Zone):
		return wrong("zone", len(r.Zone), "at most 64 bytes of UTF-8")
	case !validWeight(r.Weight):
		return wrong("weight", r.Weight, "above 0, at most 1048576")
	case stateNumber(r.State) == 0:
		return wrong("state", r.State, "a state")
	case r.Step != "" && (r.State != membership.Active || r.Step != membership.Announced && r.Step != membership.Importing):
		return wrong("step", r.Step, "ANNOUNCED or IMPORTING while ACTIVE")
	case r.Step == "" && math.Float64bits(r.NextWeight) != 0 || r.Step != "" && !validWeight(r.NextWeight):
		return wrong("next weight", r.NextWeight, "a weight while there is a step, otherwise 0")
	case r.Stamp == 0 || r.Stamp > MaxStamp:
		return wrong("stamp", r.Stamp, "1 to 2^52 - 1")
	case !validTransition(r.Transition) || r.Purged > MaxStamp:
		return wrong("transition and purge", fmt.Sprint(r.Transition, " and ", r.Purged), "at most 2^52 - 1")
	case r.Returns > MaxReturns:
		return wrong("returns", r.Returns, "at most 16")
	case r.Generation > MaxGeneration:
		return wrong("generation", r.Generation, "at most 2^53 - 1")
	case !validTime(r.Since):
		return wrong("since", r.Since, "Unix seconds before the year 10000")
	}
	// What the ledger takes can be shown: one record that cannot would keep the
	// whole view from those who ask.
	_, err := membership.NewView(r.Stamp, r.Member())
	return err
}

// MaxGeneration leaves generations exact for readers of JSON, and room above them.
const MaxGeneration = 1<<53 - 1

// validTime reports whether a time in Unix seconds can be written as a date.
func validTime(seconds int64) bool { return seconds >= -62135596800 && seconds <= 253402300799 }

// MaxStamp keeps a member that makes up stamps from exhausting them. It leaves the
// bit above free for rollbacks (see membership.RollbackOf), and both exact for
// readers of JSON who have floating point only.
const MaxStamp = 1<<52 - 1

// Validate refuses what no agent would send.
func (e Eviction) Validate() error {
	switch {
	case e.ID == "" || len(e.ID) > MaxIDLength || !utf8.ValidString(e.ID):
		return fmt.Errorf("eviction: ID: got %d bytes, want 1 to 255 of UTF-8", len(e.ID))
	case len(e.By) > MaxIDLength || !utf8.ValidString(e.By):
		return fmt.Errorf("eviction of %q: judge: got %d bytes, want at most 255 of UTF-8", e.ID, len(e.By))
	case e.Generation > MaxGeneration || !validTime(e.Since):
		return fmt.Errorf("eviction of %q: generation and time: got %d and %d, want at most 2^53 - 1, and Unix seconds before the year 10000", e.ID, e.Generation, e.Since)
	case e.Stamp == 0 || e.Stamp > MaxStamp:
		return fmt.Errorf("eviction of %q: stamp: got %d, want 1 to 2^52 - 1", e.ID, e.Stamp)
	}
	return nil
}

func validWeight(w float64) bool { return w > 0 && w <= ring.MaxWeight && !math.IsNaN(w) }

// states in the order of their numbers on the wire, from 1 on.
var states = []membership.State{
	membership.Joining, membership.Announced, membership.Importing, membership.Active,
	membership.Leaving, membership.Exporting, membership.Left,
}

// stateNumber returns 0 for what is no state.
func stateNumber(s membership.State) byte {
	for i, known := range states {
		if s == known {
			return byte(i + 1)
		}
	}
	return 0
}

// Member returns the record as a view shows it.
func (r Record) Member() membership.Member {
	m := membership.Member{
		ID: r.ID, Kind: r.Kind, Address: r.Address, State: r.State, Weight: r.Weight, Zone: r.Zone,
		NextWeight: r.NextWeight, Step: r.Step, Transition: r.Transition, Generation: r.Generation,
	}
	if r.Unhealthy {
		m.Health = membership.Unhealthy
	}
	return m
}
