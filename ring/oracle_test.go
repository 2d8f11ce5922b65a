package ring

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// oracle is the ring's definition, written down without any thought of speed:
// a list of all tokens with their nodes, looked through from end to end.
type oracle []oracleToken

type oracleToken struct {
	token uint64
	node  Node
	index int
}

func newOracle(nodes []Node, cfg Config) oracle {
	virtualNodes := cmp.Or(cfg.VirtualNodes, 160)
	var o oracle
	for _, n := range nodes {
		for i := range int(float64(virtualNodes)*n.Weight + 0.5) {
			label := string([]byte{byte(len(n.ID))}) + n.ID + string(binary.BigEndian.AppendUint32(nil, uint32(i)))
			o = append(o, oracleToken{cfg.Hasher.SumLabel(label), n, i})
		}
	}
	slices.SortFunc(o, func(a, b oracleToken) int {
		return cmp.Or(cmp.Compare(a.token, b.token), cmp.Compare(a.node.ID, b.node.ID), cmp.Compare(a.index, b.index))
	})
	return o
}

func (o oracle) owner(hash uint64) Node {
	for _, t := range o {
		if t.token >= hash {
			return t.node
		}
	}
	return o[0].node
}

// clockwise lists every node once, from the owner of the hash on.
func (o oracle) clockwise(hash uint64) (nodes []Node) {
	start := slices.IndexFunc(o, func(t oracleToken) bool { return t.token >= hash })
	found := make(map[Node]bool)
	for i := range o {
		n := o[(max(start, 0)+i)%len(o)].node
		if !found[n] {
			nodes = append(nodes, n)
		}
		found[n] = true
	}
	return nodes
}

func (o oracle) replicas(hash uint64, n int) (nodes []Node) {
	var passed []Node
	taken := make(map[string]bool) // zones
	for _, node := range o.clockwise(hash) {
		if node.Zone != "" && taken[node.Zone] {
			passed = append(passed, node)
		} else {
			nodes = append(nodes, node)
		}
		taken[node.Zone] = true
	}
	nodes = append(nodes, passed...)
	return nodes[:min(n, len(nodes))]
}

// smallHashes give few different values, so that tokens collide within a node,
// between nodes, and with keys.
func smallHash(values uint64) func(string) uint64 {
	return func(s string) uint64 {
		h := fnv.New64a()
		h.Write([]byte(s))
		return (h.Sum64() >> 7 % values) * (1<<63/values*2 + 1)
	}
}

