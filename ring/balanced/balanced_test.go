package balanced

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/internal/placementtest/golden"
	"github.com/ringway/ringway/ring"
)

var kind = placementtest.Kind[*Balanced, Config]{
	New:  New,
	With: func(h ring.Hasher) Config { return Config{Hasher: h, Slots: 1024} },
	Zero: new(Balanced),
}

func mustNew(t placementtest.TB, nodes []ring.Node, cfg Config) *Balanced {
	t.Helper()
	return kind.Must(t, nodes, cfg)
}

func TestNodesAreCopied(t *testing.T)     { kind.CopiesNodes(t, Config{}) }
func TestOwnerUsesHasher(t *testing.T)    { kind.UsesHasher(t) }
func TestNoAllocations(t *testing.T)      { kind.AllocatesNothing(t) }
func TestUpdate(t *testing.T)             { kind.UpdateEqualsNew(t, Config{Slots: 256, Epsilon: 0.1}) }
func TestOrderDoesNotMatter(t *testing.T) { kind.IgnoresOrder(t, drawNodes, drawConfig) }

func fleet(n int) []ring.Node {
	nodes := make([]ring.Node, n)
	for i := range nodes {
		nodes[i] = ring.Node{ID: fmt.Sprintf("cache-%04d", i), Weight: 1}
	}
	return nodes
}

// TestMovement measures joins and leaves against the least that any placement
// must move. The figures stand in docs/performance.md.
func TestMovement(t *testing.T) {
	for _, c := range []struct {
		nodes, slots int
		epsilon      float64
		weights      []float64
		most         float64 // multiple of the ideal
	}{
		{10, 1 << 16, 0.01, nil, 1.05},
		{100, 1 << 18, 0.02, nil, 1.1},
		{100, 1 << 18, 0.02, []float64{1, 2, 0.5}, 1.15},
	} {
		nodes := fleet(c.nodes + 1)
		total := 0.0
		for i := range nodes {
			if c.weights != nil {
				nodes[i].Weight = c.weights[i%len(c.weights)]
			}
			total += nodes[i].Weight
		}
		joins, leaves := nodes[c.nodes], nodes[c.nodes/2]
		b := mustNew(t, nodes[:c.nodes], Config{Slots: c.slots, Epsilon: c.epsilon})
		with, err := b.With(joins)
		if err != nil {
			t.Fatal(err)
		}
		without, err := with.Without(leaves.ID)
		if err != nil {
			t.Fatal(err)
		}
		check := func(what string, from, to *Balanced, weight float64) {
			moved, err := from.Moved(to)
			if err != nil {
				t.Fatal(err)
			}
			multiple := moved / (weight / total)
			t.Logf("%d nodes, %d slots, ε %v, weights %v: %s moves %.3f × the ideal", c.nodes, c.slots, c.epsilon, c.weights, what, multiple)
			if multiple > c.most {
				t.Errorf("%s at %d nodes moves %.3f × the ideal, want at most %v", what, c.nodes, multiple, c.most)
			}
		}
		check("a join", b, with, joins.Weight)
		check("a leave", with, without, leaves.Weight)
	}
}

