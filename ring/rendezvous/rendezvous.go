package rendezvous

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/ringway/ringway/internal/fixedlog"
	"github.com/ringway/ringway/internal/splitmix"
	"github.com/ringway/ringway/ring"
)

// MinWeight is the smallest weight, and the unit to which weights are rounded.
// Halves, quarters and so on are exact; 0.001 is off by less than one part in
// five million.
const MinWeight = 1.0 / (1 << 32)

// Config decides, with the nodes, which node owns which key. The zero value is
// ready to use.
type Config struct {
	// Hasher turns keys and node IDs into hashes. A change of it moves nearly
	// every key.
	Hasher ring.Hasher
}

// Rendezvous maps keys to nodes by highest random weight. It is immutable and
// safe for concurrent use. The zero Rendezvous has no nodes and owns nothing
// (Owner returns the zero Node, OwnerIndex -1).
type Rendezvous struct {
	cfg       Config
	nodes     []ring.Node // by ID
	seeds     []uint64    // hashes of the IDs: group after group, within a group by ID
	positions []uint32    // of each seed's node: position in nodes
	groups    []group     // by weight
}

// group is the nodes of one weight.
type group struct {
	first, end int    // of its seeds; end is not one of them
	weight     uint64 // in units of MinWeight
}

var (
	_ ring.Placement = (*Rendezvous)(nil)
	_ ring.Sized     = (*Rendezvous)(nil)
)

// New returns the placement over these nodes, in whatever order they are given.
// It copies what it needs. An input that cannot be used is reported as a
// *ring.InputError: see ring.ValidateNodes, and beyond that ErrInvalidWeight for
// a weight below MinWeight.
func New(nodes []ring.Node, cfg Config) (*Rendezvous, error) {
	if err := cfg.Hasher.Validate(); err != nil {
		return nil, err
	}
	if err := ring.ValidateNodes(nodes); err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if n.Weight < MinWeight {
			return nil, &ring.InputError{Err: ring.ErrInvalidWeight, Node: n.ID, Value: n.Weight, Want: "at least 2^-32 (2.33e-10)"}
		}
	}
	r := &Rendezvous{cfg: cfg, nodes: ring.SortedByID(nodes)}
	r.form()
	return r, nil
}

// form sorts the nodes into groups.
func (r *Rendezvous) form() {
	weights := make([]uint64, len(r.nodes))
	r.positions = make([]uint32, len(r.nodes))
	for i, n := range r.nodes {
		weights[i] = uint64(math.Round(n.Weight / MinWeight)) // by a power of two: exact before the rounding
		r.positions[i] = uint32(i)
	}
	slices.SortFunc(r.positions, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(weights[a], weights[b]), cmp.Compare(a, b))
	})
	r.seeds = make([]uint64, len(r.nodes))
	for i, p := range r.positions {
		// Mixed once here: else a key that reads like an ID would have the same
		// hash, and score 0 with that node.
		r.seeds[i] = splitmix.At(r.cfg.Hasher.SumLabel(r.nodes[p].ID), 0)
		if i == 0 || weights[p] != r.groups[len(r.groups)-1].weight {
			r.groups = append(r.groups, group{first: i, weight: weights[p]})
		}
		r.groups[len(r.groups)-1].end = i + 1
	}
}

// Nodes returns a copy of the nodes, in the order of their IDs. Positions that
// other methods return refer to this order.
func (r *Rendezvous) Nodes() []ring.Node { return slices.Clone(r.nodes) }

// Owner returns the node that owns the key. It does not allocate.
func (r *Rendezvous) Owner(key string) ring.Node {
	i := r.OwnerIndex(key)
	if i < 0 {
		return ring.Node{}
	}
	return r.nodes[i]
}

// OwnerIndex returns the position in Nodes of the node that owns the key, -1
// for the zero Rendezvous. It does not allocate.
func (r *Rendezvous) OwnerIndex(key string) int { return r.OwnerOfHash(r.cfg.Hasher.Sum(key)) }

// OwnerOfHash returns the position in Nodes of the node that owns this hash, -1
// for the zero Rendezvous.
func (r *Rendezvous) OwnerOfHash(hash uint64) int {
	if len(r.groups) == 0 {
		return -1
	}
	best := r.champion(r.groups[0], hash)
	if len(r.groups) > 1 {
		best.takeLog()
		for _, g := range r.groups[1:] {
			challenger := r.champion(g, hash)
			challenger.takeLog()
			if challenger.beats(&best) {
				best = challenger
			}
		}
	}
	return int(best.position)
}

// contender is the best node of a group for some key.
type contender struct {
	u        uint64
	log      uint64 // -log2(u/2^64), in the units of fixedlog
	weight   uint64
	position uint32
}

// champion returns the node of the group with the largest u, the first by ID if
// there are several. Since Mix is a bijection, that is where IDs have one hash.
func (r *Rendezvous) champion(g group, hash uint64) contender {
	seeds := r.seeds[g.first:g.end]
	at, best := 0, splitmix.Mix(hash^seeds[0])
	for i, seed := range seeds {
		if u := splitmix.Mix(hash ^ seed); u > best {
			at, best = i, u
		}
	}
	return contender{u: best, weight: g.weight, position: r.positions[g.first+at]}
}

func (c *contender) takeLog() { c.log = fixedlog.NegLog2(c.u) }

// beats reports whether c owns the key rather than d: whether its quotient of
// logarithm and weight is smaller, or its u is larger if they are equal, or its
// ID is smaller if those are equal too.
func (c *contender) beats(d *contender) bool {
	high, low := bits.Mul64(c.log, d.weight)
	otherHigh, otherLow := bits.Mul64(d.log, c.weight)
	switch {
	case high != otherHigh:
		return high < otherHigh
	case low != otherLow:
		return low < otherLow
	case c.u != d.u:
		return c.u > d.u
	}
	return c.position < d.position
}

// Update returns a Rendezvous of the same configuration over other nodes. Any
// change can be made. Errors are those of New.
func (r *Rendezvous) Update(nodes []ring.Node) (ring.Placement, error) {
	next, err := New(nodes, r.cfg)
	if err != nil {
		return nil, err
	}
	return next, nil
}

// MemoryBytes returns the size of the tables in bytes, node names not counted.
func (r *Rendezvous) MemoryBytes() int {
	return 8*len(r.seeds) + 4*len(r.positions) + 24*len(r.groups)
}
