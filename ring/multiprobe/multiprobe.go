package multiprobe

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/ringway/ringway/internal/splitmix"
	"github.com/ringway/ringway/ring"
)

const (
	// DefaultProbes is the number of probes where the Config names none: 21
	// let the largest share tend to 21/20 of the mean.
	DefaultProbes = 21

	// MaxProbes is the largest number of probes.
	MaxProbes = 1024
)

// Config decides, with the nodes, which node owns which key. The zero value is
// ready to use.
type Config struct {
	// Probes is the number of places of a key, K. 0 means DefaultProbes. More
	// of them spread the keys more evenly, K/(K-1) being the limit of the
	// largest share over the mean, and make lookups slower in proportion. A
	// change of the number moves keys.
	Probes int

	// Hasher places keys and tokens. A change of it moves nearly every key.
	Hasher ring.Hasher
}

// MultiProbe maps keys to nodes by multi-probe consistent hashing. It is
// immutable and safe for concurrent use. The zero MultiProbe has no nodes and
// owns nothing (Owner returns the zero Node, OwnerIndex -1).
type MultiProbe struct {
	cfg    Config
	nodes  []ring.Node // by ID
	tokens []uint64    // ascending, equal ones by node; after the last the first, twice
	owners []uint32    // of each token: position in nodes
	starts []uint32    // of each bucket: its first token; after the last the number of tokens
	shift  uint        // from a probe to its bucket
}

var (
	_ ring.Placement = (*MultiProbe)(nil)
	_ ring.Sized     = (*MultiProbe)(nil)
)

// New returns the placement over these nodes, in whatever order they are given.
// It copies what it needs. An input that cannot be used is reported as a
// *ring.InputError: see ring.ValidateNodes, and beyond that ErrInvalidWeight for
// a weight that is not a whole number, ErrTooManyTokens for weights that add up
// to more than ring.MaxTokens, or a Config value out of range.
func New(nodes []ring.Node, cfg Config) (*MultiProbe, error) {
	if cfg.Probes == 0 {
		cfg.Probes = DefaultProbes
	}
	if cfg.Probes < 1 || cfg.Probes > MaxProbes {
		return nil, &ring.InputError{Err: ring.ErrInvalidConfig, Field: "Probes", Value: cfg.Probes, Want: "1 to 1024, or 0 for 21"}
	}
	if err := cfg.Hasher.Validate(); err != nil {
		return nil, err
	}
	if err := ring.ValidateNodes(nodes); err != nil {
		return nil, err
	}
	total := 0
	for _, n := range nodes {
		if n.Weight != math.Trunc(n.Weight) {
			return nil, &ring.InputError{Err: ring.ErrInvalidWeight, Node: n.ID, Value: n.Weight,
				Want: "a whole number (multi-probe hashing gives a node of weight w w tokens)"}
		}
		if total += int(n.Weight); total > ring.MaxTokens {
			return nil, &ring.InputError{Err: ring.ErrTooManyTokens, Value: "more than 16777216 (sum of weights)", Want: "at most 16777216"}
		}
	}
	m := &MultiProbe{cfg: cfg, nodes: ring.SortedByID(nodes)}
	m.fill(tokensOf(m.nodes, cfg.Hasher))
	return m, nil
}

type token struct {
	place uint64
	owner uint32
}

// tokensOf returns the tokens of the nodes, node by node.
func tokensOf(nodes []ring.Node, labels ring.Hasher) []token {
	var tokens []token
	for i, n := range nodes {
		// The label is that of package ring.
		label := append([]byte{byte(len(n.ID))}, n.ID...)
		for number := range uint32(n.Weight) {
			place := labels.SumLabel(string(binary.BigEndian.AppendUint32(label, number)))
			tokens = append(tokens, token{place, uint32(i)})
		}
	}
	return tokens
}

