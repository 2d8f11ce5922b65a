package bounded_test

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"

	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/bounded"
)

func mustNew(t placementtest.TB, p ring.Placement, cfg bounded.Config) *bounded.Bounded {
	t.Helper()
	b, err := bounded.New(p, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustRing(t placementtest.TB, nodes []ring.Node) *ring.Ring {
	t.Helper()
	r, err := ring.New(nodes, ring.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustUpdate(t placementtest.TB, b *bounded.Bounded, nodes []ring.Node) *bounded.Bounded {
	t.Helper()
	p, err := b.Update(nodes)
	if err != nil {
		t.Fatal(err)
	}
	return p.(*bounded.Bounded)
}

func numbered(n int) []ring.Node {
	nodes := make([]ring.Node, n)
	for i := range nodes {
		nodes[i] = ring.Node{ID: fmt.Sprintf("cache-%02d", i), Weight: 1}
	}
	return nodes
}

// modulo is a placement that is no Walker.
type modulo []ring.Node

func (m modulo) Nodes() []ring.Node        { return slices.Clone(m) }
func (m modulo) OwnerIndex(key string) int { return int(xxhash.Sum64String(key) % uint64(len(m))) }
func (m modulo) Update(nodes []ring.Node) (ring.Placement, error) {
	if err := ring.ValidateNodes(nodes); err != nil {
		return nil, err
	}
	return modulo(slices.Clone(nodes)), nil
}

// stuck gives every key to node 0, whatever is tried.
type stuck struct{ modulo }

func (stuck) OwnerIndex(string) int { return 0 }

// candidates is the order in which nodes are tried, from the package comment.
func candidates(p ring.Placement, key string) []int {
	order := []int{p.OwnerIndex(key)}
	if w, ok := p.(bounded.Walker); ok {
		w.EachOwner(key, func(node int) bool {
			order = append(order, node)
			return true
		})
		return order
	}
	hash := xxhash.Sum64String(key)
	for i := range uint64(64) {
		order = append(order, p.OwnerIndex(strconv.FormatUint(hash+i*0x9e3779b97f4a7c15, 16)))
	}
	n := len(p.Nodes())
	for i := range n {
		order = append(order, (int(hash%uint64(n))+i)%n)
	}
	return order
}

// rational is what a number written in decimals means.
func rational(v float64) *big.Rat {
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(v, 'f', -1, 64))
	if !ok {
		panic(v)
	}
	return r
}

// naiveCapacity is ceil((1+ε)·requests·w/W) in rational numbers.
func naiveCapacity(nodes []ring.Node, epsilon float64, node, requests int) int {
	total := new(big.Rat)
	for _, n := range nodes {
		total.Add(total, rational(n.Weight))
	}
	c := new(big.Rat).Add(big.NewRat(1, 1), rational(epsilon))
	c.Mul(c, big.NewRat(int64(requests), 1))
	c.Mul(c, rational(nodes[node].Weight))
	c.Quo(c, total)
	floor, rest := new(big.Int).QuoRem(c.Num(), c.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		floor.Add(floor, big.NewInt(1))
	}
	return int(floor.Int64())
}

// naive is linear probing by the definition.
type naive struct {
	p       ring.Placement
	epsilon float64
	loads   []int
}

func (n *naive) pick(key string) int {
	total := 0
	for _, load := range n.loads {
		total += load
	}
	for _, node := range candidates(n.p, key) {
		if n.loads[node]+1 <= naiveCapacity(n.p.Nodes(), n.epsilon, node, total+1) {
			return node
		}
	}
	return -1
}

// drawEpsilon and drawNodes choose decimals at which binary fractions go wrong.
func drawEpsilon(t *rapid.T) float64 {
	return rapid.SampledFrom([]float64{0.000000001, 0.01, 0.1, 0.2, 0.25, 0.3, 0.333333333, 0.7, 1, 2.1, 10, 1_000_000}).Draw(t, "epsilon")
}

func drawNodes(t *rapid.T) []ring.Node {
	nodes := numbered(rapid.IntRange(1, 12).Draw(t, "nodes"))
	equal := rapid.Bool().Draw(t, "equal weights")
	for i := range nodes {
		if !equal {
			nodes[i].Weight = rapid.SampledFrom([]float64{0.1, 0.3, 0.5, 0.7, 1, 1.1, 2, 3, 10}).Draw(t, "weight")
		}
	}
	return nodes
}
