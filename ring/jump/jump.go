package jump

import (
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/ringway/ringway/ring"
)

// Config decides, with the list of nodes, which node owns which key. The zero
// value is ready to use.
type Config struct {
	// Hasher turns keys into hashes. A change of it moves nearly every key.
	Hasher ring.Hasher
}

// Jump maps keys to nodes by jump consistent hash. It is immutable and safe for
// concurrent use. The zero Jump has no nodes and owns nothing (Owner returns the
// zero Node, OwnerIndex -1).
type Jump struct {
	cfg   Config
	nodes []ring.Node
	plain bool // cfg.Hasher.Plain()
}

var (
	_ ring.Placement = (*Jump)(nil)
	_ ring.Sized     = (*Jump)(nil)
)

// New returns the placement over these nodes, in this order. It copies what it
// needs. An input that cannot be used is reported as a *ring.InputError: see
// ring.ValidateNodes, and beyond that ErrInvalidWeight for weights that differ,
// since jump gives every node the same share.
func New(nodes []ring.Node, cfg Config) (*Jump, error) {
	if err := cfg.Hasher.Validate(); err != nil {
		return nil, err
	}
	if err := ring.ValidateNodes(nodes); err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if n.Weight != nodes[0].Weight {
			return nil, &ring.InputError{Err: ring.ErrInvalidWeight, Node: n.ID, Value: n.Weight,
				Want: fmt.Sprintf("%v, the first node's (jump gives every node the same share)", nodes[0].Weight)}
		}
	}
	return &Jump{cfg: cfg, nodes: slices.Clone(nodes), plain: cfg.Hasher.Plain()}, nil
}

// Nodes returns a copy of the nodes, in the order in which they were given.
// Positions that other methods return refer to this order.
func (j *Jump) Nodes() []ring.Node { return slices.Clone(j.nodes) }

// Owner returns the node that owns the key. It does not allocate.
func (j *Jump) Owner(key string) ring.Node {
	i := j.OwnerIndex(key)
	if i < 0 {
		return ring.Node{}
	}
	return j.nodes[i]
}

// OwnerIndex returns the position in Nodes of the node that owns the key, -1
// for the zero Jump. It does not allocate.
func (j *Jump) OwnerIndex(key string) int {
	if j.plain {
		return j.OwnerOfHash(xxhash.Sum64String(key))
	}
	return j.OwnerOfHash(j.cfg.Hasher.Sum(key))
}

// OwnerOfHash returns the position in Nodes of the node that owns this hash, -1
// for the zero Jump.
func (j *Jump) OwnerOfHash(hash uint64) int {
	bucket, next := int64(-1), int64(0)
	for next < int64(len(j.nodes)) {
		bucket = next
		hash = hash*2862933555777941757 + 1
		next = step(bucket, hash>>33)
	}
	return int(bucket)
}

// step returns the bucket, that is the number of the newcomer, to which a key
// next changes from this one, given 31 random bits. It is 2^31 × (bucket+1) at
// most.
//
// The quotient is rounded before it is multiplied, as in the paper: integers
// would give other results for a few keys. Quotients and products are rounded
// alike on every machine. What a compiler may fuse, so that it rounds once
// instead of twice, is a product with a sum after it; there is none, and the
// outer conversion would forbid it.
func step(bucket int64, draw uint64) int64 {
	return int64(float64(float64(bucket+1) * (float64(1<<31) / float64(draw+1))))
}

// MemoryBytes returns 0: a lookup reads no table.
func (j *Jump) MemoryBytes() int { return 0 }
