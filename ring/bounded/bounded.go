package bounded

import (
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/ringway/ringway/ring"
)

// DefaultEpsilon is what a Config without one means: a node carries at most a
// quarter more than its share.
const DefaultEpsilon = 0.25

// Config of a Bounded. The zero value is ready to use.
type Config struct {
	// Epsilon is by how much a node may exceed its share: 0.25 for a quarter.
	// It is taken to nine decimals, from 0.000000001 to 1000000; 0 means
	// DefaultEpsilon. Among nodes of equal weight nothing is bounded any more
	// where it reaches their number less one.
	Epsilon float64
}

// Walker is a placement that can tell the nodes in the order of a key. *ring.Ring
// is one.
type Walker interface {
	// EachOwner yields the position in Nodes of every node once, the owner of
	// the key first, until yield returns false. It must not keep yield, nor
	// call back into the Bounded that called it.
	EachOwner(key string, yield func(node int) bool)
}

// Bounded is a placement that counts load. It is safe for concurrent use; one
// mutex guards the counts of a Bounded and of all that come from it by Update.
// Make one with New.
type Bounded struct {
	cfg    Config
	inner  ring.Placement
	walker Walker // inner, or nil if it is none
	nodes  []ring.Node
	limits limits
	*ledger
	generation uint64     // among those that share the ledger
	counters   []*counter // of each node; shared through the ledger

	// For one walk, made once so that a walk allocates nothing. The ledger's
	// mutex guards them.
	visit    func(node int) bool
	requests int // to fit, the one being placed included
	found    int // by visit, or -1
}

var (
	_ ring.Placement = (*Bounded)(nil)
	_ ring.Sized     = (*Bounded)(nil)
)

// New bounds the loads of a placement, which must not be changed after. The
// errors are *ring.InputError: no placement, one without nodes, an epsilon out
// of range, a weight below 0.000000001.
func New(p ring.Placement, cfg Config) (*Bounded, error) {
	if cfg.Epsilon == 0 {
		cfg.Epsilon = DefaultEpsilon
	}
	if !(cfg.Epsilon >= 1.0/billion && cfg.Epsilon <= 1_000_000) { // refuses NaN too
		return nil, &ring.InputError{Err: ring.ErrInvalidConfig, Field: "Epsilon", Value: cfg.Epsilon,
			Want: "0.000000001 to 1000000, or 0 for 0.25"}
	}
	if p == nil {
		return nil, &ring.InputError{Err: ring.ErrInvalidConfig, Field: "placement", Value: "nil", Want: "a placement"}
	}
	b, err := build(p, cfg)
	if err != nil {
		return nil, err
	}
	b.ledger = new(ledger)
	b.ledger.adopt(b, nil)
	return b, nil
}

// build makes a Bounded that counts nothing yet.
func build(p ring.Placement, cfg Config) (*Bounded, error) {
	b := &Bounded{cfg: cfg, inner: p, nodes: p.Nodes()}
	if err := ring.ValidateNodes(b.nodes); err != nil {
		return nil, err
	}
	var err error
	if b.limits, err = newLimits(b.nodes, cfg.Epsilon); err != nil {
		return nil, err
	}
	b.walker, _ = p.(Walker)
	b.visit = func(node int) bool {
		if !b.hasRoom(node) {
			return true
		}
		b.found = node
		return false
	}
	return b, nil
}

// Nodes returns a copy of the nodes, in the order of the placement below.
func (b *Bounded) Nodes() []ring.Node { return slices.Clone(b.nodes) }

// Config returns the configuration, with the default filled in.
func (b *Bounded) Config() Config { return b.cfg }

// Inner returns the placement below.
func (b *Bounded) Inner() ring.Placement { return b.inner }

// OwnerIndex returns the position in Nodes of the node to which Acquire would
// send a request for the key now. It counts nothing: another request may come
// between.
func (b *Bounded) OwnerIndex(key string) int {
	owner := b.inner.OwnerIndex(key)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pick(key, owner)
}

