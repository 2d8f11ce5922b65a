package balanced

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/ring"
)

// oracle assigns by the definition of a stable assignment where both sides rank
// pairs alike: of all pairs of a slot and a node, take the best whose slot is
// free and whose node has room, until every slot has a node. Costs come from
// math.Log2 here, not from the integer logarithm.
func oracle(nodes []ring.Node, cfg Config) []string {
	nodes = ring.SortedByID(nodes)
	type pair struct {
		cost       float64
		slot, node int
	}
	var pairs []pair
	total := 0.0
	for _, n := range nodes {
		total += n.Weight
	}
	room := make([]int, len(nodes))
	for i, n := range nodes {
		room[i] = int(math.Ceil(float64(cfg.Slots) * n.Weight / total * (1 + cfg.Epsilon)))
		labels := ring.Hasher{Function: cfg.Hasher.Function, Seed: cfg.Hasher.Seed}
		for slot := range cfg.Slots {
			u := float64(draw(labels.Sum(n.ID), uint32(slot))) / (1 << 64)
			pairs = append(pairs, pair{-math.Log2(u) / n.Weight, slot, i})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.cost, b.cost) })
	owners := make([]string, cfg.Slots)
	for _, p := range pairs {
		if owners[p.slot] == "" && room[p.node] > 0 {
			owners[p.slot] = nodes[p.node].ID
			room[p.node]--
		}
	}
	return owners
}

func drawNodes(t *rapid.T, label string) []ring.Node {
	ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,3}|\{[ab]\}[ab]?`), 1, 16, rapid.ID[string]).Draw(t, label)
	mixed := rapid.Bool().Draw(t, "mixed weights")
	nodes := ring.Nodes(ids...)
	for i := range nodes {
		if mixed {
			nodes[i].Weight = rapid.SampledFrom([]float64{1, 0.5, 2, 3.25, 100}).Draw(t, "weight")
		}
	}
	return nodes
}

func drawConfig(t *rapid.T) Config {
	return Config{
		Hasher:  placementtest.DrawHasher(t),
		Slots:   rapid.SampledFrom([]int{64, 256, 2048}).Draw(t, "slots"),
		Epsilon: rapid.SampledFrom([]float64{0.0001, 0.01, 0.3, 1}).Draw(t, "epsilon"),
	}
}

func (b *Balanced) owners() []string {
	owners := make([]string, len(b.table))
	for slot, node := range b.table {
		owners[slot] = b.nodes[node].ID
	}
	return owners
}

func TestMatchesOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t, "ids"), drawConfig(t)
		b := mustNew(t, nodes, cfg)
		want := oracle(nodes, b.cfg)
		if got := b.owners(); !slices.Equal(got, want) {
			slot := 0
			for got[slot] == want[slot] {
				slot++
			}
			t.Fatalf("slot %d: got %s, want %s", slot, got[slot], want[slot])
		}
	})
}

// TestBalance holds the promise of the package comment, exactly: the load of a
// node is at most 1 + ε + 1/m of its fair share.
func TestBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t, "ids"), drawConfig(t)
		b := mustNew(t, nodes, cfg)
		total, sum := 0.0, 0.0
		for _, n := range nodes {
			total += n.Weight
		}
		for i, share := range b.Shares() {
			fair := b.nodes[i].Weight / total
			if limit := 1 + cfg.Epsilon + 1/(fair*float64(cfg.Slots)); share/fair > limit+1e-12 {
				t.Fatalf("node %v: %v of its fair share, want at most %v", b.nodes[i], share/fair, limit)
			}
			sum += share
		}
		if sum != 1 {
			t.Fatalf("shares add up to %v", sum)
		}
	})
}

func TestUpdateEqualsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t, "ids"), drawConfig(t)
		b := mustNew(t, nodes, cfg)
		for range 3 {
			nodes = drawNodes(t, "ids")
			next := kind.Updated(t, b, rapid.Permutation(nodes).Draw(t, "order"))
			fresh := mustNew(t, nodes, cfg)
			if !slices.Equal(next.table, fresh.table) || !slices.Equal(next.first, fresh.first) || !slices.Equal(next.nodes, fresh.nodes) {
				t.Fatalf("the update to %v differs from a fresh placement", nodes)
			}
			b = next
		}
	})
}

// TestLeastCost: the bound by which wishes are passed over is never above their
// cost, and near it for the draws that win.
func TestLeastCost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weight := rapid.Float64Range(1e-3, ring.MaxWeight).Draw(t, "weight")
		m := &market{weights: []float64{weight}, bounds: []bound{boundOf(weight)}}
		d := rapid.Uint64().Draw(t, "draw")
		for _, w := range []wish{{d, 0}, {^(d >> rapid.IntRange(0, 63).Draw(t, "zeros")), 0}, {0, 0}, {^uint64(0), 0}} {
			if least, cost := m.leastCost(w), m.cost(w); least > cost {
				t.Fatalf("draw %#x, weight %v: bound %v above the cost %v", w.draw, weight, least, cost)
			}
		}
		if winner := (wish{^uint64(0) - d>>7, 0}); m.leastCost(winner) < 0.99*m.cost(winner)-2*m.bounds[0].slack {
			t.Fatalf("draw %#x: bound %v far below the cost %v", winner.draw, m.leastCost(winner), m.cost(winner))
		}
	})
}
