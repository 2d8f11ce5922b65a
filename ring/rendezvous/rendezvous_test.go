package rendezvous

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/internal/fixedlog"
	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/ring"
)

var kind = placementtest.Kind[*Rendezvous, Config]{
	New:  New,
	With: func(h ring.Hasher) Config { return Config{Hasher: h} },
	Zero: new(Rendezvous),
}

func mustNew(t placementtest.TB, nodes []ring.Node, cfg Config) *Rendezvous {
	t.Helper()
	return kind.Must(t, nodes, cfg)
}

func numbered(n int) []ring.Node { return placementtest.Numbered(n) }

func TestZeroRendezvous(t *testing.T)  { kind.OwnsNothing(t) }
func TestNodesAreCopied(t *testing.T)  { kind.CopiesNodes(t, Config{}) }
func TestOwnerUsesHasher(t *testing.T) { kind.UsesHasher(t) }
func TestUpdate(t *testing.T) {
	kind.UpdateEqualsNew(t, Config{Hasher: ring.Hasher{Seed: 5, HashTags: true}})
}
func TestOrderDoesNotMatter(t *testing.T) { kind.IgnoresOrder(t, drawNodes, drawConfig) }
func TestMinimalMovement(t *testing.T)    { kind.MovesMinimally(t, drawNodes, drawConfig) }

func TestNoAllocations(t *testing.T) {
	kind.AllocatesNothing(t, []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}, {ID: "c", Weight: 2}})
}

func TestGolden(t *testing.T) {
	weighted := numbered(6)
	for i := range weighted {
		weighted[i].Weight = 0.1 + float64(i%3)/3
	}
	kind.Golden(t, placementtest.Case[Config]{Name: "weighted", Nodes: weighted})
}

