package ring

// Placement is a rule from keys to nodes. *Ring is one; the packages below this
// one are the others. The router and the simulator take any of them.
//
// A Placement is immutable unless its documentation says otherwise (package
// bounded counts load), and safe for concurrent lookups.
type Placement interface {
	// Nodes returns a copy of the node list, in the order that OwnerIndex
	// refers to.
	Nodes() []Node

	// OwnerIndex returns the position in Nodes of the node that owns the key.
	OwnerIndex(key string) int

	// Update returns a placement of the same kind and configuration over
	// another node list, and leaves the receiver as it is. It fails with an
	// *InputError: ErrUnsupported where the rule cannot make that change (jump
	// cannot lose a node from the middle), the others for a bad list.
	//
	// Where the order of nodes matters (modulo, jump), it is the order of the
	// list. A caller that changes a fleet keeps the nodes that stay in their
	// order and appends newcomers.
	Update(nodes []Node) (Placement, error)
}

// Sized is a Placement that knows its memory.
type Sized interface {
	// MemoryBytes returns the size of the tables that lookups read, in bytes,
	// computed from their lengths; node names are not counted.
	MemoryBytes() int
}

// HashPlacement is a Placement that looks at a key's 64-bit hash alone, so that
// what a change moves can be told exactly for the whole hash space.
type HashPlacement interface {
	Placement

	// Moved returns the fraction of the 64-bit hash space whose owner has
	// another ID in to. It fails with ErrNotComparable if to is of another
	// kind, or hashes keys otherwise.
	Moved(to Placement) (float64, error)
}
