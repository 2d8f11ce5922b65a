package modulo

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/ring"
)

func mustNew(t testing.TB, nodes []ring.Node, cfg Config) *Modulo {
	t.Helper()
	m, err := New(nodes, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func numbered(n int) []ring.Node {
	nodes := make([]ring.Node, n)
	for i := range nodes {
		nodes[i] = ring.Node{ID: fmt.Sprintf("node-%03d", i), Weight: 1}
	}
	return nodes
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
		hasher := ring.Hasher{
			Function: rapid.SampledFrom([]ring.HashFunction{ring.XXHash64, ring.Murmur3}).Draw(t, "function"),
			Seed:     rapid.Uint64Max(math.MaxUint32).Draw(t, "seed"),
			HashTags: rapid.Bool().Draw(t, "tags"),
		}
		m, err := New(nodes, Config{Hasher: hasher})
		if err != nil {
			t.Fatal(err)
		}
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
	for _, c := range []struct {
		name  string
		nodes []ring.Node
		cfg   Config
		want  error
		says  string
	}{
		{"no nodes", nil, Config{}, ring.ErrNoNodes, "at least one"},
		{"twice", ring.Nodes("a", "a"), Config{}, ring.ErrDuplicateID, `"a"`},
		{"zero weight", []ring.Node{{ID: "a"}}, Config{}, ring.ErrInvalidWeight, `"a"`},
		{"fraction", []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 1.5}}, Config{}, ring.ErrInvalidWeight, `of node "b": got 1.5, want a whole number`},
		{"too many slots", []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: MaxSlots}}, Config{}, ring.ErrInvalidWeight, "got 1048577, want a sum of at most 1048576"},
		{"hash function", ring.Nodes("a"), Config{Hasher: ring.Hasher{Function: 9}}, ring.ErrInvalidConfig, "HashFunction(9)"},
	} {
		m, err := New(c.nodes, c.cfg)
		var input *ring.InputError
		if m != nil || !errors.As(err, &input) || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, %v; want nothing and an error %q that says %q", c.name, m, err, c.want, c.says)
		}
	}
	large := []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: MaxSlots - 1}}
	if m := mustNew(t, large, Config{}); m.count != MaxSlots {
		t.Errorf("got %d slots, want %d", m.count, MaxSlots)
	}
}

func TestUpdate(t *testing.T) {
	nodes := numbered(5)
	cfg := Config{Hasher: ring.Hasher{Seed: 7}}
	m := mustNew(t, nodes, cfg)
	next, err := m.Update(nodes[1:])
	if err != nil {
		t.Fatal(err)
	}
	fresh := mustNew(t, nodes[1:], cfg)
	for i := range 100 {
		key := fmt.Sprint("key", i)
		if got, want := next.OwnerIndex(key), fresh.OwnerIndex(key); got != want {
			t.Fatalf("owner of %q after Update: got %d, want %d", key, got, want)
		}
	}
	if len(m.Nodes()) != 5 || !slices.Equal(next.Nodes(), nodes[1:]) {
		t.Errorf("nodes: got %v, then %v", m.Nodes(), next.Nodes())
	}
	if p, err := m.Update(nil); p != nil || !errors.Is(err, ring.ErrNoNodes) {
		t.Errorf("Update(nil): got %v, %v", p, err)
	}
}

// Each field of the Hasher alone, since the default takes a shorter path.
func TestOwnerUsesHasher(t *testing.T) {
	for _, hasher := range []ring.Hasher{{}, {Function: ring.Murmur3}, {Seed: 3}, {HashTags: true}} {
		m := mustNew(t, numbered(50), Config{Hasher: hasher})
		for i := range 100 {
			key := fmt.Sprintf("{%d}%d", i/3, i)
			want := m.OwnerOfHash(hasher.Sum(key))
			if got := m.OwnerIndex(key); got != want || m.Owner(key) != m.nodes[want] {
				t.Fatalf("%+v: owner of %q: got %d, want %d", hasher, key, got, want)
			}
		}
	}
}

func TestNodesAreCopied(t *testing.T) {
	nodes := numbered(3)
	m := mustNew(t, nodes, Config{})
	nodes[0].ID = "changed"
	m.Nodes()[1].ID = "changed"
	if got := m.Nodes(); !slices.Equal(got, numbered(3)) {
		t.Errorf("got %v", got)
	}
}

func TestZeroModulo(t *testing.T) {
	var m Modulo
	if m.Owner("x") != (ring.Node{}) || m.OwnerIndex("x") != -1 || m.OwnerOfHash(5) != -1 || len(m.Nodes()) != 0 {
		t.Error("the zero Modulo owns something")
	}
}

func TestNoAllocations(t *testing.T) {
	weighted := []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}}
	for _, m := range []*Modulo{
		mustNew(t, numbered(10), Config{}),
		mustNew(t, weighted, Config{Hasher: ring.Hasher{Seed: 1, HashTags: true}}),
		mustNew(t, weighted, Config{Hasher: ring.Hasher{Function: ring.Murmur3}}),
	} {
		if n := testing.AllocsPerRun(100, func() { _ = m.Owner("{user:1}:profile") }); n != 0 {
			t.Errorf("%v allocations a lookup", n)
		}
	}
}

// FuzzNew builds from anything: a list of IDs separated by commas, and a weight
// for every other one.
func FuzzNew(f *testing.F) {
	f.Add("a,b,c", 2.0, uint8(0), "key")
	f.Add("", math.NaN(), uint8(200), "")
	f.Add("a,b", float64(MaxSlots), uint8(1), "{x}y")
	f.Fuzz(func(t *testing.T, ids string, weight float64, function uint8, key string) {
		nodes := ring.Nodes(strings.Split(ids, ",")...)
		for i := range nodes {
			if i%2 == 1 {
				nodes[i].Weight = weight
			}
		}
		m, err := New(nodes, Config{Hasher: ring.Hasher{Function: ring.HashFunction(function)}})
		if err != nil {
			if input := (*ring.InputError)(nil); m != nil || !errors.As(err, &input) {
				t.Fatalf("got %v and an error of type %T", m, err)
			}
			return
		}
		if i := m.OwnerIndex(key); i < 0 || i >= len(nodes) || m.Owner(key) != nodes[i] {
			t.Fatalf("owner %d of %d nodes", i, len(nodes))
		}
		if moved, err := m.Moved(m); moved != 0 || err != nil {
			t.Fatalf("moved to itself: got %v, %v", moved, err)
		}
	})
}

func BenchmarkOwner(b *testing.B) {
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = fmt.Sprintf("user:%08d:profile", i)
	}
	for _, n := range []int{10, 100, 1000} {
		m := mustNew(b, numbered(n), Config{})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				m.OwnerIndex(keys[i%len(keys)])
			}
		})
	}
}
