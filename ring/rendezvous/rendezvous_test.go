package rendezvous

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/internal/fixedlog"
	"github.com/ringway/ringway/ring"
)

func mustNew(t testing.TB, nodes []ring.Node, cfg Config) *Rendezvous {
	t.Helper()
	r, err := New(nodes, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func numbered(n int) []ring.Node {
	nodes := make([]ring.Node, n)
	for i := range nodes {
		nodes[i] = ring.Node{ID: fmt.Sprintf("node-%03d", i), Weight: 1}
	}
	return nodes
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
	return Config{Hasher: ring.Hasher{
		Function: rapid.SampledFrom([]ring.HashFunction{ring.XXHash64, ring.Murmur3}).Draw(t, "function"),
		Seed:     rapid.Uint64Max(math.MaxUint32).Draw(t, "seed"),
		HashTags: rapid.Bool().Draw(t, "tags"),
	}}
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
		r, err := New(nodes, cfg)
		if err != nil {
			t.Fatal(err)
		}
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

// No key moves between two nodes that keep their weight, whatever else changes;
// and a weight that rises gives no key away, one that falls takes none.
func TestMinimalMovement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		from, err := New(drawNodes(t, "from"), cfg)
		if err != nil {
			t.Fatal(err)
		}
		to, err := from.Update(drawNodes(t, "to"))
		if err != nil {
			t.Fatal(err)
		}
		weight := func(p ring.Placement, id string) float64 {
			for _, n := range p.Nodes() {
				if n.ID == id {
					return n.Weight
				}
			}
			return 0
		}
		for i := range 100 {
			key := fmt.Sprint("key", i)
			loser, winner := from.Owner(key).ID, to.(*Rendezvous).Owner(key).ID
			if loser == winner {
				continue
			}
			if weight(to, loser) >= weight(from, loser) && weight(to, winner) <= weight(from, winner) {
				t.Fatalf("%q moves from %s (weight %v, then %v) to %s (weight %v, then %v)", key,
					loser, weight(from, loser), weight(to, loser), winner, weight(from, winner), weight(to, winner))
			}
		}
	})
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

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, "ids")
		a, err := New(nodes, Config{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(rapid.Permutation(nodes).Draw(t, "shuffled"), Config{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.nodes, b.nodes) || !slices.Equal(a.seeds, b.seeds) ||
			!slices.Equal(a.positions, b.positions) || !slices.Equal(a.groups, b.groups) {
			t.Fatalf("%+v and %+v differ", a, b)
		}
	})
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
		{"not a number", []ring.Node{{ID: "a", Weight: math.NaN()}}, Config{}, ring.ErrInvalidWeight, "NaN"},
		{"too light", []ring.Node{{ID: "a", Weight: MinWeight / 2}}, Config{}, ring.ErrInvalidWeight, `of node "a": got 1.164`},
		{"hash function", ring.Nodes("a"), Config{Hasher: ring.Hasher{Function: 9}}, ring.ErrInvalidConfig, "HashFunction(9)"},
	} {
		r, err := New(c.nodes, c.cfg)
		var input *ring.InputError
		if r != nil || !errors.As(err, &input) || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, %v; want nothing and an error %q that says %q", c.name, r, err, c.want, c.says)
		}
	}
	extreme := mustNew(t, []ring.Node{{ID: "a", Weight: MinWeight}, {ID: "b", Weight: ring.MaxWeight}}, Config{})
	if got := extreme.groups; len(got) != 2 || got[0].weight != 1 || got[1].weight != 1<<52 {
		t.Errorf("extreme weights: got %+v", got)
	}
	if p, err := extreme.Update(nil); p != nil || !errors.Is(err, ring.ErrNoNodes) {
		t.Errorf("Update(nil): got %v, %v", p, err)
	}
}

func TestNodesAreCopied(t *testing.T) {
	nodes := numbered(3)
	r := mustNew(t, nodes, Config{})
	nodes[0].ID = "changed"
	r.Nodes()[1].ID = "changed"
	if got := r.Nodes(); !slices.Equal(got, numbered(3)) || r.MemoryBytes() != 3*12+24 {
		t.Errorf("got %v, %d bytes", got, r.MemoryBytes())
	}
}

func TestZeroRendezvous(t *testing.T) {
	var r Rendezvous
	if r.Owner("x") != (ring.Node{}) || r.OwnerIndex("x") != -1 || r.OwnerOfHash(5) != -1 || len(r.Nodes()) != 0 {
		t.Error("the zero Rendezvous owns something")
	}
}

func TestNoAllocations(t *testing.T) {
	weighted := []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}, {ID: "c", Weight: 2}}
	for _, hasher := range []ring.Hasher{{}, {Seed: 1, HashTags: true}, {Function: ring.Murmur3}} {
		for _, nodes := range [][]ring.Node{numbered(10), weighted} {
			r := mustNew(t, nodes, Config{Hasher: hasher})
			if n := testing.AllocsPerRun(100, func() { _ = r.Owner("{user:1}:profile") }); n != 0 {
				t.Errorf("%v allocations a lookup", n)
			}
		}
	}
}

// FuzzNew builds from anything: a list of IDs separated by commas, and a weight
// for every other one.
func FuzzNew(f *testing.F) {
	f.Add("a,b,c", 2.0, uint8(0), "key")
	f.Add("", math.NaN(), uint8(200), "")
	f.Add("a,b", 1e-300, uint8(1), "{x}y")
	f.Fuzz(func(t *testing.T, ids string, weight float64, function uint8, key string) {
		nodes := ring.Nodes(strings.Split(ids, ",")...)
		for i := range nodes {
			if i%2 == 1 {
				nodes[i].Weight = weight
			}
		}
		cfg := Config{Hasher: ring.Hasher{Function: ring.HashFunction(function)}}
		r, err := New(nodes, cfg)
		if err != nil {
			if input := (*ring.InputError)(nil); r != nil || !errors.As(err, &input) {
				t.Fatalf("got %v and an error of type %T", r, err)
			}
			return
		}
		if got, want := r.Owner(key), oracle(nodes, cfg.Hasher.Sum(key), cfg); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func BenchmarkOwner(b *testing.B) {
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = fmt.Sprintf("user:%08d:profile", i)
	}
	for _, n := range []int{10, 100, 1000} {
		for _, weights := range []int{1, 4} {
			nodes := numbered(n)
			for i := range nodes {
				nodes[i].Weight = float64(1 + i%weights)
			}
			r := mustNew(b, nodes, Config{})
			b.Run(fmt.Sprintf("nodes=%d/weights=%d", n, weights), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					r.OwnerIndex(keys[i%len(keys)])
				}
			})
		}
	}
}
