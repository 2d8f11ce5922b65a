package ring

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
)

// DefaultVirtualNodes is the number of tokens of a node of weight 1 where the
// Config names none. At 160 the shares of equal nodes have a standard deviation
// of about 8% (sqrt((N-1)/(160N+1))); four times as many halve it, at four
// times the memory.
const DefaultVirtualNodes = 160

// Config decides, with the nodes, which node owns which key. Every client of a
// fleet must use the same one. The zero value is ready to use.
type Config struct {
	// VirtualNodes is the number of tokens of a node of weight 1; a node of
	// weight w has VirtualNodes × w of them, rounded. 0 means
	// DefaultVirtualNodes. More of them spread the keys more evenly; a change
	// of the number moves keys.
	VirtualNodes int

	// Hasher places keys and tokens. A change of it moves nearly every key.
	Hasher Hasher
}

// Ring maps keys to nodes. It is immutable and safe for concurrent use; its
// methods never call out, lock or block. New, With and Without make one; the
// zero Ring has no nodes and owns nothing (Owner returns the zero Node,
// OwnerIndex -1).
type Ring struct {
	// What a lookup reads comes first, in one cache line.
	index index  // from a hash to its owner
	plain bool   // cfg.Hasher.Plain()
	nodes []Node // by ID

	tokens      []uint64 // ascending; equal tokens by node, that is by node ID
	owners      []uint32 // of each token: position in nodes
	zones       []uint32 // of each node: nodes of one zone share a number
	zoneCount   int      // how many different numbers
	cfg         Config
	fingerprint Fingerprint
}

// New returns the ring of these nodes, in whatever order they are given. It
// copies what it needs. An input that cannot be used is reported as an
// *InputError: see ValidateNodes for the nodes, and beyond that a weight so
// small that the node would get no token, more than MaxTokens tokens in all, or
// a Config value out of range.
//
// It takes time and memory in proportion to the number of tokens: about 0.1 µs
// and 18 to 24 bytes each, in a small ring up to 44.
func New(nodes []Node, cfg Config) (*Ring, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := ValidateNodes(nodes); err != nil {
		return nil, err
	}
	sorted := SortedByID(nodes)
	if err := checkTokenCounts(sorted, cfg.VirtualNodes); err != nil {
		return nil, err
	}
	r := &Ring{cfg: cfg, nodes: sorted}
	r.tokens, r.owners = r.generate(allPositions(len(sorted)))
	r.finish()
	return r, nil
}

func (c Config) withDefaults() (Config, error) {
	if c.VirtualNodes == 0 {
		c.VirtualNodes = DefaultVirtualNodes
	}
	if c.VirtualNodes < 0 || c.VirtualNodes > MaxTokens {
		return c, &InputError{Err: ErrInvalidConfig, Field: "VirtualNodes", Value: c.VirtualNodes, Want: "1 to 16777216, or 0 for 160"}
	}
	return c, c.Hasher.Validate()
}

// checkTokenCounts makes sure that each node has a token and that all together
// stay within MaxTokens, before anything is allocated.
func checkTokenCounts(nodes []Node, virtualNodes int) error {
	total := int64(0)
	for _, n := range nodes {
		count := tokenCount(virtualNodes, n.Weight)
		if count == 0 {
			return &InputError{Err: ErrInvalidWeight, Node: n.ID, Value: n.Weight,
				Want: "at least " + strconv.FormatFloat(0.5/float64(virtualNodes), 'g', 3, 64) + " to have a token"}
		}
		if total < math.MaxInt64-count { // at 2^44 a node it takes half a million of them
			total += count
		}
	}
	if total > MaxTokens {
		return &InputError{Err: ErrTooManyTokens, Value: total, Want: "at most 16777216 (virtual nodes × sum of weights)"}
	}
	return nil
}