// fill sorts the tokens and makes the tables of them.
func (m *MultiProbe) fill(tokens []token) {
	slices.SortFunc(tokens, func(a, b token) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.owner, b.owner))
	})
	// The first comes after the last: that spares the search a special case, and
	// distance, which looks at two tokens, needs it twice.
	tokens = append(tokens, tokens[0], tokens[0])
	m.tokens, m.owners = make([]uint64, len(tokens)), make([]uint32, len(tokens))
	for i, t := range tokens {
		m.tokens[i], m.owners[i] = t.place, t.owner
	}
	m.index()
}

// bucketBits is the number of bits of a place that choose its bucket: four to
// eight buckets a token, so that few hold two, and at most 64 MiB of them.
func bucketBits(tokens int) int { return min(bits.Len(uint(tokens))+2, 24) }

// index fills in the buckets.
func (m *MultiProbe) index() {
	count := len(m.tokens) - 2
	width := bucketBits(count)
	m.shift = uint(64 - width)
	m.starts = make([]uint32, 1<<width+1)
	next := 0
	for bucket := range m.starts {
		for next < count && m.tokens[next]>>m.shift < uint64(bucket) {
			next++
		}
		m.starts[bucket] = uint32(next)
	}
}

// Nodes returns a copy of the nodes, in the order of their IDs. Positions that
// other methods return refer to this order.
func (m *MultiProbe) Nodes() []ring.Node { return slices.Clone(m.nodes) }

// Owner returns the node that owns the key. It does not allocate.
func (m *MultiProbe) Owner(key string) ring.Node {
	i := m.OwnerIndex(key)
	if i < 0 {
		return ring.Node{}
	}
	return m.nodes[i]
}

// OwnerIndex returns the position in Nodes of the node that owns the key, -1
// for the zero MultiProbe. It does not allocate.
func (m *MultiProbe) OwnerIndex(key string) int { return m.OwnerOfHash(m.cfg.Hasher.Sum(key)) }

// OwnerOfHash returns the position in Nodes of the node that owns this hash, -1
// for the zero MultiProbe.
func (m *MultiProbe) OwnerOfHash(hash uint64) int {
	if len(m.tokens) == 0 {
		return -1
	}
	best, distance := hash, m.distance(hash)
	for state, k := hash, 1; k < m.cfg.Probes; k++ {
		state += splitmix.Gamma
		probe := splitmix.Mix(state)
		if d := m.distance(probe); d < distance {
			best, distance = probe, d
		}
	}
	return int(m.owners[m.successor(best)])
}

// distance returns how far it is clockwise from a place to the first token at or
// after it. It is asked for every probe, and successor once a lookup: for most
// places the distance is found without a branch that depends on the place, which
// the processor would mispredict.
func (m *MultiProbe) distance(place uint64) uint64 {
	bucket := place >> (m.shift & 63)
	at := m.starts[bucket]
	if m.starts[bucket+1]-at > 1 {
		return m.tokens[m.successor(place)] - place
	}
	// The one token of the bucket and the next, or the next two. A token that
	// lies before the place is nearly the whole circle away, and so loses.
	next := m.tokens[at : at+2]
	return min(next[0]-place, next[1]-place)
}

// successor returns the position of the first token at or after the place.
func (m *MultiProbe) successor(place uint64) uint32 {
	bucket := place >> (m.shift & 63)
	at, end := m.starts[bucket], m.starts[bucket+1]
	for at < end && m.tokens[at] < place {
		at++
	}
	return at
}

// Update returns a MultiProbe of the same configuration over other nodes. Any
// change can be made. Errors are those of New.
func (m *MultiProbe) Update(nodes []ring.Node) (ring.Placement, error) {
	next, err := New(nodes, m.cfg)
	if err != nil {
		return nil, err
	}
	return next, nil
}

// MemoryBytes returns the size of the tables in bytes, node names not counted.
func (m *MultiProbe) MemoryBytes() int {
	return 8*len(m.tokens) + 4*len(m.owners) + 4*len(m.starts)
}
