package maglev

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/ringway/ringway/ring"
)

const (
	// DefaultTableSize is the number of slots where the Config names none: the
	// smaller of the sizes that the paper measures.
	DefaultTableSize = 65537

	// MaxTableSize bounds the number of slots: 64 MiB of table.
	MaxTableSize = 1 << 24

	// MinWeight is the smallest weight, and the unit to which weights are
	// rounded.
	MinWeight = 1.0 / (1 << 32)
)

// Config decides, with the nodes, which node owns which key. The zero value is
// ready to use.
type Config struct {
	// TableSize is the number of slots: a prime, at most MaxTableSize, and no
	// smaller than the number of nodes. 0 means DefaultTableSize. Shares differ
	// by one slot, so that the paper wants a hundred slots a node or more for a
	// spread of 1%; a larger table moves fewer keys without need, and leaves the
	// processor's cache. A change of the size moves nearly every key.
	TableSize int

	// Hasher turns keys and node IDs into hashes. A change of it moves nearly
	// every key.
	Hasher ring.Hasher
}

// Maglev maps keys to nodes by Maglev hashing. It is immutable and safe for
// concurrent use. The zero Maglev has no nodes and owns nothing (Owner returns
// the zero Node, OwnerIndex -1).
type Maglev struct {
	cfg   Config
	nodes []ring.Node // by ID
	table []uint32    // of each slot: position in nodes
	plain bool        // cfg.Hasher.Plain()
}

var (
	_ ring.HashPlacement = (*Maglev)(nil)
	_ ring.Sized         = (*Maglev)(nil)
)

// New returns the placement over these nodes, in whatever order they are given.
// It copies what it needs. An input that cannot be used is reported as a
// *ring.InputError: see ring.ValidateNodes, and beyond that ErrInvalidConfig for
// a table size that is not a prime, too large, or smaller than the number of
// nodes, and ErrInvalidWeight for a weight below MinWeight.
//
// It takes time in proportion to M·log(M), M being the table size: 2 ms at the
// default. If weights differ much, M·N·(largest weight/sum of weights) comes on
// top.
func New(nodes []ring.Node, cfg Config) (*Maglev, error) {
	if cfg.TableSize == 0 {
		cfg.TableSize = DefaultTableSize
	}
	if err := checkTableSize(cfg.TableSize); err != nil {
		return nil, err
	}
	if err := cfg.Hasher.Validate(); err != nil {
		return nil, err
	}
	if err := ring.ValidateNodes(nodes); err != nil {
		return nil, err
	}
	if len(nodes) > cfg.TableSize {
		return nil, &ring.InputError{Err: ring.ErrInvalidConfig, Field: "TableSize", Value: cfg.TableSize,
			Want: fmt.Sprintf("at least the number of nodes, %d", len(nodes))}
	}
	for _, n := range nodes {
		if n.Weight < MinWeight {
			return nil, &ring.InputError{Err: ring.ErrInvalidWeight, Node: n.ID, Value: n.Weight, Want: "at least 2^-32 (2.33e-10)"}
		}
	}
	m := &Maglev{cfg: cfg, nodes: ring.SortedByID(nodes), plain: cfg.Hasher.Plain()}
	all, heaviest := turns(m.nodes, cfg)
	m.table = populate(all, heaviest, cfg.TableSize)
	return m, nil
}

func checkTableSize(size int) error {
	refused := &ring.InputError{Err: ring.ErrInvalidConfig, Field: "TableSize", Value: size}
	switch {
	case size < 2:
		refused.Want = "a prime, or 0 for 65537"
	case size > MaxTableSize:
		refused.Want = "a prime of at most 16777216"
	case !isPrime(size):
		next := size + 1
		for !isPrime(next) {
			next++
		}
		refused.Want = fmt.Sprintf("a prime, such as %d", next)
	default:
		return nil
	}
	return refused
}

func isPrime(n int) bool {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n > 1
}

// Nodes returns a copy of the nodes, in the order of their IDs. Positions that
// other methods return refer to this order.
func (m *Maglev) Nodes() []ring.Node { return slices.Clone(m.nodes) }

// Owner returns the node that owns the key. It does not allocate.
func (m *Maglev) Owner(key string) ring.Node {
	i := m.OwnerIndex(key)
	if i < 0 {
		return ring.Node{}
	}
	return m.nodes[i]
}

// OwnerIndex returns the position in Nodes of the node that owns the key, -1
// for the zero Maglev. It does not allocate.
func (m *Maglev) OwnerIndex(key string) int {
	if m.plain {
		return m.OwnerOfHash(xxhash.Sum64String(key))
	}
	return m.OwnerOfHash(m.cfg.Hasher.Sum(key))
}

// OwnerOfHash returns the position in Nodes of the node that owns this hash, -1
// for the zero Maglev.
func (m *Maglev) OwnerOfHash(hash uint64) int {
	slot, _ := bits.Mul64(hash, uint64(len(m.table)))
	if slot >= uint64(len(m.table)) {
		return -1
	}
	return int(m.table[slot])
}

// Update returns a Maglev of the same configuration over other nodes. Any change
// can be made, and the table is filled afresh. Errors are those of New.
func (m *Maglev) Update(nodes []ring.Node) (ring.Placement, error) {
	next, err := New(nodes, m.cfg)
	if err != nil {
		return nil, err
	}
	return next, nil
}

// MemoryBytes returns the size of the table in bytes.
func (m *Maglev) MemoryBytes() int { return 4 * len(m.table) }
