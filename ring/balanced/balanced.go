package balanced

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/ringway/ringway/ring"
)

// Defaults and limits of a Config.
const (
	DefaultSlots   = 1 << 16
	DefaultEpsilon = 0.01
	MinSlots       = 1 << 6
	MaxSlots       = 1 << 22
	MinEpsilon     = 0.0001
	MaxEpsilon     = 1
	MaxNodes       = 1 << 16
)

// Config decides, with the nodes, which node owns which key. Every client of a
// fleet must use the same one: a change of any field moves keys. The zero value
// is ready to use.
type Config struct {
	Hasher ring.Hasher

	// Slots is the number of slots, a power of two from MinSlots to MaxSlots;
	// 0 means DefaultSlots. It is fixed for the life of a fleet: choose 1000 a
	// node at the largest size, and at least 100. Two bytes each are read by
	// lookups, another two are kept for changes.
	Slots int

	// Epsilon is how far above its fair share a node may be loaded, as a
	// fraction from MinEpsilon to MaxEpsilon; 0 means DefaultEpsilon. The
	// smaller it is, the more a change moves.
	Epsilon float64
}

// Balanced maps keys to nodes. It is immutable and safe for concurrent use.
// Make one with New; the zero Balanced has no nodes and owns nothing.
type Balanced struct {
	table []uint16 // slot to position in nodes
	shift uint8    // from a hash to its slot
	plain bool     // cfg.Hasher.Plain()

	cfg   Config
	nodes []ring.Node // by ID
	first []uint16    // of each slot: its best node, whatever the capacities
}

// New returns the placement of these nodes, in whatever order they are given.
// It copies what it needs. Bad input is reported as a *ring.InputError.
//
// It takes time in proportion to slots × nodes: at 2^16 slots and 100 nodes some
// 15 ms where all weights are equal, and 30 to 45 ms where they differ.
func New(nodes []ring.Node, cfg Config) (*Balanced, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := validate(nodes, cfg); err != nil {
		return nil, err
	}
	b := newBalanced(nodes, cfg)
	m := newMarket(b.nodes, cfg)
	b.first = make([]uint16, cfg.Slots)
	for slot := range b.first {
		b.first[slot] = uint16(m.best(uint32(slot)).node)
	}
	b.table = m.assign(b.first)
	return b, nil
}

// newBalanced returns a Balanced that has no table yet.
func newBalanced(nodes []ring.Node, cfg Config) *Balanced {
	return &Balanced{cfg: cfg, nodes: ring.SortedByID(nodes), plain: cfg.Hasher.Plain(), shift: uint8(64 - bits.Len(uint(cfg.Slots-1)))}
}

func (c Config) withDefaults() (Config, error) {
	if c.Slots == 0 {
		c.Slots = DefaultSlots
	}
	if c.Epsilon == 0 {
		c.Epsilon = DefaultEpsilon
	}
	if c.Slots < MinSlots || c.Slots > MaxSlots || c.Slots&(c.Slots-1) != 0 {
		return c, &ring.InputError{Err: ring.ErrInvalidConfig, Field: "Slots", Value: c.Slots, Want: "a power of two from 64 to 4194304, or 0 for 65536"}
	}
	if !(c.Epsilon >= MinEpsilon && c.Epsilon <= MaxEpsilon) { // refuses NaN too
		return c, &ring.InputError{Err: ring.ErrInvalidConfig, Field: "Epsilon", Value: c.Epsilon, Want: "0.0001 to 1, or 0 for 0.01"}
	}
	return c, c.Hasher.Validate()
}

func validate(nodes []ring.Node, cfg Config) error {
	if limit := min(cfg.Slots, MaxNodes); len(nodes) > limit {
		return &ring.InputError{Err: ring.ErrTooManyNodes, Value: len(nodes), Want: fmt.Sprintf("at most %d with %d slots", limit, cfg.Slots)}
	}
	return ring.ValidateNodes(nodes)
}

// Owner returns the node that owns the key. It does not allocate.
func (b *Balanced) Owner(key string) ring.Node {
	i := b.OwnerIndex(key)
	if uint(i) >= uint(len(b.nodes)) {
		return ring.Node{}
	}
	return b.nodes[i]
}

// OwnerIndex returns the position in Nodes of the node that owns the key, -1
// for the zero Balanced. It does not allocate.
func (b *Balanced) OwnerIndex(key string) int {
	if b.plain {
		return b.OwnerOfHash(xxhash.Sum64String(key))
	}
	return b.OwnerOfHash(b.cfg.Hasher.Sum(key))
}

// OwnerOfHash returns the position in Nodes of the node that owns this place of
// the 64-bit hash space.
func (b *Balanced) OwnerOfHash(hash uint64) int {
	slot := hash >> (b.shift & 63)
	if slot >= uint64(len(b.table)) {
		return -1
	}
	return int(b.table[slot])
}

// Nodes returns a copy of the nodes, in the order of their IDs.
func (b *Balanced) Nodes() []ring.Node { return slices.Clone(b.nodes) }

// Config returns the configuration with defaults filled in, the seed included.
func (b *Balanced) Config() Config { return b.cfg }

// MemoryBytes returns the size of the tables in bytes: the one that lookups read,
// and one of the same size that changes start from.
func (b *Balanced) MemoryBytes() int { return 2*len(b.table) + 2*len(b.first) }

// Shares returns the exact fraction of the hash space that each node owns, in
// the order of Nodes. The slice is the caller's.
func (b *Balanced) Shares() []float64 {
	shares := make([]float64, len(b.nodes))
	for _, node := range b.table {
		shares[node] += 1 / float64(len(b.table)) // a power of two: the sums are exact
	}
	return shares
}

// Moved returns the exact fraction of the hash space whose owner has another ID
// in to, which must be a *Balanced with as many slots and the same Hasher: else
// it fails with ring.ErrNotComparable.
func (b *Balanced) Moved(to ring.Placement) (float64, error) {
	other, isBalanced := to.(*Balanced)
	if !isBalanced || other == nil {
		return 0, fmt.Errorf("balanced: %w: a balanced placement and a %T", ring.ErrNotComparable, to)
	}
	if len(b.table) != len(other.table) || len(b.table) == 0 || !b.cfg.Hasher.Equal(other.cfg.Hasher) {
		return 0, fmt.Errorf("balanced: %w: their slots or hashers differ", ring.ErrNotComparable)
	}
	moved := 0
	for slot, node := range b.table {
		if b.nodes[node].ID != other.nodes[other.table[slot]].ID {
			moved++
		}
	}
	return math.Ldexp(float64(moved), -bits.Len(uint(len(b.table)-1))), nil
}
