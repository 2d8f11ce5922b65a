package rebalance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// routes tells of each key of a server where it has to go in a transition. It is
// immutable.
type routes struct {
	self          string
	copies        int
	current, next *ring.Ring      // next is nil if no node will own anything
	silent        map[string]bool // nodes that do not answer
	single        []route         // with one copy: by the position of the next owner
	mine          int             // the node's position in the current ring; -1: none
	receivers     map[string]bool // nodes to which keys go from here
}

// A route is what becomes of one key.
type route struct {
	to    []string // nodes that have to have it before this one is done with it
	leave bool     // it does not stay here
	first bool     // this node is the one that sends it
	name  string   // of the keys that go the same way
}

func nameOf(to []string, leave bool) string {
	name := strings.Join(to, "\x00")
	if leave {
		name += "\x00\x00"
	}
	return name
}

// moves reports whether there is anything to do.
func (r route) moves() bool { return len(r.to) > 0 || r.leave }

func newRoutes(cfg Config, kind membership.Kind, view membership.View, transition uint64) (*routes, error) {
	number, phase := view.Transition(kind)
	if phase == membership.Stable || number != transition {
		return nil, fmt.Errorf("%w: got %d, and the view has %d (%v)", ErrNoTransition, transition, number, phase)
	}
	if _, known := view.Member(cfg.Self); !known {
		return nil, fmt.Errorf("%w: the view does not have the node %q", ErrNoTransition, cfg.Self)
	}
	r := &routes{self: cfg.Self, copies: max(cfg.Copies, 1), silent: make(map[string]bool)}
	var err error
	if r.current, err = ring.New(view.Current(kind), cfg.Placement); err != nil {
		return nil, fmt.Errorf("rebalance: current ring: %w", err)
	}
	if next := view.Next(kind); len(next) > 0 {
		if r.next, err = ring.New(next, cfg.Placement); err != nil {
			return nil, fmt.Errorf("rebalance: next ring: %w", err)
		}
	}
	r.mine = slices.IndexFunc(r.current.Nodes(), func(n ring.Node) bool { return n.ID == r.self })
	if r.next != nil {
		for _, n := range r.next.Nodes() {
			way := route{}
			if n.ID != r.self {
				way = route{to: []string{n.ID}, leave: true, first: true, name: nameOf([]string{n.ID}, true)}
			}
			r.single = append(r.single, way)
		}
		if r.receivers, err = r.receiving(); err != nil {
			return nil, fmt.Errorf("rebalance: %w", err)
		}
	}
	for _, m := range view.Members {
		if m.Health != membership.Healthy {
			r.silent[m.ID] = true
		}
	}
	return r, nil
}

// receiving returns the nodes that get keys from this one: in a fleet of a hundred that
// one joins, the newcomer alone. With copies that may be any.
func (r *routes) receiving() (map[string]bool, error) {
	all := make(map[string]bool)
	if r.copies > 1 {
		for _, n := range r.next.Nodes() {
			all[n.ID] = n.ID != r.self
		}
		return all, nil
	}
	movements, err := ring.Diff(r.current, r.next)
	if err != nil {
		return nil, err
	}
	for _, m := range movements {
		if m.From == r.self {
			all[m.To] = true
		}
	}
	return all, nil
}

// of returns the route of a key. A key that this node does not hold by right in
// the current ring stays: it is for a sweep to remove.
func (r *routes) of(key string) route {
	if r.next == nil {
		return route{}
	}
	if r.copies == 1 {
		if way := r.single[r.next.OwnerIndex(key)]; way.leave && r.current.OwnerIndex(key) == r.mine {
			return way
		}
		return route{}
	}
	return r.ofCopies(key)
}

// ofCopies: a key that stays here goes to those that are new. One that does not is
// removed once all others are known to have it, also those that have been its
// holders all the time: such a server may have been restarted, or have thrown out
// what it had, and this copy be the last one.
func (r *routes) ofCopies(key string) route {
	var room, nextRoom [8]ring.Node
	now := r.current.Replicas(room[:0], key, r.copies)
	if !holds(now, r.self) {
		return route{}
	}
	then := r.next.Replicas(nextRoom[:0], key, r.copies)
	found := route{leave: !holds(then, r.self), first: r.sender(now) == r.self}
	for _, n := range then {
		if found.leave || !holds(now, n.ID) {
			found.to = append(found.to, n.ID)
		}
	}
	slices.Sort(found.to) // whatever their order, the keys share batches
	found.name = nameOf(found.to, found.leave)
	return found
}

// sender returns the first of the holders that answers, for all that is known.
func (r *routes) sender(holders []ring.Node) string {
	for _, n := range holders {
		if !r.silent[n.ID] || n.ID == r.self { // whoever asks is not silent
			return n.ID
		}
	}
	return r.self
}

func holds(nodes []ring.Node, id string) bool {
	for _, n := range nodes {
		if n.ID == id {
			return true
		}
	}
	return false
}
