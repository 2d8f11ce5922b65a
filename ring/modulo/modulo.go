package modulo

import (
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/ringway/ringway/ring"
)

// MaxSlots is the largest sum of unequal weights, after division by their
// greatest common divisor: 4 MiB of slots.
const MaxSlots = 1 << 20

// Config decides, with the list of nodes, which node owns which key. The zero
// value is ready to use.
type Config struct {
	// Hasher turns keys into hashes. A change of it moves nearly every key.
	Hasher ring.Hasher
}

// Modulo maps keys to nodes by the remainder of their hash. It is immutable and
// safe for concurrent use. The zero Modulo has no nodes and owns nothing (Owner
// returns the zero Node, OwnerIndex -1).
type Modulo struct {
	cfg   Config
	nodes []ring.Node
	count uint64   // of slots
	slots []uint32 // of each slot: position in nodes; nil if slot and position are the same
	plain bool     // cfg.Hasher.Plain()
}

var (
	_ ring.HashPlacement = (*Modulo)(nil)
	_ ring.Sized         = (*Modulo)(nil)
)

// New returns the placement over these nodes, in this order. It copies what it
// needs. An input that cannot be used is reported as a *ring.InputError: see
// ring.ValidateNodes, and beyond that ErrInvalidWeight for weights that differ
// and are not whole numbers or need more than MaxSlots slots.
func New(nodes []ring.Node, cfg Config) (*Modulo, error) {
	if err := cfg.Hasher.Validate(); err != nil {
		return nil, err
	}
	if err := ring.ValidateNodes(nodes); err != nil {
		return nil, err
	}
	slots, err := repeat(nodes)
	if err != nil {
		return nil, err
	}
	m := &Modulo{cfg: cfg, nodes: slices.Clone(nodes), count: uint64(len(nodes)), slots: slots, plain: cfg.Hasher.Plain()}
	if slots != nil {
		m.count = uint64(len(slots))
	}
	return m, nil
}

// repeat lists each node's position as often as its weight says, or returns nil
// if that would be once for each.
func repeat(nodes []ring.Node) ([]uint32, error) {
	first := nodes[0].Weight
	if !slices.ContainsFunc(nodes, func(n ring.Node) bool { return n.Weight != first }) {
		return nil, nil
	}
	divisor, total := uint64(0), uint64(0)
	for _, n := range nodes {
		if n.Weight != math.Trunc(n.Weight) {
			return nil, &ring.InputError{Err: ring.ErrInvalidWeight, Node: n.ID, Value: n.Weight,
				Want: "a whole number, or the same for every node (modulo lists a node of weight w w times)"}
		}
		divisor = gcd(divisor, uint64(n.Weight))
		total += uint64(n.Weight)
	}
	if total /= divisor; total > MaxSlots {
		return nil, &ring.InputError{Err: ring.ErrInvalidWeight, Value: total,
			Want: "a sum of at most 1048576 after division by the common divisor (modulo lists a node of weight w w times)"}
	}
	slots := make([]uint32, 0, total)
	for i, n := range nodes {
		for range uint64(n.Weight) / divisor {
			slots = append(slots, uint32(i))
		}
	}
	return slots, nil
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Nodes returns a copy of the nodes, in the order in which they were given.
// Positions that other methods return refer to this order.
func (m *Modulo) Nodes() []ring.Node { return slices.Clone(m.nodes) }

// Owner returns the node that owns the key. It does not allocate.
func (m *Modulo) Owner(key string) ring.Node {
	i := m.OwnerIndex(key)
	if i < 0 {
		return ring.Node{}
	}
	return m.nodes[i]
}

// OwnerIndex returns the position in Nodes of the node that owns the key, -1
// for the zero Modulo. It does not allocate.
func (m *Modulo) OwnerIndex(key string) int {
	// As in package ring, the default hash is called without a detour: who is
	// compared with modulo must not gain by what modulo left undone.
	if m.plain {
		return m.OwnerOfHash(xxhash.Sum64String(key))
	}
	return m.OwnerOfHash(m.cfg.Hasher.Sum(key))
}

// OwnerOfHash returns the position in Nodes of the node that owns this hash: the
// remainder of the hash by the number of slots, looked up in the slot list if
// there is one. It returns -1 for the zero Modulo.
func (m *Modulo) OwnerOfHash(hash uint64) int {
	if m.count == 0 {
		return -1
	}
	slot := hash % m.count
	if m.slots == nil {
		return int(slot)
	}
	return int(m.slots[slot])
}

// Update returns a Modulo of the same configuration over another list. Any
// change can be made. Errors are those of New.
func (m *Modulo) Update(nodes []ring.Node) (ring.Placement, error) {
	next, err := New(nodes, m.cfg)
	if err != nil {
		return nil, err // not a nil *Modulo in an interface that is not nil
	}
	return next, nil
}

// MemoryBytes returns the size of the slot list in bytes: 0 for equal weights.
func (m *Modulo) MemoryBytes() int { return 4 * len(m.slots) }
