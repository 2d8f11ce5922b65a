package membership

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringway/ringway/ring"
)

// Kind says what a member is.
type Kind string

const (
	Redis     Kind = "redis"
	Memcached Kind = "memcached"
	Router    Kind = "router" // a client that owns nothing
)

// State is where a node stands between joining and leaving.
type State string

const (
	Joining   State = "JOINING"   // known, not yet announced
	Announced State = "ANNOUNCED" // will own keys; nothing is read from it
	Importing State = "IMPORTING" // keys are being moved to it
	Active    State = "ACTIVE"    // owns its keys
	Leaving   State = "LEAVING"   // will own nothing; still owns its keys
	Exporting State = "EXPORTING" // keys are being moved from it
	Left      State = "LEFT"      // owns nothing, for good
)

// Health says whether a member answers. It has no influence on what the member
// owns: only an eviction, on which all agree, has.
type Health string

const (
	Healthy   Health = ""          // as far as is known
	Unhealthy Health = "UNHEALTHY" // its server does not answer its agent
	Dead      Health = "DEAD"      // its agent does not answer the fleet
)

// Member is one participant of the fleet.
type Member struct {
	ID      string // stable: it alone decides which keys are the node's
	Kind    Kind   // empty means Redis
	Address string // "host:port", or "unix:///path"; may change while the ID stays
	State   State  // empty means Active
	Health  Health
	Weight  float64 // 0 means 1
	Zone    string

	// NextWeight and Step tell of a change of weight under way, otherwise they
	// are zero: the weight in the next ring, and how far the change is, Announced
	// or Importing. The State is Active meanwhile.
	NextWeight float64
	Step       State

	// Transition numbers the transition in which the member takes part by its
	// State or Step: see View.Transition.
	Transition uint64

	// Generation grows at each start of the node's agent; 0 without gossip.
	Generation uint64
}

// Status is what to show of a member: its Health if that is bad, or its State.
func (m Member) Status() string {
	if m.Health != Healthy {
		return string(m.Health)
	}
	return string(m.State)
}

// owns reports whether keys belong to the member at present.
func (m Member) owns() bool {
	switch m.State {
	case Active, Leaving, Exporting, "":
		return m.Kind != Router
	}
	return false
}

// step returns how far the member is in its transition: Stable if it is in none.
func (m Member) step() Phase {
	if m.Kind == Router {
		return Stable
	}
	switch m.State {
	case Announced, Leaving:
		return PhaseAnnounced
	case Importing, Exporting:
		return PhaseImporting
	case Active:
		switch m.Step {
		case Announced:
			return PhaseAnnounced
		case Importing:
			return PhaseImporting
		}
	}
	return Stable
}

// Phase is how far a fleet's transition is: as far as its least advanced node.
type Phase int

const (
	Stable         Phase = iota // no transition: the two rings are equal
	PhaseAnnounced              // the next ring is known; no key has moved
	PhaseImporting              // keys move
)

// String is "stable", "announced" or "importing".
func (p Phase) String() string {
	switch p {
	case PhaseAnnounced:
		return "announced"
	case PhaseImporting:
		return "importing"
	}
	return "stable"
}

// View is the fleet at one moment. The zero View has no members. Its slices and
// maps are shared: do not write to them.
//
// The nodes of each Kind are a fleet of their own, with rings and transitions of
// their own.
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

	// Fingerprints of the current ring of each kind, as the fleet computes it
	// from its members and its placement; nil from a source that does not know.
	// A client whose placement has another one is configured differently.
	Fingerprints map[Kind]ring.Fingerprint

	// Disagree names the members whose rings have differed from this one for
	// longer than convergence takes; empty when all agree.
	Disagree []string
}

// Transition returns the transition under way among the nodes of a kind, and how
// far it is: as far as its least advanced node; 0 and Stable if there is none.
//
// There is one at a time. If several are wanted, which takes members that did
// not hear of each other, one that moves keys goes before others, then the one
// of the smallest number; the rest wait.
func (v View) Transition(kind Kind) (number uint64, phase Phase) {
	phases := make(map[uint64]Phase)
	for _, m := range v.Members {
		step := m.step()
		if m.Kind != kind || step == Stable {
			continue
		}
		if known, has := phases[m.Transition]; has {
			step = min(step, known)
		}
		phases[m.Transition] = step
	}
	for n, p := range phases {
		if p > phase || p == phase && n < number {
			number, phase = n, p
		}
	}
	return number, phase
}

// Current returns the nodes of a kind that own keys now.
func (v View) Current(kind Kind) []ring.Node {
	var nodes []ring.Node
	for _, m := range v.Members {
		if m.Kind == kind && m.owns() {
			nodes = append(nodes, ring.Node{ID: m.ID, Weight: m.Weight, Zone: m.Zone})
		}
	}
	return nodes
}

// Next returns the nodes of a kind that will own keys once the transition under
// way has ended; without one it equals Current.
func (v View) Next(kind Kind) []ring.Node {
	number, phase := v.Transition(kind)
	if phase == Stable {
		return v.Current(kind)
	}
	var nodes []ring.Node
	for _, m := range v.Members {
		if m.Kind != kind {
			continue
		}
		if n, owns := m.after(number); owns {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// after returns the node as it will be once the transition has ended, and
// whether it will own keys.
func (m Member) after(transition uint64) (ring.Node, bool) {
	n := ring.Node{ID: m.ID, Weight: m.Weight, Zone: m.Zone}
	owns := m.owns()
	if m.step() == Stable || m.Transition != transition {
		return n, owns
	}
	switch m.State {
	case Announced, Importing:
		owns = true
	case Leaving, Exporting:
		owns = false
	default:
		n.Weight = m.NextWeight
	}
	return n, owns
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
		if err := m.checkWords(); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
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

// checkWords refuses what is none of this package's constants.
func (m Member) checkWords() error {
	wrong := func(field string, got, want any) error {
		return fmt.Errorf("membership: %s of member %q: got %q, want one of %v", field, m.ID, got, want)
	}
	kinds := []Kind{Redis, Memcached, Router}
	states := []State{Joining, Announced, Importing, Active, Leaving, Exporting, Left}
	switch {
	case !slices.Contains(kinds, m.Kind):
		return wrong("kind", m.Kind, kinds)
	case !slices.Contains(states, m.State):
		return wrong("state", m.State, states)
	case !slices.Contains([]Health{Healthy, Unhealthy, Dead}, m.Health):
		return wrong("health", m.Health, []Health{Unhealthy, Dead})
	case m.Step != "" && (m.State != Active || m.Step != Announced && m.Step != Importing):
		return wrong("step", m.Step, "ANNOUNCED or IMPORTING, of an ACTIVE member")
	case m.Step != "" && !(m.NextWeight > 0 && m.NextWeight <= ring.MaxWeight):
		return fmt.Errorf("membership: next weight of member %q: got %v, want above 0, at most %v", m.ID, m.NextWeight, ring.MaxWeight)
	}
	return nil
}
