package rebalance

import (
	"errors"
	"fmt"

	"github.com/ringway/ringway/ring"
)

// What can be wrong with a Change. A *ChangeError wraps one of these.
var (
	ErrNoChange    = errors.New("no change")
	ErrUnknownNode = errors.New("unknown node")
	ErrKnownNode   = errors.New("node that is there already")
	ErrTwice       = errors.New("node named twice")
	ErrNobodyLeft  = errors.New("no node left")
	ErrNodeValue   = errors.New("node that no ring can have")
)

// Operation is what a Change does with a node.
type Operation string

const (
	AddNode    Operation = "add"
	RemoveNode Operation = "remove"
	WeighNode  Operation = "weight"
)

// ChangeError reports a change that cannot be made.
type ChangeError struct {
	Err       error     // one of the values above
	Operation Operation // with that node; empty with ErrNoChange
	Node      string    // its ID
	Want      string    // what was expected
	Cause     error     // with ErrNodeValue: of package ring
}

func (e *ChangeError) Error() string {
	text := "rebalance: change: " + e.Err.Error()
	if e.Operation != "" {
		text = fmt.Sprintf("rebalance: change: %s %q: %s", e.Operation, e.Node, e.Err)
	}
	return text + ", want " + e.Want
}

// Unwrap returns Err and the cause.
func (e *ChangeError) Unwrap() []error {
	if e.Cause != nil {
		return []error{e.Err, e.Cause}
	}
	return []error{e.Err}
}

// Change is what is done to a fleet, all at once. The zero value changes nothing.
type Change struct {
	Add    []ring.Node
	Remove []string           // IDs
	Weigh  map[string]float64 // the new weights of nodes that stay
}

// Apply returns the nodes of the fleet after the change, those that stay in their
// order. It changes neither the list nor the Change. Errors are *ChangeError: for
// the first thing in the order of the fields of Change that cannot be done.
func (c Change) Apply(nodes []ring.Node) ([]ring.Node, error) {
	if len(c.Add)+len(c.Remove)+len(c.Weigh) == 0 {
		return nil, &ChangeError{Err: ErrNoChange, Want: "nodes to add or remove, or a weight"}
	}
	known, named := make(map[string]bool), make(map[string]bool)
	for _, n := range nodes {
		known[n.ID] = true
	}
	for _, n := range c.Add {
		if err := checkAdded(n, known); err != nil {
			return nil, err
		}
		if err := once(named, AddNode, n.ID); err != nil {
			return nil, err
		}
	}
	gone := make(map[string]bool)
	for _, id := range c.Remove {
		if err := checkKnown(known, named, RemoveNode, id); err != nil {
			return nil, err
		}
		gone[id] = true
	}
	for _, id := range sortedKeys(c.Weigh) {
		if err := checkKnown(known, named, WeighNode, id); err != nil {
			return nil, err
		}
		if err := ring.ValidateNodes([]ring.Node{{ID: id, Weight: c.Weigh[id]}}); err != nil {
			return nil, wrongValue(WeighNode, id, err)
		}
	}
	after := c.result(nodes, gone)
	if len(after) == 0 {
		return nil, &ChangeError{Err: ErrNobodyLeft, Operation: RemoveNode, Node: c.Remove[len(c.Remove)-1], Want: "at least one node to stay or to come"}
	}
	return after, nil
}

// checkKnown checks a node that must be there, and not have been named before.
func checkKnown(known, named map[string]bool, op Operation, id string) error {
	if !known[id] {
		return &ChangeError{Err: ErrUnknownNode, Operation: op, Node: id, Want: "the ID of a node that owns keys"}
	}
	return once(named, op, id)
}

func once(named map[string]bool, op Operation, id string) error {
	if named[id] {
		return &ChangeError{Err: ErrTwice, Operation: op, Node: id, Want: "each node once"}
	}
	named[id] = true
	return nil
}

func checkAdded(n ring.Node, known map[string]bool) error {
	if err := ring.ValidateNodes([]ring.Node{n}); err != nil {
		return wrongValue(AddNode, n.ID, err)
	}
	if known[n.ID] {
		return &ChangeError{Err: ErrKnownNode, Operation: AddNode, Node: n.ID, Want: "the ID of a new node; a weight is changed by itself"}
	}
	return nil
}

func wrongValue(op Operation, id string, err error) error {
	want := "an ID, a weight and a zone that a ring can have"
	if wrong := (*ring.InputError)(nil); errors.As(err, &wrong) {
		want = fmt.Sprintf("%s %s", wrong.Err, wrong.Want)
	}
	return &ChangeError{Err: ErrNodeValue, Operation: op, Node: id, Want: want, Cause: err}
}

func (c Change) result(nodes []ring.Node, gone map[string]bool) []ring.Node {
	var after []ring.Node
	for _, n := range nodes {
		if gone[n.ID] {
			continue
		}
		if weight, new := c.Weigh[n.ID]; new {
			n.Weight = weight
		}
		after = append(after, n)
	}
	return append(after, c.Add...)
}
