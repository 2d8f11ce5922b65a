package membership

import (
	"fmt"
	"slices"

	"github.com/ringway/ringway/ring"
)

// Kind says what a member is.
type Kind string

const (
	Redis     Kind = "redis"
	Memcached Kind = "memcached"
	Router    Kind = "router" // a client that owns nothing
)

// State is where a member stands between joining and leaving.
type State string

const (
	Joining   State = "JOINING"   // known, not yet announced
	Announced State = "ANNOUNCED" // will own keys; nothing is read from it
	Importing State = "IMPORTING" // keys are being moved to it
	Active    State = "ACTIVE"    // owns its keys
	Leaving   State = "LEAVING"   // will own nothing; still owns its keys
	Exporting State = "EXPORTING" // keys are being moved from it
	Left      State = "LEFT"      // owns nothing, for good
	Unhealthy State = "UNHEALTHY" // owns its keys, but does not answer
	Dead      State = "DEAD"      // owns its keys until it is evicted
)

// Member is one participant of the fleet.
type Member struct {
	ID      string // stable: it alone decides which keys are the node's
	Kind    Kind   // empty means Redis
	Address string // "host:port", or "unix:///path"; may change while the ID stays
	State   State  // empty means Active
	Weight  float64
	Zone    string

	// Generation grows at each start of the node's agent; 0 without gossip.
	Generation uint64
}

// ownsNow reports whether keys belong to the member at present.
func (m Member) ownsNow() bool {
	switch m.State {
	case Active, Leaving, Exporting, Unhealthy, Dead, "":
		return m.Kind != Router
	}
	return false
}

// ownsNext reports whether keys belong to the member once the transition ends.
func (m Member) ownsNext() bool {
	switch m.State {
	case Active, Announced, Importing, Unhealthy, Dead, "":
		return m.Kind != Router
	}
	return false
}

// View is the fleet at one moment. The zero View has no members. Its slices are
// shared: do not write to them.
type View struct {
	// Version numbers the views of one Source, from 1 on. It means nothing
	// between sources.
	Version uint64

	// Epoch numbers the fleet's rings: the largest stamp of any change that the
	// view contains. It never goes back, and views with the same records have
	// the same epoch.
	Epoch uint64

	// Members, in the order of their IDs.
	Members []Member
}

// Current returns the nodes that own keys now, and Next those that will once the
// transition has ended. They are equal while the fleet is stable.
func (v View) Current() []ring.Node { return nodesOf(v.Members, Member.ownsNow) }

// Next returns the nodes that will own keys: see Current.
func (v View) Next() []ring.Node { return nodesOf(v.Members, Member.ownsNext) }

func nodesOf(members []Member, owns func(Member) bool) []ring.Node {
	var nodes []ring.Node
	for _, m := range members {
		if owns(m) {
			nodes = append(nodes, ring.Node{ID: m.ID, Weight: m.Weight, Zone: m.Zone})
		}
	}
	return nodes
}

// Member returns the member of that ID, and whether there is one.
func (v View) Member(id string) (Member, bool) {
	for _, m := range v.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// prepare copies members into the form of a view: defaults filled in, checked,
// in the order of their IDs.
func prepare(members []Member) ([]Member, error) {
	out := slices.Clone(members)
	for i := range out {
		m := &out[i]
		if m.Kind == "" {
			m.Kind = Redis
		}
		if m.State == "" {
			m.State = Active
		}
		if m.Weight == 0 {
			m.Weight = 1
		}
		if m.Address == "" && m.Kind != Router {
			return nil, fmt.Errorf("membership: address of member %q: got nothing, want host:port or unix:///path", m.ID)
		}
	}
	slices.SortFunc(out, func(a, b Member) int {
		if a.ID < b.ID {
			return -1
		}
		if a.ID > b.ID {
			return 1
		}
		return 0
	})
	nodes := make([]ring.Node, len(out))
	for i, m := range out {
		nodes[i] = ring.Node{ID: m.ID, Weight: m.Weight, Zone: m.Zone}
	}
	if len(nodes) > 0 {
		if err := ring.ValidateNodes(nodes); err != nil {
			return nil, fmt.Errorf("membership: members: %w", err)
		}
	}
	return out, nil
}
