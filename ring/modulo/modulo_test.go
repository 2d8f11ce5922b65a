package modulo

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/ring"
)

var kind = placementtest.Kind[*Modulo, Config]{
	New:  New,
	With: func(h ring.Hasher) Config { return Config{Hasher: h} },
	Zero: new(Modulo),
}

func mustNew(t placementtest.TB, nodes []ring.Node, cfg Config) *Modulo {
	t.Helper()
	return kind.Must(t, nodes, cfg)
}

func numbered(n int) []ring.Node { return placementtest.Numbered(n) }

func TestZeroModulo(t *testing.T)      { kind.OwnsNothing(t) }
func TestNodesAreCopied(t *testing.T)  { kind.CopiesNodes(t, Config{}) }
func TestOwnerUsesHasher(t *testing.T) { kind.UsesHasher(t) }
func TestUpdate(t *testing.T)          { kind.UpdateEqualsNew(t, Config{Hasher: ring.Hasher{Seed: 7}}) }
func TestMovedNotComparable(t *testing.T) {
	kind.MovedRefuses(t, mustNew(t, numbered(3), Config{}), nil)
}

func TestNoAllocations(t *testing.T) {
	kind.AllocatesNothing(t, []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}})
}

func TestGolden(t *testing.T) {
	weighted := numbered(6)
	for i := range weighted {
		weighted[i].Weight = float64(2 + 2*(i%3))
	}
	kind.Golden(t, placementtest.Case[Config]{Name: "weighted", Nodes: weighted})
}

func drawNodes(t *rapid.T, label string) []ring.Node {
	ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-d]{1,2}`), 1, 9, rapid.ID[string]).Draw(t, label)
	equal := rapid.Bool().Draw(t, "equal weights")
	nodes := ring.Nodes(ids...)
	for i := range nodes {
		if equal {
			nodes[i].Weight = 0.3
		} else {
			nodes[i].Weight = float64(rapid.IntRange(1, 7).Draw(t, "weight"))
		}
	}
	return nodes
}

// oracle is the rule written down: a list of IDs, each as often as its weight
// says, in the largest unit of which all weights are multiples.
func oracle(nodes []ring.Node, hash uint64) string {
	unit := nodes[0].Weight
	for slices.ContainsFunc(nodes, func(n ring.Node) bool { return math.Mod(n.Weight, unit) != 0 }) {
		unit--
	}
	var list []string
	for _, n := range nodes {
		for range int(n.Weight / unit) {
			list = append(list, n.ID)
		}
	}
	return list[hash%uint64(len(list))]
}

func TestOwnerMatchesOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, "ids")
		hasher := placementtest.DrawHasher(t)
		m := mustNew(t, nodes, Config{Hasher: hasher})
		for i := range 50 {
			key := fmt.Sprintf("{%d}key%d", i/3, i)
			want := oracle(nodes, hasher.Sum(key))
			if got := m.Owner(key).ID; got != want || m.nodes[m.OwnerIndex(key)].ID != want {
				t.Fatalf("owner of %q: got %s, want %s", key, got, want)
			}
		}
		hash := rapid.Uint64().Draw(t, "hash")
		if got, want := m.nodes[m.OwnerOfHash(hash)].ID, oracle(nodes, hash); got != want {
			t.Fatalf("owner of hash %d: got %s, want %s", hash, got, want)
		}
	})
}

// Weights are exact: in any run of as many hashes as there are slots each node
// has its weight's share.
func TestSlotsFollowWeights(t *testing.T) {
	m := mustNew(t, []ring.Node{{ID: "a", Weight: 4}, {ID: "b", Weight: 2}, {ID: "c", Weight: 10}}, Config{})
	counts := make([]int, 3)
	for hash := range uint64(8) {
		counts[m.OwnerOfHash(hash+12345)]++
	}
	if !slices.Equal(counts, []int{2, 1, 5}) || m.MemoryBytes() != 32 {
		t.Errorf("got %v hashes each and %d bytes, want [2 1 5] and 32", counts, m.MemoryBytes())
	}
}

func TestEqualWeightsNeedNoList(t *testing.T) {
	nodes := numbered(100)
	plain := mustNew(t, nodes, Config{})
	for i := range nodes {
		nodes[i].Weight = 0.7
	}
	equal := mustNew(t, nodes, Config{})
	if plain.MemoryBytes() != 0 || equal.MemoryBytes() != 0 {
		t.Errorf("lists of %d and %d bytes", plain.MemoryBytes(), equal.MemoryBytes())
	}
	for hash := range uint64(1000) {
		hash *= 0x9e3779b97f4a7c15
		if got := plain.OwnerOfHash(hash); got != int(hash%100) || equal.OwnerOfHash(hash) != got {
			t.Fatalf("owner of hash %d: got %d, want %d", hash, got, hash%100)
		}
	}
}

func TestErrors(t *testing.T) {
	kind.Refuses(t, "no nodes", nil, Config{}, ring.ErrNoNodes, "at least one")
	kind.Refuses(t, "twice", ring.Nodes("a", "a"), Config{}, ring.ErrDuplicateID, `"a"`)
	kind.Refuses(t, "zero weight", []ring.Node{{ID: "a"}}, Config{}, ring.ErrInvalidWeight, `"a"`)
	kind.Refuses(t, "fraction", []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 1.5}}, Config{}, ring.ErrInvalidWeight, `of node "b": got 1.5, want a whole number`)
	kind.Refuses(t, "too many slots", []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: MaxSlots}}, Config{}, ring.ErrInvalidWeight, "got 1048577, want a sum of at most 1048576")
	kind.Refuses(t, "hash function", ring.Nodes("a"), Config{Hasher: ring.Hasher{Function: 9}}, ring.ErrInvalidConfig, "HashFunction(9)")
	large := []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: MaxSlots - 1}}
	if m := mustNew(t, large, Config{}); m.count != MaxSlots {
		t.Errorf("got %d slots, want %d", m.count, MaxSlots)
	}
}

// FuzzNew builds from anything: a list of IDs separated by commas, and a weight
// for every other one.
func FuzzNew(f *testing.F) {
	f.Add("a,b,c", 2.0, uint8(0), "key")
	f.Add("", math.NaN(), uint8(200), "")
	f.Add("a,b", float64(MaxSlots), uint8(1), "{x}y")
	f.Fuzz(func(t *testing.T, ids string, weight float64, function uint8, key string) {
		nodes := placementtest.Listed(ids, weight)
		m, built := kind.Try(t, nodes, Config{Hasher: ring.Hasher{Function: ring.HashFunction(function)}}, key)
		if !built {
			return
		}
		if moved, err := m.Moved(m); moved != 0 || err != nil {
			t.Fatalf("moved to itself: got %v, %v", moved, err)
		}
	})
}

func BenchmarkOwner(b *testing.B) { kind.BenchmarkOwner(b, Config{}) }