func drawNodes(t *rapid.T, label string) []ring.Node {
	ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-d]{1,2}|\{[ab]\}[ab]?`), 1, 9, rapid.ID[string]).Draw(t, label)
	nodes := ring.Nodes(ids...)
	if rapid.Bool().Draw(t, "weights") {
		for i := range nodes {
			nodes[i].Weight = rapid.SampledFrom([]float64{1, 1, 2, 0.25, 1.0 / 3, 1e-6, ring.MaxWeight}).Draw(t, "weight")
		}
	}
	return nodes
}

func drawConfig(t *rapid.T) Config {
	return Config{Hasher: placementtest.DrawHasher(t)}
}

// scoreOf is u of the package comment, for a node and the hash of a key.
func scoreOf(n ring.Node, hash uint64, cfg Config) uint64 {
	finalize := func(z uint64) uint64 {
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	hasher := cfg.Hasher
	hasher.HashTags = false
	return finalize(hash ^ finalize(hasher.Sum(n.ID)+0x9e3779b97f4a7c15))
}

// oracle asks each node in turn, with numbers that cannot overflow.
func oracle(nodes []ring.Node, hash uint64, cfg Config) ring.Node {
	var best ring.Node
	var bestLog, bestWeight *big.Int
	var bestScore uint64
	for _, n := range nodes {
		u := scoreOf(n, hash, cfg)
		log := new(big.Int).SetUint64(fixedlog.NegLog2(u))
		weight, _ := new(big.Float).Add(big.NewFloat(n.Weight*(1<<32)), big.NewFloat(0.5)).Int(nil)
		order := -1
		if bestLog != nil {
			order = new(big.Int).Mul(log, bestWeight).Cmp(new(big.Int).Mul(bestLog, weight))
		}
		if order < 0 || order == 0 && (u > bestScore || u == bestScore && n.ID < best.ID) {
			best, bestLog, bestWeight, bestScore = n, log, weight, u
		}
	}
	return best
}

func TestOwnerMatchesOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t, "ids"), drawConfig(t)
		r := mustNew(t, nodes, cfg)
		for i := range 50 {
			key := fmt.Sprintf("{%d}key%d", i/3, i)
			want := oracle(nodes, cfg.Hasher.Sum(key), cfg)
			if got := r.Owner(key); got != want || r.nodes[r.OwnerIndex(key)] != want {
				t.Fatalf("owner of %q: got %v, want %v", key, got, want)
			}
		}
		hash := rapid.Uint64().Draw(t, "hash")
		if got, want := r.nodes[r.OwnerOfHash(hash)], oracle(nodes, hash, cfg); got != want {
			t.Fatalf("owner of hash %d: got %v, want %v", hash, got, want)
		}
	})
}

// The method in floating point, as its papers have it: the same owner but for
// near ties.
func TestAgainstFloatingPoint(t *testing.T) {
	nodes := numbered(12)
	for i := range nodes {
		nodes[i].Weight = 0.1 + float64(i*i)/7
	}
	r := mustNew(t, nodes, Config{})
	random := rand.New(rand.NewPCG(1, 2))
	differ := 0
	const keys = 50_000
	for range keys {
		hash := random.Uint64()
		best, least := 0, math.Inf(1)
		for i, n := range nodes {
			u := (float64(scoreOf(n, hash, Config{})) + 0.5) / (1 << 64)
			if score := -math.Log(u) / n.Weight; score < least {
				best, least = i, score
			}
		}
		if r.OwnerOfHash(hash) != best {
			differ++
		}
	}
	if differ > 2 { // expected: less than one in a million
		t.Errorf("%d of %d keys have another owner in floating point", differ, keys)
	}
}

func TestTies(t *testing.T) {
	// Nodes whose IDs have one hash, which no real hash gives. Between equal
	// weights the smaller ID wins; else the larger weight does.
	r := mustNew(t, numbered(4), Config{})
	for i := range r.seeds {
		r.seeds[i] = 42
	}
	for hash := range uint64(100) {
		if got := r.OwnerOfHash(hash); got != 0 {
			t.Fatalf("equal weights: node %d owns a key, want 0", got)
		}
	}
	nodes := numbered(4)
	nodes[2].Weight = 2
	r = mustNew(t, nodes, Config{})
	for i := range r.seeds {
		r.seeds[i] = 42
	}
	for hash := range uint64(100) {
		if got := r.OwnerOfHash(hash); got != 2 {
			t.Fatalf("one weight of 2: node %d owns a key, want 2", got)
		}
	}
}

func TestBeats(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b contender
		want bool
	}{
		{"smaller log", contender{log: 5, weight: 3}, contender{log: 6, weight: 3}, true},
		{"larger weight", contender{log: 5, weight: 4}, contender{log: 5, weight: 3}, true},
		{"quotient decides", contender{log: 4, weight: 3}, contender{log: 5, weight: 4}, false}, // 4/3 > 5/4
		{"beyond 64 bits", contender{log: fixedlog.Max, weight: 1<<52 - 1}, contender{log: fixedlog.Max, weight: 1<<52 - 2}, true},
		{"beyond 64 bits, equal in the high half", contender{log: 1<<40 + 1, weight: 1 << 40}, contender{log: 1 << 40, weight: 1 << 40}, false},
		{"equal quotients, larger u", contender{log: 4, weight: 2, u: 9, position: 7}, contender{log: 6, weight: 3, u: 8, position: 1}, true},
		{"equal quotients and u, smaller ID", contender{log: 4, weight: 2, u: 9, position: 1}, contender{log: 6, weight: 3, u: 9, position: 7}, true},
	} {
		if got := c.a.beats(&c.b); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
		if got := c.b.beats(&c.a); got == c.want {
			t.Errorf("%s, exchanged: got %v", c.name, got)
		}
	}
}

// Weights in another unit are the same placement, as long as they stay exact.
func TestOnlyRatiosCount(t *testing.T) {
	nodes := numbered(9)
	for i := range nodes {
		nodes[i].Weight = float64(1 + i%4)
	}
	a := mustNew(t, nodes, Config{})
	for i := range nodes {
		nodes[i].Weight *= 5
	}
	b := mustNew(t, nodes, Config{})
	for i := range 2000 {
		key := fmt.Sprint("key", i)
		if a.OwnerIndex(key) != b.OwnerIndex(key) {
			t.Fatalf("owner of %q differs", key)
		}
	}
}

// Each count is a binomial: within 4 standard deviations of its share of the
// keys, and all together within 4 of the chi-square's.
func TestSpread(t *testing.T) {
	const keys = 400_000
	weighted := numbered(10)
	for i := range weighted {
		weighted[i].Weight = []float64{0.125, 1, 1, 2, 3.3}[i%5]
	}
	for name, nodes := range map[string][]ring.Node{"ten": numbered(10), "hundred": numbered(100), "weighted": weighted} {
		r := mustNew(t, nodes, Config{})
		counts, total := make([]int, len(nodes)), 0.0
		random := rand.New(rand.NewPCG(5, 6))
		for range keys {
			counts[r.OwnerOfHash(random.Uint64())]++
		}
		for _, n := range nodes {
			total += n.Weight
		}
		chiSquare := 0.0
		for i, n := range r.nodes {
			p := n.Weight / total
			difference := float64(counts[i]) - keys*p
			chiSquare += difference * difference / (keys * p)
			if limit := 4 * math.Sqrt(keys*p*(1-p)); math.Abs(difference) > limit {
				t.Errorf("%s: %s owns %d keys, want %.0f ± %.0f", name, n.ID, counts[i], keys*p, limit)
			}
		}
		if freedom := float64(len(nodes) - 1); chiSquare > freedom+4*math.Sqrt(2*freedom) {
			t.Errorf("%s: chi-square %.1f of %v", name, chiSquare, freedom)
		}
	}
}

// One logarithm a lookup for each weight, however the weights alternate.
func TestGroups(t *testing.T) {
	nodes := numbered(12)
	for i := range nodes {
		nodes[i].Weight = float64(1 + i%3)
	}
	if got := mustNew(t, nodes, Config{}).groups; len(got) != 3 || got[0].end != 4 || got[2].first != 8 || got[2].end != 12 {
		t.Errorf("got groups %v, want three of four nodes each", got)
	}
}

func TestMemoryBytes(t *testing.T) {
	if got := mustNew(t, numbered(3), Config{}).MemoryBytes(); got != 3*12+24 {
		t.Errorf("got %d bytes, want %d", got, 3*12+24)
	}
}

func TestErrors(t *testing.T) {
	kind.Refuses(t, "no nodes", nil, Config{}, ring.ErrNoNodes, "at least one")
	kind.Refuses(t, "twice", ring.Nodes("a", "a"), Config{}, ring.ErrDuplicateID, `"a"`)
	kind.Refuses(t, "not a number", []ring.Node{{ID: "a", Weight: math.NaN()}}, Config{}, ring.ErrInvalidWeight, "NaN")
	kind.Refuses(t, "too light", []ring.Node{{ID: "a", Weight: MinWeight / 2}}, Config{}, ring.ErrInvalidWeight, `of node "a": got 1.164`)
	kind.Refuses(t, "hash function", ring.Nodes("a"), Config{Hasher: ring.Hasher{Function: 9}}, ring.ErrInvalidConfig, "HashFunction(9)")
	extreme := mustNew(t, []ring.Node{{ID: "a", Weight: MinWeight}, {ID: "b", Weight: ring.MaxWeight}}, Config{})
	if got := extreme.groups; len(got) != 2 || got[0].weight != 1 || got[1].weight != 1<<52 {
		t.Errorf("extreme weights: got %+v", got)
	}
}

// FuzzNew builds from anything: a list of IDs separated by commas, and a weight
// for every other one.
func FuzzNew(f *testing.F) {
	f.Add("a,b,c", 2.0, uint8(0), "key")
	f.Add("", math.NaN(), uint8(200), "")
	f.Add("a,b", 1e-300, uint8(1), "{x}y")
	f.Fuzz(func(t *testing.T, ids string, weight float64, function uint8, key string) {
		nodes, cfg := placementtest.Listed(ids, weight), Config{Hasher: ring.Hasher{Function: ring.HashFunction(function)}}
		r, built := kind.Try(t, nodes, cfg, key)
		if !built {
			return
		}
		if got, want := r.Owner(key), oracle(nodes, cfg.Hasher.Sum(key), cfg); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func BenchmarkOwner(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		for _, weights := range []int{1, 4} {
			nodes := numbered(n)
			for i := range nodes {
				nodes[i].Weight = float64(1 + i%weights)
			}
			placementtest.Lookups(b, fmt.Sprintf("nodes=%d/weights=%d", n, weights), mustNew(b, nodes, Config{}))
		}
	}
}
