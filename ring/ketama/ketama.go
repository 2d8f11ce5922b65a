package ketama

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	"github.com/ringway/ringway/ring"
)

// Ketama is a placement. It is immutable and safe for concurrent use; its
// lookups take no lock and allocate nothing. New makes one; the zero Ketama has
// no nodes and owns nothing (Owner returns the zero Node, OwnerIndex -1).
type Ketama struct {
	points   []point  // by hash; equal ones in the order of precedence
	starts   []uint32 // by the top bits of a hash: the first point with these, or after
	shift    uint8    // from a hash to its top bits
	signBits uint32   // see widen
	cfg      Config   // resolved
	nodes    []ring.Node
	names    []string // hashed for each node
}

// point is a point of the circle: a key that hashes to it, or between it and the
// one before, belongs to its node.
type point struct {
	hash uint32
	node uint32 // position in nodes
}

var (
	_ ring.HashPlacement = (*Ketama)(nil)
	_ ring.Sized         = (*Ketama)(nil)
)

// New returns the placement of these nodes, which it copies. IDs are server
// names as the client lists them. Besides what ring.ValidateNodes refuses, an
// *ring.InputError reports a weight that is not a whole number, IDs that cannot
// be read or that are the same server (see NameForm), more than 104,857 nodes,
// or a Config that the variant does not know.
//
// It takes about 30 µs a node.
func New(nodes []ring.Node, cfg Config) (*Ketama, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	if err := ring.ValidateNodes(nodes); err != nil {
		return nil, err
	}
	names, err := hashedNames(cfg.Names, nodes)
	if err != nil {
		return nil, err
	}
	counts, err := sumCounts(cfg, nodes)
	if err != nil {
		return nil, err
	}
	k := &Ketama{cfg: cfg, nodes: slices.Clone(nodes), names: names, points: newPoints(names, counts)}
	if !cfg.UnsignedChar {
		k.signBits = 0xffffff00
	}
	k.sort()
	k.buildIndex()
	return k, nil
}

func newPoints(names []string, counts []int) []point {
	total := 0
	for _, sums := range counts {
		total += sums
	}
	points := make([]point, 0, total*wordsPerSum)
	var label []byte
	for node, name := range names {
		label = append(append(label[:0], name...), '-')
		prefix := len(label)
		for number := range counts[node] {
			label = strconv.AppendInt(label[:prefix], int64(number), 10)
			sum := md5.Sum(label)
			for word := range wordsPerSum {
				points = append(points, point{binary.LittleEndian.Uint32(sum[4*word:]), uint32(node)})
			}
		}
	}
	return points
}

// sort puts the points in order. A lookup finds the first of equal points: the
// node that comes first in the list, but with Spymemcached the last. They are
// sorted as plain numbers, which is faster than by a comparison function.
func (k *Ketama) sort() {
	reverse := uint32(0)
	if k.cfg.Variant == Spymemcached {
		reverse = ^reverse
	}
	packed := make([]uint64, len(k.points))
	for i, p := range k.points {
		packed[i] = uint64(p.hash)<<32 | uint64(p.node^reverse)
	}
	slices.Sort(packed)
	for i, p := range packed {
		k.points[i] = point{uint32(p >> 32), uint32(p) ^ reverse}
	}
}

// buildIndex makes two to four buckets a point, up to a million, so that a
// lookup looks at one or two points: a tenth of the time of a binary search.
func (k *Ketama) buildIndex() {
	b := min(bits.Len(uint(len(k.points)))+1, 20)
	k.shift = uint8(32 - b)
	k.starts = make([]uint32, 1<<b)
	i := 0
	for bucket := range k.starts {
		for i < len(k.points) && k.points[i].hash>>k.shift < uint32(bucket) {
			i++
		}
		k.starts[bucket] = uint32(i)
	}
}

// find returns the position of the point that a hash falls on.
func (k *Ketama) find(hash uint32) int {
	i := int(k.starts[hash>>k.shift])
	for i < len(k.points) && k.points[i].hash < hash {
		i++
	}
	if i == len(k.points) {
		return 0
	}
	return i
}

