package balanced

import (
	"math"

	"github.com/ringway/ringway/internal/fixedlog"
	"github.com/ringway/ringway/internal/splitmix"
	"github.com/ringway/ringway/ring"
)

// wish is a slot's interest in one node.
type wish struct {
	draw uint64 // the pair's uniform deviate: among equal weights the higher is the better
	node uint32 // position in the market's nodes
}

// market is one run of deferred acceptance.
type market struct {
	seeds    []uint64 // of each node, a hash of its ID
	weights  []float64
	bounds   []bound // of costs, by weight
	equal    bool    // all weights are
	capacity []int   // slots that each node accepts
}

func newMarket(nodes []ring.Node, cfg Config) *market {
	m := &market{equal: true}
	total := 0.0
	for _, n := range nodes { // in the order of IDs, so that the sum has one rounding
		total += n.Weight
	}
	for _, n := range nodes {
		m.seeds = append(m.seeds, cfg.Hasher.SumLabel(n.ID))
		m.weights = append(m.weights, n.Weight)
		m.bounds = append(m.bounds, boundOf(n.Weight))
		m.equal = m.equal && n.Weight == nodes[0].Weight
		fair := float64(float64(cfg.Slots) * (n.Weight / total))
		m.capacity = append(m.capacity, int(math.Ceil(fair*(1+cfg.Epsilon))))
	}
	return m
}

// draw returns the uniform deviate of a slot and a node: element slot of the
// sequence that starts at the node's seed.
func draw(seed uint64, slot uint32) uint64 { return splitmix.At(seed, uint64(slot)) }

// cost turns a wish into what can be compared between weights: -log(u)/w, an
// exponential deviate of rate w, of which the least wins with a probability in
// proportion to w. The logarithm is an integer, and a division is rounded alike
// on every machine.
func (m *market) cost(w wish) float64 {
	return float64(fixedlog.NegLog2(w.draw)) / m.weights[w.node]
}

// better reports whether a slot prefers wish a to b. Costs that are equal go by
// the draw, so that it orders nodes of equal weight as the draw alone does, and
// then by the node.
func (m *market) better(a, b wish) bool {
	if !m.equal && m.weights[a.node] != m.weights[b.node] {
		if costA, costB := m.cost(a), m.cost(b); costA != costB {
			return costA < costB
		}
	}
	if a.draw != b.draw {
		return a.draw > b.draw
	}
	return a.node < b.node
}

// best returns the slot's first wish.
func (m *market) best(slot uint32) wish {
	if m.equal {
		return m.bestDraw(slot)
	}
	best := wish{draw(m.seeds[0], slot), 0}
	bestCost := m.cost(best)
	for node, seed := range m.seeds[1:] {
		next := wish{draw(seed, slot), uint32(node + 1)}
		if m.leastCost(next) > bestCost {
			continue
		}
		if nextCost := m.cost(next); nextCost < bestCost || nextCost == bestCost && m.better(next, best) {
			best, bestCost = next, nextCost
		}
	}
	return best
}

func (m *market) bestDraw(slot uint32) wish {
	best := wish{draw(m.seeds[0], slot), 0}
	for node, seed := range m.seeds {
		if d := draw(seed, slot); d > best.draw {
			best = wish{d, uint32(node)}
		}
	}
	return best
}

// leastCost returns a bound that no cost of the wish is below, without a
// logarithm: -ln(u) is at least 1-u. Near u = 1, where the winners are, the two
// are close, so that of 100 nodes some ten need the logarithm. What is passed
// over by this bound is worse for certain; rounding can only let more through.
func (m *market) leastCost(w wish) float64 {
	// Half the draw, as an int64: converting a uint64 branches on its top bit,
	// which is one or the other at random.
	b := m.bounds[w.node]
	return float64(int64(^w.draw>>1))*b.slope - b.slack
}

// bound turns half of 1-u, in units of 2^-64, into a least cost.
type bound struct{ slope, slack float64 }

func boundOf(weight float64) bound {
	const (
		unit  = fixedlog.One * math.Log2E / (1 << 63) // of half a draw, in units of NegLog2
		wrong = fixedlog.One >> 28                    // twice that of NegLog2
	)
	return bound{slope: unit / weight * (1 - 1e-9), slack: wrong / weight}
}

// after returns the slot's best wish among those that it likes less than w.
func (m *market) after(slot uint32, w wish) wish {
	best, bestCost, found := wish{}, math.Inf(1), false
	for node, seed := range m.seeds {
		next := wish{draw(seed, slot), uint32(node)}
		if m.leastCost(next) > bestCost || !m.better(w, next) {
			continue
		}
		if !found || m.better(next, best) {
			best, found = next, true
			bestCost = m.cost(best)
		}
	}
	if !found {
		panic("balanced: a slot was turned away by every node, though the capacities add up to more than all slots")
	}
	return best
}

// assign runs deferred acceptance from the slots' first wishes: each slot asks;
// a node that is full keeps the better ones and turns one away, which asks the
// next node of its liking. The order of asking does not change the outcome.
func (m *market) assign(first []uint16) []uint16 {
	nodes := make([]held, len(m.seeds))
	for slot, node := range first {
		w := wish{draw(m.seeds[node], uint32(slot)), uint32(node)}
		for turned := (request{w.draw, uint32(slot)}); ; {
			var full bool
			if turned, full = nodes[w.node].accept(turned, m.capacity[w.node]); !full {
				break
			}
			w = m.after(turned.slot, wish{turned.draw, w.node})
			turned.draw = w.draw
		}
	}
	table := make([]uint16, len(first))
	for node := range nodes {
		for _, r := range nodes[node].requests {
			table[r.slot] = uint16(node)
		}
	}
	return table
}