// Acquire returns the position in Nodes of the node that the next request for
// the key goes to, and counts it as in flight there until Release. At that
// moment the node does not carry more than its capacity; requests that end
// elsewhere may lower its capacity below its load later, and then it takes no
// more until some of its own have ended.
//
// It allocates nothing over a Walker. Over another placement it allocates where
// the owner is full.
func (b *Bounded) Acquire(key string) int {
	owner := b.inner.OwnerIndex(key)
	b.mu.Lock()
	defer b.mu.Unlock()
	node := b.pick(key, owner)
	b.count(b.counters[node], 1)
	return node
}

// Release tells that a request has ended which Acquire of this Bounded, not of
// one that Update made of it, sent to the node at that position. A Release
// without its Acquire is ignored where the node carries nothing, or is not in
// Nodes; otherwise it makes the count wrong.
func (b *Bounded) Release(node int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if node >= 0 && node < len(b.counters) && b.counters[node].load > 0 {
		b.count(b.counters[node], -1)
	}
}

// pick finds the node for one more request. The mutex is held.
func (b *Bounded) pick(key string, owner int) int {
	b.requests = b.total(b) + 1
	if b.hasRoom(owner) {
		return owner
	}
	if b.walker != nil {
		b.found = -1
		b.walker.EachOwner(key, b.visit)
		if b.found >= 0 {
			return b.found
		}
	}
	return b.pickDerived(xxhash.Sum64String(key))
}

// hasRoom reports whether a node can take one more of the requests. A position
// that a broken placement made up has none.
func (b *Bounded) hasRoom(node int) bool {
	return uint(node) < uint(len(b.counters)) && !b.limits.full(node, b.counters[node].load, b.requests)
}

const derivedKeys = 64 // with ε = 0.25 all of them full: less than one time in a million

// pickDerived finds a node with room by other keys that follow from the hash of
// the key, then by trying all. It is the hash that is varied, and not the key,
// since a placement with hash tags could see the same tag in every variation.
func (b *Bounded) pickDerived(hash uint64) int {
	var text [16]byte
	for i := range uint64(derivedKeys) {
		derived := strconv.AppendUint(text[:0], hash+i*0x9e3779b97f4a7c15, 16)
		if node := b.inner.OwnerIndex(string(derived)); b.hasRoom(node) {
			return node
		}
	}
	start := int(hash % uint64(len(b.nodes)))
	for i := range b.nodes {
		if node := (start + i) % len(b.nodes); b.hasRoom(node) {
			return node
		}
	}
	// The capacities add up to (1+ε)·(total+1) or more, the loads to total.
	panic("bounded: all nodes are full: the counts are wrong")
}

// Update returns a Bounded over another node list, with the same Config, over
// the updated placement. The nodes that stay, by ID, keep their counts, and go
// on sharing them with the receiver: requests that were acquired before the
// change are released where they were acquired, and both know. Loads, in turn,
// are those of the nodes in the list. A node that left and comes back starts at
// zero.
//
// Update the newest: nodes that joined in an update which the receiver did not
// go through start at zero. Whoever wants to know what a change would do, and
// not to make it, begins with New.
func (b *Bounded) Update(nodes []ring.Node) (ring.Placement, error) {
	inner, err := b.inner.Update(nodes)
	if err != nil {
		return nil, err
	}
	updated, err := build(inner, b.cfg)
	if err != nil {
		return nil, err
	}
	updated.ledger = b.ledger
	b.mu.Lock()
	defer b.mu.Unlock()
	b.adopt(updated, b)
	return updated, nil
}

// Loads returns the number of requests in flight at each node, in the order of
// Nodes. The slice is the caller's.
func (b *Bounded) Loads() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	loads := make([]int, len(b.counters))
	for i, c := range b.counters {
		loads[i] = c.load
	}
	return loads
}

// Capacity returns how many requests the node at that position may carry once
// the next request is placed; 0 if there is no such node.
func (b *Bounded) Capacity(node int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if node < 0 || node >= len(b.nodes) {
		return 0
	}
	return b.limits.capacity(node, b.total(b)+1)
}

// MemoryBytes returns the size of its own tables in bytes, and of those below
// where the placement knows them; node names are not counted.
func (b *Bounded) MemoryBytes() int {
	bytes := (16 + 8 + 16) * len(b.nodes) // fraction, pointer, counter
	if sized, knows := b.inner.(ring.Sized); knows {
		bytes += sized.MemoryBytes()
	}
	return bytes
}
