package rebalance

import (
	"math"
	"math/bits"
	"slices"

	"github.com/ringway/ringway/ring"
)

// width adds up ranges of the hash space without rounding: the whole space is
// 2^64, and with several copies the sum may be a multiple of that.
type width struct{ high, low uint64 }

func (w *width) add(g ring.Range) {
	w.merge(&width{low: g.Last - g.First})
	w.merge(&width{low: 1})
}

func (w *width) merge(other *width) {
	var carry uint64
	w.low, carry = bits.Add64(w.low, other.low, 0)
	w.high += other.high + carry
}

// fraction is the width as a part of the hash space.
func (w *width) fraction() float64 { return float64(w.high) + math.Ldexp(float64(w.low), -64) }

// A holding is a ring as stretches of the hash space, each with its owner, in
// ascending order. Two tokens of one node that follow each other make one stretch:
// whoever walks on from there meets the same nodes in the same order.
type holding struct {
	ends   []uint64 // the last place of each stretch; the last one is the end of the space
	owners []int    // of each stretch: position in nodes
	nodes  []ring.Node
	zones  []int // of each node; nodes of one zone share a number
	count  int   // of zones
}

// newHolding finds the stretches with ring.Diff to a ring of one other node, which
// owns everything.
func newHolding(r *ring.Ring) (holding, error) {
	h := holding{nodes: r.Nodes()}
	other := "-"
	for _, is := r.Node(other); is; _, is = r.Node(other) {
		other += "-"
	}
	everything, err := ring.New(ring.Nodes(other), ring.Config{VirtualNodes: 1, Hasher: r.Config().Hasher})
	if err != nil {
		return h, err
	}
	stretches, err := ring.Diff(r, everything)
	if err != nil {
		return h, err
	}
	position := make(map[string]int)
	zones := make(map[string]int)
	for i, n := range h.nodes {
		position[n.ID] = i
		zone, known := zones[n.Zone]
		if !known || n.Zone == "" {
			zone = h.count
			zones[n.Zone] = zone
			h.count++
		}
		h.zones = append(h.zones, zone)
	}
	for _, s := range stretches {
		h.ends = append(h.ends, s.Range.Last)
		h.owners = append(h.owners, position[s.From])
	}
	return h, nil
}

// holders returns the IDs of the nodes that hold what lies in a stretch, as
// ring.Replicas does for a key: nodes clockwise from zones that hold none yet,
// then those passed over.
func (h *holding) holders(stretch, copies int) []string {
	copies = min(copies, len(h.nodes))
	fresh := min(copies, h.count)
	var chosen, passed, zones []int
	for i := 0; len(chosen) < fresh || len(chosen)+len(passed) < copies; i++ {
		node := h.owners[(stretch+i)%len(h.owners)]
		switch {
		case slices.Contains(chosen, node) || slices.Contains(passed, node):
		case len(chosen) < fresh && !slices.Contains(zones, h.zones[node]):
			chosen, zones = append(chosen, node), append(zones, h.zones[node])
		default:
			passed = append(passed, node)
		}
	}
	chosen = append(chosen, passed...)[:copies]
	ids := make([]string, copies)
	for i, node := range chosen {
		ids[i] = h.nodes[node].ID
	}
	return ids
}

// eachHolders calls yield for all stretches of the hash space with who holds what
// lies there before and after, owners first, in ascending order.
func eachHolders(from, to *ring.Ring, copies int, yield func(g ring.Range, old, new []string)) error {
	before, err := newHolding(from)
	if err != nil {
		return err
	}
	after, err := newHolding(to)
	if err != nil {
		return err
	}
	i, j := 0, 0
	old, new := before.holders(0, copies), after.holders(0, copies)
	for first := uint64(0); ; {
		last := min(before.ends[i], after.ends[j])
		yield(ring.Range{First: first, Last: last}, old, new)
		if last == math.MaxUint64 {
			return nil
		}
		first = last + 1
		if before.ends[i] == last {
			i++
			old = before.holders(i, copies)
		}
		if after.ends[j] == last {
			j++
			new = after.holders(j, copies)
		}
	}
}