// generate returns the tokens of the nodes at these positions, in ring order.
func (r *Ring) generate(positions []uint32) (tokens []uint64, owners []uint32) {
	total := int64(0)
	for _, p := range positions {
		total += tokenCount(r.cfg.VirtualNodes, r.nodes[p].Weight)
	}
	tokens = make([]uint64, 0, total)
	owners = make([]uint32, 0, total)
	label := make([]byte, 0, 1+MaxIDLength+4)
	for _, p := range positions {
		// The label is the length of the ID, the ID, and the token's number
		// among those of its node, so that no two tokens share a label:
		// "node1" with number 11 and "node11" with number 1 differ.
		id := r.nodes[p].ID
		label = append(append(label[:0], byte(len(id))), id...)
		label = append(label, 0, 0, 0, 0)
		number := label[1+len(id):]
		for i := range uint32(tokenCount(r.cfg.VirtualNodes, r.nodes[p].Weight)) {
			binary.BigEndian.PutUint32(number, i)
			tokens = append(tokens, r.cfg.Hasher.SumLabel(asString(label)))
			owners = append(owners, p)
		}
	}
	return sortTokens(tokens, owners)
}

// finish derives from nodes, tokens and owners whatever else a ring holds.
func (r *Ring) finish() {
	r.zones, r.zoneCount = numberZones(r.nodes)
	r.index = newIndex(r.tokens, r.owners, len(r.nodes))
	r.plain = r.cfg.Hasher.Plain()
	r.fingerprint = fingerprint(r.cfg, r.nodes)
}

// numberZones numbers the zones. A node without a zone has one of its own.
func numberZones(nodes []Node) (zones []uint32, count int) {
	zones = make([]uint32, len(nodes))
	numbers := make(map[string]uint32)
	for i, n := range nodes {
		number, known := numbers[n.Zone]
		if !known || n.Zone == "" {
			number = uint32(count)
			count++
			numbers[n.Zone] = number
		}
		zones[i] = number
	}
	return zones, count
}

// Config returns the configuration, with defaults filled in. It holds the seed:
// do not print it where the seed is secret.
func (r *Ring) Config() Config { return r.cfg }

// Nodes returns a copy of the nodes, in the order of their IDs. Positions that
// other methods return refer to this order.
func (r *Ring) Nodes() []Node { return slices.Clone(r.nodes) }

// Len returns the number of nodes.
func (r *Ring) Len() int { return len(r.nodes) }

// Node returns the node of that ID, and whether there is one.
func (r *Ring) Node(id string) (Node, bool) {
	if i := r.position(id); i >= 0 {
		return r.nodes[i], true
	}
	return Node{}, false
}

// position returns where the node of that ID stands in nodes, or -1.
func (r *Ring) position(id string) int {
	i, found := slices.BinarySearchFunc(r.nodes, id, compareID)
	if !found {
		return -1
	}
	return i
}

// Tokens returns the number of tokens, all nodes together.
func (r *Ring) Tokens() int { return len(r.tokens) }

// MemoryBytes returns the size of the tables in bytes, node names not counted.
func (r *Ring) MemoryBytes() int {
	return 8*len(r.tokens) + 4*len(r.owners) + 4*len(r.index.entries) + 4*len(r.zones)
}

// Share returns the exact fraction of the 64-bit hash space that the node owns,
// from 0 to 1, correctly rounded; 0 for a node that is not in the ring. It
// walks all tokens: for many nodes call Shares once.
func (r *Ring) Share(id string) float64 {
	i := r.position(id)
	if i < 0 {
		return 0
	}
	return r.Shares()[i]
}

// Shares returns the share of every node, in the order of Nodes. The slice is
// the caller's.
func (r *Ring) Shares() []float64 {
	shares := make([]float64, len(r.nodes))
	if last := len(r.tokens) - 1; last >= 0 && (len(r.nodes) == 1 || r.tokens[0] == r.tokens[last]) {
		shares[r.owners[0]] = 1 // 2^64 does not fit the counters below
		return shares
	}
	widths := make([]uint64, len(r.nodes))
	if len(r.tokens) > 0 {
		previous := r.tokens[len(r.tokens)-1]
		for i, token := range r.tokens {
			widths[r.owners[i]] += token - previous // wraps at the first: its range passes 0
			previous = token
		}
	}
	for i, width := range widths {
		shares[i] = math.Ldexp(float64(width), -64)
	}
	return shares
}