func TestErrors(t *testing.T) {
	kind.Refuses(t, "no nodes", nil, Config{}, ring.ErrNoNodes, "ring: number of nodes: got 0, want at least one")
	kind.Refuses(t, "weight", []ring.Node{{ID: "a"}}, Config{}, ring.ErrInvalidWeight, `ring: weight of node "a": got 0, want above 0, at most 1048576`)
	kind.Refuses(t, "slots", ring.Nodes("a"), Config{Slots: 1000}, ring.ErrInvalidConfig, "ring: config Slots: got 1000, want a power of two from 64 to 4194304, or 0 for 65536")
	kind.Refuses(t, "negative slots", ring.Nodes("a"), Config{Slots: math.MinInt32}, ring.ErrInvalidConfig, "ring: config Slots: got -2147483648, want a power of two from 64 to 4194304, or 0 for 65536")
	kind.Refuses(t, "epsilon", ring.Nodes("a"), Config{Epsilon: math.NaN()}, ring.ErrInvalidConfig, "ring: config Epsilon: got NaN, want 0.0001 to 1, or 0 for 0.01")
	kind.Refuses(t, "too many nodes", fleet(65), Config{Slots: 64}, ring.ErrTooManyNodes, "ring: number of nodes beyond the limit: got 65, want at most 64 with 64 slots")
	kind.Refuses(t, "hasher", ring.Nodes("a"), Config{Hasher: ring.Hasher{Function: 7}}, ring.ErrInvalidConfig, "ring: config Hasher.Function: got HashFunction(7), want XXHash64 or Murmur3")
	b := mustNew(t, ring.Nodes("a", "b"), Config{Slots: 64})
	if _, err := b.Without("c"); !errors.Is(err, ring.ErrUnknownID) {
		t.Errorf("Without an unknown node: %v", err)
	}
	if _, err := b.Without("a", "b"); !errors.Is(err, ring.ErrNoNodes) {
		t.Errorf("Without all nodes: %v", err)
	}
	kind.MovedRefuses(t, mustNew(t, fleet(3), kind.With(ring.Hasher{})), map[string]*Balanced{"other slots": mustNew(t, fleet(3), Config{Slots: 128})})
}

func TestZeroBalanced(t *testing.T) {
	var b Balanced
	kind.OwnsNothing(t)
	if len(b.Shares()) != 0 {
		t.Errorf("shares of the zero Balanced: %v", b.Shares())
	}
	one, err := b.With(ring.Nodes("a")...)
	if err != nil || one.Owner("x").ID != "a" || one.cfg.Slots != DefaultSlots {
		t.Errorf("with a node: %v, %v", one, err)
	}
}

func TestSlotIsTheTopOfTheHash(t *testing.T) {
	b := mustNew(t, fleet(7), Config{Slots: 256})
	for slot, node := range b.table {
		for _, hash := range []uint64{uint64(slot) << 56, uint64(slot)<<56 | (1<<56 - 1)} {
			if got := b.OwnerOfHash(hash); got != int(node) {
				t.Fatalf("owner of %#016x: got %d, want %d", hash, got, node)
			}
		}
	}
}

func TestGolden(t *testing.T) {
	got := map[string]map[string]string{}
	for name, c := range map[string]struct {
		nodes []ring.Node
		cfg   Config
	}{
		"equal":    {fleet(12), Config{}},
		"weighted": {[]ring.Node{{ID: "a", Weight: 0.5}, {ID: "b", Weight: 3}, {ID: "c", Weight: 1}, {ID: "{d}", Weight: 1}}, Config{Slots: 1024, Epsilon: 0.02}},
		"murmur3":  {fleet(12), Config{Hasher: ring.Hasher{Function: ring.Murmur3, Seed: 5}, Slots: 4096}},
	} {
		b := mustNew(t, c.nodes, c.cfg)
		got[name] = map[string]string{}
		for i := range 60 {
			key := fmt.Sprint("user:", i)
			got[name][key] = b.Owner(key).ID
		}
		var slots strings.Builder
		for _, node := range b.table[:256] {
			fmt.Fprintf(&slots, "%x", node)
		}
		got[name]["first 256 slots"] = slots.String()
	}
	golden.JSON(t, "testdata/golden.json", got)
}

func FuzzNew(f *testing.F) {
	f.Add("a,b,c", 1.0, 64, 0.01, "key")
	f.Add("a,a,", -1.0, -64, math.Inf(1), "")
	f.Fuzz(func(t *testing.T, ids string, weight float64, slots int, epsilon float64, key string) {
		if slots > 1<<12 {
			slots = 1 << 12 // larger ones are right too, but slow
		}
		var nodes []ring.Node
		for i, id := range strings.SplitN(ids, ",", 20) {
			nodes = append(nodes, ring.Node{ID: id, Weight: weight * float64(i+1)})
		}
		kind.Try(t, nodes, Config{Slots: slots, Epsilon: epsilon}, key)
	})
}

func BenchmarkOwner(b *testing.B) { kind.BenchmarkOwner(b, Config{}) }