// OwnerIndex returns the position in Nodes of the node that owns the key.
func (k *Ketama) OwnerIndex(key string) int {
	if len(k.points) == 0 {
		return -1
	}
	return int(k.points[k.find(k.Hash(key))].node)
}

// Owner returns the node that owns the key.
func (k *Ketama) Owner(key string) ring.Node {
	if i := k.OwnerIndex(key); i >= 0 {
		return k.nodes[i]
	}
	return ring.Node{}
}

// Point returns the hash of the key and the point that it falls on: what to
// compare with another client that disagrees.
func (k *Ketama) Point(key string) (hash, point uint32) {
	if len(k.points) == 0 {
		return 0, 0
	}
	hash = k.Hash(key)
	return hash, k.points[k.find(hash)].hash
}

// Points returns the number of points, all nodes together.
func (k *Ketama) Points() int { return len(k.points) }

// PointCounts returns the number of points of each node, in the order of Nodes.
// It may be 0: that node owns nothing.
func (k *Ketama) PointCounts() []int {
	counts := make([]int, len(k.nodes))
	for _, p := range k.points {
		counts[p.node]++
	}
	return counts
}

// HashedNames returns the names that are hashed into the points of the nodes, in
// the order of Nodes.
func (k *Ketama) HashedNames() []string { return slices.Clone(k.names) }

// Nodes returns a copy of the nodes, in the order in which New was given them.
func (k *Ketama) Nodes() []ring.Node { return slices.Clone(k.nodes) }

// Config returns the configuration, with what the variant decides filled in.
func (k *Ketama) Config() Config { return k.cfg }

// MemoryBytes returns the size of the tables in bytes, node names not counted.
func (k *Ketama) MemoryBytes() int { return 8*len(k.points) + 4*len(k.starts) }

// Update returns the placement of another node list under the same Config.
func (k *Ketama) Update(nodes []ring.Node) (ring.Placement, error) {
	updated, err := New(nodes, k.cfg)
	if err != nil {
		return nil, err // not a nil *Ketama in a Placement, which would not be nil
	}
	return updated, nil
}

// Moved returns the exact fraction of the 32-bit circle whose owner has another
// ID in to. The variants may differ, but both must hash keys alike; else Moved
// fails with ring.ErrNotComparable.
func (k *Ketama) Moved(to ring.Placement) (float64, error) {
	other, isKetama := to.(*Ketama)
	switch {
	case !isKetama:
		return 0, fmt.Errorf("ketama: %w: a ketama and a %T", ring.ErrNotComparable, to)
	case len(k.points) == 0 || len(other.points) == 0:
		return 0, fmt.Errorf("ketama: %w: one of them is empty", ring.ErrNotComparable)
	case k.cfg.KeyHash != other.cfg.KeyHash || k.cfg.HashTag != other.cfg.HashTag || k.signBits != other.signBits:
		return 0, fmt.Errorf("ketama: %w: they hash keys in different ways", ring.ErrNotComparable)
	}
	const space = 1 << 32
	moved := uint64(0)
	i, j := 0, 0
	for first := uint64(0); first < space; {
		a, aEnd := k.stretch(i)
		b, bEnd := other.stretch(j)
		end := min(aEnd, bEnd) // the last hash of the stretch
		if k.nodes[a].ID != other.nodes[b].ID {
			moved += end - first + 1
		}
		for first = end + 1; i < len(k.points) && uint64(k.points[i].hash) < first; {
			i++
		}
		for j < len(other.points) && uint64(other.points[j].hash) < first {
			j++
		}
	}
	return float64(moved) / space, nil
}

// stretch returns the owner of the stretch that ends with the point at this
// position, and that end; past the last point, that of the first.
func (k *Ketama) stretch(i int) (node uint32, end uint64) {
	if i < len(k.points) {
		return k.points[i].node, uint64(k.points[i].hash)
	}
	return k.points[0].node, 1<<32 - 1
}
