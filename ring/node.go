package ring

import (
	"math"
	"slices"
	"strings"
)

// Limits of what New and every other placement accept.
const (
	MaxIDLength   = 255     // bytes of a node ID
	MaxZoneLength = 255     // bytes of a zone name
	MaxWeight     = 1 << 20 // weight of a node
	MaxTokens     = 1 << 24 // tokens of a ring, all nodes together
)

// Node is one server as placement sees it. The address is not part of it: a
// node that changes its address keeps its keys.
type Node struct {
	// ID names the node for as long as it lives: 1 to MaxIDLength bytes, of any
	// kind. It alone decides where the node's tokens lie.
	ID string

	// Weight is the node's share of the keys relative to the others: a node of
	// weight 2 is given twice the keys of a node of weight 1. It must be above
	// 0 and at most MaxWeight; fractions are allowed, so that half a node can
	// join without a new weight for every other node. A zero weight is refused:
	// a node that shall own nothing is left out instead.
	Weight float64

	// Zone is the failure domain (rack, availability zone), which Replicas
	// keeps apart. Empty: the node shares its zone with no other.
	Zone string
}

// Nodes returns nodes of weight 1 and without a zone, one for each ID.
func Nodes(ids ...string) []Node {
	nodes := make([]Node, len(ids))
	for i, id := range ids {
		nodes[i] = Node{ID: id, Weight: 1}
	}
	return nodes
}

// ValidateNodes reports the first node that no placement can work with, as an
// *InputError: an empty list, an empty, overlong or repeated ID, a weight that
// is not a number above 0 and at most MaxWeight, an overlong zone. It serves
// those who write a Placement.
func ValidateNodes(nodes []Node) error {
	if len(nodes) == 0 {
		return &InputError{Err: ErrNoNodes, Value: 0, Want: "at least one"}
	}
	seen := make(map[string]struct{}, len(nodes))
	for _, n := range nodes {
		if err := n.validate(); err != nil {
			return err
		}
		if _, twice := seen[n.ID]; twice {
			return &InputError{Err: ErrDuplicateID, Node: n.ID, Value: n.ID, Want: "every ID once"}
		}
		seen[n.ID] = struct{}{}
	}
	return nil
}

func (n Node) validate() error {
	switch {
	case n.ID == "":
		return &InputError{Err: ErrInvalidID, Value: n.ID, Want: "1 to 255 bytes"}
	case len(n.ID) > MaxIDLength:
		return &InputError{Err: ErrInvalidID, Node: n.ID, Value: n.ID, Want: "1 to 255 bytes"}
	case !(n.Weight > 0 && n.Weight <= MaxWeight): // refuses NaN too
		return &InputError{Err: ErrInvalidWeight, Node: n.ID, Value: n.Weight, Want: "above 0, at most 1048576"}
	case len(n.Zone) > MaxZoneLength:
		return &InputError{Err: ErrInvalidZone, Node: n.ID, Value: n.Zone, Want: "at most 255 bytes"}
	}
	return nil
}

// tokenCount is the number of tokens of a node of that weight. It depends on
// nothing else: a count normalised by the fleet's total weight would move keys
// between nodes that stay.
func tokenCount(virtualNodes int, weight float64) int64 {
	// One multiplication, then a rounding: there is no sum that a compiler
	// could fuse, so every architecture gives the same count.
	return int64(math.Round(float64(virtualNodes) * weight))
}

// SortedByID returns a copy of the nodes in the order of their IDs, in which most
// placements number them, so that the order in which they were given cannot
// matter. It serves those who write a Placement.
func SortedByID(nodes []Node) []Node {
	sorted := slices.Clone(nodes)
	slices.SortFunc(sorted, func(a, b Node) int { return strings.Compare(a.ID, b.ID) })
	return sorted
}