func drawNodes(t *rapid.T) []Node {
	ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c1]{1,4}`), 1, 12, rapid.ID[string]).Draw(t, "ids")
	nodes := make([]Node, len(ids))
	for i, id := range ids {
		nodes[i] = Node{
			ID:     id,
			Weight: rapid.SampledFrom([]float64{1, 1, 1, 0.5, 2, 3.25}).Draw(t, "weight"),
			Zone:   rapid.SampledFrom([]string{"", "", "a", "b", "c"}).Draw(t, "zone"),
		}
	}
	return nodes
}

func drawConfig(t *rapid.T) Config {
	cfg := Config{VirtualNodes: rapid.SampledFrom([]int{2, 3, 8, 40, 160}).Draw(t, "virtual nodes")}
	switch rapid.IntRange(0, 4).Draw(t, "hash") {
	case 0:
		cfg.Hasher.Function = Murmur3
	case 1:
		cfg.Hasher.Seed = rapid.Uint64().Draw(t, "seed")
	case 2:
		cfg.Hasher.replaced = smallHash(rapid.SampledFrom([]uint64{1, 2, 7, 100, 5000}).Draw(t, "values"))
	}
	return cfg
}

func mustNew(t testing.TB, nodes []Node, cfg Config) *Ring {
	t.Helper()
	r, err := New(nodes, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// probes are hashes worth asking about: each token, its neighbours, the ends of
// the space, and some others.
func probes(o oracle, seed uint64) []uint64 {
	hashes := []uint64{0, 1, 1 << 63, ^uint64(0), ^uint64(0) - 1}
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		hashes = append(hashes, rng.Uint64())
	}
	for i := range o {
		if len(o) <= 200 || rng.IntN(len(o)) < 200 {
			hashes = append(hashes, o[i].token-1, o[i].token, o[i].token+1)
		}
	}
	return hashes
}

func TestOwnerMatchesOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t), drawConfig(t)
		r, err := New(nodes, cfg)
		if err != nil {
			t.Fatal(err)
		}
		o := newOracle(nodes, cfg)
		for _, hash := range probes(o, 1) {
			if got, want := r.nodes[r.OwnerOfHash(hash)], o.owner(hash); got != want {
				t.Fatalf("owner of %#016x: got %v, want %v", hash, got, want)
			}
		}
		for i := range 100 {
			key := fmt.Sprint("key", i)
			if got, want := r.Owner(key), o.owner(cfg.Hasher.Sum(key)); got != want || r.OwnerBytes([]byte(key)) != want {
				t.Fatalf("owner of %q: got %v, want %v", key, got, want)
			}
		}
	})
}

// TestOwnerManyNodes reaches the entries that a few nodes never need: positions
// of 14 bits, and those too wide to stand in pairs.
func TestOwnerManyNodes(t *testing.T) {
	for _, n := range []int{1, 2, 3, 255, 256, 257, 1 << 14, 1<<14 + 1, 40000} {
		nodes := make([]Node, n)
		for i := range nodes {
			nodes[i] = Node{ID: fmt.Sprint("node", i), Weight: 1}
		}
		r := mustNew(t, nodes, Config{VirtualNodes: 3})
		rng := rand.New(rand.NewPCG(3, uint64(n)))
		for range 20000 {
			hash := rng.Uint64()
			if rng.IntN(2) == 0 {
				hash = r.tokens[rng.IntN(len(r.tokens))] + rng.Uint64N(3) - 1
			}
			at, _ := slices.BinarySearch(r.tokens, hash)
			if want := int(r.owners[at%len(r.tokens)]); r.OwnerOfHash(hash) != want {
				t.Fatalf("%d nodes: owner of %#016x: got %d, want %d", n, hash, r.OwnerOfHash(hash), want)
			}
		}
	}
}

func TestSuccessorsAndReplicasMatchOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t), drawConfig(t)
		r, err := New(nodes, cfg)
		if err != nil {
			t.Fatal(err)
		}
		o := newOracle(nodes, cfg)
		n := rapid.IntRange(-1, len(nodes)+2).Draw(t, "n")
		for i := range 20 {
			key := fmt.Sprint("key", i)
			hash := cfg.Hasher.Sum(key)
			clockwise := o.clockwise(hash)
			first := Node{ID: "what the caller had"}
			others := clockwise[1:]
			want := append([]Node{first}, others[:min(max(n, 0), len(others))]...)
			if got := r.Successors([]Node{first}, key, n); !slices.Equal(got, want) {
				t.Fatalf("successors of %q: got %v, want %v", key, got, want)
			}
			want = append([]Node{first}, o.replicas(hash, max(n, 0))...)
			if got := r.Replicas([]Node{first}, key, n); !slices.Equal(got, want) {
				t.Fatalf("%d replicas of %q: got %v, want %v", n, key, got, want)
			}
			var each []Node
			r.EachOwner(key, func(node int) bool {
				each = append(each, r.nodes[node])
				return len(each) < n
			})
			if want := clockwise[:min(max(n, 1), len(clockwise))]; !slices.Equal(each, want) {
				t.Fatalf("owners of %q: got %v, want %v", key, each, want)
			}
		}
	})
}

// TestReplicasManyNodes passes the number of nodes that fit on the stack.
func TestReplicasManyNodes(t *testing.T) {
	for _, count := range []int{64 * 64, 64*64 + 1, 5000} {
		nodes := make([]Node, count)
		for i := range nodes {
			nodes[i] = Node{ID: fmt.Sprint("node", i), Weight: 1, Zone: fmt.Sprint("zone", i%(count-500))}
		}
		cfg := Config{VirtualNodes: 2}
		r, o := mustNew(t, nodes, cfg), newOracle(nodes, cfg)
		if got, want := r.Replicas(nil, "key", count-200), o.replicas(r.Hash("key"), count-200); !slices.Equal(got, want) {
			t.Errorf("%d nodes: replicas differ from the oracle's", count)
		}
		if got, want := r.Successors(nil, "key", count), o.clockwise(r.Hash("key"))[1:]; !slices.Equal(got, want) {
			t.Errorf("%d nodes: successors differ from the oracle's", count)
		}
	}
}
